"""Surprise: each word of a text masked in turn, and how likely the model finds it from the words around.

The pseudo-log-likelihood of a text is the sum of its pieces' log-probabilities, each masked in turn (Salazar et al.
2020, arXiv 1910.14659). Where a word has several pieces, seeing its other pieces gives it away, so by default a piece
is masked together with what follows it in its word ("within word, left to right", Kauf and Ivanova 2023, arXiv
2305.10588). Pieces are no measure across tokenizers; words and characters are, since every model reads the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch

from bortlab.analysis.predict import Word, words_of
from bortlab.model import Model, NoHeadError
from bortlab.text import MASK, Encoding

if TYPE_CHECKING:
    import pandas

Scheme = Literal["word", "piece"]
"""What is masked with a piece: what follows it in its word, or nothing."""
PIECES = 4_096
"""Most pieces that run through the encoder at a time, unless a text is longer."""
LOGITS = 2**22
"""Most logits that are held at a time."""


@dataclass(frozen=True, slots=True)
class WordSurprise:
    """How likely a word is from the words around: log_probability, natural, summed over its pieces.

    known: False if the vocabulary can only write it with its "unknown" piece; the number then says nothing.
    """

    word: Word
    number: int
    pieces: tuple[str, ...]
    log_probability: float
    known: bool

    @property
    def bits(self) -> float:
        """-log2 of the probability: 1 bit is a coin's, 10 bits one in a thousand."""
        return -self.log_probability / math.log(2)


@dataclass(frozen=True, slots=True)
class Surprise:
    """A text, and how a model finds each of its words. Blanks stay blank, and are not counted.

    characters: of the text that the scored words cover, with spaces, without blanks. left_out: words behind the last
    one that was scored: the model does not read so far, or `most` was reached.
    """

    encoding: Encoding
    words: tuple[WordSurprise, ...]
    characters: int
    left_out: int

    @property
    def log_likelihood(self) -> float:
        """The pseudo-log-likelihood, natural."""
        return math.fsum(word.log_probability for word in self.words)

    @property
    def n_pieces(self) -> int:
        """Pieces that were scored."""
        return sum(len(word.pieces) for word in self.words)

    @property
    def pseudo_perplexity(self) -> float:
        """exp(-log-likelihood / pieces): among how many pieces the model wavers. Not comparable across tokenizers."""
        return _exp(-self.log_likelihood / self.n_pieces) if self.words else math.nan

    @property
    def bits_per_character(self) -> float:
        """Comparable across tokenizers."""
        return -self.log_likelihood / math.log(2) / self.characters if self.characters else math.nan

    @property
    def bits_per_word(self) -> float:
        """Comparable across tokenizers; marks count as words."""
        return -self.log_likelihood / math.log(2) / len(self.words) if self.words else math.nan


def _exp(number: float) -> float:
    return math.exp(number) if number < 700 else math.inf


@torch.inference_mode()
def surprise(model: Model, text: str, *, scheme: Scheme = "word", most: int | None = None) -> Surprise:
    """How likely a model finds each word of a text, each masked in turn, in batches of bounded memory.

    most: words to score, from the first on; the others are read, too. NoHeadError without a masked-LM head.
    """
    if model.network.masked_lm is None:
        raise NoHeadError(f'{model.key} has no masked-LM head to be surprised with: load it with task="masked-lm".')
    if scheme not in get_args(Scheme):
        raise ValueError(f"Unknown scheme {scheme!r}. Known: {', '.join(get_args(Scheme))}.")
    encoding = model.encode(text)
    words = words_of(encoding.text)
    units = dict(list(_units(encoding).items())[:most])
    queries = [
        (position, places[place:] if scheme == "word" else [position])
        for places in units.values()
        for place, position in enumerate(places)
    ]
    logs = dict(zip([position for position, _ in queries], _log_probabilities(model, encoding, queries), strict=True))
    scored = tuple(
        WordSurprise(
            word=words[number],
            number=number,
            pieces=tuple(encoding.tokens[position] for position in places),
            log_probability=math.fsum(logs[position] for position in places),
            known=all(encoding.ids[position] != model.tokenizer.unk_id for position in places),
        )
        for number, places in units.items()
    )
    end = max((encoding.offsets[position][1] for position, _ in queries), default=0)
    characters = end - len(MASK) * encoding.text[:end].count(MASK)
    behind = words[scored[-1].number + 1 :] if scored else words
    return Surprise(encoding, scored, characters, sum(not word.is_mask for word in behind))


