"""Blocks of a document that a program writes: `<!-- name: where from -->`, their text, `<!-- /name -->`."""

from __future__ import annotations

import re
from pathlib import Path


def read_block(document: Path, name: str) -> str:
    """The text of a block, without the blank lines around it; ValueError where there is none of this name."""
    return _split(document, name)[1].strip()


def write_block(document: Path, name: str, text: str) -> None:
    """Put a text into a block, in the place of what is there; ValueError where there is none of this name."""
    before, old, after = _split(document, name)
    edge = "\n\n" if old.startswith("\n\n") else "\n"
    document.write_text(f"{before}{edge}{text}{edge}{after}", encoding="utf-8")


def _split(document: Path, name: str) -> tuple[str, str, str]:
    """What stands before a block, with the comment that opens it; the block; and what is behind it."""
    text = document.read_text(encoding="utf-8")
    found = re.fullmatch(rf"(.*<!-- {name}: [^>]*-->)(.*)(<!-- /{name} -->.*)", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{document} has no block {name!r}: expected <!-- {name}: ... --> and <!-- /{name} --> in it.")
    before, block, after = found.groups()
    return before, block, after
