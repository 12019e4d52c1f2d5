"""Files, data frames and lists as labelled data: every format, every encoding, and what is said of bad ones."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.data.labelled import DataError, Example, LabelledData, guess, read, read_table

CLASSES = ("neg", "pos", "so so")


def upload(content: bytes, name: str = "reviews.csv") -> io.BytesIO:
    """A file as a page gets it."""
    file = io.BytesIO(content)
    file.name = name
    return file


def written(rows: Sequence[Sequence[str]], separator: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue()


def reviews(n: int = 40) -> list[list[str]]:
    return [["text", "label"], *([f"It was thing number {i}.", CLASSES[i % 2]] for i in range(n))]


def texts_and_labels(data: LabelledData) -> dict[int, tuple[str, object]]:
    return {example.row: (example.text, example.label) for example in data}


letters = st.characters(exclude_categories=["Cs"], exclude_characters="\r")
cells = st.text(letters, min_size=1, max_size=30).filter(str.strip)


@given(
    st.lists(cells, min_size=4, max_size=20),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
)
def test_a_table_that_is_written_is_read_back(texts: list[str], separator: str, encoding: str) -> None:
    rows = [["text", "label"], *([text, CLASSES[place % 2]] for place, text in enumerate(texts))]
    if encoding in ("utf-16-le", "utf-16-be"):  # without its mark, UTF-16 is known by its many NULs only
        rows = [[text.encode("ascii", "ignore").decode().replace("\0", "") or "x" for text in row] for row in rows]
    table = read_table(upload(written(rows, separator).encode(encoding)))
    assert [list(row) for row in table.rows] == rows[1:]
    assert table.columns == ("text", "label") and table.numbers == tuple(range(2, len(rows) + 1))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), min_size=4, max_size=20))
def test_json_lines_are_read_back(texts: list[str]) -> None:
    lines = [json.dumps({"text": text, "label": CLASSES[place % 2]}) for place, text in enumerate(texts)]
    table = read_table(upload("\n".join(lines).encode(), "reviews.jsonl"))
    assert table.column("text") == texts


@given(
    st.lists(
        st.lists(st.tuples(st.from_regex(r"\w{1,9}", fullmatch=True), st.sampled_from("ABC")), min_size=1, max_size=6),
        min_size=1,
        max_size=6,
    )
)
def test_conll_columns_are_read_back(sentences: list[list[tuple[str, str]]]) -> None:
    text = "\n\n".join("\n".join(f"{word}\tx\t{label}" for word, label in sentence) for sentence in sentences)
    table = read_table(upload(text.encode(), "names.conll"))
    assert table.column("words") == [[word for word, _ in sentence] for sentence in sentences]
    assert table.column("labels") == [[label for _, label in sentence] for sentence in sentences]


def test_parquet_frames_and_lists_say_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame(reviews()[1:], columns=["text", "label"])
    frame.to_parquet(tmp_path / "reviews.parquet")
    lists = read((frame["text"].tolist(), frame["label"].tolist()))
    for data in (read(frame), read(tmp_path / "reviews.parquet"), read(frame.to_dict("records"))):
        assert list(data) == list(lists)


# -- what files look like ----------------------------------------------------------------------------------------------


def test_a_spreadsheet_with_semicolons_and_a_mark_is_read_and_said() -> None:
    data = read(upload(written(reviews(), ";").encode("utf-8-sig")))
    assert data.labels == ("neg", "pos") and len(data) == 40
    assert data.notes == ("Its columns are separated by semicolons.",)


def test_latin_1_is_read_and_said() -> None:
    rows = [*reviews(), ["Ein schönes Café", "pos"]]
    data = read(upload(written(rows).encode("latin-1")))
    assert texts_and_labels(data)[42] == ("Ein schönes Café", "pos")
    assert "line 42 is not UTF-8" in data.notes[0]


def test_tabs_with_loose_quotation_marks_are_read() -> None:
    content = 'text\tlabel\n"Loose\tpos\nPlain "quoted" here\tneg\n' + "".join(
        f"x{i}\tneg\ny{i}\tpos\n" for i in range(9)
    )
    data = read(upload(content.encode(), "reviews.tsv"))
    assert texts_and_labels(data)[2] == ('"Loose', "pos")
    assert texts_and_labels(data)[3] == ('Plain "quoted" here', "neg")


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    content = 'text,label\n"one\nline",pos\n\n' + "".join(f"x{i},neg\ny{i},pos\n" for i in range(9))
    assert [row for row, (text, _) in texts_and_labels(read(upload(content.encode()))).items() if text == "x0"] == [4]


def test_a_file_without_column_names_is_read_and_said() -> None:
    data = read(upload(written(reviews()[1:]).encode()))
    assert len(data) == 40 and data.notes == ("The first row was read as an example, not as column names.",)


def test_emoji_and_right_to_left_texts_stay_as_they_are() -> None:
    rows = [*reviews(), ["👩‍👩‍👧 🙂", "pos"], ["مرحبا بالعالم", "neg"]]
    got = texts_and_labels(read(upload(written(rows).encode())))
    assert [got[42][0], got[43][0]] == ["👩‍👩‍👧 🙂", "مرحبا بالعالم"]


MANY = "".join(f"text {i},c{i}\n" for i in range(1000))
BAD: dict[str, tuple[bytes, str, int, str, str]] = {
    # name: content, file name, row, column, words of the message
    "empty": (b"", "a.csv", 0, "", "is empty"),
    "only a header": (b"text,label\n", "a.csv", 0, "", "no examples"),
    "one column": (b"text\nhello\nworld\n", "a.csv", 0, "", "which column holds the labels"),
    "one row": (b"text,label\nhello,pos\n", "a.csv", 0, "label", "1 example cannot be divided"),
    "one class": (
        b"text,label\n" + b"".join(b"t%d,pos\n" % i for i in range(20)),
        "a.csv",
        0,
        "label",
        "nothing to learn",
    ),
    "no label": (b"text,label\na,pos\nb,\nc,neg\n", "a.csv", 3, "label", "One row has no label; the first is row 3"),
    "too long a row": (
        b"text,label\na,pos\nb, c,neg\n",
        "a.csv",
        3,
        "column 3",
        "row 3 has 3 cells: 'neg' lies beyond",
    ),
    "too short a row": (b"text,label\na,pos\nb\n", "a.csv", 3, "label", "row 3 has 1 cell: nothing for column 'label'"),
    "an open quotation mark": (b'text,label\na,pos\n"b,neg\nc,pos\n', "a.csv", 3, "", "never closed"),
    "two columns of a name": (b"text,text,label\na,b,pos\n", "a.csv", 1, "text", "two columns named 'text'"),
    "1,000 classes": (b"text,label\n" + MANY.encode(), "a.csv", 0, "label", "1,000 different labels in 1,000 rows"),
    "dates": (
        b"text,label\n" + b"".join(b"t%d,2024-01-%02d\n" % (i, i) for i in range(1, 29)),
        "a.csv",
        0,
        "label",
        "28 dates in 28 rows",
    ),
    "a word among numbers": (
        b"text,label\n" + b"".join(b"t%d,%f\n" % (i, i / 7) for i in range(50)) + b"u,unknown\n",
        "a.csv",
        52,
        "label",
        "expected a number, got 'unknown'",
    ),
    "no JSON": (b'{"text": "a", "label": "b"}\n{"text": \n', "a.jsonl", 2, "", "line 2: this is no JSON"),
    "no object": (b'{"text": "a", "label": "b"}\n[1]\n', "a.jsonl", 2, "", "expected an object"),
    "deep JSON": (b"[" * 100_000, "a.json", 0, "", "this is no JSON"),
    "a sheet": (b"PK\x03\x04....", "a.xlsx", 0, "", "Save the sheet as CSV"),
    "broken Parquet": (b"PAR1 and nothing", "a.parquet", 0, "", "no Parquet file"),
    "a ragged CoNLL line": (
        b"EU\tB\nrejects\tO\nGerman\n",
        "a.conll",
        3,
        "column 1",
        "line 3: expected 2 columns, got 1",
    ),
    "an answer elsewhere": (
        json.dumps(
            {
                "data": [
                    {
                        "paragraphs": [
                            {
                                "context": "The cat sat.",
                                "qas": [{"question": "Who?", "answers": [{"text": "dog", "answer_start": 4}]}],
                            }
                        ]
                    }
                ]
            }
        ).encode(),
        "a.json",
        1,
        "answers",
        "does not stand in the passage at character 4",
    ),
    "no SQuAD": (b'{"data": [{"paragraphs": [{"qas": [{}]}]}]}', "a.json", 1, "", "not SQuAD's layout"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_words_with_their_place(case: str) -> None:
    content, name, row, column, words = BAD[case]
    with pytest.raises(DataError) as caught:
        read(upload(content, name))
    assert words in str(caught.value)
    assert (caught.value.row, caught.value.column) == (row, column)


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a.conll", "a"]))
def test_no_bytes_give_another_error(content: bytes, name: str) -> None:
    try:
        read(upload(content, name))
    except DataError as error:
        assert str(error)


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(51 * 2**20)
    with pytest.raises(DataError, match=r"53\.5 MB, expected at most 52\.4 MB"):
        read(large)
    with pytest.raises(DataError, match="more than 100,000 rows"):
        read(([" "] * 100_001, ["a"] * 100_001))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for source in (tmp_path / "none.csv", "none.csv", 3, [], ["a"], ("a", "b"), (["a"], ["b", "c"]), {"text": ["a"]}):
        with pytest.raises(DataError):
            read(source)


# -- labels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "problem_type", "classes"),
    [
        (["neg", "pos"], "single_label_classification", ("neg", "pos")),
        ([" neg", "pos "], "single_label_classification", ("neg", "pos")),
        (["so so", "very good"], "single_label_classification", ("so so", "very good")),
        ([True, False], "single_label_classification", ("false", "true")),
        ([1, 2, 10], "single_label_classification", ("1", "2", "10")),
        ([1.0, 2.0], "single_label_classification", ("1", "2")),
        (["1.0", "2.0"], "single_label_classification", ("1", "2")),
        (["a|b", "a", "c"], "multi_label_classification", ("a", "b", "c")),
        ([["a", "b"], [], ["c"]], "multi_label_classification", ("a", "b", "c")),
        (list(range(40)), "regression", ()),
        ([i / 3 for i in range(40)], "regression", ()),
        (["1,5", "2,25", "3,75", "0,1"] + [f"{i},3" for i in range(36)], "regression", ()),
        ([1.5, 2.5, 3.5], "single_label_classification", ("1.5", "2.5", "3.5")),
        (["2024-01-01", "2024-01-02"], "single_label_classification", ("2024-01-01", "2024-01-02")),
    ],
)
def test_the_task_is_guessed_from_the_labels(labels: list[object], problem_type: str, classes: tuple[str, ...]) -> None:
    texts = [f"text {i}" for i in range(40)]
    data = read((texts, [labels[i % len(labels)] for i in range(40)]))
    assert (data.problem_type, data.labels) == (problem_type, classes)


def test_the_task_can_be_set() -> None:
    texts = [f"text {i}" for i in range(40)]
    data = read((texts, [i % 5 for i in range(40)]), task="regression")
    assert {example.label for example in data} == {0.0, 1.0, 2.0, 3.0, 4.0}
    with pytest.raises(DataError, match="Unknown task 'sorting'"):
        read((texts, texts), task="sorting")


def test_choices_answers_and_lists_of_words() -> None:
    choices = [{"prompt": f"p{i}", "choice1": "a", "choice2": "b", "label": i % 2 + 1} for i in range(20)]
    data = read(choices)
    assert data.task == "multiple-choice" and data.train[0].choices == ("a", "b")
    assert {example.label for example in data} == {0, 1}
    context = "The cat sat on the mat."
    answers = {"text": ["the mat"], "answer_start": [context.index("the mat")]}
    squad = [{"question": f"Where {i}?", "context": f"{context} {i % 9}", "answers": answers} for i in range(20)]
    data = read(squad)
    assert data.task == "question-answering" and data.train[0].label == ((15, "the mat"),)
    data = read([{"tokens": ["a", f"w{i}"], "ner_tags": [0, i % 3]} for i in range(20)])
    assert data.task == "token-classification" and data.labels == ("0", "1", "2")


def test_conll_u_gives_words_and_parts_of_speech() -> None:
    def sentence(verb: str) -> str:
        lines = ["# sent_id = 1", "1-2\tcan't" + "\t_" * 8, f"1\t{verb}\tcan\tAUX\tMD\t_\t0\troot\t_\t_"]
        return "\n".join([*lines, "2\tn't\tnot\tPART\tRB\t_\t1\tx\t_\t_"]) + "\n\n"

    content = "".join(sentence(f"ca{place}") for place in range(9))
    data = read(upload(content.encode(), "en.conllu"), label="upos")
    first = min(data, key=lambda example: example.row)
    assert first == Example("ca0 n't", ("AUX", "PART"), words=("ca0", "n't"), row=3)


# -- columns -----------------------------------------------------------------------------------------------------------


def test_columns_are_guessed_by_name_then_by_content() -> None:
    rows = [{"id": i, "Review Text": f"a long text number {i}", "Stars": i % 5, "fold": "train"} for i in range(40)]
    columns = guess(read_table(rows))
    assert (columns.text, columns.label, columns.split) == ("Review Text", "Stars", "fold")
    renamed = [{"id": i, "foo": f"a long text number {i}", "bar": "xy"[i % 2]} for i in range(40)]
    columns = guess(read_table(renamed))
    assert (columns.text, columns.label, columns.pair, columns.split) == ("foo", "bar", None, None)
    pairs = [{"premise": f"a {i}", "hypothesis": f"b {i}", "label": i % 3} for i in range(40)]
    assert guess(read_table(pairs)).pair == "hypothesis"


def test_named_columns_win() -> None:
    rows = [{"text": f"a {i}", "other": f"b {i}", "label": i % 2, "mood": "xyz"[i % 3]} for i in range(40)]
    data = read(rows, text="other", label="mood")
    assert data.labels == ("x", "y", "z") and data.train[0].text.startswith("b ")
    with pytest.raises(DataError, match=r"no column 'moods'\. It has 'text', 'other', 'label', 'mood'"):
        read(rows, label="moods")


# -- splits ------------------------------------------------------------------------------------------------------------


def test_given_splits_are_kept(tmp_path: Path) -> None:
    rows = [{"text": f"t {i}", "label": i % 2, "split": ("train", "validation", "TEST")[i % 3]} for i in range(30)]
    data = read(rows)
    assert [{example.row % 3 for example in part} for part in data.splits.values()] == [{1}, {2}, {0}]
    for split, name in (("train", "train"), ("validation", "valid"), ("TEST", "my_test")):
        own = [[str(row["text"]), str(row["label"])] for row in rows if row["split"] == split]
        (tmp_path / f"{name}.csv").write_text(written([["text", "label"], *own]))
    folder = read(tmp_path)
    assert {s: [e.text for e in p] for s, p in folder.splits.items()} == {
        s: [e.text for e in p] for s, p in data.splits.items()
    }
    with pytest.raises(DataError, match="expected train, dev or test, got 'trian'"):
        read([*rows, {"text": "x", "label": 0, "split": "trian"}], split="split")


def test_missing_splits_are_taken_from_train() -> None:
    rows = [{"text": f"t {i}", "label": i % 2, "split": "test" if i % 4 == 0 else "train"} for i in range(80)]
    data = read(rows)
    assert (len(data.train), len(data.dev), len(data.test)) == (51, 9, 20)
    assert "Dev was taken from train" in data.notes[-1]


@given(
    st.lists(st.tuples(st.sampled_from([f"text {i}" for i in range(60)]), st.sampled_from("abc")), min_size=30),
    st.integers(0, 9),
)
def test_equal_texts_stay_together_and_rows_do_not_matter(examples: list[tuple[str, str]], seed: int) -> None:
    def splits_of(rows: list[tuple[str, str]]) -> dict[str, set[str]]:
        texts, labels = zip(*rows, strict=True)
        data = read((list(texts), list(labels)), seed=seed)
        return {split: {example.text for example in part} for split, part in data.splits.items()}

    try:
        splits = splits_of(examples)
    except DataError:  # too few different texts, or one class
        return
    assert not splits["train"] & splits["dev"] and not (splits["train"] | splits["dev"]) & splits["test"]
    if len({text for text, _ in examples}) == len(examples):
        assert splits == splits_of(examples[::-1])


@pytest.mark.parametrize("n", [6, 20, 100, 1000])
def test_each_class_is_divided_alike(n: int) -> None:
    data = read(([f"t {i}" for i in range(n)], ["a" if i % 4 else "b" for i in range(n)]))
    share = max(1, round(0.15 * sum(i % 4 == 0 for i in range(n))))
    if n >= 20:
        assert data.counts("dev")["b"] == data.counts("test")["b"] == share
    assert all(data.splits.values()) and len(data) == n


def test_seeds_divide_differently() -> None:
    lists = ([f"t {i}" for i in range(100)], [i % 2 for i in range(100)])
    assert read(lists, seed=1).test == read(lists, seed=1).test != read(lists, seed=2).test
