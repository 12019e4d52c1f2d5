"""Closed formulas: how many weights a part of a network has, and how much it multiplies for each piece of a text.

A formula is a sum of products of sizes, written as one would on paper: "4HH + 4H", "2HI/g". The letters are
`Config.symbols`. What is shown is what is computed, and tests hold it equal to the weights of the networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod

COMPONENTS = ("embeddings", "attention", "convolution", "feed-forward", "norms", "pooler", "head")
"""What weights are for, in the order of a forward pass. The norms are the blocks'."""

SYMBOLS: Mapping[str, str] = {
    "V": "pieces of the vocabulary",
    "P": "positions",
    "T": "token types",
    "E": "width of the word vectors",
    "H": "width of the layers",
    "h": "half of H, ConvBERT's part for attention and its part for convolution",
    "I": "width inside the feed-forward part",
    "A": "attention heads that remain, and as many for convolution",
    "k": "taps of a kernel",
    "g": "groups of the feed-forward part",
    "L": "executed layers",
    "N": "stored blocks",
    "C": "labels",
    "S": "pieces of the text",
}
"""The letters of formulas, one meaning each."""

_TERM = re.compile(r"(\d*)([A-Za-z]*)(?:/([A-Za-z]))?")


@dataclass(frozen=True, slots=True)
class Part:
    """One module's own weights, and its work.

    component: one of COMPONENTS. name: the module's path, inside a block or in the network. weights: what it stores.
    tied: what it reads of another part's weights. work: multiply-adds, for each piece, or once a text (`once`).
    """

    component: str
    name: str
    weights: str
    work: str = "0"
    tied: str = "0"
    once: bool = False


@lru_cache(maxsize=1024)
def terms(formula: str) -> tuple[tuple[int, str, str], ...]:
    """ "4HH + 2HI/g" -> ((4, "HH", ""), (2, "HI", "g")): factor, letters, divisor; ValueError for anything else."""
    products = []
    for text in formula.split(" + "):
        match = _TERM.fullmatch(text)
        if not text or match is None:
            raise ValueError(f"Expected a sum of products such as '4HH + 2HI/g', got {formula!r}.")
        factor, letters, divisor = match.groups(default="")
        products.append((int(factor or 1), letters, divisor))
    return tuple(products)


def evaluate(formula: str, symbols: Mapping[str, int]) -> int:
    """The value of a formula for these sizes."""
    return sum(
        factor * prod(symbols[letter] for letter in letters) // (symbols[divisor] if divisor else 1)
        for factor, letters, divisor in terms(formula)
    )


def add(*formulas: str) -> str:
    """The sum of formulas, with like terms added: "HH + H", "HH" -> "2HH + H"."""
    total: dict[tuple[str, str], int] = {}
    for formula in formulas:
        for factor, letters, divisor in terms(formula):
            key = "".join(sorted(letters)), divisor
            total[key] = total.get(key, 0) + factor
    return " + ".join(_write(*key, factor) for key, factor in total.items() if factor) or "0"


def _write(letters: str, divisor: str, factor: int) -> str:
    number = "" if factor == 1 and letters else str(factor)
    return f"{number}{letters}{f'/{divisor}' if divisor else ''}"


def readable(formula: str) -> str:
    """A formula for reading: "4HH + 2HI/g" -> "4 H² + 2 H·I/g"."""
    products = []
    for factor, letters, divisor in terms(formula):
        powers = [letter + {1: "", 2: "²", 3: "³"}[letters.count(letter)] for letter in dict.fromkeys(letters)]
        number = [str(factor)] if factor != 1 or not letters else []
        products.append(
            " ".join([*number, *(["·".join(powers)] if powers else [])]) + (f"/{divisor}" if divisor else "")
        )
    return " + ".join(products)
