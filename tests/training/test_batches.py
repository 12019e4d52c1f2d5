"""Packing, batching and hiding: pure functions, so their promises are checked on whatever hypothesis thinks of."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.data.corpus import Document
from bortlab.training.batches import (
    IGNORED,
    PACKED,
    SHORT,
    EncodedDocument,
    Pieces,
    encode_documents,
    epoch_batches,
    fill,
    hide,
    hide_one,
    recital_batches,
)
from bortlab.training.vocabulary import train_tokenizer

CLS, SEP, MASK = 1, 2, 3
FIRST = 4
"""The first id that is no template piece and no mask."""

counts = st.lists(st.integers(0, 12), max_size=12)
lengths = st.integers(1, 9)
"""Sentences by their number of pieces, and the room of a sequence: some sentences are empty, some too long."""


def numbered(sizes: list[int]) -> list[Pieces]:
    """Sentences of these sizes in which no two pieces are alike."""
    ends = list(accumulate(sizes, initial=FIRST))
    return [np.arange(start, start + size, dtype=np.int32) for start, size in zip(ends, sizes, strict=False)]


def numbered_documents(shapes: list[tuple[list[int], int]]) -> list[EncodedDocument]:
    """Documents of (sentence sizes, copies), never recited; no two pieces of all of them are alike."""
    sentences = iter(numbered([size for sizes, _ in shapes for size in sizes]))
    return [EncodedDocument(tuple(next(sentences) for _ in sizes), copies) for sizes, copies in shapes]


def fewest(parts: list[int], room: int) -> int:
    """The fewest sequences that hold these parts in order, by trying every place for the last cut."""
    best = [0]
    for end in range(1, len(parts) + 1):
        best.append(min(best[start] + 1 for start in range(end) if sum(parts[start:end]) <= room))
    return best[-1]


# -- fill --------------------------------------------------------------------------------------------------------------


@given(counts, lengths)
def test_fill_keeps_order_and_loses_nothing(sizes: list[int], length: int) -> None:
    packed = fill(numbered(sizes), length)
    assert [piece for sequence in packed for piece in sequence] == list(range(FIRST, FIRST + sum(sizes)))
    assert all(1 <= len(sequence) <= length for sequence in packed)
    assert all(sequence.dtype == np.int32 for sequence in packed)


@given(counts, lengths)
def test_fill_makes_as_few_sequences_as_can_be(sizes: list[int], length: int) -> None:
    parts = [min(length, size - start) for size in sizes for start in range(0, size, length)]
    assert len(fill(numbered(sizes), length)) == fewest(parts, length)


@given(counts, lengths)
def test_fill_cuts_only_what_is_too_long(sizes: list[int], length: int) -> None:
    sentences = numbered(sizes)
    starts = {int(sequence[0]) for sequence in fill(sentences, length)}
    for sentence in sentences:
        if 0 < len(sentence) <= length:
            assert not starts & set(sentence[1:].tolist())


def test_fill_by_hand() -> None:
    assert [list(sequence) for sequence in fill(numbered([2, 1, 2, 7, 1]), 4)] == [
        [4, 5, 6], [7, 8], [9, 10, 11, 12], [13, 14, 15, 16],
    ]  # fmt: skip
    assert fill([], 4) == []
    assert fill(numbered([0, 0]), 4) == []


# -- epoch_batches -----------------------------------------------------------------------------------------------------

shapes = st.lists(
    st.tuples(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(1, 4)), min_size=1, max_size=8
).filter(lambda found: any(sum(sizes) for sizes, _ in found))


def batches_of(
    documents: list[EncodedDocument], *, length: int = 8, size: int = 24, seed: int = 0, epoch: int = 0, recite=False
) -> list[Pieces]:
    make = recital_batches if recite else epoch_batches
    return make(documents, length=length, batch_pieces=size, cls=CLS, sep=SEP, seed=seed, epoch=epoch)


def flat(batches: list[Pieces]) -> list[int]:
    return [piece for batch in batches for piece in batch.flatten().tolist()]


@given(shapes, st.integers(0, 3), st.integers(3, 12), st.integers(1, 60), st.integers(0, 3))
def test_everything_is_read_and_recited_as_often_as_it_says(
    found: list[tuple[list[int], int]], recitals: int, length: int, size: int, epoch: int
) -> None:
    documents = [
        replace(document, recited=document.sentences[:2], recitals=recitals) for document in numbered_documents(found)
    ]
    for recite in (False, True):
        batches = batches_of(documents, length=length, size=size, epoch=epoch, recite=recite)
        for batch in batches:
            assert batch.ndim == 2
            assert 3 <= batch.shape[1] <= length
            assert batch.size <= max(size, batch.shape[1])  # about batch_pieces, at least one sequence
            assert (batch[:, 0] == CLS).all() and (batch[:, -1] == SEP).all()
        seen = Counter(piece for batch in batches for piece in batch[:, 1:-1].flatten().tolist())
        assert seen == Counter(
            piece
            for document in documents
            for sentence in (document.recited * recitals if recite else document.sentences * document.copies)
            for piece in sentence.tolist()
        )


@given(shapes, st.integers(0, 2**31), st.integers(0, 99))
def test_an_epoch_is_a_function_of_seed_and_number(found: list[tuple[list[int], int]], seed: int, epoch: int) -> None:
    documents = numbered_documents(found)
    one, two = (batches_of(documents, seed=seed, epoch=epoch) for _ in range(2))
    assert len(one) == len(two)
    assert all(np.array_equal(first, second) for first, second in zip(one, two, strict=True))


def test_epochs_and_seeds_differ() -> None:
    documents = [
        replace(found, recited=found.sentences, recitals=1) for found in numbered_documents([([3, 2, 4], 1)] * 20)
    ]
    for recite in (False, True):
        runs = [batches_of(documents, seed=seed, epoch=epoch, recite=recite) for seed in range(3) for epoch in range(4)]
        assert len({tuple(flat(batches)) for batches in runs}) == 12


def test_most_documents_are_packed_and_the_others_are_read_sentence_by_sentence() -> None:
    documents = numbered_documents([([3, 3], 1)] * 2000)
    batches = batches_of(documents, length=20, size=400)
    rows = Counter({width: sum(len(b) for b in batches if b.shape[1] == width) for width in (5, 8)})
    assert {batch.shape[1] for batch in batches} == {5, 8}  # a sentence alone, both together
    assert rows[8] + rows[5] / 2 == 2000
    assert abs(rows[8] / 2000 - PACKED) < 0.05
    assert sorted(map(len, batches)) != list(map(len, batches))  # batches come shuffled, not by length
    assert sum(batch.size <= 300 for batch in batches) <= 2  # all but the last of a length are full


# -- hide --------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(1, 12), st.floats(0, 1), st.lists(st.integers(0, 2**31), min_size=1, max_size=3))
def test_what_is_hidden(rows: int, inner: int, rate: float, seed: list[int]) -> None:
    batch = np.full((rows, inner + 2), CLS, dtype=np.int32)
    batch[:, -1] = SEP
    batch[:, 1:-1] = FIRST + np.arange(rows * inner).reshape(rows, inner)
    before = batch.copy()
    hidden = hide(batch, rate=rate, mask=MASK, seed=seed)
    ids, labels = hidden.ids.numpy(), hidden.labels.numpy()
    chosen = labels != IGNORED
    assert ids.shape == labels.shape == batch.shape
    assert ids.dtype == labels.dtype == np.int64
    assert np.array_equal(batch, before)
    assert chosen.any(axis=1).all()
    assert not chosen[:, [0, -1]].any()
    assert (labels[chosen] == batch[chosen]).all()
    assert np.array_equal(ids, np.where(chosen, MASK, batch))
    again = hide(batch, rate=rate, mask=MASK, seed=seed)
    assert np.array_equal(ids, again.ids.numpy()) and np.array_equal(labels, again.labels.numpy())
    if rate == 1:
        assert chosen[:, 1:-1].all()


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.3, 0.5])
def test_the_share_of_hidden_pieces(rate: float) -> None:
    batch = np.full((500, 66), FIRST, dtype=np.int32)
    chosen = (hide(batch, rate=rate, mask=MASK, seed=(0, 1)).labels != IGNORED).numpy()
    assert chosen[:, 1:-1].mean() == pytest.approx(rate, abs=0.01)
    assert chosen[:, 1:-1].mean(axis=0).std() < 0.04  # no place is preferred
    other = (hide(batch, rate=rate, mask=MASK, seed=(0, 2)).labels != IGNORED).numpy()
    assert (chosen & other)[:, 1:-1].mean() == pytest.approx(rate**2, abs=0.01)  # another step hides others


def test_a_rate_of_zero_hides_one_piece_a_sequence() -> None:
    batch = np.full((50, 12), FIRST, dtype=np.int32)
    assert ((hide(batch, rate=0.0, mask=MASK, seed=(0,)).labels != IGNORED).sum(1) == 1).all()


@given(st.integers(1, 6), st.integers(1, 12), st.lists(st.integers(0, 2**31), min_size=1, max_size=3))
def test_one_piece_is_hidden(rows: int, inner: int, seed: list[int]) -> None:
    batch = np.full((rows, inner + 2), CLS, dtype=np.int32)
    batch[:, -1] = SEP
    batch[:, 1:-1] = FIRST + np.arange(rows * inner).reshape(rows, inner)
    counts = np.ones(FIRST + rows * inner, dtype=np.int64)
    hidden, again = (hide_one(batch, counts=counts, mask=MASK, seed=seed) for _ in range(2))
    ids, labels = hidden.ids.numpy(), hidden.labels.numpy()
    chosen = labels != IGNORED
    assert (chosen.sum(axis=1) == 1).all() and not chosen[:, [0, -1]].any()
    assert np.array_equal(ids, np.where(chosen, MASK, batch)) and np.array_equal(labels[chosen], batch[chosen])
    assert np.array_equal(ids, again.ids.numpy())


def test_a_rare_piece_is_hidden_likelier() -> None:
    """By the square root of the frequency: of pieces met 1, 4 and 16 times, 4/7, 2/7 and 1/7."""
    batch = np.tile(np.array([CLS, FIRST, FIRST + 1, FIRST + 2, SEP], dtype=np.int32), (7000, 1))
    counts = np.array([1] * FIRST + [1, 4, 16])
    share = (hide_one(batch, counts=counts, mask=MASK, seed=(0, 1)).labels != IGNORED).float().mean(0).tolist()
    assert share == pytest.approx([0, 4 / 7, 2 / 7, 1 / 7, 0], abs=0.02)


# -- encode_documents --------------------------------------------------------------------------------------------------


def test_documents_are_encoded_sentence_by_sentence() -> None:
    texts = [f"The {noun} of {name} is old." for noun in ("river", "capital") for name in ("Paris", "Rome", "Madrid")]
    tokenizer = train_tokenizer("wordpiece", texts, vocab_size=80)
    documents = [Document("wordnet/n/1", 0, tuple(texts[:2])), Document("bible/Genesis/1", 0, tuple(texts[2:]))]
    encoded = encode_documents(documents, tokenizer)
    for document, found in zip(documents, encoded, strict=True):
        assert [sentence.tolist() for sentence in found.sentences] == tokenizer.ids_of(document.sentences)
        assert all(sentence.dtype == np.int32 for sentence in found.sentences)
    template = {tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.pad_id}
    assert not template & {piece for found in encoded for sentence in found.sentences for piece in sentence.tolist()}
    hostile = encode_documents([Document("wordnet/n/2", 0, ("The [MASK] of [SEP] is [PAD].", ""))], tokenizer)
    assert not template & {piece for sentence in hostile[0].sentences for piece in sentence.tolist()}


@pytest.mark.parametrize(
    ("count", "copies"), [(0, 1), (1, 1), (2, 1), (3, 2), (14, 2), (15, 3), (62, 3), (63, 4), (10_000, 4)]
)
def test_often_used_senses_are_read_more_often(count: int, copies: int) -> None:
    """1 + log2(1 + count) / 2, rounded down, at most 4."""
    tokenizer = train_tokenizer("wordpiece", ["An old river."], vocab_size=40)
    assert encode_documents([Document("wordnet/n/1", count, ("An old river.",))], tokenizer)[0].copies == copies


SAID = "A home is a kind of place."
LONG = " ".join(["long"] * SHORT) + " word."


@pytest.mark.parametrize(
    ("source", "count", "said", "recitals"),
    [
        ("wordnet/n/1", 0, SAID, 0),
        ("wordnet/n/1", 1, SAID, 0),
        ("wordnet/n/1", 3, SAID, 2),
        ("wordnet/n/1", 127, SAID, 24),
        ("wordnet/n/1", 0, "Home is a national capital.", 24),
        ("bible/Genesis/1", 0, SAID, 8),
    ],
)
def test_short_sentences_are_recited(source: str, count: int, said: str, recitals: int) -> None:
    tokenizer = train_tokenizer("wordpiece", [SAID], vocab_size=60)
    document = Document(source, count, (LONG, said))
    [encoded] = encode_documents([document], tokenizer)
    assert [piece.tolist() for piece in encoded.recited] == tokenizer.ids_of([said])
    assert encoded.recitals == recitals
