"""Hiding: whole words, at least one in a row, what was there as labels, and the same words in another cutting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bortlab.training.encoded import encode_text
from bortlab.training.hiding import IGNORED, DeviceText, Hidden, Template, hide, hide_alike
from bortlab.training.vocabulary import train_tokenizer

DOCUMENTS = [
    ("a", ["The quick brown fox jumps over the lazy dog.", "A fox isn't a dog, (mostly)!", "Dogs and foxes run."]),
    ("a", ["Unbelievable stories of the old river.", "The river is quick; the dog is unbelievable.", "Over the dog"]),
]
TEXTS = [sentence for _, sentences in DOCUMENTS for sentence in sentences] * 2
OURS = train_tokenizer("byte-bpe", TEXTS, vocab_size=290)
THEIRS = train_tokenizer("wordpiece", TEXTS, vocab_size=120)
TEXT = encode_text(DOCUMENTS, [OURS, THEIRS])
CPU = torch.device("cpu")
STUDENT = DeviceText(TEXT, 0, Template(OURS.cls_id, OURS.sep_id, OURS.mask_id), CPU)
TEACHER = DeviceText(TEXT, 1, Template(THEIRS.cls_id, THEIRS.sep_id, THEIRS.mask_id), CPU)
N_CHUNKS = int(TEXT.sentences[-1])
SPANS = [(start, end) for start in range(N_CHUNKS) for end in range(start + 1, min(N_CHUNKS, start + 9) + 1)]


def of_width(width: int) -> Tensor:
    """All spans of chunks that have this many of the student's pieces."""
    starts = TEXT.cuttings[0].starts
    return torch.tensor([span for span in SPANS if starts[span[1]] - starts[span[0]] == width]).reshape(-1, 2)


WIDTHS = [width for width in range(2, 25) if len(of_width(width))]
widths, rates, seeds = st.sampled_from(WIDTHS), st.floats(0.0, 1.0), st.integers(0, 1000)


def hidden_rows(width: int, rate: float, seed: int) -> tuple[Tensor, Hidden]:
    chunks = of_width(width)
    return chunks, hide(STUDENT, chunks, width, rate=rate, generator=torch.Generator().manual_seed(seed))


