"""Everyday English from public repositories: children's stories, novels, textbooks and modern text, 20 million words.

The bundled models were trained on it. Its licences ask for attribution of the *text*, so none of it comes with bortlab:
`assets/corpus/everyday.json` names the repositories with commit and licence, and `bortlab corpus --everyday` fetches
and reads them. archives.py fetches, formats.py knows how each kind of repository holds its text, sentences.py makes
sentences of it, and build.py writes the folder that `bortlab minis KEY --corpus FOLDER` learns from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from bortlab.system import assets

SOURCES = ("stories", "standard-ebooks", "openstax", "modern")
"""The kinds of text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A public repository, OWNER/NAME, at a commit.

    source: the kind of its text. format: how it holds it, a key of `formats.FORMATS`; folder: where, "" for everywhere.
    documents, words: how much it gave when the bundled models were trained. authors: of a book.
    """

    repository: str
    commit: str
    licence: str
    source: str
    format: str
    folder: str
    documents: int
    words: int
    authors: tuple[str, ...] = ()


def repositories() -> list[Repository]:
    """All repositories, in the order in which they are read."""
    rows = json.loads((assets.CORPUS / "everyday.json").read_text(encoding="utf-8"))["repositories"]
    return [Repository(**{**row, "authors": tuple(row.get("authors", ()))}) for row in rows]
