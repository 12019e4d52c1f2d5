"""Folders of text: documents by sentences, a JSON object a line, in files that may be compressed.

The layout is that of `bortlab corpus --everyday`: `*.jsonl.xz` (or `.jsonl`) files whose lines have "id", "source" and
"sentences". A file named heldout holds documents that are never trained on.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

HELDOUT, BLANKS = "heldout", "blanks"  # the latter measure, and are no text to learn from


@dataclass(frozen=True, slots=True)
class TextDocument:
    """A document in reading order. source: the kind of text, such as "stories"."""

    id: str
    source: str
    sentences: tuple[str, ...]


def read_folder(folder: Path, *, heldout: bool) -> Iterator[TextDocument]:
    """The documents of a folder: those that are held out, or all the others.

    Raises ValueError for a folder without such files, and for a line that is no document.
    """
    files = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.xz")])
    if not files:
        raise ValueError(f"{folder} holds no text. Expected files such as stories.jsonl or stories.jsonl.xz.")
    for path in files:
        name = path.name.split(".")[0]
        if name != BLANKS and (name == HELDOUT) == heldout:
            yield from _read_file(path)


def _read_file(path: Path) -> Iterator[TextDocument]:
    opener = cast(Callable[..., IO[str]], lzma.open if path.suffix == ".xz" else open)
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                if isinstance(row["sentences"], str):
                    raise TypeError("sentences are a list")
                document = TextDocument(str(row["id"]), str(row["source"]), tuple(map(str, row["sentences"])))
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(
                    f"{path}, line {number}: expected a JSON object with id, source and sentences ({error!r})."
                ) from error
            yield document
