"""A teacher's distribution carried over to a student's vocabulary, and a word table that starts from the teacher's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bortlab.models import FAMILIES, Config, Network
from bortlab.training.encoded import Cutting, EncodedText, encode_text
from bortlab.training.hiding import DeviceText, Hidden, Rows, Template, hide
from bortlab.training.masked_lm import MaskedLMRun, Recipe, hidden_logits
from bortlab.training.teaching import Shared, Teacher, shared_words, start_words
from bortlab.training.vocabulary import train_tokenizer

DOCUMENTS = [
    ("a", ["The quick brown fox jumps over the lazy dog.", "The fox isn't the dog, (mostly)!", "The dog runs."]),
    ("a", ["Unbelievable stories of the old river.", "the river is quick; the dog is unbelievable.", "Over the dog"]),
]
TEXTS = [sentence for _, sentences in DOCUMENTS for sentence in sentences] * 3
OURS = train_tokenizer("byte-bpe", TEXTS, vocab_size=290)
THEIRS = train_tokenizer("wordpiece", TEXTS, vocab_size=140)
TEXT = encode_text(DOCUMENTS, [OURS, THEIRS])
CPU = torch.device("cpu")
OUR_TEMPLATE = Template(OURS.cls_id, OURS.sep_id, OURS.mask_id)
THEIR_TEMPLATE = Template(THEIRS.cls_id, THEIRS.sep_id, THEIRS.mask_id)
STUDENT, ASKED = DeviceText(TEXT, 0, OUR_TEMPLATE, CPU), DeviceText(TEXT, 1, THEIR_TEMPLATE, CPU)

Make = Callable[[str, int], Network]


@pytest.fixture(scope="session")
def make(tiny_config: Callable[..., Config], build: Callable[..., Network]) -> Make:
    """make(family, vocab): a tiny network without dropout."""

    def network(name: str, vocab: int) -> Network:
        config = tiny_config(FAMILIES[name], vocab_size=vocab, max_position_embeddings=48)
        still = replace(config, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        return build(FAMILIES[name], still)

    return network


def batch(rate: float = 0.4, seed: int = 0) -> tuple[Rows, Hidden]:
    """All sentences and runs of chunks that have 12 of the student's pieces."""
    starts = TEXT.cuttings[0].starts
    n = len(starts) - 1
    spans = [(i, j) for i in range(n) for j in range(i + 1, n + 1) if starts[j] - starts[i] == 12]
    chunks = torch.tensor(spans)
    rows = Rows(chunks, (12, int(ASKED.rows(chunks)[1].max())))
    assert len(set(ASKED.rows(chunks)[1].tolist())) > 1  # some are padded
    return rows, hide(STUDENT, chunks, 12, rate=rate, generator=torch.Generator().manual_seed(seed))


def toy(student: list[list[int]], teacher: list[list[int]]) -> EncodedText:
    """A sentence of these words, each the ids of its pieces in the two cuttings."""
    cuttings = []
    for words in (student, teacher):
        sizes = np.array([len(ids) for ids in words])
        pieces = np.array([number for ids in words for number in ids], dtype=np.int32)
        numbers = np.repeat(np.arange(len(words)), sizes).astype(np.int32)
        cuttings.append(Cutting(pieces, numbers, np.concatenate([[0], np.cumsum(sizes)])))
    one = np.zeros(1, dtype=np.int32)
    return EncodedText(tuple(cuttings), np.array([0, len(student)]), one, one, ("a",))


# -- words that are one piece on both sides ----------------------------------------------------------------------------


def test_shared_words_by_hand() -> None:
    # The the the cat dog a
    text = toy([[10], [11], [11], [12, 13], [14], [15]], [[5], [5], [5], [6], [7, 8], [4]])
    shared = shared_words(text)
    assert shared.teacher.tolist() == [4, 5]
    assert shared.student.tolist() == [15, 11]


def test_a_last_word_that_the_teacher_drops_is_not_shared() -> None:
    shared = shared_words(toy([[10], [11]], [[5], []]))
    assert (shared.teacher.tolist(), shared.student.tolist()) == ([5], [10])


