"""Build the everyday corpus: a folder of text that `bortlab minis KEY --corpus FOLDER` learns from.

One JSON Lines file for each kind of text, and `heldout.jsonl.xz` with one document in a hundred, drawn by a hash of its
id. A sentence that occurred before is dropped. What a repository gave is kept in `parts` until the end, so that a build
that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import lzma
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from bortlab.data.corpus import n_words
from bortlab.data.everyday import Repository
from bortlab.data.everyday.archives import files_of
from bortlab.data.everyday.formats import FORMATS, Draft
from bortlab.data.folders import HELDOUT
from bortlab.system.store import file_name, whole_file, write

HELD_OUT = 100
"""One document in so many is held out."""
SHORTEST = 3
"""Words of the shortest document."""
MANIFEST = "manifest.json"

Row = dict[str, Any]
Report = Callable[[str], None]


def build(out: Path, repositories: Sequence[Repository], origin: str, report: Report) -> dict[str, Any]:
    """Fetch, read and write; the manifest: words and documents by file and repository, with commits and licences.

    report: is told what is being read. FetchError where a repository cannot be had; ValueError for nothing to build.
    """
    if not repositories:
        raise ValueError("There is nothing to build: name at least one kind of text.")
    parts = out / "parts"
    for number, repository in enumerate(repositories, 1):
        part = _part(parts, repository)
        if not part.exists():
            report(f"{number} of {len(repositories)}: {repository.repository}")
            _write_rows(part, rows_of(repository, origin))
    report("Dropping sentences that occur twice.")
    manifest = _assemble(out, parts, repositories)
    write(out / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    shutil.rmtree(parts, ignore_errors=True)
    return manifest


def rows_of(repository: Repository, origin: str) -> list[Row]:
    """The documents of a repository, at most as many as the bundled models read of it, drawn by a hash of their ids."""
    format = FORMATS[repository.format]
    drafts = format.read(files_of(repository, origin, format.suffix))
    rows = [_row(repository, draft) for draft in drafts]
    if len(rows) > repository.documents:
        chosen = set(sorted((row["id"] for row in rows), key=number_of)[: repository.documents])
        rows = [row for row in rows if row["id"] in chosen]
    return rows


def _row(repository: Repository, draft: Draft) -> Row:
    return {
        "id": f"{repository.source}:{repository.repository}:{draft.name}",
        "source": repository.source,
        "title": draft.title,
        "authors": [draft.author] if draft.author else list(repository.authors),
        "licence": draft.licence or repository.licence,
        "sentences": draft.sentences,
    }


def number_of(document_id: str) -> int:
    """A number that is random, and always the same for a document."""
    return int(sha256(document_id.encode()).hexdigest(), 16)


def is_held_out(document_id: str) -> bool:
    """Whether a document is never trained on: the same ones as when the bundled models were trained."""
    return number_of(document_id) % HELD_OUT == 0


def _part(parts: Path, repository: Repository) -> Path:
    return parts / f"{file_name(repository.repository, repr(repository))}.jsonl.xz"


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    with whole_file(path, alone=True) as file, lzma.open(file, "wb", preset=1) as lines:
        for row in rows:
            lines.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


def _read_rows(path: Path) -> Iterator[Row]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _assemble(out: Path, parts: Path, repositories: Sequence[Repository]) -> dict[str, Any]:
    """Write the files of each kind and of what is held out; the manifest."""
    known: set[bytes] = set()
    rows: dict[str, list[Row]] = {name: [] for name in [*(repository.source for repository in repositories), HELDOUT]}
    made = []
    for repository in repositories:
        words = documents = 0
        for row in _read_rows(_part(parts, repository)):
            row["sentences"] = _new(row["sentences"], known)
            size = sum(map(n_words, row["sentences"]))
            if size >= SHORTEST:
                rows[HELDOUT if is_held_out(row["id"]) else row["source"]].append(row)
                words, documents = words + size, documents + 1
        facts = {"repository": repository.repository, "commit": repository.commit, "licence": repository.licence}
        made.append({**facts, "documents": documents, "words": words})
    for name, some in rows.items():
        _write_rows(out / f"{name}.jsonl.xz", some)
    words_of = {name: sum(n_words(s) for row in some for s in row["sentences"]) for name, some in rows.items()}
    return {"words": words_of, "documents": Counter({name: len(some) for name, some in rows.items()}), "from": made}


def _new(sentences: Sequence[str], known: set[bytes]) -> list[str]:
    """The sentences that did not occur before, which are known from now on."""
    kept = []
    for sentence in sentences:
        mark = sha256(sentence.encode()).digest()[:10]
        if mark not in known:
            known.add(mark)
            kept.append(sentence)
    return kept
