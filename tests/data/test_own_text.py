"""Text of one's own: every kind of file, what is held out, and a sentence for what cannot be read."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.data import own_text
from bortlab.data.own_text import DOCUMENT_WORDS, OwnText, TextError, n_words, read_texts

REVIEWS = [f"Room {number} was clean. The breakfast had {number} kinds of bread." for number in range(60)]


def sentences_of(text: OwnText) -> list[str]:
    return [sentence for _, sentences in text.train + text.heldout for sentence in sentences]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


EXPECTED = sorted(sentence for review in REVIEWS for sentence in review.replace(". ", ".\n").split("\n"))


# -- kinds of files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.txt", "\n".join(REVIEWS), None),
        ("a.txt", "\r\n".join(REVIEWS), None),
        ("a.txt", ("\ufeff" + "\n".join(REVIEWS)).encode(), None),
        ("a.txt", "\n".join(REVIEWS).encode("utf-16"), None),
        ("a.jsonl", "\n".join(json.dumps({"text": review}) for review in REVIEWS), None),
        ("a.jsonl", "\n\n".join(json.dumps(review) for review in REVIEWS), None),
        ("a.jsonl", "\n".join(json.dumps({"body": [review], "text": "no"}) for review in REVIEWS), "body"),
        ("a.jsonl.xz", lzma.compress("\n".join(json.dumps({"sentences": [r]}) for r in REVIEWS).encode()), None),
        ("a.csv", "stars,text\n" + "\n".join(f'3,"{review}"' for review in REVIEWS), None),
        ("a.csv", "stars;review\n" + "\n".join(f"3;{review}" for review in REVIEWS), "review"),
        ("a.csv", "review\n" + "\n".join(REVIEWS), None),
        ("a.tsv", "stars\ttext\n" + "\n".join(f"3\t{review}" for review in REVIEWS), None),
    ],
)
def test_every_kind_of_file_gives_the_same_sentences(
    tmp_path: Path, name: str, content: str | bytes, column: str | None
) -> None:
    text = read_texts(write(tmp_path / name, content), column=column)
    assert sorted(sentences_of(text)) == EXPECTED
    assert text.name == name and len(text.train) + len(text.heldout) == len(REVIEWS)
    assert len(read_texts(tmp_path / name, column=column, name="mine").name) == 4


def test_lists_are_read_as_files_are(tmp_path: Path) -> None:
    listed, file = read_texts(REVIEWS), read_texts(write(tmp_path / "text.txt", "\n".join(REVIEWS)))
    assert sorted(sentences_of(listed)) == EXPECTED
    assert listed.digest == file.digest and listed.name == "texts"
    assert read_texts(REVIEWS[1:]).digest != listed.digest


def test_a_folder_is_read_with_its_own_held_out_part(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep" / "a.txt", "\n".join(REVIEWS[:40]))
    write(tmp_path / "b.jsonl", "\n".join(json.dumps({"text": review}) for review in REVIEWS[40:]))
    write(tmp_path / "blanks.jsonl", "no JSON at all")
    write(tmp_path / "picture.png", b"\x89PNG")
    assert sorted(sentences_of(read_texts(tmp_path))) == EXPECTED
    write(tmp_path / "heldout.txt", "This was never read.")
    text = read_texts(tmp_path)
    assert text.heldout == [("heldout", ("This was never read.",))] and len(text.train) == len(REVIEWS)


def test_the_bundled_corpus_has_its_own_held_out_part() -> None:
    text = read_texts()
    assert text.name == "bundled corpus" and text.n_words > 1_000_000 and 0 < len(text.heldout) < len(text.train)


def test_lines_broken_by_hand_become_paragraphs_again(tmp_path: Path) -> None:
    paragraph = "It was a dark night,\nand the rain fell\nin torrents. Nobody came."
    text = read_texts(
        write(tmp_path / "novel.txt", "\n\n".join([paragraph] * 20 + ["The end of it all came late."] * 20))
    )
    assert set(sentences_of(text)) == {
        "It was a dark night, and the rain fell in torrents.",
        "Nobody came.",
        "The end of it all came late.",
    }


def test_one_endless_line_is_cut_into_documents(tmp_path: Path) -> None:
    """Also one without a full stop, and one without a space."""
    words = " ".join(f"word{number}" for number in range(50_000))
    text = read_texts(write(tmp_path / "line.txt", words))
    assert all(n_words([document]) <= DOCUMENT_WORDS for document in text.train)
    assert text.n_words + n_words(text.heldout) == 50_000
    endless = read_texts(write(tmp_path / "endless.txt", "x" * 3_000_000 + "\n" + "\n".join(REVIEWS)))
    assert len(endless.train) + len(endless.heldout) == len(REVIEWS) + 1


def test_chinese_has_sentences_though_it_has_no_spaces() -> None:
    text = read_texts(["我喜欢这家酒店。早餐很好，房间也很干净！" + str(n) for n in range(200)])
    assert "早餐很好， 房间也很干净！" in sentences_of(text)


# -- what is held out --------------------------------------------------------------------------------------------------


@given(st.lists(st.text(alphabet="abcde ", min_size=30, max_size=60), min_size=30, max_size=60, unique=True))
def test_every_document_is_on_one_side_with_its_twins(texts: list[str]) -> None:
    try:
        text = read_texts([f"{each} and so it goes on for a while" for each in texts + texts[:20]])
    except TextError as error:
        assert "expected at least" in str(error)
        return
    assert text.train and text.heldout
    assert not {d for _, d in text.train} & {d for _, d in text.heldout}


def test_what_is_held_out_is_the_same_whatever_else_is_there() -> None:
    some, all_of_it = read_texts(REVIEWS[:50]), read_texts(REVIEWS)
    assert {d for _, d in all_of_it.train} & {d for _, d in some.heldout} == set()


# -- what cannot be read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "column", "sentence"),
    [
        (
            "a.txt",
            "Ten words are not enough to learn anything from, really.",
            None,
            "has 10 words in 1 documents, expe",
        ),
        ("a.txt", "", None, "has 0 words"),
        ("a.txt", b"%PDF-1.4\0\0binary", None, "binary file"),
        ("a.txt", "Café".encode("latin-1") * 300, None, "not in UTF-8 .byte 0xe9 at place 3"),
        ("a.txt", "It is the same.\n" * 300, None, "one document again and again"),
        ("a.csv", "stars,text\n3,good", "review", "no column 'review'. It has 'stars', 'text': name one"),
        ("a.csv", "stars,review\n3,good", None, "no column 'text'. It has 'stars', 'review'"),
        ("a.csv", "", None, "no column 'text'"),
        ("a.jsonl", '{"text": "a"}\nno', None, "line 2: no JSON"),
        ("a.jsonl", '{"stars": 3}', None, "line 1: no field 'text'. It has 'stars'"),
        ("a.jsonl", '{"text": 3}', None, "line 1: expected a text or a list of texts, got 3"),
        ("a.jsonl", "[3]", None, "line 1: expected a text"),
        ("a.jsonl.xz", b"no xz", None, "cannot be unpacked"),
    ],
)
def test_what_is_no_text_is_told(
    tmp_path: Path, name: str, content: str | bytes, column: str | None, sentence: str
) -> None:
    with pytest.raises(TextError, match=sentence):
        read_texts(write(tmp_path / name, content), column=column)


def test_other_things_that_are_no_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        read_texts(tmp_path / "absent.txt")
    with pytest.raises(TextError, match=r"holds no text. Expected files that end in \.txt"):
        read_texts(tmp_path)
    with pytest.raises(TextError, match="expected texts, got 3 at place 1"):
        read_texts(["a", 3])  # type: ignore[list-item]
    monkeypatch.setattr(own_text, "LARGEST", 1000)
    with pytest.raises(TextError, match="take a part"):
        read_texts(write(tmp_path / "a.txt", "\n".join(REVIEWS)))
