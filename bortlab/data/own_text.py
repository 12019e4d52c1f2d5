"""Text of one's own to learn from: .txt, .jsonl and .csv files, folders of them, lists of texts; a part is held out.

What is held out is decided by a hash of each document, so that it is the same for every budget, and a document that
stands there twice is on one side alone.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bortlab.data import corpus
from bortlab.data.folders import BLANKS, HELDOUT
from bortlab.system.numbers import data_size

ENDINGS = (".txt", ".jsonl", ".csv", ".tsv")
PACKED = ".xz"
LARGEST = 500_000_000
"""Bytes of a text, unpacked."""
LEAST_WORDS = 300
DOCUMENT_WORDS = 200
"""Words of a document at most: what is longer is cut between two sentences, or within a sentence as long as this."""
HELDOUT_WORDS = 15_000
"""Words that are held out, as far as that is 2 to 20% of the text: enough to tell a point of accuracy."""
WRAPPED = 120
"""Characters of the longest line of a file whose lines are broken by hand, and its paragraphs divided by empty ones."""
BUNDLED = "bundled corpus"

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z\d])|(?<=[。！？])")
Documents = list[tuple[str, tuple[str, ...]]]
Texts = str | Path | Sequence[str] | None


class TextError(ValueError):
    """A text that cannot be read, or is too little to learn from."""


@dataclass(frozen=True, slots=True)
class OwnText:
    """Documents, each (kind of text, sentences), in what is learned from and what is held out.

    digest: the same for the same documents.
    """

    name: str
    train: Documents
    heldout: Documents
    digest: str

    @property
    def n_words(self) -> int:
        """Words, divided by spaces, to learn from."""
        return n_words(self.train)


def n_words(documents: Documents) -> int:
    """Words of documents, divided by spaces."""
    return sum(len(sentence.split()) for _, sentences in documents for sentence in sentences)


def read_texts(texts: Texts = None, *, column: str | None = None, name: str = "") -> OwnText:
    """Read a file, a folder of files, or a list of texts; None: the bundled corpus.

    In a folder, files named heldout are held out, and files named blanks are left out. Raises TextError for what is no
    text, for a column that is missing, and for a text of under LEAST_WORDS words; FileNotFoundError for no such file.

    Args:
        column: of .csv and .tsv files, and the field of .jsonl files; "text" unless told.
        name: what the text is called; that of its file unless told.
    """
    if texts is None:
        parts = [[(one.source, one.sentences) for one in corpus.read(part)] for part in ("train", "heldout")]
        return OwnText(name or BUNDLED, parts[0], parts[1], _digest(parts[0] + parts[1]))
    if isinstance(texts, str | Path):
        path = Path(texts).expanduser()
        train, heldout = _read_path(path, column)
        name = name or path.name
    else:
        train, heldout = list(_documents("text", _checked(texts))), []
        name = name or "texts"
    _check_size(name, train)
    digest = _digest(train + heldout)
    if not heldout:
        train, heldout = _hold_out(name, train)
    return OwnText(name, train, heldout, digest)


def _checked(texts: Sequence[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise TextError(f"texts: expected texts, got {text!r:.60} at place {number}.")
        yield text


def _check_size(name: str, documents: Documents) -> None:
    words = n_words(documents)
    if words < LEAST_WORDS:
        raise TextError(
            f"{name} has {words:,} words in {len(documents):,} documents, expected at least {LEAST_WORDS:,}: a model "
            "learns nothing from so little, and nothing could be held out to measure it with."
        )


def _digest(documents: Documents) -> str:
    digest = sha256()
    for source, sentences in documents:
        digest.update(repr((source, sentences)).encode(errors="surrogatepass"))
    return digest.hexdigest()


# -- what is held out --------------------------------------------------------------------------------------------------


def _hold_out(name: str, documents: Documents) -> tuple[Documents, Documents]:
    """Documents to learn from, and those that are held out."""
    share = min(0.2, max(0.02, HELDOUT_WORDS / n_words(documents)))
    places = [place_of(sentences) for _, sentences in documents]
    limit = max(share, min(places))  # at least one, with its twins
    train = [document for document, place in zip(documents, places, strict=True) if place > limit]
    heldout = [document for document, place in zip(documents, places, strict=True) if place <= limit]
    if not train:
        raise TextError(f"{name} is one document again and again: nothing is left to learn from once it is held out.")
    return train, heldout


def place_of(sentences: Sequence[str]) -> float:
    """A number from 0 to 1 that is the same for the same document."""
    return int.from_bytes(sha256(" ".join(sentences).encode(errors="surrogatepass")).digest()[:8]) / 2**64


# -- files -------------------------------------------------------------------------------------------------------------


def _read_path(path: Path, column: str | None) -> tuple[Documents, Documents]:
    """What a file or a folder holds, and what a folder holds out."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if not path.is_dir():
        return list(_read_file(path, column)), []
    files = sorted(file for file in path.rglob("*") if file.is_file() and _ending(file) in ENDINGS)
    if not files:
        raise TextError(f"{path} holds no text. Expected files that end in {', '.join(ENDINGS)}.")
    train: Documents = []
    heldout: Documents = []
    for file in files:
        stem = file.name.split(".")[0]
        if stem != BLANKS:
            (heldout if stem == HELDOUT else train).extend(_read_file(file, column))
    return train, heldout


