"""A small, permissively licensed English corpus: WordNet 3.0 put into sentences, and the World English Bible.

`bortlab corpus` builds `assets/corpus` anew from Debian's `wordnet-base`, `sword-text-web` and
`diatheke`; `read("train")` reads what is committed. A document is one WordNet synset or one chapter of the Bible, and
its sentences are natural cased English. Nothing is written by hand or by a model: every sentence is a fixed template
filled from WordNet's relations, a definition or example of WordNet, or a verse.

Here are the documents on disk. wordnet.py reads WordNet's files, glosses.py takes its glosses apart, english.py has
the grammar, sentences.py describes a synset, bible.py reads the Bible, blanks.py makes cloze questions of both, and
build.py writes it all.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bortlab.system import assets

ASSETS = assets.CORPUS
MAX_WORDS = 60

Split = Literal["train", "heldout"]


@dataclass(frozen=True, slots=True)
class Document:
    """One synset or one chapter; `count` is how often WordNet's tagged texts used the synset (0 for the Bible)."""

    id: str
    count: int
    sentences: tuple[str, ...]

    @property
    def source(self) -> str:
        """`wordnet` or `bible`."""
        return self.id.partition("/")[0]


def split_of(document_id: str) -> Split:
    """The split a document belongs to, by a stable hash of its id alone."""
    number = int.from_bytes(hashlib.sha256(document_id.encode()).digest()[:8], "big")
    return "heldout" if number % 100 == 0 else "train"


def read(split: Split, folder: Path = ASSETS) -> list[Document]:
    """The documents of one split, after checking the file against the manifest."""
    if split not in ("train", "heldout"):
        raise ValueError(f"Unknown split {split!r}. Known: 'train', 'heldout'.")
    name = f"{split}.jsonl.xz"
    for path in (folder / "manifest.json", folder / name):
        if not path.is_file():
            raise ValueError(f"Corpus file {path} is missing. Build it with `bortlab corpus`.")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    data = (folder / name).read_bytes()
    actual, expected = hashlib.sha256(data).hexdigest(), manifest["files"][name]["sha256"]
    if actual != expected:
        raise ValueError(
            f"Corpus file {folder / name} is not the one in manifest.json: got sha256 {actual}, expected {expected}. "
            "Restore it from git or rebuild with `bortlab corpus`."
        )
    rows = (json.loads(line) for line in lzma.decompress(data).decode().splitlines())
    return [Document(row["id"], row["count"], tuple(row["sentences"])) for row in rows]


def n_words(sentence: str) -> int:
    """Words of a sentence, by white space."""
    return len(sentence.split())


def normal(text: str) -> str:
    """A sentence for comparison: lower-case words only."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
