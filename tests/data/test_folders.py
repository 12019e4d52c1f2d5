"""Folders of text: which files are read, in which order, compressed or not, and what is refused."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from bortlab.data.folders import TextDocument, read_folder


def write(path: Path, *rows: tuple[str, str, list[str]]) -> None:
    lines = "".join(
        json.dumps({"id": name, "source": source, "sentences": sentences}, ensure_ascii=False) + "\n"
        for name, source, sentences in rows
    )
    path.write_bytes(lzma.compress(lines.encode()) if path.suffix == ".xz" else lines.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(
        tmp_path / "stories.jsonl.xz", ("s1", "stories", ["Es war einmal – ein Bär.", "Ende."]), ("s2", "stories", [])
    )
    write(tmp_path / "modern.jsonl", ("m1", "modern", ["Hello."]))
    write(tmp_path / "heldout.jsonl.xz", ("h1", "stories", ["Kept away."]))
    write(tmp_path / "blanks.jsonl", ("b1", "blanks", ["Measured alone."]))
    (tmp_path / "README.md").write_text("no text to learn from")
    return tmp_path


def test_training_text_is_every_file_but_heldout_and_blanks_in_order_of_names(folder: Path) -> None:
    assert list(read_folder(folder, heldout=False)) == [
        TextDocument("m1", "modern", ("Hello.",)),
        TextDocument("s1", "stories", ("Es war einmal – ein Bär.", "Ende.")),
        TextDocument("s2", "stories", ()),
    ]


@pytest.mark.parametrize("name", ["heldout.jsonl", "heldout.jsonl.xz"])
def test_heldout_text_is_the_heldout_file_alone(folder: Path, name: str) -> None:
    (folder / "heldout.jsonl.xz").unlink()
    write(folder / name, ("h1", "stories", ["Kept away."]))
    assert list(read_folder(folder, heldout=True)) == [TextDocument("h1", "stories", ("Kept away.",))]
    assert all(document.id != "h1" for document in read_folder(folder, heldout=False))


def test_a_name_that_only_begins_with_heldout_is_trained_on(tmp_path: Path) -> None:
    write(tmp_path / "heldout-not.jsonl", ("a", "modern", ["Hello."]))
    assert [document.id for document in read_folder(tmp_path, heldout=False)] == ["a"]
    assert list(read_folder(tmp_path, heldout=True)) == []


@pytest.mark.parametrize("heldout", [True, False])
def test_a_folder_without_text_is_refused(tmp_path: Path, heldout: bool) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match=r"holds no text.*stories\.jsonl"):
            list(read_folder(folder, heldout=heldout))


GOOD = '{"id": "a", "source": "modern", "sentences": ["Hello."]}'


@pytest.mark.parametrize(
    "line",
    ["not json", "[]", "3", "{}", '{"id": "a", "source": "modern"}', '{"id": "a", "source": "m", "sentences": 3}', ""],
)
def test_a_line_that_is_no_document_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "modern.jsonl").write_text(f"{GOOD}\n{line}\n", encoding="utf-8")
    documents = read_folder(tmp_path, heldout=False)
    assert next(documents).id == "a"
    with pytest.raises(ValueError, match=r"modern\.jsonl, line 2: expected a JSON object"):
        next(documents)


def test_sentences_that_are_one_string_are_refused(tmp_path: Path) -> None:
    (tmp_path / "modern.jsonl").write_text('{"id": "a", "source": "m", "sentences": "Hello."}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="line 1"):
        list(read_folder(tmp_path, heldout=False))