def cut_row(cutting: int, row: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Ids and words of a row, straight from the text."""
    cut = TEXT.cuttings[cutting]
    span = slice(int(cut.starts[row[0]]), int(cut.starts[row[1]]))
    return cut.pieces[span], cut.words[span]


def hidden_words(ids: np.ndarray, words: np.ndarray, mask: int) -> set[int]:
    """Words behind the mask; each stands wholly behind it or not at all."""
    covered = set(words[ids == mask].tolist())
    assert not covered & set(words[ids != mask].tolist())
    return covered


@settings(max_examples=40)
@given(widths, rates, seeds)
def test_whole_words_are_hidden_and_everything_else_stays(width: int, rate: float, seed: int) -> None:
    chunks, hidden = hidden_rows(width, rate, seed)
    assert hidden.ids.shape == (len(chunks), width + 2)
    assert (hidden.ids[:, 0] == OURS.cls_id).all()
    assert (hidden.ids[:, -1] == OURS.sep_id).all()
    for row, seen, is_hidden in zip(chunks, hidden.ids[:, 1:-1].numpy(), hidden.is_hidden, strict=True):
        pieces, words = cut_row(0, row)
        covered = hidden_words(seen, words, OURS.mask_id)
        assert covered
        assert covered == {int(word) + int(words[0]) for word in is_hidden.nonzero()}
        assert (seen[seen != OURS.mask_id] == pieces[seen != OURS.mask_id]).all()


@settings(max_examples=40)
@given(widths, rates, seeds)
def test_labels_are_the_pieces_behind_the_mask(width: int, rate: float, seed: int) -> None:
    chunks, hidden = hidden_rows(width, rate, seed)
    most = hidden.places.shape[1]
    assert most <= width
    for i, row in enumerate(chunks):
        pieces, words = cut_row(0, row)
        places, labels = hidden.places[i].numpy(), hidden.labels[i].numpy()
        assert len(set(places.tolist())) == len(places)  # no place twice
        behind = hidden.ids[i].numpy() == OURS.mask_id
        assert ((labels == IGNORED) == ~behind[places]).all()
        there = labels != IGNORED
        assert (labels[there] == pieces[places[there] - 1]).all()
        assert (hidden.words[i].numpy() == words[places - 1]).all()
        assert there.sum() == min(most, behind.sum())
    assert (hidden.first_word[:, 0].numpy() == [cut_row(0, row)[1][0] for row in chunks]).all()


@settings(max_examples=40)
@given(widths, rates, seeds)
def test_the_same_words_are_hidden_in_the_other_cutting(width: int, rate: float, seed: int) -> None:
    chunks, hidden = hidden_rows(width, rate, seed)
    longest = int(TEACHER.rows(chunks)[1].max())
    ids, visible = hide_alike(TEACHER, chunks, longest, hidden)
    assert ids.shape == visible.shape == (len(chunks), longest + 2)
    for i, row in enumerate(chunks):
        pieces, words = cut_row(1, row)
        size = len(pieces)
        ours = hidden_words(hidden.ids[i, 1:-1].numpy(), cut_row(0, row)[1], OURS.mask_id)
        seen = ids[i].numpy()
        assert seen[0] == THEIRS.cls_id
        assert seen[size + 1] == THEIRS.sep_id
        inner = seen[1 : size + 1]
        assert hidden_words(inner, words, THEIRS.mask_id) == ours
        assert (inner[inner != THEIRS.mask_id] == pieces[inner != THEIRS.mask_id]).all()
        assert visible[i].tolist() == [True] * (size + 2) + [False] * (longest - size)
        assert (seen[size + 2 :] == 0).all()


def test_rates_0_and_1_hide_one_word_and_all() -> None:
    _, fewest = hidden_rows(12, 0.0, 0)
    assert (fewest.is_hidden.sum(1) == 1).all()
    chunks, all_of_them = hidden_rows(12, 1.0, 0)
    assert (all_of_them.ids[:, 1:-1] == OURS.mask_id).all()
    assert all_of_them.labels.sort(1).values.tolist() == STUDENT.gather(chunks, 12)[0].sort(1).values.tolist()


def test_about_the_asked_share_of_words_is_hidden() -> None:
    width = max(WIDTHS, key=lambda width: len(of_width(width)))
    shares = []
    for seed in range(200):
        chunks, hidden = hidden_rows(width, 0.4, seed)
        n_words = sum(len(set(cut_row(0, row)[1].tolist())) for row in chunks)
        shares.append(float(hidden.is_hidden.sum()) / n_words)
    assert sum(shares) / len(shares) == pytest.approx(0.4, abs=0.03)


def test_hiding_is_a_function_of_the_generator() -> None:
    _, one = hidden_rows(10, 0.3, 1)
    _, same = hidden_rows(10, 0.3, 1)
    _, other = hidden_rows(10, 0.3, 2)
    assert torch.equal(one.ids, same.ids)
    assert torch.equal(one.places, same.places)
    assert not torch.equal(one.ids, other.ids)


def test_sizes_and_first_pieces_of_words() -> None:
    for cutting, on_device in enumerate((STUDENT, TEACHER)):
        words = TEXT.cuttings[cutting].words
        assert on_device.sizes.tolist() == np.bincount(words).tolist()
        assert on_device.first_piece.tolist() == [words.tolist().index(number) for number in range(TEXT.n_words)]


def test_a_word_that_the_other_cutting_has_no_piece_of() -> None:
    text = encode_text([("a", ["the dog \u0301"])], [OURS, THEIRS])  # a lone accent, which WordPiece drops
    student, teacher = (DeviceText(text, i, side.template, CPU) for i, side in enumerate((STUDENT, TEACHER)))
    assert len(student.sizes) == len(teacher.sizes) == text.n_words == 3
    assert teacher.sizes.tolist() == [1, 1, 0]
    assert int(teacher.first_piece.max()) < len(teacher.pieces)
    chunks, width = torch.tensor([[0, 3]]), int(student.rows(torch.tensor([[0, 3]]))[1])
    hidden = hide(student, chunks, width, rate=1.0, generator=torch.Generator())
    ids, visible = hide_alike(teacher, chunks, 2, hidden)
    assert ids.tolist() == [[THEIRS.cls_id, THEIRS.mask_id, THEIRS.mask_id, THEIRS.sep_id]]
    assert visible.all()


def test_a_row_always_has_something_to_predict_even_beside_words_without_pieces() -> None:
    text = encode_text([("a", ["the \u0301 \u0301 \u0301 dog rrrrrr"])], [THEIRS])
    alone = DeviceText(text, 0, TEACHER.template, CPU)
    assert alone.sizes.tolist()[:5] == [1, 0, 0, 0, 1]
    width = len(alone.pieces)
    assert width > 5  # so that every word has a chance of its own
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        hidden = hide(alone, torch.tensor([[0, 6]]), width, rate=0.0, generator=generator)
        assert int((hidden.labels != IGNORED).sum()) >= 1
