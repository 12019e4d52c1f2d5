"""How good predictions are, by the measures that each task is judged by.

Every measure is a function of *outcomes*, arrays with one row an example, so that a bootstrap can draw examples again
and an interval is computed by the very function that computed the figure. scikit-learn, seqeval and scipy are the
oracles of the tests; here the same formulas run over a thousand resamples in a tenth of a second.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bortlab.analysis.evaluation.predictions import Predictions
from bortlab.data.labelled import Example, LabelledData

Outcomes = NDArray[Any]
"""One row an example; what its columns hold is known to the measure alone."""
Figures = dict[str, float]
"""The name of a measure -> its value. The first is what models are chosen by."""

NAMES: Mapping[str, str] = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "mcc": "Matthews correlation",
    "exact": "all labels right",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
    "mae": "mean absolute error",
    "entity_f1": "entity F1",
    "exact_match": "exact match",
    "f1": "F1 of words",
}
"""Measures as people call them."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How a task is judged.

    outcomes: of (data, examples, predictions). figures: of the outcomes of any examples. right: (examples,), where each
    example is right or wrong and nothing else.
    """

    outcomes: Callable[[LabelledData, Sequence[Example], Predictions], Outcomes]
    figures: Callable[[Outcomes], Figures]
    right: Callable[[Outcomes], NDArray[np.bool_]] | None = None


def kind_of(data: LabelledData) -> str:
    """The key of MEASURES that a task is judged by: its problem type, or its name where it has none."""
    if data.task == "token-classification" and any(label[:2] in ("B-", "I-") for label in data.labels):
        return "entities"
    return data.problem_type or data.task


def measure_of(data: LabelledData) -> Measure:
    """How these data's predictions are judged."""
    return MEASURES[kind_of(data)]


def main_measure(data: LabelledData) -> str:
    """The name of the figure that models are chosen by."""
    return MAIN[kind_of(data)]


# -- one class a text --------------------------------------------------------------------------------------------------


def _numbers(data: LabelledData, labels: Sequence[Any]) -> list[int]:
    known = {label: number for number, label in enumerate(data.labels)}
    return [known[label] for label in labels]


def _class_outcomes(data: LabelledData, examples: Sequence[Example], predictions: Predictions) -> Outcomes:
    """(examples, 3): the class, the predicted class, the number of classes."""
    truth = _numbers(data, [example.label for example in examples])
    return np.stack([truth, _numbers(data, predictions.labels), [len(data.labels)] * len(truth)], axis=1)


def confusion(outcomes: Outcomes) -> NDArray[np.int64]:
    """(classes, classes): how often each class (rows) was predicted as each (columns)."""
    size = int(outcomes[0, 2])
    flat = np.bincount(outcomes[:, 0] * size + outcomes[:, 1], minlength=size * size)
    return flat.reshape(size, size).astype(np.int64)


def _class_figures(outcomes: Outcomes) -> Figures:
    """Accuracy, macro F1 over the classes that occur or are predicted, and Gorodkin's (2004) correlation R_K."""
    counts = confusion(outcomes).astype(float)
    n, right = counts.sum(), np.trace(counts)
    true, predicted = counts.sum(1), counts.sum(0)
    covariance = right * n - true @ predicted
    spread = np.sqrt((n * n - predicted @ predicted) * (n * n - true @ true))
    return {
        "accuracy": float(right / n),
        "macro_f1": float(_f1(np.diag(counts), predicted, true)[true + predicted > 0].mean()),
        "mcc": float(covariance / spread) if spread else 0.0,
    }


def _f1(right: NDArray[Any], predicted: NDArray[Any], true: NDArray[Any]) -> NDArray[np.float64]:
    """F1 from counts, 0 where there is nothing."""
    both = predicted + true
    return np.asarray(np.divide(2.0 * right, both, out=np.zeros(np.shape(both)), where=both > 0))


# -- several labels a text ---------------------------------------------------------------------------------------------


def _several_outcomes(data: LabelledData, examples: Sequence[Example], predictions: Predictions) -> Outcomes:
    """(examples, 2, labels): which labels hold, and which were predicted."""

    def table(labels: Sequence[Any]) -> NDArray[np.int64]:
        return np.array([[name in row for name in data.labels] for row in labels], dtype=np.int64)

    return np.stack([table([example.label for example in examples]), table(predictions.labels)], axis=1)


def _several_figures(outcomes: Outcomes) -> Figures:
    true, predicted = outcomes[:, 0], outcomes[:, 1]
    counts = [(true & predicted).sum(0), predicted.sum(0), true.sum(0)]
    return {
        "micro_f1": float(_f1(*(np.atleast_1d(count.sum()) for count in counts))[0]),
        "macro_f1": float(_f1(*counts).mean()),
        "exact": float((true == predicted).all(1).mean()),
    }


# -- numbers -----------------------------------------------------------------------------------------------------------


def _number_outcomes(data: LabelledData, examples: Sequence[Example], predictions: Predictions) -> Outcomes:
    """(examples, 2): the number, the predicted number."""
    return np.array(list(zip((example.label for example in examples), predictions.labels, strict=True)), dtype=float)


