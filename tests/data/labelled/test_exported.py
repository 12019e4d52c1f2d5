"""What is written is read back: every task as JSON lines, and those that fit into plain cells as a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab import cli
from bortlab.data.labelled import SPLITS, DataError, Example, LabelledData, load_task, read
from bortlab.data.labelled.exported import write_examples

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=20)
words = st.from_regex(r"[a-z']{1,6}", fullmatch=True)
labelled = {
    "single_label_classification": st.builds(Example, texts.filter(str.strip), st.sampled_from("ab")),
    "multi_label_classification": st.builds(Example, texts, st.sampled_from([(), ("a",), ("a", "b")]), pair=texts),
    "regression": st.builds(Example, texts, st.integers(-9, 9).map(float)),
    "token-classification": st.lists(st.tuples(words, st.sampled_from("ab")), min_size=1, max_size=5).map(
        lambda pairs: Example(
            " ".join(w for w, _ in pairs), tuple(t for _, t in pairs), words=tuple(w for w, _ in pairs)
        )
    ),
    "multiple-choice": st.builds(Example, texts, st.integers(0, 1), choices=st.tuples(texts, texts)),
    "question-answering": st.builds(Example, texts, st.just(((4, "cat"),)), pair=st.just("The cat sat.")),
}
CELLS = ("single_label_classification", "multi_label_classification", "regression", "token-classification")


def data_of(task: str, examples: list[Example]) -> LabelledData:
    """The examples in every split, after two that show both labels."""
    first, second = (
        (("a",), ("a", "b")) if task in ("token-classification", "multi_label_classification") else ("a", "b")
    )
    shown = {
        "single_label_classification": [Example("one", first), Example("two", second)],
        "multi_label_classification": [Example("one", first, pair="p"), Example("two", second, pair="p")],
        "regression": [Example("one", 0.25), Example("two", 0.5)],
        "token-classification": [Example("one", first, words=("one",)), Example("two 2", second, words=("two", "2"))],
    }.get(task, [])
    part = tuple([*shown, *examples])
    is_text = task.endswith(("classification", "regression")) and task != "token-classification"
    classes = () if task in ("regression", "multiple-choice", "question-answering") else ("a", "b")
    network = "sequence-classification" if is_text else task
    return LabelledData("x", network, task if is_text else None, classes, part, part, part)


@pytest.mark.parametrize("task", labelled)
@settings(max_examples=30)
@given(st.data())
def test_what_is_written_is_read_back(task: str, tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
    data = data_of(task, draw.draw(st.lists(labelled[task], min_size=1, max_size=5)))
    folder = tmp_path_factory.mktemp("out")
    for suffix in (".jsonl", ".csv", ".tsv") if task in CELLS else (".jsonl",):
        path = folder / f"x{suffix}"
        write_examples(data, path)
        back = read(path, task=task)
        assert (back.task, back.problem_type, back.labels) == (data.task, data.problem_type, data.labels)
        for split in SPLITS:
            assert [replace(example, row=0) for example in back.splits[split]] == list(data.splits[split])


def test_what_does_not_fit_into_cells_is_refused(tmp_path: Path) -> None:
    answers = data_of("question-answering", [Example("Who?", ((4, "cat"),), pair="The cat sat.")])
    with pytest.raises(DataError, match=r"Write a \.jsonl file"):
        write_examples(answers, tmp_path / "x.csv")
    with pytest.raises(DataError, match=r"ends in \.csv, \.tsv or \.jsonl"):
        write_examples(answers, tmp_path / "x.xlsx")
    assert not list(tmp_path.iterdir())


def test_the_commands_write_a_task_and_look_at_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "field.csv"
    assert cli.main(["tasks", "field", "--out", str(path)]) == 0
    assert read(path).splits.keys() == load_task("field").splits.keys()
    assert cli.main(["data", str(path), "--out", str(tmp_path / "again.jsonl")]) == 0
    printed = capsys.readouterr().out
    assert "text: 'text', label: 'label', split: 'split'" in printed and "687 train, 98 dev, 177 test" in printed
    assert [e.text for e in read(tmp_path / "again.jsonl").test] == [e.text for e in load_task("field").test]
    path.write_text("text,label\na,b,c\n")
    assert cli.main(["data", str(path)]) == 1
    assert "row 2 has 3 cells" in capsys.readouterr().err
    assert cli.main(["tasks"]) == 0
    listing = capsys.readouterr().out
    assert "supersense" in listing and "web-genre" in listing
    assert cli.main(["tasks", "nothing"]) == 1
    assert "Unknown task 'nothing'" in capsys.readouterr().err
