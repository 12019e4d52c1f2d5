"""From sentences to rows, and from rows to batches in which no position is padding.

Everything here is a pure function of (text, seed, epoch), so that a run that was killed goes on exactly where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bortlab.training.encoded import EncodedText

Ints64 = NDArray[np.int64]
PACKED = 0.6
"""Share of documents that an epoch reads whole, rather than sentence by sentence as in a visitor's text box."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Sentences, and parts of those that are too long for a row, in reading order.

    starts, ends: (parts,): their chunks. documents, sources: (parts,).
    """

    starts: Ints64
    ends: Ints64
    documents: NDArray[np.int32]
    sources: NDArray[np.int32]

    def of_source(self, number: int) -> Parts:
        """The parts of one source."""
        chosen = self.sources == number
        return Parts(self.starts[chosen], self.ends[chosen], self.documents[chosen], self.sources[chosen])


def parts_of(text: EncodedText, room: int) -> Parts:
    """Cut sentences that have more than `room` pieces, in any cutting, between two chunks."""
    sizes = np.stack([np.diff(cutting.starts) for cutting in text.cuttings]).max(0)  # (chunks,)
    at = np.concatenate([[0], np.cumsum(sizes)])
    starts, ends = text.sentences[:-1], text.sentences[1:]
    fits = at[ends] - at[starts] <= room
    rows: list[tuple[int, int, int]] = []  # start, end, sentence
    for sentence in np.flatnonzero(~fits):
        start = int(starts[sentence])
        while start < ends[sentence]:
            if sizes[start] > room:
                start += 1  # a chunk that no row can hold
                continue
            end = int(np.searchsorted(at, at[start] + room, side="right")) - 1
            end = min(end, int(ends[sentence]))
            rows.append((start, end, int(sentence)))
            start = end
    whole = np.flatnonzero(fits)
    cut = np.asarray(rows, dtype=np.int64).reshape(-1, 3)
    begin = np.concatenate([starts[whole], cut[:, 0]])
    finish = np.concatenate([ends[whole], cut[:, 1]])
    sentences = np.concatenate([whole, cut[:, 2]])
    order = np.argsort(begin, kind="stable")
    return Parts(begin[order], finish[order], text.documents[sentences[order]], text.sources[sentences[order]])


def epoch_rows(
    text: EncodedText, parts: Parts, *, room: int, weights: Mapping[str, float], seed: int, epoch: int
) -> Ints64:
    """The rows of an epoch, (rows, 2): first and last chunk of each, at most `room` pieces in every cutting.

    weights: how often an epoch reads a document of a source, 1 unless told; 0.1 is a tenth of them, drawn anew.
    """
    rng = np.random.default_rng((seed, epoch))
    last = int(parts.documents.max(initial=-1)) + 1
    together = rng.random(last) < PACKED
    by_source = np.array([weights.get(name, 1.0) for name in text.names])
    first_part = np.flatnonzero(np.diff(parts.documents, prepend=-1))
    readings = by_source[parts.sources[first_part]]
    copies = np.floor(readings + rng.random(len(readings))).astype(np.int64)  # of each document
    sizes = np.stack([cutting.starts[parts.ends] - cutting.starts[parts.starts] for cutting in text.cuttings]).max(0)
    rows: list[Ints64] = []
    for copy in range(int(copies.max(initial=0))):
        read = np.zeros(last, dtype=bool)
        read[parts.documents[first_part]] = copies > copy
        chosen = np.flatnonzero(read[parts.documents])
        packs = together if copy % 2 == 0 else ~together
        alone = chosen[~packs[parts.documents[chosen]]]
        rows.append(np.stack([parts.starts[alone], parts.ends[alone]], axis=1))
        rows.append(_fill(parts, sizes, chosen[packs[parts.documents[chosen]]], room))
    return np.concatenate(rows) if rows else np.zeros((0, 2), dtype=np.int64)


def _fill(parts: Parts, sizes: Ints64, chosen: Ints64, room: int) -> Ints64:
    """Pack consecutive parts of a document into as few rows as keep their order."""
    rows: list[tuple[int, int]] = []
    document, used, start, end = -1, 0, 0, 0
    for begin, finish, size, owner in zip(
        parts.starts[chosen].tolist(),
        parts.ends[chosen].tolist(),
        sizes[chosen].tolist(),
        parts.documents[chosen].tolist(),
        strict=True,
    ):
        if owner != document or used + size > room or begin != end:
            if used:
                rows.append((start, end))
            document, used, start = owner, 0, begin
        used, end = used + size, finish
    if used:
        rows.append((start, end))
    return np.asarray(rows, dtype=np.int64).reshape(-1, 2)


def epoch_batches(lengths: Ints64, *, batch_pieces: int, rng: np.random.Generator) -> list[Ints64]:
    """Batches of rows of equal length, each of about `batch_pieces` pieces, in random order.

    lengths: (rows,) with the template's pieces. Gives the numbers of the rows of each batch.
    """
    shuffled = rng.permutation(len(lengths))
    by_length = shuffled[np.argsort(lengths[shuffled], kind="stable")]
    batches: list[Ints64] = []
    for same in np.split(by_length, np.flatnonzero(np.diff(lengths[by_length])) + 1):
        if len(same):
            size = max(1, batch_pieces // int(lengths[same[0]]))
            batches.extend(same[start : start + size] for start in range(0, len(same), size))
    return [batches[index] for index in rng.permutation(len(batches))]
