"""From sentences to rows and batches: everything is read as often as it should be, and nothing stands out of place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bortlab.training.encoded import Cutting, EncodedText
from bortlab.training.packing import Parts, epoch_batches, epoch_rows, parts_of

Shape = list[list[list[tuple[int, int]]]]
"""Documents of sentences of chunks: the pieces of a chunk in two cuttings."""

shapes: st.SearchStrategy[Shape] = st.lists(
    st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=6), min_size=1, max_size=5),
    min_size=1,
    max_size=5,
)
rooms = st.integers(5, 14)


def text_of(shape: Shape, sources: Sequence[int] | None = None, names: Sequence[str] = ("a", "b")) -> EncodedText:
    """A text whose chunks have these sizes, each of one word. sources: of the documents, 0 unless told."""
    chunks = [chunk for document in shape for sentence in document for chunk in sentence]
    cuttings = []
    for number in range(2):
        sizes = np.array([chunk[number] for chunk in chunks])
        total = int(sizes.sum())
        words = np.repeat(np.arange(len(chunks)), sizes).astype(np.int32)
        cuttings.append(Cutting(np.arange(total, dtype=np.int32), words, np.concatenate([[0], np.cumsum(sizes)])))
    lengths = [len(sentence) for document in shape for sentence in document]
    documents = [number for number, document in enumerate(shape) for _ in document]
    of_document = sources or [0] * len(shape)
    return EncodedText(
        tuple(cuttings),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array(documents, dtype=np.int32),
        np.array([of_document[number] for number in documents], dtype=np.int32),
        tuple(names),
    )


def sizes_of(text: EncodedText, spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pieces of spans of chunks in every cutting: (cuttings, spans)."""
    return np.stack([cut.starts[spans[:, 1]] - cut.starts[spans[:, 0]] for cut in text.cuttings])


def rows_of(
    text: EncodedText,
    parts: Parts,
    room: int,
    *,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    epoch: int = 0,
) -> NDArray[np.int64]:
    return epoch_rows(text, parts, room=room, weights=weights or {}, seed=seed, epoch=epoch)


def read(rows: NDArray[np.int64]) -> Counter[int]:
    """How often each chunk is read."""
    return Counter(chunk for start, end in rows.tolist() for chunk in range(start, end))


def document_of_chunks(text: EncodedText) -> list[int]:
    return np.repeat(text.documents, np.diff(text.sentences)).tolist()


# -- parts -------------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(shapes, rooms)
def test_parts_are_the_sentences_and_only_those_too_long_are_cut(shape: Shape, room: int) -> None:
    text = text_of(shape)
    parts = parts_of(text, room)
    spans = np.stack([parts.starts, parts.ends], axis=1)
    assert read(spans) == Counter(range(len(text.cuttings[0].starts) - 1))
    assert (sizes_of(text, spans) <= room).all()
    assert (np.diff(parts.starts) > 0).all()
    whole = np.stack([text.sentences[:-1], text.sentences[1:]], axis=1)
    chunks = np.stack([np.diff(cut.starts) for cut in text.cuttings]).max(0)
    for sentence, span in enumerate(whole.tolist()):
        fits = chunks[span[0] : span[1]].sum() <= room
        assert (span in spans.tolist()) >= fits
        inside = [i for i, start in enumerate(parts.starts) if span[0] <= start < span[1]]
        assert all(parts.ends[i] <= span[1] for i in inside)
        assert {int(parts.documents[i]) for i in inside} == {int(text.documents[sentence])}


def test_a_chunk_that_no_row_holds_is_left_out_and_the_rest_stays() -> None:
    text = text_of([[[(1, 1), (2, 9), (2, 2), (3, 1)], [(1, 1)]]])
    parts = parts_of(text, 4)
    assert list(zip(parts.starts.tolist(), parts.ends.tolist(), strict=True)) == [(0, 1), (2, 3), (3, 4), (4, 5)]


def test_the_parts_of_a_source() -> None:
    text = text_of([[[(1, 1)]], [[(1, 1)], [(2, 2)]], [[(1, 1)]]], sources=[0, 1, 0])
    parts = parts_of(text, 5)
    assert parts.of_source(1).starts.tolist() == [1, 2]
    assert parts.of_source(0).documents.tolist() == [0, 2]
    assert len(parts.of_source(7).starts) == 0


# -- rows --------------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(shapes, st.integers(2, 14), st.integers(0, 5), st.integers(0, 5))
def test_everything_is_read_once_in_rows_of_one_document_that_have_room(
    shape: Shape, room: int, seed: int, epoch: int
) -> None:
    text = text_of(shape)
    rows = rows_of(text, parts_of(text, room), room, seed=seed, epoch=epoch)
    of_chunk = document_of_chunks(text)
    counted = read(rows)
    for chunk, sizes in enumerate(zip(*(np.diff(cut.starts) for cut in text.cuttings), strict=True)):
        assert counted[chunk] == (max(sizes) <= room)
    assert (sizes_of(text, rows) <= room).all()
    assert all(len(set(of_chunk[start:end])) == 1 for start, end in rows.tolist())  # and consecutive: in order


