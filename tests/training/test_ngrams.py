"""Unigrams and trigrams: what they say of a blank is what a loop over all sentences by hand gives."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest
import torch

from bortlab.text import Tokenizer
from bortlab.training.cards import Blanks, score_guesses
from bortlab.training.encoded import encode_text
from bortlab.training.hiding import Template
from bortlab.training.masked_lm import Heldout, measure_logits
from bortlab.training.ngrams import (
    BIGRAMS,
    TRIGRAMS,
    Trigrams,
    contexts,
    runs_of,
    trigram_logits,
    unigram_logits,
    unread_of,
)
from bortlab.training.scoring import Score, read_blanks, table
from bortlab.training.vocabulary import train_tokenizer

DOCUMENTS = [
    ("stories", ["a cat sat on a mat", "a dog sat on a cat", "the dog ran"]),
    ("modern", ["the cat ran on", "a dog ran"]),
]
WEIGHTS = {"stories": 2.0}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer("wordpiece", [s for _, some in DOCUMENTS for s in some] * 3, vocab_size=80)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Trigrams:
    return Trigrams(encode_text(DOCUMENTS, [tokenizer]), tokenizer.vocab_size, weights=WEIGHTS)


def by_hand(tokenizer: Tokenizer, left: list[str | None], right: list[str | None]) -> dict[str, float]:
    """p(word) for every word, by counting in the plainest way."""
    runs = [
        ([word for sentence in sentences for word in sentence.split()], WEIGHTS.get(source, 1.0))
        for source, sentences in DOCUMENTS
    ]

    def count(*words: str) -> float:
        return sum(
            weight * sum(tuple(run[at : at + len(words)]) == words for at in range(len(run))) for run, weight in runs
        )

    total = sum(weight * len(run) for run, weight in runs) + tokenizer.vocab_size

    def blended(number: float, of: float, lower: float, share: float) -> float:
        return share * number / of + (1 - share) * lower if of else lower

    def one(word: str) -> float:
        return (count(word) + 1) / total

    def two(word: str, before: str) -> float:
        return blended(count(before, word), count(before) + 1, one(word), BIGRAMS)

    def three(word: str, far: str, near: str) -> float:
        return blended(count(far, near, word), count(far, near), two(word, near), TRIGRAMS)

    (far, near), (soon, late) = left, right
    vocabulary = [tokenizer.token_of(number) for number in range(tokenizer.vocab_size)]
    chances = {}
    for word in vocabulary:
        chance = one(word) if near is None else two(word, near) if far is None else three(word, far, near)
        if soon is not None:
            chance *= two(soon, word) if near is None else three(soon, near, word)
            if late is not None:
                chance *= three(late, word, soon)
        chances[word] = chance
    return {word: chance / sum(chances.values()) for word, chance in chances.items()}


LEFT = ((None, None), (None, "a"), ("on", "a"), ("cat", "dog"))
RIGHT = ((None, None), ("sat", None), ("sat", "on"), ("ran", "mat"))


@pytest.mark.parametrize(("left", "right"), list(itertools.product(LEFT, RIGHT)))
def test_a_blank_is_filled_as_by_hand(
    left: tuple[str | None, str | None], right: tuple[str | None, str | None], model: Trigrams, tokenizer: Tokenizer
) -> None:
    ids = [[None if word is None else tokenizer.id_of(word) for word in side] for side in (left, right)]
    chances = model.fill(*ids)
    expected = by_hand(tokenizer, list(left), list(right))
    assert chances.sum() == pytest.approx(1)
    for word, chance in expected.items():
        assert chances[tokenizer.id_of(word)] == pytest.approx(chance, rel=1e-6), word


def test_runs_are_the_sentences_of_a_source(tokenizer: Tokenizer) -> None:
    runs = dict(runs_of(encode_text([*DOCUMENTS, DOCUMENTS[0]], [tokenizer], names=("none", "modern"))))
    assert list(runs) == ["modern", "stories"]
    words = " ".join([*DOCUMENTS[0][1]] * 2).split()
    assert [tokenizer.token_of(number) for number in runs["stories"].tolist()] == words


def test_nothing_is_read_beyond_a_gap() -> None:
    unread = frozenset({0})
    assert contexts([1, 2, 9, 3, 4], 2, unread) == ([1, 2], [3, 4])
    assert contexts([1, 0, 9, 0, 4], 2, unread) == ([None, None], [None, None])
    assert contexts([0, 2, 9, 3, 0], 2, unread) == ([None, 2], [3, None])
    assert contexts([9], 0, unread) == ([None, None], [None, None])


def test_they_are_measured_as_models_are(model: Trigrams, tokenizer: Tokenizer) -> None:
    text = encode_text(DOCUMENTS * 5, [tokenizer])
    template = Template.of(tokenizer)
    unread = unread_of(tokenizer)
    by_one = measure_logits(lambda hidden: unigram_logits(model, hidden), text, template)
    by_three = measure_logits(lambda hidden: trigram_logits(model, hidden, unread), text, template)
    assert by_one.n_hidden == by_three.n_hidden > 0
    assert by_three.loss < by_one.loss < math.log(tokenizer.vocab_size)
    assert by_three.accuracy > by_one.accuracy
    assert torch.allclose(torch.tensor(model.share).sum(), torch.tensor(1.0, dtype=torch.float64))


def test_guesses_are_scored() -> None:
    blanks = [
        {"text": "a", "answers": ["Cat"]},
        {"text": "b", "answers": ["dog", "cow"]},
        {"text": "c", "answers": ["x"]},
    ]
    guesses = {"a": ["cat", "b"], "b": ["a", " COW"], "c": ["y"]}
    assert score_guesses(guesses.__getitem__, blanks) == Blanks(first=1, top_five=2, of=3)


def test_blanks_are_read_and_bad_lines_named(tmp_path: Path) -> None:
    path = tmp_path / "blanks.jsonl"
    path.write_text(json.dumps({"text": "A [MASK].", "answers": ["cat"]}) + "\n")
    assert read_blanks(path) == [{"text": "A [MASK].", "answers": ["cat"]}]
    for line in ("x", "[]", '{"text": "a"}', '{"text": 1, "answers": []}', '{"text": "a", "answers": "b"}'):
        path.write_text(line)
        with pytest.raises(ValueError, match=r"blanks\.jsonl, line 1: expected an object with text and answers"):
            read_blanks(path)


def test_scores_are_a_table() -> None:
    held = Heldout(loss=4.0, accuracy=0.25, by_source={}, n_hidden=8)
    lines = table(
        [Score("a", held, Blanks(1, 2, 4), {"x": 0.5, "y": 1.0}), Score("b", held, Blanks(0, 0, 0), {"x": 0.5})]
    )
    assert "| a | 4.000 | 25.0% | 50.0% / 25.0% | 75.0% |" in lines
    assert "| b | 4.000 | 25.0% | not scored | 50.0% |" in lines