def _number_figures(outcomes: Outcomes) -> Figures:
    """Correlations are 0 where either side is constant: nothing was told apart."""
    true, predicted = outcomes.T
    return {
        "pearson": _correlation(true, predicted),
        "spearman": _correlation(_ranks(true), _ranks(predicted)),
        "mae": float(np.abs(true - predicted).mean()),
    }


def _correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    spread = a.std() * b.std()
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 0.0


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks with ties averaged."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place].astype(float)


# -- labels of words ---------------------------------------------------------------------------------------------------


def _word_outcomes(data: LabelledData, examples: Sequence[Example], predictions: Predictions) -> Outcomes:
    """(examples, 2): words, and those whose label is right."""
    rows = [
        (len(labels), sum(a == b for a, b in zip(labels, predicted, strict=True)))
        for labels, predicted in _word_labels(examples, predictions)
    ]
    return np.array(rows, dtype=np.int64)


def _word_labels(examples: Sequence[Example], predictions: Predictions) -> list[tuple[Sequence[str], Sequence[str]]]:
    return [
        (example.label, predicted)  # type: ignore[misc]
        for example, predicted in zip(examples, predictions.labels, strict=True)
    ]


def _word_figures(outcomes: Outcomes) -> Figures:
    return {"accuracy": float(outcomes[:, 1].sum() / outcomes[:, 0].sum())}


def _entity_outcomes(data: LabelledData, examples: Sequence[Example], predictions: Predictions) -> Outcomes:
    """(examples, 5): words, right ones; entities, predicted ones, those that are right in place and kind."""
    from seqeval.metrics.sequence_labeling import get_entities

    rows = []
    for labels, predicted in _word_labels(examples, predictions):
        true, guessed = set(get_entities(list(labels))), set(get_entities(list(predicted)))
        rows.append((len(true), len(guessed), len(true & guessed)))
    return np.concatenate([_word_outcomes(data, examples, predictions), np.array(rows, dtype=np.int64)], axis=1)


def _entity_figures(outcomes: Outcomes) -> Figures:
    _, _, true, predicted, right = (np.atleast_1d(total) for total in outcomes.sum(0))
    return {"entity_f1": float(_f1(right, predicted, true)[0]), **_word_figures(outcomes)}


# -- choices and answers -----------------------------------------------------------------------------------------------


def _choice_outcomes(data: LabelledData, examples: Sequence[Example], predictions: Predictions) -> Outcomes:
    """(examples, 1): is the choice the right one?"""
    return np.array([[example.label == label] for example, label in zip(examples, predictions.labels, strict=True)])


def _choice_figures(outcomes: Outcomes) -> Figures:
    return {"accuracy": float(outcomes.mean())}


def _answer_outcomes(data: LabelledData, examples: Sequence[Example], predictions: Predictions) -> Outcomes:
    """(examples, 2): exact match and F1 of words, each against the best of the acceptable answers."""
    rows = []
    for example, predicted in zip(examples, predictions.labels, strict=True):
        accepted = [text for _, text in example.answers] or [""]
        said = predicted[0][1] if predicted else ""  # type: ignore[index]
        pairs = [(_answer_words(said), _answer_words(text)) for text in accepted]
        rows.append((max(a == b for a, b in pairs), max(_overlap(a, b) for a, b in pairs)))
    return np.array(rows, dtype=float)


def _answer_words(text: str) -> list[str]:
    """Words in lower case, without punctuation and articles, as in SQuAD's evaluation (Rajpurkar et al. 2016)."""
    plain = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", plain).split()


def _overlap(a: list[str], b: list[str]) -> float:
    """F1 of two bags of words; of two empty ones 1."""
    common = (Counter(a) & Counter(b)).total()
    return 2 * common / (len(a) + len(b)) if a or b else 1.0


def _answer_figures(outcomes: Outcomes) -> Figures:
    exact, overlap = outcomes.mean(0)
    return {"f1": float(overlap), "exact_match": float(exact)}


MEASURES: Mapping[str, Measure] = {
    "single_label_classification": Measure(
        _class_outcomes, _class_figures, lambda outcomes: outcomes[:, 0] == outcomes[:, 1]
    ),
    "multi_label_classification": Measure(_several_outcomes, _several_figures),
    "regression": Measure(_number_outcomes, _number_figures),
    "token-classification": Measure(_word_outcomes, _word_figures),
    "entities": Measure(_entity_outcomes, _entity_figures),
    "multiple-choice": Measure(_choice_outcomes, _choice_figures, lambda outcomes: outcomes[:, 0]),
    "question-answering": Measure(_answer_outcomes, _answer_figures),
}
"""How each kind of task is judged (see `kind_of`)."""
MAIN: Mapping[str, str] = {
    "single_label_classification": "accuracy",
    "multi_label_classification": "micro_f1",
    "regression": "pearson",
    "token-classification": "accuracy",
    "entities": "entity_f1",
    "multiple-choice": "accuracy",
    "question-answering": "f1",
}
"""The figure that models are chosen by."""