def test_a_document_is_read_whole_or_sentence_by_sentence() -> None:
    shape: Shape = [[[(2, 2)], [(1, 1)], [(2, 1)], [(1, 3)]] for _ in range(400)]
    text = text_of(shape)
    rows = rows_of(text, parts_of(text, 6), 6)
    per_document = Counter(document_of_chunks(text)[start] for start, _ in rows.tolist())
    assert set(per_document.values()) == {2, 4}  # 2 + 1 + 2 <= 6 < 2 + 1 + 2 + 3, or each alone
    packed = sum(count == 2 for count in per_document.values())
    assert 0.5 < packed / 400 < 0.7


def test_rows_of_a_whole_document_are_filled_in_every_cutting() -> None:
    text = text_of([[[(1, 3)], [(1, 3)], [(3, 1)], [(3, 1)]]])
    packed = {(0, 2), (2, 4)}
    found = [set(map(tuple, rows_of(text, parts_of(text, 6), 6, epoch=epoch).tolist())) for epoch in range(20)]
    alone = {(0, 1), (1, 2), (2, 3), (3, 4)}
    assert packed in found
    assert all(rows in (packed, alone) for rows in found)


def test_weights_say_how_often_a_document_is_read_on_average() -> None:
    shape: Shape = [[[(1, 1)], [(2, 2)]] for _ in range(90)]
    text = text_of(shape, sources=[number % 3 for number in range(90)], names=("plain", "rare", "often"))
    parts = parts_of(text, 8)
    rare = 0
    for epoch in range(40):
        rows = rows_of(text, parts, 8, weights={"rare": 0.25, "often": 2.0, "absent": 5.0}, epoch=epoch)
        counted = read(rows)
        assert all(counted[2 * document] == counted[2 * document + 1] for document in range(90))
        assert all(counted[2 * document] == 1 for document in range(0, 90, 3))
        assert all(counted[2 * document] <= 1 for document in range(1, 90, 3))
        assert all(counted[2 * document] == 2 for document in range(2, 90, 3))
        rare += sum(counted[2 * document] for document in range(1, 90, 3))
    assert 0.2 < rare / (40 * 30) < 0.3


def test_a_second_reading_in_an_epoch_is_of_the_other_way() -> None:
    text = text_of([[[(1, 1)], [(1, 1)]]])
    rows = rows_of(text, parts_of(text, 8), 8, weights={"a": 2.0})
    assert sorted(map(tuple, rows.tolist())) == [(0, 1), (0, 2), (1, 2)]


def test_a_source_of_weight_0_is_not_read() -> None:
    text = text_of([[[(1, 1)]], [[(1, 1)]]], sources=[0, 1])
    assert rows_of(text, parts_of(text, 8), 8, weights={"a": 0.0}).tolist() == [[1, 2]]
    assert rows_of(text, parts_of(text, 8), 8, weights={"a": 0.0, "b": 0.0}).shape == (0, 2)


def test_rows_are_a_function_of_seed_and_epoch() -> None:
    shape: Shape = [[[(1, 1)], [(2, 2)], [(1, 1)]] for _ in range(30)]
    text = text_of(shape)
    parts = parts_of(text, 8)
    made = {
        (seed, epoch): rows_of(text, parts, 8, seed=seed, epoch=epoch).tolist() for seed in (0, 1) for epoch in (0, 1)
    }
    assert all(rows_of(text, parts, 8, seed=s, epoch=e).tolist() == rows for (s, e), rows in made.items())
    assert len({str(rows) for rows in made.values()}) == 4


def test_no_parts_no_rows() -> None:
    text = text_of([[[(1, 1)]]])
    assert rows_of(text, parts_of(text, 8).of_source(1), 8).shape == (0, 2)


# -- batches -----------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.lists(st.integers(3, 12), max_size=60), st.integers(1, 40), st.integers(0, 3))
def test_batches_are_of_equal_length_and_hold_every_row_once(found: list[int], size: int, seed: int) -> None:
    lengths = np.array(found, dtype=np.int64)
    batches = epoch_batches(lengths, batch_pieces=size, rng=np.random.default_rng(seed))
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(found)))
    for batch in batches:
        assert len(set(lengths[batch].tolist())) == 1
        assert len(batch) * lengths[batch[0]] <= max(size, lengths[batch[0]])
    for length in set(found):  # as few batches as can be
        fewest = -(-found.count(length) // max(1, size // length))
        assert sum(lengths[batch[0]] == length for batch in batches) == fewest
    again = epoch_batches(lengths, batch_pieces=size, rng=np.random.default_rng(seed))
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in batches]


def test_batches_come_in_random_order_of_length() -> None:
    lengths = np.repeat(np.arange(3, 13), 8)
    batches = epoch_batches(lengths, batch_pieces=26, rng=np.random.default_rng(0))
    order = [int(lengths[batch[0]]) for batch in batches]
    assert order != sorted(order)
    other = epoch_batches(lengths, batch_pieces=26, rng=np.random.default_rng(1))
    assert {tuple(sorted(batch.tolist())) for batch in batches} != {tuple(sorted(batch.tolist())) for batch in other}
