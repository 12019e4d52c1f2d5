"""Figures against the field's own libraries, intervals and tests against known answers."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.analysis import evaluation
from bortlab.analysis.evaluation import Predictions, calibration, difference, intervals, mcnemar, measure_of, wilson
from bortlab.data.labelled import Example, LabelledData

CLASSES = ("a", "b", "c")
pairs_of_classes = st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=30)


def data_of(problem_type: str | None, examples, *, labels=CLASSES, task="sequence-classification") -> LabelledData:
    return LabelledData("try", task, problem_type, labels, (), (), tuple(examples))


def judged(data: LabelledData, predicted) -> tuple[evaluation.Measure, evaluation.Outcomes]:
    measure = measure_of(data)
    return measure, measure.outcomes(data, data.test, Predictions(tuple(predicted)))


def classes(pairs) -> tuple[evaluation.Measure, evaluation.Outcomes]:
    data = data_of("single_label_classification", [Example(f"text {i}", truth) for i, (truth, _) in enumerate(pairs)])
    return judged(data, [guess for _, guess in pairs])


@given(pairs_of_classes)
def test_figures_of_classes_are_scikit_learns(pairs) -> None:
    from sklearn import metrics

    measure, outcomes = classes(pairs)
    figures = measure.figures(outcomes)
    truth, guess = zip(*pairs, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(truth, guess))
        assert figures["macro_f1"] == pytest.approx(metrics.f1_score(truth, guess, average="macro", zero_division=0))
        assert figures["mcc"] == pytest.approx(metrics.matthews_corrcoef(truth, guess), abs=1e-12)
        assert (evaluation.confusion(outcomes) == metrics.confusion_matrix(truth, guess, labels=CLASSES)).all()


@given(st.lists(st.tuples(st.sets(st.sampled_from(CLASSES)), st.sets(st.sampled_from(CLASSES))), min_size=1))
def test_figures_of_several_labels_are_scikit_learns(pairs) -> None:
    from sklearn import metrics

    examples = [Example(f"text {i}", tuple(truth)) for i, (truth, _) in enumerate(pairs)]
    measure, outcomes = judged(data_of("multi_label_classification", examples), [tuple(guess) for _, guess in pairs])
    figures = measure.figures(outcomes)
    for average in ("micro", "macro"):
        expected = metrics.f1_score(outcomes[:, 0], outcomes[:, 1], average=average, zero_division=0)
        assert figures[f"{average}_f1"] == pytest.approx(expected)
    assert figures["exact"] == pytest.approx(metrics.accuracy_score(outcomes[:, 0], outcomes[:, 1]))


numbers = st.integers(-5, 5).map(float)


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30))
def test_figures_of_numbers_are_scipys(pairs) -> None:
    from scipy import stats

    data = data_of("regression", [Example(f"text {i}", truth) for i, (truth, _) in enumerate(pairs)], labels=())
    measure, outcomes = judged(data, [guess for _, guess in pairs])
    figures = measure.figures(outcomes)
    truth, guess = np.array(pairs).T
    if len(set(truth)) == 1 or len(set(guess)) == 1:
        assert figures["pearson"] == figures["spearman"] == 0
    else:
        assert figures["pearson"] == pytest.approx(stats.pearsonr(truth, guess).statistic, abs=1e-9)
        assert figures["spearman"] == pytest.approx(stats.spearmanr(truth, guess).statistic, abs=1e-9)
    assert figures["mae"] == pytest.approx(abs(truth - guess).mean())


TAGS = ("O", "B-PER", "I-PER", "B-LOC")


@given(st.lists(st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1), min_size=1, max_size=8))
def test_figures_of_entities_are_seqevals(sentences) -> None:
    from seqeval.metrics import f1_score

    truth = [[label for label, _ in sentence] for sentence in sentences]
    guess = [[label for _, label in sentence] for sentence in sentences]
    examples = [Example("x " * len(labels), tuple(labels), words=("x",) * len(labels)) for labels in truth]
    data = data_of(None, examples, labels=TAGS, task="token-classification")
    measure, outcomes = judged(data, map(tuple, guess))
    assert evaluation.main_measure(data) == "entity_f1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert measure.figures(outcomes)["entity_f1"] == pytest.approx(f1_score(truth, guess))


def test_words_without_entities_are_judged_by_accuracy() -> None:
    examples = [Example("a b c", ("X", "Y", "X"), words=("a", "b", "c")), Example("d", ("Y",), words=("d",))]
    measure, outcomes = judged(
        data_of(None, examples, labels=("X", "Y"), task="token-classification"), [("X", "X", "X"), ("Y",)]
    )
    assert measure.figures(outcomes) == {"accuracy": 0.75}


@pytest.mark.parametrize(
    ("accepted", "answer", "exact", "overlap"),
    [
        (((4, "the cat"), (4, "the grey cat")), ((4, "Cat."),), 1, 1),
        (((4, "the grey cat"),), ((4, "cat"),), 0, 2 / 3),
        (((4, "the grey cat"),), ((0, "dog"),), 0, 0),
        ((), (), 1, 1),
        ((), ((0, "dog"),), 0, 0),
        (((4, "cat"),), (), 0, 0),
    ],
)
def test_answers_are_judged_as_squad_does(accepted, answer, exact: float, overlap: float) -> None:
    data = data_of(None, [Example("who?", accepted, pair="the grey cat")], labels=(), task="question-answering")
    measure, outcomes = judged(data, [answer])
    assert measure.figures(outcomes) == pytest.approx({"exact_match": exact, "f1": overlap})


def test_choices() -> None:
    examples = [Example("p", 1, choices=("x", "y")), Example("q", 0, choices=("x", "y"))]
    measure, outcomes = judged(data_of(None, examples, labels=(), task="multiple-choice"), [1, 1])
    assert measure.figures(outcomes) == {"accuracy": 0.5}


def test_an_interval_covers_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(1), 0
    for trial in range(100):
        truth = rng.random(80) < 0.7  # the share that is right
        measure, outcomes = classes([("a", "a" if right else "b") for right in truth])
        interval = intervals(measure, [outcomes], seed=trial, resamples=300)["accuracy"]
        covered += interval.low <= 0.7 <= interval.high
    assert 85 <= covered <= 99  # about 94 of 100 for a percentile bootstrap of 80 examples


def test_no_examples_have_no_figures() -> None:
    measure, outcomes = classes([("a", "a")])
    with pytest.raises(ValueError, match="no examples"):
        intervals(measure, [outcomes[:0]])


def test_a_difference_is_paired() -> None:
    """Of 40 examples the one is right on 10 that the other gets wrong, and never the other way round."""
    measure, one = classes([("a", "a")] * 40)
    _, other = classes([("a", "a")] * 30 + [("a", "b")] * 10)
    found = difference(measure, "accuracy", [one], [other])
    assert found.interval.value == pytest.approx(0.25)
    assert found.p == pytest.approx(2 * 0.5**10)
    assert found.significant
    same = difference(measure, "accuracy", [other], [other])
    assert (same.interval.value, same.interval.low, same.interval.high, same.p) == (0, 0, 0, 1)
    assert not same.significant
    with pytest.raises(ValueError, match="40 and 39"):
        difference(measure, "accuracy", [one], [other[1:]])


def test_runs_count_alike() -> None:
    """The figure of two runs is their mean, and its interval is as wide as that of examples that are half right."""
    measure, one = classes([("a", "a")] * 20 + [("a", "b")] * 20)
    _, other = classes([("a", "b")] * 20 + [("a", "a")] * 20)
    both = intervals(measure, [one, other])["accuracy"]
    assert both.value == both.low == both.high == 0.5
    assert intervals(measure, [one, one]) == intervals(measure, [one])


def test_mcnemar_is_the_exact_binomial_test() -> None:
    one = np.array([True] * 8 + [False] * 2)
    other = np.array([False] * 8 + [True] * 2)
    expected = 2 * sum(math.comb(10, k) for k in (0, 1, 2)) / 2**10
    assert mcnemar(one, other) == pytest.approx(expected)


def test_wilson_is_the_textbooks() -> None:
    """Newcombe (1998), table I: 81 of 263."""
    interval = wilson(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


def test_calibration_of_known_bins() -> None:
    confidence = np.array([0.95] * 10 + [0.65] * 10)
    right = np.array([True] * 9 + [False] + [True] * 4 + [False] * 6)
    result = calibration(confidence, right)
    assert [(item.count, round(item.accuracy, 2)) for item in result.bins] == [(10, 0.4), (10, 0.9)]
    assert result.ece == pytest.approx((0.25 + 0.05) / 2)
    with pytest.raises(ValueError, match="2 and 1"):
        calibration(confidence[:2], right[:1])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_every_prediction_falls_into_one_bin(pairs) -> None:
    confidence, right = (np.array(column) for column in zip(*pairs, strict=True))
    result = calibration(confidence, right)
    assert sum(item.count for item in result.bins) == len(pairs)
    assert 0 <= result.ece <= 1
    assert all(item.low - 1e-9 <= item.confidence <= item.high + 1e-9 for item in result.bins)
