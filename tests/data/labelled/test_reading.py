"""Files, data frames and lists as labelled data: every format, every encoding, and what is said of bad ones."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from bortlab.data.labelled import LabelledData, read

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
    data = read(upload(written(rows, separator).encode(encoding)))
    assert texts_and_labels(data) == {place: (*row,) for place, row in enumerate(rows[1:], 2)}
    assert data.labels == ("neg", "pos")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), min_size=4, max_size=20))
def test_json_lines_are_read_back(texts: list[str]) -> None:
    lines = [json.dumps({"text": text, "label": CLASSES[place % 2]}) for place, text in enumerate(texts)]
    data = read(upload("\n".join(lines).encode(), "reviews.jsonl"))
    assert [example.text for example in sorted(data, key=lambda example: example.row)] == texts


@given(
    st.lists(
        st.lists(st.tuples(st.from_regex(r"\w{1,9}", fullmatch=True), st.sampled_from("ABC")), min_size=1), min_size=4
    )
)
def test_conll_columns_are_read_back(sentences: list[list[tuple[str, str]]]) -> None:
    text = "\n\n".join("\n".join(f"{word}\tx\t{label}" for word, label in sentence) for sentence in sentences)
    data = read(upload(text.encode(), "names.conll"))
    assert data.task == "token-classification"
    assert sorted((example.words, example.label) for example in data) == sorted(
        (tuple(word for word, _ in sentence), tuple(label for _, label in sentence)) for sentence in sentences
    )


def test_parquet_frames_and_lists_say_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame(reviews()[1:], columns=["text", "label"])
    frame.to_parquet(tmp_path / "reviews.parquet")
    lists = read((frame["text"].tolist(), frame["label"].tolist()))
    for data in (read(frame), read(tmp_path / "reviews.parquet"), read(frame.to_dict("records"))):
        assert list(data) == list(lists)