def test_shared_words_of_a_text_are_spelled_alike() -> None:
    shared = shared_words(TEXT)
    assert len(shared.teacher) > 5
    assert len(set(shared.teacher.tolist())) == len(shared.teacher)
    for their, our in zip(shared.teacher.tolist(), shared.student.tolist(), strict=True):
        assert OURS.decode([our]).strip().lower() == THEIRS.decode([their])


# -- distributions -----------------------------------------------------------------------------------------------------


def test_a_teacher_of_another_vocabulary_says_what_it_says_alone(make: Make) -> None:
    network, shared = make("bert", THEIRS.vocab_size), shared_words(TEXT)
    rows, hidden = batch()
    teacher = Teacher(network, ASKED, STUDENT, shared)
    probabilities, ids, speaks = teacher.distributions(rows, hidden)
    assert probabilities.shape == (*hidden.places.shape, len(shared.teacher))
    assert ids is not None
    assert torch.equal(ids, shared.student)
    assert torch.allclose(probabilities.sum(-1), torch.ones(hidden.places.shape), atol=1e-5)
    assert 0 < int(speaks.sum()) < int((hidden.labels >= 0).sum())
    assert (int(teacher.taught), int(teacher.hidden)) == (int(speaks.sum()), int((hidden.labels >= 0).sum()))
    form = dict(zip(shared.teacher.tolist(), shared.student.tolist(), strict=True))
    ours, theirs = TEXT.cuttings
    for i, (start, end) in enumerate(rows.chunks.tolist()):
        span = slice(int(theirs.starts[start]), int(theirs.starts[end]))
        behind = {
            int(hidden.words[i, j]) for j in range(hidden.labels.shape[1]) if int(hidden.labels[i, j]) >= 0
        }  # `most` may leave some out, so take those behind the mask from the row itself
        first = int(ours.starts[start])
        behind |= {int(ours.words[first + j]) for j in range(12) if int(hidden.ids[i, j + 1]) == OURS.mask_id}
        row = [
            THEIRS.mask_id if word in behind else piece
            for piece, word in zip(theirs.pieces[span].tolist(), theirs.words[span].tolist(), strict=True)
        ]
        with torch.no_grad():
            states = network.encode(network.embed(torch.tensor([[THEIRS.cls_id, *row, THEIRS.sep_id]]))).hidden[0]
        for j in range(hidden.labels.shape[1]):
            word, label = int(hidden.words[i, j]), int(hidden.labels[i, j])
            at = np.flatnonzero(theirs.words == word)
            single = len(at) == 1 and (ours.words == word).sum() == 1
            assert bool(speaks[i, j]) == (label >= 0 and single and form.get(int(theirs.pieces[at[0]])) == label)
            if speaks[i, j]:
                with torch.no_grad():
                    expected = network.predict(states[at[0] - span.start + 1])[shared.teacher].softmax(-1)
                assert torch.allclose(probabilities[i, j], expected, atol=1e-5)


def test_a_teacher_of_the_same_vocabulary_says_its_own_softmax(make: Make) -> None:
    network = make("bert", OURS.vocab_size)
    rows, hidden = batch()
    probabilities, ids, speaks = Teacher(network, STUDENT, STUDENT, None).distributions(rows, hidden)
    assert ids is None
    assert torch.equal(speaks, hidden.labels >= 0)
    with torch.no_grad():
        logits = network.predict(network.encode(network.embed(hidden.ids)).hidden)
    for i in range(len(hidden.ids)):
        assert torch.allclose(probabilities[i], logits[i, hidden.places[i]].softmax(-1), atol=1e-5)


def test_a_teacher_is_not_trained(make: Make) -> None:
    network = make("bert", OURS.vocab_size).train()
    teacher = Teacher(network, STUDENT, STUDENT, None)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not teacher.distributions(*batch())[0].requires_grad