def _units(encoding: Encoding) -> dict[int, list[int]]:
    """The pieces to score, by word; pieces of white space go with the word after them, or else the last."""
    units: dict[int, list[int]] = {}
    spaces: list[int] = []
    for position, (special, word) in enumerate(zip(encoding.special, encoding.words, strict=True)):
        if special or position in encoding.mask_positions:
            continue
        if word is None:
            spaces.append(position)
        else:
            units.setdefault(word, []).extend([*spaces, position])
            spaces = []
    if units:
        units[next(reversed(units))] += spaces
    return units


def _log_probabilities(model: Model, encoding: Encoding, queries: Sequence[tuple[int, Sequence[int]]]) -> list[float]:
    """For each (position, masked positions): the log-probability of the piece at the position."""
    network = model.network
    at_once = max(1, min(PIECES // len(encoding), LOGITS // model.config.vocab_size))
    ids, types = model.inputs(encoding)
    result: list[float] = []
    for start in range(0, len(queries), at_once):
        batch = queries[start : start + at_once]
        rows = ids.repeat(len(batch), 1)  # (batch, seq)
        for row, (_, masked) in zip(rows, batch, strict=True):
            row[list(masked)] = model.tokenizer.mask_id
        hidden = network.encode(network.embed(rows), types.expand_as(rows)).hidden
        places = torch.tensor([position for position, _ in batch], device=ids.device)
        each = torch.arange(len(batch), device=ids.device)
        logits = network.predict(hidden[each, places])
        logs = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
        result += logs[each, ids[0, places]].tolist()
    return result


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A word, how many bits it costs each model, and the difference of the largest and the smallest."""

    word: Word
    bits: Mapping[str, float]

    @property
    def spread(self) -> float:
        """Bits between the most and the least surprised model."""
        return max(self.bits.values()) - min(self.bits.values())


def disagreements(results: Mapping[str, Surprise]) -> tuple[Disagreement, ...]:
    """The words that all models know and scored, those that they disagree on most first."""
    scores = {key: {word.number: word for word in result.words if word.known} for key, result in results.items()}
    if len(scores) < 2:
        return ()
    shared = set.intersection(*(set(words) for words in scores.values()))
    first = next(iter(scores.values()))
    differing = [
        Disagreement(first[number].word, {key: words[number].bits for key, words in scores.items()})
        for number in sorted(shared)
    ]
    return tuple(sorted(differing, key=lambda word: -word.spread))


def frame(results: Mapping[str, Surprise]) -> pandas.DataFrame:
    """One row for each word and model."""
    import pandas

    return pandas.DataFrame(
        [
            (key, w.word.text, w.word.start, w.word.end, " ".join(w.pieces), w.bits, w.log_probability, w.known)
            for key, result in results.items()
            for w in result.words
        ],
        columns=["model", "word", "start", "end", "pieces", "bits", "log probability", "known"],
    )


def summary(results: Mapping[str, Surprise]) -> pandas.DataFrame:
    """One row for each model: bits of a character and of a word, pseudo-perplexity, and what was counted."""
    import pandas

    return pandas.DataFrame(
        [
            (
                key,
                result.bits_per_character,
                result.bits_per_word,
                result.pseudo_perplexity,
                result.log_likelihood,
                len(result.words),
                result.n_pieces,
                result.characters,
            )
            for key, result in results.items()
        ],
        columns=[
            "model",
            "bits per character",
            "bits per word",
            "pseudo-perplexity",
            "pseudo-log-likelihood",
            "words",
            "pieces",
            "characters",
        ],
    )
