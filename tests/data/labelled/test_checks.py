"""What is said of labelled data: each thing that can be wrong, with its count and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.data.labelled import DataError, Example, Finding, LabelledData, check, load_task, read
from bortlab.data.labelled.checks import errors
from bortlab.registry import load

Rows = Sequence[tuple[str, str, str]]
PLAIN: Rows = [
    (f"{split} text number {i}", "pos" if i % 2 else "neg", split)
    for split, count in (("train", 80), ("dev", 40), ("test", 40))
    for i in range(count)
]


def data_of(rows: Rows) -> LabelledData:
    return read(pd.DataFrame(rows, columns=["text", "label", "split"]))


def findings(*more: tuple[str, str, str]) -> dict[str, Finding]:
    """What is said of plain data with a few rows more, which are 161 and on."""
    return {finding.check: finding for finding in check(data_of([*PLAIN, *more]))}


def test_nothing_is_said_of_plain_data() -> None:
    assert findings() == {}


@pytest.mark.parametrize(
    ("rows", "name", "severity", "count", "places", "words"),
    [
        ([("  ", "pos", "train")], "empty text", "warning", 1, (161,), "1 example is without text (row 161)."),
        (
            [("=SUM(A1:B2)", "pos", "train"), ("#REF!", "neg", "dev")],
            "formula",
            "warning",
            2,
            (161, 162),
            "spreadsheet",
        ),
        ([("New.", "odd", "train")], "single example", "warning", 1, (161,), "the class “odd”"),
        (
            [("New.", "odd", "test")],
            "unlearned class",
            "warning",
            1,
            (161,),
            "Test has the class “odd” that train has not",
        ),
        ([("Train  Text number 3", "pos", "test")], "test leaks", "warning", 1, (161,), "2.4%"),
        ([("train text number 3", "pos", "dev")], "dev leaks", "warning", 1, (161,), "dev"),
        (
            [("train text number 3", "neg", "train")],
            "conflicting labels",
            "warning",
            2,
            (4, 161),
            "more than one label",
        ),
        ([("train text number 3", "pos", "train")], "duplicates", "note", 1, (161,), "repeats"),
        ([(f"Another {i}.", "pos", "train") for i in range(300)], "uneven classes", "warning", 340, (), "89%"),
    ],
)
def test_each_thing_is_said_with_its_rows(
    rows: Rows, name: str, severity: str, count: int, places: tuple[int, ...], words: str
) -> None:
    finding = findings(*rows)[name]
    assert (finding.severity, finding.count, finding.rows) == (severity, count, places)
    assert words in finding.sentence


@pytest.mark.parametrize(
    "text",
    [
        "=)",
        "= I think so",
        "C# is nice",
        "#1 in the charts",
        "-5 degrees",
        "+1",
        "@you",
        "مرحبا بالعالم",
        "🙂🙂",
        "=",
        "#name of it",
    ],
)
def test_ordinary_texts_are_no_formulas(text: str) -> None:
    assert "formula" not in findings((text, "pos", "train"))


def test_small_splits_are_said_to_be_uncertain() -> None:
    kept = [row for row in PLAIN if row[2] != "test"] + [row for row in PLAIN if row[2] == "test"][:16]
    finding = {finding.check: finding for finding in check(data_of(kept))}["small test"]
    assert finding.sentence == "Test has 16 examples: its figures may be off by 24 points."


def test_texts_longer_than_the_model_reads_are_counted_in_its_pieces() -> None:
    tokenizer = load("bert-mini").tokenizer
    data = data_of([*PLAIN, ("word " * 30, "pos", "train"), ("word " * 28, "neg", "train")])
    (finding,) = [f for f in check(data, tokenizer=tokenizer, longest=30) if f.check == "long text"]
    assert finding.rows == (161,)  # 28 words and the two pieces of the template fit
    assert "The longest has 32" in finding.sentence


def test_pairs_count_the_longest_of_both_and_the_template() -> None:
    tokenizer = load("bert-mini").tokenizer
    examples = tuple(Example("word " * 5, "a", pair="word " * 6, row=row) for row in (1, 2))
    data = replace(data_of(PLAIN), labels=("a",), train=examples, dev=examples, test=examples)
    assert not [f for f in check(data, tokenizer=tokenizer, longest=14) if f.check == "long text"]
    assert [f for f in check(data, tokenizer=tokenizer, longest=13) if f.check == "long text"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("One.", "pos", "train")], "1 example cannot be divided"),
        ([(text, "pos", split) for text, _, split in PLAIN], "Every label of train is “pos”"),
    ],
)
def test_data_that_nothing_can_be_learned_from_are_refused(rows: Rows, words: str) -> None:
    with pytest.raises(DataError, match=words):
        data_of(rows)


def test_a_label_that_is_no_class_is_an_error() -> None:
    data = data_of(PLAIN)
    (finding,) = errors(replace(data, labels=("neg", "bad")))
    assert finding.check == "unknown class" and finding.count == 80


def test_the_bundled_tasks_have_no_leaks() -> None:
    for name in ("supersense", "field", "kind-of", "direct-speech"):
        names = {finding.check for finding in check(load_task(name))}
        assert not names & {"test leaks", "dev leaks", "duplicates", "conflicting labels", "empty text"}, name


@given(st.lists(st.tuples(st.text(max_size=8), st.sampled_from("ab"), st.sampled_from(["train", "dev", "test"]))))
def test_counts_never_exceed_the_examples_and_rows_are_theirs(more: list[tuple[str, str, str]]) -> None:
    data = data_of([*PLAIN, *more])
    rows = {example.row for example in data}
    for finding in check(data):
        assert finding.sentence.endswith(".") and finding.count <= len(data) and set(finding.rows) <= rows