# -- the loss ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_the_loss_by_hand(make: Make, tmp_path: Path, alike: bool, share: float) -> None:
    student, shared = make("bort", OURS.vocab_size), None if alike else shared_words(TEXT)
    network = make("bert", OURS.vocab_size if alike else THEIRS.vocab_size)

    def teacher(own: DeviceText) -> Teacher:
        return Teacher(network, own if alike else ASKED, own, shared)

    recipe = Recipe(pieces=1000, length=40, teach=share)
    run = MaskedLMRun(recipe, tmp_path, student, TEXT, OURS, teacher=teacher)
    rows, hidden = batch()
    loss = run.loss(rows, hidden)
    probabilities, ids, speaks = Teacher(network, STUDENT if alike else ASKED, STUDENT, shared).distributions(
        rows, hidden
    )
    logs = hidden_logits(student, hidden).log_softmax(-1)
    losses: list[Tensor] = []
    for i, j in (hidden.labels >= 0).nonzero().tolist():
        own = -logs[i, j, hidden.labels[i, j]]
        said = logs[i, j] if ids is None else logs[i, j][ids]
        taught = -(probabilities[i, j] * said).sum()
        losses.append((1 - share) * own + share * taught if speaks[i, j] else own)
    assert torch.allclose(loss, torch.stack(losses).mean(), atol=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is None for parameter in network.parameters())


def test_without_a_teacher_the_loss_is_the_cross_entropy_of_what_is_hidden(make: Make, tmp_path: Path) -> None:
    student = make("bort", OURS.vocab_size)
    run = MaskedLMRun(Recipe(pieces=1000, length=40), tmp_path, student, TEXT, OURS)
    rows, hidden = batch()
    logits = student.predict(student.encode(student.embed(hidden.ids)).hidden)
    places = [
        (i, int(hidden.places[i, j]), int(hidden.labels[i, j])) for i, j in (hidden.labels >= 0).nonzero().tolist()
    ]
    expected = torch.stack([-logits[i, place].log_softmax(-1)[label] for i, place, label in places]).mean()
    assert torch.allclose(run.loss(rows, hidden), expected, atol=1e-5)


# -- the word table ----------------------------------------------------------------------------------------------------


def inner_products(vectors: Tensor) -> Tensor:
    return vectors @ vectors.T


def scaled(one: Tensor, other: Tensor) -> Tensor:
    """`one` at the scale of `other`."""
    factor = float(other.norm() / one.norm())
    return one * factor


@pytest.mark.parametrize("alike", [True, False])
def test_the_word_table_keeps_the_teachers_inner_products(make: Make, alike: bool) -> None:
    student, teacher = make("bort", 60), make("convbert", 50)  # 16 wide from 8 wide: nothing is lost
    table, before = student.embeddings.words.weight, student.embeddings.words.weight.detach().clone()
    source = teacher.embeddings.words.weight.detach().clone()
    assert table.shape[1] >= source.shape[1]
    if alike:
        shared, chosen, rows = None, torch.arange(50), torch.arange(50)
        student = make("bort", 50)
        table = student.embeddings.words.weight
    else:
        chosen, rows = torch.tensor([3, 7, 8, 20, 41, 49]), torch.tensor([50, 2, 59, 4, 0, 30])
        shared = Shared(chosen, rows)
    start_words(student, teacher, shared, torch.Generator().manual_seed(1))
    centred = (source - source.mean(0))[chosen]
    ours = inner_products(table.detach()[rows])
    assert torch.allclose(ours, scaled(inner_products(centred), ours), atol=1e-5)
    assert torch.equal(teacher.embeddings.words.weight, source)
    others = [row for row in range(len(table)) if row not in set(rows.tolist())]
    assert alike or torch.equal(table[others], before[others])


def test_a_narrow_word_table_keeps_the_principal_components(make: Make) -> None:
    student, teacher = make("albert", 50), make("bert", 50)
    start_words(student, teacher, None, torch.Generator().manual_seed(1))
    table, source = student.embeddings.words.weight.detach(), teacher.embeddings.words.weight.detach()
    assert table.shape[1] < source.shape[1]
    u, s, _ = torch.linalg.svd(source - source.mean(0), full_matrices=False)
    best = u[:, : table.shape[1]] * s[: table.shape[1]]
    ours = inner_products(table)
    assert torch.allclose(ours, scaled(inner_products(best), ours), atol=1e-5)
    assert float(table.std()) == pytest.approx(0.04, rel=1e-4)
    start_words(student, teacher, None, torch.Generator().manual_seed(2))
    assert not torch.allclose(table, ours[:, : table.shape[1]])
