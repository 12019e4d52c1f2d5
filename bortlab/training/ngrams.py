"""What counting gives: a unigram and a trigram model of the same text, to stand beside models that were trained.

A trigram model is one of running text, p(word | the two before it), each smoothed with bigrams and unigrams by fixed
shares (Jelinek and Mercer 1980). A blank it fills by what makes the whole sentence likeliest: the word after the two on
its left, and the two on its right after the word. That is its exact posterior for one blank; where a neighbour is
hidden too, or the text ends, it says nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bortlab.text import Tokenizer
from bortlab.training.encoded import EncodedText
from bortlab.training.hiding import Hidden

Floats = NDArray[np.float64]
Keys = NDArray[np.int64]

TRIGRAMS, BIGRAMS = 0.6, 0.75
"""Share of trigrams in a prediction, and of bigrams in the rest; what is left is the unigrams'."""
WINDOW = 2
"""Pieces on either side that a trigram model looks at."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How often things stand together: for each row (one piece, or two), the pieces and their counts.

    keys: (entries,), row * vocab + piece, rising. counts: (entries,).
    """

    keys: Keys
    counts: NDArray[np.float32]
    vocab: int

    def row(self, row: int) -> tuple[Keys, NDArray[np.float32]]:
        """The pieces of a row, and how often each stands there."""
        first, last = np.searchsorted(self.keys, (row * self.vocab, (row + 1) * self.vocab))
        return self.keys[first:last] - row * self.vocab, self.counts[first:last]

    def dense(self, row: int) -> Floats:
        """A row as counts of all pieces, (vocab,)."""
        values = np.zeros(self.vocab)
        pieces, counts = self.row(row)
        values[pieces] = counts
        return values


def counts_of(parts: Sequence[tuple[Keys, float]], vocab: int) -> Counts:
    """Count keys in parts, each with the weight of its text."""
    keys: list[Keys] = []
    counts: list[Floats] = []
    for part, weight in parts:
        some, times = np.unique(part, return_counts=True)
        keys.append(some)
        counts.append((times * weight).astype(np.float64))
    together, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    return Counts(together, np.bincount(inverse, np.concatenate(counts), len(together)).astype(np.float32), vocab)


class Trigrams:
    """Counts of the pieces of a text, of two in a row and of three, and what they say of a blank."""

    def __init__(self, text: EncodedText, vocab: int, *, weights: Mapping[str, float]) -> None:
        """weights: how often a document of a source counts, 1 unless named."""
        runs = [(run.astype(np.int64), weights.get(source, 1.0)) for source, run in runs_of(text)]
        self.vocab = vocab
        self.unigrams = sum(weight * np.bincount(run, minlength=vocab) for run, weight in runs) + np.ones(vocab)
        self.share: Floats = self.unigrams / self.unigrams.sum()
        pairs = [(run[:-1], run[1:], weight) for run, weight in runs]
        self.after = counts_of([(a * vocab + b, weight) for a, b, weight in pairs], vocab)
        self.before = counts_of([(b * vocab + a, weight) for a, b, weight in pairs], vocab)
        triples = [(run[:-2], run[1:-1], run[2:], weight) for run, weight in runs]
        self.third = counts_of([((a * vocab + b) * vocab + c, weight) for a, b, c, weight in triples], vocab)
        self.second = counts_of([((a * vocab + c) * vocab + b, weight) for a, b, c, weight in triples], vocab)
        self.first = counts_of([((b * vocab + c) * vocab + a, weight) for a, b, c, weight in triples], vocab)

    def fill(self, left: Sequence[int | None], right: Sequence[int | None]) -> Floats:
        """How likely each piece is in a blank, (vocab,).

        left, right: the WINDOW pieces before it and after it, in reading order; None where nothing is to be read.
        """
        (far, near), (soon, late) = left, right
        chances = self.share
        if near is not None:
            chances = _blended(self.after.dense(near), self.unigrams[near], chances, BIGRAMS)
            if far is not None:
                both = self.after.dense(far)[near]
                chances = _blended(self.third.dense(far * self.vocab + near), both, chances, TRIGRAMS)
        if soon is not None:
            before = self.before.dense(soon)
            follows = _blended(before, self.unigrams, self.share[soon], BIGRAMS)
            if near is not None:
                counts = self.second.dense(near * self.vocab + soon)
                follows = _blended(counts, self.after.dense(near), follows, TRIGRAMS)
            chances = chances * follows
            if late is not None:
                plain = _blended(self.after.dense(soon)[late], self.unigrams[soon], self.share[late], BIGRAMS)
                chances = chances * _blended(self.first.dense(soon * self.vocab + late), before, plain, TRIGRAMS)
        result: Floats = chances / chances.sum()
        return result


def _blended(counts: ArrayLike, total: ArrayLike, lower: ArrayLike, share: float) -> Floats:
    """The share that counts are of a total, mixed with a lower order's chance, which stands alone where total is 0."""
    counts, total, lower = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in (counts, total, lower)))
    known = total > 0
    ratio = np.divide(counts, total, out=np.zeros(counts.shape), where=known)
    return np.where(known, share * ratio + (1 - share) * lower, lower)


def runs_of(text: EncodedText) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """(source, pieces) of the sentences of each source, in reading order."""
    cutting = text.cuttings[0]
    begins, ends = cutting.starts[text.sentences[:-1]], cutting.starts[text.sentences[1:]]
    for number, name in enumerate(text.names):
        chosen = text.sources == number
        parts = [cutting.pieces[begin:end] for begin, end in zip(begins[chosen], ends[chosen], strict=True)]
        if parts:
            yield name, np.concatenate(parts)


def contexts(ids: Sequence[int], place: int, unread: frozenset[int]) -> tuple[list[int | None], list[int | None]]:
    """The WINDOW pieces before a place of a row and after it; None for those not to be read, and beyond an end."""

    def at(position: int) -> int | None:
        return ids[position] if 0 <= position < len(ids) and ids[position] not in unread else None

    left = [at(place - distance) for distance in range(WINDOW, 0, -1)]
    right = [at(place + distance) for distance in range(1, WINDOW + 1)]
    if left[1] is None:
        left[0] = None  # what stands beyond a gap says nothing
    if right[0] is None:
        right[1] = None
    return left, right


def unread_of(tokenizer: Tokenizer) -> frozenset[int]:
    """The pieces that are no text: the template and the mask."""
    return frozenset({tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id})


def trigram_logits(model: Trigrams, hidden: Hidden, unread: frozenset[int]) -> Tensor:
    """Log-probabilities at the hidden places of a batch: (batch, hidden, vocab)."""
    ids, places = hidden.ids.tolist(), hidden.places.tolist()
    chances = np.stack(
        [[model.fill(*contexts(row, place, unread)) for place in some] for row, some in zip(ids, places, strict=True)]
    )
    return torch.from_numpy(np.log(chances)).float()


def unigram_logits(model: Trigrams, hidden: Hidden) -> Tensor:
    """The same of how frequent pieces are, whatever stands around them."""
    return torch.from_numpy(np.log(model.share)).float().expand(*hidden.places.shape, -1)
