"""The figures of the bundled models, and of counting the same text: `bortlab minis --score`.

Held-out accuracy, blanks, and minimal pairs. The n-grams are of the pieces that minilm-l6, bert-mini and convbert-mini
share, so that their held-out figures are of the very same hidden pieces.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bortlab.registry import load
from bortlab.text import Tokenizer
from bortlab.training.cards import Blanks, fill_blanks, score_guesses
from bortlab.training.encoded import encode_text
from bortlab.training.hiding import Template
from bortlab.training.masked_lm import Heldout, measure, measure_logits
from bortlab.training.minis import ENCODER, SOURCES, WEIGHTS, Texts
from bortlab.training.ngrams import Trigrams, contexts, trigram_logits, unigram_logits, unread_of
from bortlab.training.pairs import pairs, share_right

Chances = NDArray[np.float64]
GUESSES = 5


@dataclass(frozen=True, slots=True)
class Score:
    """How good something is at filling blanks. pairs: share of minimal pairs that it gets right, by kind."""

    name: str
    held: Heldout
    blanks: Blanks
    pairs: Mapping[str, float]


def read_blanks(path: Path) -> list[dict[str, Any]]:
    """Sentences with a blank and its answers, a JSON object a line. ValueError for a line that is none."""
    blanks = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            blank = json.loads(line)
            if not isinstance(blank["text"], str) or not isinstance(blank["answers"], list):
                raise TypeError("text is a string, answers a list")
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}, line {number}: expected an object with text and answers ({error!r}).") from error
        blanks.append(blank)
    return blanks


def score_model(key: str, heldout: Texts, blanks: Sequence[Mapping[str, Any]]) -> Score:
    """The figures of a model."""
    model = load(key)
    text = encode_text(heldout, [model.tokenizer], names=SOURCES)
    held = measure(model.network, text, Template.of(model.tokenizer))
    return Score(key, held, fill_blanks(model, blanks), share_right(model))


def score_counts(train: Texts, heldout: Texts, blanks: Sequence[Mapping[str, Any]]) -> Iterator[Score]:
    """The figures of the unigrams and of the trigrams of a text, by its sources' weights."""
    tokenizer = load(ENCODER).tokenizer
    template, unread = Template.of(tokenizer), unread_of(tokenizer)
    model = Trigrams(encode_text(train, [tokenizer], names=SOURCES), tokenizer.vocab_size, weights=WEIGHTS)
    text = encode_text(heldout, [tokenizer], names=SOURCES)

    def by_trigrams(sentence: str) -> Chances:
        ids = tokenizer.encode(sentence).ids
        return model.fill(*contexts(ids, ids.index(tokenizer.mask_id), unread))

    unigrams = partial(unigram_logits, model)
    trigrams = partial(trigram_logits, model, unread=unread)
    for name, logits_of, chances in (
        ("unigrams", unigrams, lambda _: model.share),
        ("trigrams", trigrams, by_trigrams),
    ):
        held = measure_logits(logits_of, text, template)
        guesses = partial(_guesses, tokenizer, chances)
        yield Score(name, held, score_guesses(guesses, blanks), _pairs_right(tokenizer, chances))


def _guesses(tokenizer: Tokenizer, chances: Callable[[str], Chances], sentence: str) -> list[str]:
    """The likeliest pieces for the blank of a sentence."""
    return [tokenizer.piece_text(int(number)) for number in np.argsort(-chances(sentence), kind="stable")[:GUESSES]]


def _pairs_right(tokenizer: Tokenizer, chances: Callable[[str], Chances]) -> dict[str, float]:
    """The share of minimal pairs of each kind whose right word is the likelier; a word is judged by its first piece."""
    right: dict[str, list[bool]] = {}
    for pair in pairs():
        sentence = chances(pair.text)
        good, bad = (float(sentence[tokenizer.ids_of([word])[0][0]]) for word in (pair.right, pair.wrong))
        right.setdefault(pair.kind, []).append(good > bad)
    return {kind: sum(answers) / len(answers) for kind, answers in right.items()}


def table(scores: Sequence[Score]) -> str:
    """Scores as a Markdown table."""
    rows = [
        "| | held-out loss | held-out accuracy | blanks, top five / first | minimal pairs |",
        "|---|---|---|---|---|",
    ]
    for score in scores:
        of = max(1, score.blanks.of)
        filled = (
            f"{score.blanks.top_five / of:.1%} / {score.blanks.first / of:.1%}" if score.blanks.of else "not scored"
        )
        grammar = sum(score.pairs.values()) / len(score.pairs)
        rows.append(f"| {score.name} | {score.held.loss:.3f} | {score.held.accuracy:.1%} | {filled} | {grammar:.1%} |")
    return "\n".join(rows)
