"""New points from mistakes: texts near one that was answered wrong, "not too similar, not too distinct"."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import torch

from bortlab.data.labelled import Example
from bortlab.model import Model
from bortlab.text import MASK, word_spans

LEAST_EDITED, MOST_EDITED = 0.1, 0.5
"""Shares of the words that a new text may differ in."""
SHARES = (0.15, 0.30)
"""Share of the words that a generator changes."""
CANDIDATES = 20
"""Words that a replacement is drawn from, by their probabilities."""

Generator = Callable[[str, random.Random, Model], str | None]
"""A text, chance, and a model with a masked-LM head -> another text, None where there is none to be made."""


def _spans(text: str) -> list[tuple[int, int]]:
    """The words of a text that have a letter or a digit."""
    return [(start, end) for start, end in word_spans(text) if any(c.isalnum() for c in text[start:end])]


def _chosen(text: str, rng: random.Random) -> list[tuple[int, int]]:
    """Words to change, a share of them, at least one, the last first so that places before stay true."""
    spans = _spans(text)
    count = max(1, round(rng.uniform(*SHARES) * len(spans)))
    return sorted(rng.sample(spans, min(count, len(spans))), reverse=True)


def masked_lm(text: str, rng: random.Random, model: Model) -> str | None:
    """Replace words, one after another, by samples of the masked-LM head of the model."""
    for start, end in _chosen(text, rng):
        filled = model.fill_mask(text[:start] + MASK + text[end:], top_k=CANDIDATES)
        guesses = [
            guess
            for guess in filled.blanks[0].candidates
            if guess.text.isalnum() and guess.text.lower() != text[start:end].lower()
        ]
        if guesses:
            (guess,) = rng.choices(guesses, [guess.probability for guess in guesses])
            text = text[:start] + guess.text + text[end:]
    return text


def embedding_noise(text: str, rng: random.Random, model: Model) -> str | None:
    """Move words to a nearby word of the model's word table: the nearest but one to its vector plus noise.

    A second-hand account of Agora says "nearby points in the representation space".
    """
    table = torch.nn.functional.normalize(model.network.embeddings.words.weight.float(), dim=-1)
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    for start, end in _chosen(text, rng):
        pieces = model.tokenizer.encode_word(text[start:end])
        if len(pieces) != 1 or pieces[0] in model.tokenizer.special_ids:
            continue
        vector = table[pieces[0]]
        moved = vector + 0.5 * torch.nn.functional.normalize(torch.randn(vector.shape, generator=generator), dim=-1)
        for number in (table @ moved).topk(CANDIDATES).indices.tolist():
            word = model.tokenizer.piece_text(number) if number in model.tokenizer.vocabulary.values() else ""
            if word.isalnum() and word.lower() != text[start:end].lower() and model.tokenizer.starts_word(number):
                text = text[:start] + word + text[end:]
                break
    return text


def swap_words(text: str, rng: random.Random, model: Model) -> str | None:
    """Exchange pairs of neighbouring words."""
    spans = _spans(text)
    if len(spans) < 2:
        return None
    for _ in range(max(1, round(rng.uniform(*SHARES) * len(spans) / 2))):
        spans = _spans(text)
        place = rng.randrange(len(spans) - 1)
        (a, b), (c, d) = spans[place], spans[place + 1]
        text = text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]
    return text


def delete_words(text: str, rng: random.Random, model: Model) -> str | None:
    """Leave words out."""
    if len(_spans(text)) < 2:
        return None
    for start, end in _chosen(text, rng):
        text = (text[:start].rstrip() + " " + text[end:].lstrip()).strip()
    return text


GENERATORS: Mapping[str, Generator] = {
    "masked-lm": masked_lm,
    "embedding-noise": embedding_noise,
    "swap": swap_words,
    "delete": delete_words,
}
"""Ways to make a new text. The paper's own is not known; the first is our default."""


@dataclass(frozen=True, slots=True)
class Point:
    """A new point. mistake: the example of the search set that it was made of. refused: why it was not kept, or ""."""

    example: Example
    mistake: Example
    refused: str = ""


def edited_share(old: str, new: str) -> float:
    """The share of the words, of the longer text, that are not in both in the same order."""
    one, other = ([text[start:end].lower() for start, end in word_spans(text)] for text in (old, new))
    same = sum(block.size for block in SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks())
    return 1 - same / max(len(one), len(other), 1)


def new_point(
    mistake: Example, generator: Generator, rng: random.Random, model: Model, taken: set[tuple[str, ...]]
) -> Point:
    """A point near a mistake, of pairs with one of both texts changed; without a label of its own yet.

    taken: the contents that no point may have: those of the training, search and test sets.
    """
    second = mistake.pair is not None and rng.random() < 0.5
    old = mistake.pair if second and mistake.pair is not None else mistake.text
    new = generator(old, rng, model)
    if new is None or not new.strip():
        return Point(mistake, mistake, "nothing could be made of it")
    example = replace(mistake, pair=new) if second else replace(mistake, text=new)
    share = edited_share(old, new)
    if example.content in taken:
        return Point(example, mistake, "it is there already")
    if share < LEAST_EDITED:
        return Point(example, mistake, "too similar")
    return Point(example, mistake, "too distinct" if share > MOST_EDITED else "")
