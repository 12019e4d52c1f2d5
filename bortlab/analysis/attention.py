"""Attention: who looks at whom, piece by piece or word by word; two models side by side; queries and keys.

Everything reads `trace.attention`, one record an executed layer, so a block that is used twelve times has twelve.
Layers, heads and positions are counted from 0 here; the views count layers and heads from 1. What a head does is in
`heads`, what many layers do together in `flow`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bortlab.model import Model, Trace
from bortlab.text import MASK, Encoding, word_spans

if TYPE_CHECKING:
    import pandas

# -- matrices ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit:
    """What a row or column of attention stands for: a piece, a word, or a token of the template.

    key: the same for the same word or template token of any model; part: 0 or 1 for the first or second text.
    """

    text: str
    key: tuple[str, int]
    part: int | None

    @property
    def template(self) -> bool:
        """Is it part of the template around the text?"""
        return self.part is None


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """One text through one model: weights (layers, heads, query, key), rows sum to 1, and what its positions are."""

    weights: Tensor
    units: tuple[Unit, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The units as a person reads them."""
        return tuple(unit.text for unit in self.units)

    def mean(self, layer: int, heads: Sequence[int] | None = None) -> Tensor:
        """(query, key): the mean over some heads of a layer, over all of them unless told."""
        chosen = self.weights[layer]
        return (chosen if heads is None else chosen[list(heads)]).mean(0)

    def layers(self, chosen: Sequence[int]) -> Attention:
        """Some layers alone."""
        return replace(self, weights=self.weights[list(chosen)])


def piece_units(encoding: Encoding) -> tuple[Unit, ...]:
    """The pieces: the user's own characters, with a hyphen before one inside a word; template tokens as spelled."""
    units: list[Unit] = []
    for number, (token, part, word) in enumerate(zip(encoding.tokens, encoding.parts, encoding.words, strict=True)):
        source = encoding.source(number).strip()
        inside = number > 0 and word is not None and word == encoding.words[number - 1]
        text = MASK if number in encoding.mask_positions else f"{'-' if inside else ''}{source}" if source else "␣"
        units.append(Unit(token if part is None else text, ("piece", number), part))
    return tuple(units)


def word_units(encoding: Encoding) -> tuple[tuple[Unit, ...], Tensor]:
    """The words, by character offsets the same for every model, and which pieces each has: (units, pieces), 0 or 1.

    A piece that is only the space before a word belongs to that word.
    """
    first, second = word_spans(encoding.text), word_spans(encoding.pair or "")
    spelled = [encoding.text[a:b] for a, b in first] + [(encoding.pair or "")[a:b] for a, b in second]
    places: dict[tuple[str, int], list[int]] = {}
    units: dict[tuple[str, int], Unit] = {}
    templates = 0
    parts = encoding.parts
    for number, (part, word) in enumerate(zip(parts, encoding.words, strict=True)):
        following = (w for w, p in zip(encoding.words[number:], parts[number:], strict=True) if p == part)
        word = next((w for w in following if w is not None), None) if word is None else word
        if part is None:
            key, text = ("template", templates), encoding.tokens[number]
            templates += 1
        elif word is None:
            key, text = ("other", part), "␣"
        else:
            key, text = ("word", word), spelled[word]
        units.setdefault(key, Unit(text, key, part))
        places.setdefault(key, []).append(number)
    members = torch.zeros(len(units), len(encoding), dtype=torch.float64)
    for row, pieces in enumerate(places.values()):
        members[row, pieces] = 1
    return tuple(units.values()), members


def of_pieces(trace: Trace) -> Attention:
    """Attention between pieces, as the model has it."""
    return Attention(trace.attention.cpu(), piece_units(trace.encoding))


def of_words(trace: Trace) -> Attention:
    """Attention between words: to a word the sum over its pieces, from a word their mean (Clark et al. 2019, 4.1)."""
    units, members = word_units(trace.encoding)
    weights = trace.attention.cpu()
    members = members.to(weights.dtype)
    return Attention(members / members.sum(1, keepdim=True) @ weights @ members.T, units)


def entropy(weights: Tensor) -> Tensor:
    """Bits of distributions (..., n) -> (...)."""
    bits: Tensor = -torch.special.xlogy(weights, weights).sum(-1) / math.log(2)
    return bits


# -- queries and keys --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class QueryKey:
    """Why one position looks where it looks: its query against every key of a head.

    query: (size,). keys, products: (key, size); a row of products sums to the score times sqrt(size).
    scores: (key,), before the softmax; weights: after it.
    """

    units: tuple[Unit, ...]
    position: int
    query: Tensor
    keys: Tensor
    products: Tensor
    scores: Tensor
    weights: Tensor


def query_key(model: Model, trace: Trace, layer: int, head: int, position: int) -> QueryKey:
    """The query of a piece and the keys of all, feature by feature (BertViz calls it the neuron view)."""
    attention = model.network.block(layer).attention
    hidden = trace.hidden[layer : layer + 1]  # what entered the layer
    shape = (trace.attention.shape[1], -1)
    with torch.no_grad():
        query = attention.query(hidden)[0].unflatten(-1, shape)[position, head].cpu()  # (size,)
        keys = attention.key(hidden)[0].unflatten(-1, shape)[:, head].cpu()  # (key, size)
    products = query * keys
    scores = products.sum(-1) / math.sqrt(query.shape[-1])
    return QueryKey(piece_units(trace.encoding), position, query, keys, products, scores, scores.softmax(-1))


# -- two of them -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Two matrices on the units that both have: (query, key) each; their difference is second minus first."""

    first_units: tuple[Unit, ...]
    second_units: tuple[Unit, ...]
    first: Tensor
    second: Tensor

    @property
    def difference(self) -> Tensor:
        """(query, key), from -1 to 1."""
        return self.second - self.first


def compare(first: tuple[Attention, Tensor], second: tuple[Attention, Tensor]) -> Compared:
    """Lay two matrices (query, key) of words over each other; words that one of them lacks are left out."""
    (a, one), (b, two) = first, second
    there = {unit.key: number for number, unit in enumerate(b.units)}
    pairs = [(number, there[unit.key]) for number, unit in enumerate(a.units) if unit.key in there]
    rows, columns = [p[0] for p in pairs], [p[1] for p in pairs]
    return Compared(
        tuple(a.units[n] for n in rows),
        tuple(b.units[n] for n in columns),
        one[rows][:, rows],
        two[columns][:, columns],
    )


# -- tables ------------------------------------------------------------------------------------------------------------


def matrix_frame(matrix: Tensor, units: Sequence[Unit], **same: str | int) -> pandas.DataFrame:
    """One row a pair of units: query, key, weight; `same` are columns of one value, in front."""
    import pandas

    n = len(units)
    texts = [unit.text for unit in units]
    table = pandas.DataFrame(
        {
            "from": [text for text in texts for _ in range(n)],
            "from position": [place for place in range(n) for _ in range(n)],
            "to": texts * n,
            "to position": [*range(n)] * n,
            "weight": matrix.flatten().tolist(),
        }
    )
    for place, (name, value) in enumerate(same.items()):
        table.insert(place, name, value)
    return table
