"""Pictures and sentences of a comparison: right for every sign, tie and missing part."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.analysis.intervals import Interval
from bortlab.data.labelled import Example, LabelledData
from bortlab.training.finetune.comparison import Comparison, Entry
from bortlab.views import finetune as draw
from bortlab.views.theme import Look
from bortlab.views.view import View

LOOK = Look("dark")
LABELS = ("no", "yes")
TRUTH = ("yes", "no", "yes", "no")
shares = st.floats(0, 1, allow_nan=False)


def data() -> LabelledData:
    test = tuple(Example(f"text {number}", label) for number, label in enumerate(TRUTH))
    train = (Example("text 2", "yes"), Example("another", "no"))
    return LabelledData("tiny", "sequence-classification", "single_label_classification", LABELS, train, test[:2], test)


def entry(key: str, value: float, *, family: str | None = "bert", ms: float | None = 1.0, **more: Any) -> Entry:
    run = {
        "figures": {"accuracy": value},
        "labels": ["yes", "yes", "no", "no"],
        "confidence": [0.9, 0.8, 0.7, 0.6],
        "calibration": {
            "ece": 0.1,
            "bins": [{"low": 0.6, "high": 0.7, "count": 4, "confidence": 0.75, "accuracy": 0.5}],
        },
        "curve": [{"epoch": 1, "step": 1, "loss": 0.7, "accuracy": value}],
        "seconds": 2.0,
    }
    fields = {
        "key": key,
        "title": key,
        "family": family,
        "parameters": 1000,
        "n_bytes": 4000,
        "figures": {"accuracy": Interval(value, max(0.0, value - 0.1), min(1.0, value + 0.1))},
        "runs": {"0 of 2": run},
        "smaller": (),
        "best": "0 of 2",
        "ms": None if ms is None else Interval(ms, ms, ms),
        "folder": None,
    }
    return Entry(**{**fields, **more})


def comparison(*entries: Entry, gaps: dict[str, bool] | None = None, test: int = 200) -> Comparison:
    """entries: best first. gaps: key -> is its difference from the best significant?"""
    about = {"measure": "accuracy", "examples": {"train": 2, "dev": 2, "test": test}}
    differences = {key: {"significant": apart, "p": None} for key, apart in (gaps or {}).items()}
    return Comparison(about, tuple(entries), differences, gaps is not None, 2, {"examples": 0})


def test_the_front_has_those_that_none_beats_in_both() -> None:
    slow, fast, beaten, equal = (
        entry("slow", 0.9, ms=9),
        entry("fast", 0.7, ms=1),
        entry("beaten", 0.6, ms=2),
        entry("equal", 0.9, ms=20),
    )
    assert [e.key for e in draw.pareto([slow, equal, beaten, fast], "accuracy")] == ["fast", "slow"]


@given(st.lists(st.tuples(shares, st.floats(0.01, 100)), min_size=1, max_size=8))
def test_the_front_is_that_of_comparing_all_pairs(points) -> None:
    entries = [entry(str(number), value, ms=ms) for number, (value, ms) in enumerate(points)]
    front = {(e.figures["accuracy"].value, e.ms.value) for e in draw.pareto(entries, "accuracy")}
    best = {
        (value, ms)
        for value, ms in points
        if not any(v >= value and m <= ms and (v, m) != (value, ms) for v, m in points)
    }
    assert front == best


@given(
    st.lists(st.tuples(shares, st.booleans(), st.booleans()), min_size=1, max_size=6),
    st.sampled_from([20, 500]),
)
def test_a_verdict_agrees_with_the_numbers(rows, test: int) -> None:
    """rows: value, is it a baseline, does it differ significantly from the best?"""
    ranked = sorted(enumerate(rows), key=lambda row: -row[1][0])
    entries = [
        entry(f"model{number}", value, family=None if baseline else "bert", ms=1.0 + number)
        for number, (value, baseline, _) in ranked
    ]
    gaps = {f"model{number}": apart for number, (_, _, apart) in ranked[1:]}
    text = draw.verdict(comparison(*entries, gaps=gaps, test=test))
    lines = text.splitlines()
    assert all(line.startswith("- ") and line.endswith(".") for line in lines)
    assert f"**{entries[0].key}** is best" in lines[0]
    assert "nan" not in text and "None" not in text
    models = [e for e in entries if not e.is_baseline]
    assert ("No fine-tuned model is needed" in text) == (entries[0].is_baseline and bool(models))
    assert ("every interval is wide" in text) == (test == 20)
    told = re.search(r"No significant difference from it: (.*?)\.", text)
    same = [e.key for e in models if e.key in gaps and not gaps[e.key]]
    assert bool(told) == bool(same)
    assert all(key in told.group(1) for key in same if told)
    if "Its lead over every other model is significant" in text:
        assert not same


def test_a_running_comparison_has_a_verdict_too() -> None:
    text = draw.verdict(comparison(entry("a", 0.5, ms=None)))
    assert "**a** is best" in text
    assert "significant" not in text


def test_seeds_are_told_by_their_spread() -> None:
    runs = {f"{seed} of 2": {"figures": {"accuracy": value}, "seconds": 1.0} for seed, value in enumerate((0.5, 0.7))}
    text = draw.verdict(comparison(entry("a", 0.6, runs=runs), gaps={}))
    assert "varies by up to 0.200" in text
    assert "One seed" not in text


def test_foreign_names_are_no_markup() -> None:
    text = draw.verdict(comparison(entry("a", 0.5, title="**b** [x](http://y)"), gaps={}))
    assert "[x]" not in text


def test_mistakes_are_found_and_sorted_by_how_sure_they_were() -> None:
    table = draw.errors(comparison(entry("a", 0.5)), entry("a", 0.5), data())
    assert list(table["text"]) == ["text 1", "text 2"]
    assert list(table["label"]) == ["no", "yes"]
    assert list(table["prediction"]) == ["yes", "no"]
    assert list(table["in training"]) == [False, True]


def test_precision_and_recall() -> None:
    table = draw.per_class(comparison(entry("a", 0.5)), entry("a", 0.5), data()).set_index("class")
    assert table.loc["yes", ["precision", "recall", "F1"]].tolist() == [0.5, 0.5, 0.5]
    assert table["examples"].tolist() == [2, 2]


def test_two_models_disagree_where_their_labels_differ() -> None:
    one, other = entry("a", 0.5), entry("b", 0.5)
    other = replace(other, runs={"0 of 2": {**other.kept, "labels": ["yes", "no", "no", "no"]}})
    table = draw.disagreements(comparison(one, other), one, other, data())
    assert table[["text", "label", "a", "b"]].values.tolist() == [["text 1", "no", "yes", "no"]]


def test_what_answers_always_the_same_is_a_line_and_no_point() -> None:
    constant = entry("majority", 0.5, family=None, ms=0.0001, title="the commonest class")
    figure = draw.frontier(comparison(entry("a", 0.9), entry("b", 0.8, ms=2.0), constant, gaps={}), LOOK).picture
    assert [shape.y0 for shape in figure.layout.shapes] == [0.5]
    labels = [annotation.text for annotation in figure.layout.annotations]
    assert labels == ["a", "b", "the commonest class"]
    low, high = figure.layout.xaxis.range
    assert -0.5 < low < 0 and 0.3 < high < 0.8  # 1 and 2 ms, on a scale of logarithms


def test_the_overview_has_each_figure_with_its_interval_in_a_cell() -> None:
    words = entry("words", 0.3, family=None, ms=None)
    rows = draw.overview(comparison(entry("a", 0.9), words, gaps={})).to_dict("records")
    assert rows[0] == {"model": "a", "accuracy": "0.900 (0.800 to 1.000)", "ms a text": "1", "MB": "0.0"}
    assert rows[1]["ms a text"] == rows[1]["MB"] == ""


def pictures() -> list[View]:
    models = entry("a", 0.9, smaller=((1, {"accuracy": 0.4}),)), entry("b", 0.4, family="bort", ms=3.0)
    whole = comparison(*models, entry("words", 0.3, family=None, ms=0.1), gaps={"b": True, "words": True})
    return [
        draw.frontier(whole, LOOK),
        draw.dev_curves(whole, LOOK),
        draw.learning_curve(whole, LOOK),
        draw.confusion_matrix(whole, models[0], data(), LOOK),
        draw.reliability(whole, "a", LOOK),
    ]


@pytest.mark.parametrize("view", pictures(), ids=lambda view: view.title)
def test_a_picture_says_what_it_shows(view: View) -> None:
    assert view.alt.startswith(f"{view.title}: ") and view.alt.endswith(".")
    assert len(view.table)
    assert "nan" not in view.alt


def test_a_report_is_whole_and_holds_no_foreign_markup() -> None:
    whole = comparison(entry("a", 0.9, title="<script>x</script>"), gaps={})
    page = draw.report(whole, data(), Look("light"))
    assert page.count("<html") == page.count("</html>") == 1
    assert "<script>x" not in page
    assert "Mistakes of" in page and "text 1" in page
    assert "http" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
