"""Minimal pairs: sentences in which one word decides whether English grammar is kept.

In the manner of BLiMP (Warstadt et al. 2020, arXiv 1912.00582), by templates of our own: 100 pairs each of subject and
verb, reflexive pronoun, and words that need a negation. A model is right where it finds the right word likelier than
the wrong one in the same place.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from bortlab.analysis.predict import score_words
from bortlab.model import Model
from bortlab.text import MASK

PER_KIND = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence with a blank, the word that belongs there, and the one that does not."""

    kind: str
    text: str
    right: str
    wrong: str


def pairs() -> tuple[Pair, ...]:
    """All pairs, the same ones every time."""
    rng = random.Random(0)
    kinds = (list(_agreement()), list(_reflexives()), list(_negation()))
    return tuple(pair for kind in kinds for pair in rng.sample(list(dict.fromkeys(kind)), PER_KIND))


def share_right(model: Model) -> dict[str, float]:
    """The share of pairs of each kind that a masked-LM gets right."""
    right: dict[str, list[bool]] = {}
    for pair in pairs():
        good, bad = score_words(model, pair.text, [pair.right, pair.wrong])
        right.setdefault(pair.kind, []).append(good.probability > bad.probability)
    return {kind: sum(answers) / len(answers) for kind, answers in right.items()}


def _agreement() -> Iterator[Pair]:
    """The verb follows its subject, not the noun that stands between them."""
    subjects = (("boy", "boys"), ("dog", "dogs"), ("teacher", "teachers"), ("friend", "friends"), ("book", "books"))
    between = ("near the house", "near the houses", "with the letter", "with the letters", "behind the tree")
    verbs = (("is", "are"), ("was", "were"), ("has", "have"))
    ends = {"is": "very old.", "was": "very old.", "has": "a name."}
    for (noun, nouns), middle, (singular, plural) in itertools.product(subjects, between, verbs):
        end = ends[singular]
        yield Pair("agreement", f"The {noun} {middle} {MASK} {end}", singular, plural)
        yield Pair("agreement", f"The {nouns} {middle} {MASK} {end}", plural, singular)


def _reflexives() -> Iterator[Pair]:
    """A reflexive pronoun follows its subject."""
    subjects = {
        "The man": "himself", "The king": "himself", "My brother": "himself", "The woman": "herself",
        "The queen": "herself", "My sister": "herself", "The men": "themselves", "The children": "themselves",
    }  # fmt: skip
    verbs = ("saw", "hurt", "asked", "washed", "loved", "helped")
    ends = ("in the mirror.", "after the war.", "every day.")
    for (subject, right), verb, end in itertools.product(subjects.items(), verbs, ends):
        for wrong in ("himself", "herself", "themselves"):
            if wrong != right:
                yield Pair("reflexive", f"{subject} {verb} {MASK} {end}", right, wrong)


def _negation() -> Iterator[Pair]:
    """ "Ever", "any" and "yet" need a negation, or another word that licenses them."""
    people = ("He", "She", "They", "The children", "My friends", "The old man")
    acts = (
        "been to the sea",
        "seen a lion",
        "heard that song",
        "eaten an apple",
        "lived in a city",
        "read the letter",
        "met the king",
        "lost a shoe",
        "found the key",
        "written a book",
    )
    for who, act in itertools.product(people, acts):
        have = "have" if who in ("They", "The children", "My friends") else "has"
        yield Pair("negation", f"{who} {have} {MASK} ever {act}.", "hardly", "always")
        yield Pair("negation", f"{who} {have} {MASK} {act} yet.", "not", "often")
        yield Pair("negation", f"{MASK} of them have ever {act}.", "none", "most")
        yield Pair("negation", f"{who} did {MASK} want any of it.", "not", "always")