def _ending(path: Path) -> str:
    """.jsonl of both stories.jsonl and stories.jsonl.xz."""
    return Path(path.name.removesuffix(PACKED)).suffix.lower()


def _read_file(path: Path, column: str | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The documents of one file."""
    content, source = _decoded(path), path.name.split(".")[0]
    match _ending(path):
        case ".jsonl":
            yield from _documents(source, _of_json(path, content, column))
        case ".csv" | ".tsv":
            yield from _documents(source, _of_table(path, content, column))
        case _:
            yield from _documents(source, _paragraphs(content))


def _decoded(path: Path) -> str:
    """The file's text; TextError, which says where and what to do, for what is none."""
    content = _bytes_of(path)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding == "utf-8-sig" and b"\0" in content[:100_000]:
        raise TextError(f"{path.name} is a binary file, no text. Expected {', '.join(ENDINGS)} in UTF-8.")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        wrong = f"byte 0x{content[error.start]:02x} at place {error.start:,}"
        raise TextError(f"{path.name} is not in UTF-8 ({wrong}). Save it as UTF-8 and try again.") from None


def _bytes_of(path: Path) -> bytes:
    try:
        with lzma.open(path) if path.suffix == PACKED else path.open("rb") as file:
            content: bytes = file.read(LARGEST + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise TextError(f"{path.name} cannot be unpacked: {error}.") from None
    if len(content) > LARGEST:
        raise TextError(f"{path.name} has more than {data_size(LARGEST)}: take a part of it.")
    return content


def _of_json(path: Path, content: str, column: str | None) -> Iterator[str | Sequence[str]]:
    """The texts of JSON Lines: texts, or objects with a field of text or of sentences."""
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number:,}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise TextError(f"{where}: no JSON ({error}). Expected an object or a text on each line.") from None
        if isinstance(row, dict):
            field = column or next((name for name in ("text", "sentences") if name in row), "text")
            if field not in row:
                raise TextError(f"{where}: no field {field!r}. {_has(row)}")
            row = row[field]
        if not isinstance(row, str) and not (isinstance(row, list) and all(isinstance(part, str) for part in row)):
            raise TextError(f"{where}: expected a text or a list of texts, got {row!r:.60}.")
        yield row


def _of_table(path: Path, content: str, column: str | None) -> Iterator[str]:
    """The texts of a column."""
    csv.field_size_limit(LARGEST)
    delimiter = "\t" if _ending(path) == ".tsv" else _delimiter(content)
    rows = csv.DictReader(io.StringIO(content), delimiter=delimiter)
    names = list(rows.fieldnames or ())
    column = column or ("text" if len(names) != 1 else names[0])
    if column not in names:
        raise TextError(f"{path.name} has no column {column!r}. {_has(names)}")
    for row in rows:
        if row[column]:
            yield row[column]


def _delimiter(content: str) -> str:
    """What divides the columns of the first line."""
    header = content[: content.find("\n")] if "\n" in content else content
    return max(",;\t|", key=header.count)


def _has(names: Iterable[str]) -> str:
    shown = [repr(name[:40]) for name in names]
    return f"It has {', '.join(shown[:12])}{' and more' if len(shown) > 12 else ''}: name one of them as the column."


# -- from text to documents --------------------------------------------------------------------------------------------


def _paragraphs(content: str) -> Iterator[str]:
    """Lines, each a text; or, of a file whose lines are broken by hand, its paragraphs, together up to a document."""
    lines = [line.strip() for line in content.splitlines()]
    if "" not in "\n".join(lines).strip().split("\n") or max(map(len, lines), default=0) > WRAPPED:
        yield from filter(None, lines)
        return
    gathered: list[str] = []
    words = 0
    for paragraph in re.split(r"\n\n+", "\n".join(lines)):
        text = " ".join(paragraph.split())
        if gathered and words + text.count(" ") + 1 > DOCUMENT_WORDS:
            yield " ".join(gathered)
            gathered, words = [], 0
        gathered.append(text)
        words += text.count(" ") + 1
    yield " ".join(gathered)


def _documents(source: str, texts: Iterable[str | Sequence[str]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Texts as documents of sentences, none longer than DOCUMENT_WORDS or a sentence of that length."""
    for text in texts:
        whole = [text] if isinstance(text, str) else text
        sentences: list[str] = []
        words = 0
        for sentence in (part for each in whole for part in _sentences(each)):
            length = sentence.count(" ") + 1
            if sentences and words + length > DOCUMENT_WORDS:
                yield source, tuple(sentences)
                sentences, words = [], 0
            sentences.append(sentence)
            words += length
        if sentences:
            yield source, tuple(sentences)


def _sentences(text: str) -> Iterator[str]:
    """The sentences of a text, each of at most DOCUMENT_WORDS words, with single spaces."""
    for sentence in _SENTENCE_END.split(text):
        words = re.sub(r"(?<=[，、；：])(?=\S)", " ", sentence).split()
        for start in range(0, len(words), DOCUMENT_WORDS):
            yield " ".join(words[start : start + DOCUMENT_WORDS])
