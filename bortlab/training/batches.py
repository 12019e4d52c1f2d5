"""From documents to masked batches: which pieces stand in which sequence, and which of them are hidden.

Everything here is a pure function of (units, seed, epoch or step), so that a run killed at any moment goes on exactly
where it was: no generator state needs saving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bortlab.data.corpus import Document
from bortlab.text import Tokenizer

Pieces = NDArray[np.int32]
PACKED = 0.7
"""Share of documents that an epoch reads whole, rather than sentence by sentence."""
SHORT = 16
"""Words of the longest sentence that is recited."""
VERSE_RECITALS = 8
NAME_RECITALS = 24
IGNORED = -100
"""The label of a position that is not predicted (cross_entropy's ignore_index)."""


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """A document as pieces, sentence by sentence, without template pieces.

    copies: how often an epoch reads it. recited: its short sentences, each of which a recital says
    `recitals` times.
    """

    sentences: tuple[Pieces, ...]
    copies: int
    recited: tuple[Pieces, ...] = ()
    recitals: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Masked sequences of one length. ids and labels: (batch, seq); labels are IGNORED where nothing is hidden."""

    ids: Tensor
    labels: Tensor


def copies(document: Document) -> int:
    """How often an epoch reads a document: one to four times.

    Senses that WordNet's tagged texts use often stand more often in running English than in a dictionary, which names
    every sense once.
    """
    return 1 + min(3, int(np.log2(1 + document.count) / 2))


def recitals(document: Document) -> int:
    """How often a recital says each short sentence of a document.

    A fact is learnt by heart when it is met often and the word that matters is the one asked for. So senses are recited
    by the square of the logarithm of their use; capitals, which WordNet's tagged texts leave out, as a sense that is
    used 127 times; and short verses.
    """
    if document.source == "bible":
        return VERSE_RECITALS
    if any(sentence.endswith(" is a national capital.") for sentence in document.sentences):
        return NAME_RECITALS
    return int(np.log2(1 + document.count) ** 2 / 2)


def is_short(sentence: str) -> bool:
    """Whether a sentence is recited if its document is."""
    return len(sentence.split()) <= SHORT


def encode_documents(documents: Sequence[Document], tokenizer: Tokenizer) -> list[EncodedDocument]:
    """Cut every sentence of every document into pieces."""
    sentences = [sentence for document in documents for sentence in document.sentences]
    pieces = iter(tokenizer.ids_of(sentences))
    encoded = []
    for document in documents:
        cut = tuple(np.asarray(next(pieces), dtype=np.int32) for _ in document.sentences)
        short = tuple(piece for piece, text in zip(cut, document.sentences, strict=True) if is_short(text))
        encoded.append(EncodedDocument(cut, copies(document), recited=short, recitals=recitals(document)))
    return encoded


def fill(sentences: Sequence[Pieces], length: int) -> list[Pieces]:
    """Pack consecutive sentences into as few sequences of at most `length` pieces as keep their order.

    A sentence that is longer than a whole sequence is cut; what is left of it may share a sequence with the next one.
    """
    packed: list[list[Pieces]] = []
    room = 0
    for sentence in sentences:
        for start in range(0, len(sentence), length):
            part = sentence[start : start + length]
            if len(part) > room:
                packed.append([])
                room = length
            packed[-1].append(part)
            room -= len(part)
    return [np.concatenate(parts) for parts in packed]


def epoch_batches(
    documents: Sequence[EncodedDocument],
    *,
    length: int,
    batch_pieces: int,
    cls: int,
    sep: int,
    seed: int,
    epoch: int,
) -> list[Pieces]:
    """The batches of one epoch, each (batch, seq) with about `batch_pieces` pieces, in a random but fixed order.

    Most documents (by a coin, each epoch anew) are packed in order into sequences of up to `length` pieces, so that
    a model learns to use context; of the others every sentence stands alone, as in a user's text box. A batch holds
    sequences of one length, so that no position is padding.
    """
    rng = np.random.default_rng((seed, epoch))
    read = [document for document in documents for _ in range(document.copies)]
    room = length - 2
    sequences: list[Pieces] = []
    for document, together in zip(read, rng.random(len(read)) < PACKED, strict=True):
        runs = [document.sentences] if together else [(sentence,) for sentence in document.sentences]
        for run in runs:
            sequences.extend(fill(run, room))
    return in_batches(sequences, batch_pieces=batch_pieces, cls=cls, sep=sep, rng=rng)


def recital_batches(
    documents: Sequence[EncodedDocument],
    *,
    length: int,
    batch_pieces: int,
    cls: int,
    sep: int,
    seed: int,
    epoch: int,
) -> list[Pieces]:
    """The batches of one recital of everything that is recited, in a random but fixed order."""
    rng = np.random.default_rng((seed, epoch, 1))
    sequences = [
        part
        for document in documents
        for sentence in document.recited * document.recitals
        for part in fill([sentence], length - 2)
    ]
    return in_batches(sequences, batch_pieces=batch_pieces, cls=cls, sep=sep, rng=rng)


def in_batches(
    sequences: Sequence[Pieces], *, batch_pieces: int, cls: int, sep: int, rng: np.random.Generator
) -> list[Pieces]:
    """Group sequences of equal length into batches (batch, seq), template pieces around each, in random order."""
    if not sequences:
        return []
    lengths = np.array([len(sequence) for sequence in sequences])
    shuffled = rng.permutation(len(sequences))
    by_length = shuffled[np.argsort(lengths[shuffled], kind="stable")]
    batches = []
    for same in np.split(by_length, np.flatnonzero(np.diff(lengths[by_length])) + 1):
        width = int(lengths[same[0]])
        rows = max(1, batch_pieces // (width + 2))
        for start in range(0, len(same), rows):
            chosen = same[start : start + rows]
            batch = np.empty((len(chosen), width + 2), dtype=np.int32)
            batch[:, 0], batch[:, -1] = cls, sep
            batch[:, 1:-1] = np.stack([sequences[index] for index in chosen])
            batches.append(batch)
    return [batches[index] for index in rng.permutation(len(batches))]


def hide(batch: Pieces, *, rate: float, mask: int, seed: Sequence[int]) -> Batch:
    """Hide a share of the pieces of each sequence behind the mask, at least one; never the template pieces.

    Every chosen piece becomes the mask itself: Wettig et al. 2023 (arXiv 2202.08005, section 5) found nothing gained
    by BERT's 10 % random and 10 % unchanged pieces.
    """
    rng = np.random.default_rng(tuple(seed))
    chance = rng.random((batch.shape[0], batch.shape[1] - 2))
    return _hidden(batch, (chance < rate) | (chance == chance.min(axis=1, keepdims=True)), mask)


def hide_one(batch: Pieces, *, counts: NDArray[np.int64], mask: int, seed: Sequence[int]) -> Batch:
    """Hide one piece of each sequence, the rarer the likelier: what a sentence says is seldom said by "is" and "of".

    counts: (vocab,): how often each piece occurs. The chance falls with the square root of the frequency, as word2vec
    drops frequent words (Mikolov et al. 2013, arXiv 1310.4546, section 2.3).
    """
    rng = np.random.default_rng(tuple(seed))
    inner = batch[:, 1:-1]
    first = rng.exponential(size=inner.shape) * np.sqrt(counts[inner])  # the first of these clocks to ring is drawn
    return _hidden(batch, first == first.min(axis=1, keepdims=True), mask)


def _hidden(batch: Pieces, inner: NDArray[np.bool_], mask: int) -> Batch:
    """The batch with these pieces, of those between the template pieces, behind the mask."""
    hidden = torch.zeros(batch.shape, dtype=torch.bool)
    hidden[:, 1:-1] = torch.from_numpy(inner)
    ids, labels = torch.from_numpy(batch.astype(np.int64)), torch.full(batch.shape, IGNORED, dtype=torch.int64)
    labels[hidden] = ids[hidden]
    return Batch(ids.masked_fill(hidden, mask), labels)
