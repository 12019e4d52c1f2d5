"""Masked-token predictions: words of a text, how likely named words are in a blank, and where models agree.

What a model itself puts in a blank is `Model.fill_mask`; here stands what is built on it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from bortlab.model import FilledMask, NoMaskError, Questions
from bortlab.text import MASK, word_spans

if TYPE_CHECKING:
    import pandas

MAX_WORDS = 12
"""How many named words are scored at once."""
MAX_PIECES = 24
"""A named word of more pieces is refused: it would cost as many passes."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, a mark or a mask of a text, with its characters start to end."""

    text: str
    start: int
    end: int

    @property
    def is_mask(self) -> bool:
        """Is it a blank?"""
        return self.text == MASK

    @property
    def is_mark(self) -> bool:
        """Is it punctuation or another symbol, rather than a word?"""
        return not self.is_mask and not any(character.isalnum() for character in self.text)


def words_of(text: str) -> tuple[Word, ...]:
    """The words, marks and masks of a text, in order; the same for every model."""
    return tuple(Word(text[start:end], start, end) for start, end in word_spans(text))


def blank_out(text: str, word: Word) -> str:
    """The text with this word replaced by the mask."""
    return text[: word.start] + MASK + text[word.end :]


@dataclass(frozen=True, slots=True)
class WordScore:
    """How likely a named word is in a blank.

    pieces: how the model's vocabulary spells it. log_probability: of the whole word; probability: its exponential.
    rank: 1 for the most probable piece; None for a word of several pieces, which no single rank describes.
    known: False if the vocabulary can only write it with its "unknown" piece; the score then says nothing.
    """

    word: str
    pieces: tuple[str, ...]
    log_probability: float
    rank: int | None
    known: bool

    @property
    def probability(self) -> float:
        """exp(log_probability)."""
        return math.exp(self.log_probability)


def score_words(model: Questions, text: str, words: Sequence[str], *, blank: int = 0) -> tuple[WordScore, ...]:
    """How likely each of `words` is in the blank-th [MASK] of the text; other blanks stay blank.

    A word of one piece has the probability that the model gives this piece. For a word of n pieces the blank becomes n
    masks, which are filled from the left: the product of each piece's probability given the pieces before it and the
    masks after it (the "within word, left to right" score of Kauf and Ivanova 2023, arXiv 2305.10588). The number of
    masks tells the model how long the word is, so words of different length compare only roughly.
    """
    places = [match.start() for match in re.finditer(re.escape(MASK), text)]
    if not 0 <= blank < len(places):
        raise NoMaskError(f"There is no blank number {blank + 1}: the text has {len(places)}. Write {MASK} in it.")
    if len(words) > MAX_WORDS:
        raise ValueError(f"Up to {MAX_WORDS} words can be compared at once, got {len(words)}.")
    before = text[: places[blank]]
    after_space = not before or before[-1].isspace()
    return tuple(_score(model, text, places, blank, word, after_space=after_space) for word in words)


def _score(
    model: Questions, text: str, places: Sequence[int], blank: int, word: str, *, after_space: bool
) -> WordScore:
    ids = model.tokenizer.encode_word(word, after_space=after_space)
    if not 1 <= len(ids) <= MAX_PIECES:
        raise ValueError(f"{word!r} has {len(ids)} pieces for {model.key}; 1 to {MAX_PIECES} can be scored.")
    start = places[blank]
    widened = text[:start] + MASK * len(ids) + text[start + len(MASK) :]
    encoding = model.encode(widened)
    positions = encoding.mask_positions[blank : blank + len(ids)]
    if len(positions) < len(ids):
        raise NoMaskError("The blank lies beyond what the model reads. Shorten the text before it.")
    text_ids, types = model.inputs(encoding)
    rows = text_ids.repeat(len(ids), 1)  # (pieces, seq): row j has the first j pieces filled in
    for row in range(1, len(ids)):
        rows[row:, positions[row - 1]] = ids[row - 1]
    with torch.inference_mode():
        hidden = model.encode_ids(rows, None, types.expand_as(rows))
        steps = hidden[torch.arange(len(ids)), list(positions)]  # (pieces, hidden)
        logs = model.score(steps[None])["masked-lm"][0].float().log_softmax(-1)  # (pieces, vocab)
        chosen = logs[torch.arange(len(ids)), list(ids)]
        rank = int((logs[0] > chosen[0]).sum()) + 1 if len(ids) == 1 else None
    return WordScore(
        word=word,
        pieces=tuple(model.tokenizer.token_of(piece) for piece in ids),
        log_probability=float(chosen.sum()),
        rank=rank,
        known=model.tokenizer.unk_id not in ids,
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """What several models say about one blank.

    first: model -> its first guess and that guess's probability. most_confident: the model whose first guess is the
    most probable. common: guesses that every model has among its first ones, the highest mean probability first.
    """

    first: Mapping[str, tuple[str, float]]
    most_confident: str
    common: tuple[str, ...]

    @property
    def unanimous(self) -> str | None:
        """The first guess of all models, if they share it."""
        words = {word for word, _ in self.first.values()}
        return next(iter(words)) if len(words) == 1 else None


def agreement(filled: Mapping[str, FilledMask], blank: int = 0) -> Agreement:
    """Compare models on one blank. Candidates are compared as words in lower case, since vocabularies differ."""
    guesses = {
        key: {plain(c.text): c.probability for c in reversed(answer.blanks[blank].candidates)}
        for key, answer in filled.items()
    }
    best = {key: answer.blanks[blank].candidates[0] for key, answer in filled.items()}
    common = set.intersection(*(set(words) for words in guesses.values()))
    return Agreement(
        first={key: (plain(candidate.text), candidate.probability) for key, candidate in best.items()},
        most_confident=max(best, key=lambda key: best[key].probability),
        common=tuple(sorted(common, key=lambda word: -sum(words[word] for words in guesses.values()))),
    )


def plain(text: str) -> str:
    """A candidate as a word: without the space that some vocabularies keep before it, in lower case."""
    return text.strip().lower() or text


def frame(filled: Mapping[str, FilledMask]) -> pandas.DataFrame:
    """One row a candidate: blank, model, rank, candidate, piece, id, probability."""
    import pandas

    return pandas.DataFrame(
        [
            (number, key, rank, c.text.strip() or c.text, c.token, c.id, c.probability)
            for key, answer in filled.items()
            for number, blank in enumerate(answer.blanks, 1)
            for rank, c in enumerate(blank.candidates, 1)
        ],
        columns=["blank", "model", "rank", "candidate", "piece", "id", "probability"],
    )


def scores_frame(scored: Mapping[str, Sequence[WordScore]]) -> pandas.DataFrame:
    """One row a word and model: word, model, probability, log probability, rank, pieces, known."""
    import pandas

    return pandas.DataFrame(
        [
            (s.word, key, s.probability, s.log_probability, s.rank, " ".join(s.pieces), s.known)
            for key, scores in scored.items()
            for s in scores
        ],
        columns=["word", "model", "probability", "log probability", "rank", "pieces", "known"],
    )
