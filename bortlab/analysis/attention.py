"""Attention: who looks at whom, piece by piece or word by word; what a head does; how alike heads are; rollout, flow.

Everything reads `trace.attention`, one record an executed layer, so a block that is used twelve times has twelve.
Layers, heads and positions are counted from 0 here; the views count layers and heads from 1.
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

MOST_QUERIES = 64
"""Heads are compared on so many positions of a longer text, evenly spread."""
FLOW_EDGES = 30_000
"""Largest graph whose maximum flows are computed, in edges: about three seconds."""
SHARES = ("template", "previous", "following", "itself")
"""Shares of a head's attention, as `HeadStatistics` names them."""

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


# -- what a head does --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class HeadStatistics:
    """Each head in numbers, all (layers, heads): means over the positions of the text's own units.

    entropy: bits; 0 looks at one unit, log2(n) at all alike. distance: in units, among the text's own, so that the
    template at the ends does not count. template, previous, following, itself: shares of the attention.
    """

    entropy: Tensor
    distance: Tensor
    template: Tensor
    previous: Tensor
    following: Tensor
    itself: Tensor
    n_units: int

    def shares(self) -> Tensor:
        """(4, layers, heads), in the order of SHARES."""
        return torch.stack([getattr(self, name) for name in SHARES])


def entropy(weights: Tensor) -> Tensor:
    """Bits of distributions (..., n) -> (...)."""
    bits: Tensor = -torch.special.xlogy(weights, weights).sum(-1) / math.log(2)
    return bits


def statistics(attention: Attention) -> HeadStatistics:
    """What each head of each layer does with this text."""
    weights, n = attention.weights, len(attention.units)
    template = torch.tensor([unit.template for unit in attention.units])
    own = ~template if bool((~template).any()) else torch.ones(n, dtype=torch.bool)
    rows = weights[:, :, own]  # (layers, heads, own, key)
    among = rows[..., own]
    places = torch.arange(n)[own].to(weights.dtype)
    gaps = (places[:, None] - places).abs()

    def neighbour(step: int) -> Tensor:
        shifted = weights.diagonal(step, -2, -1)  # weights[i, i + step]
        both = own[1:] & own[:-1]
        return shifted[..., both].mean(-1) if bool(both.any()) else weights.new_zeros(weights.shape[:2])

    return HeadStatistics(
        entropy=entropy(rows).mean(-1),
        distance=(among * gaps).sum((-2, -1)) / among.sum((-2, -1)).clamp_min(1e-12),
        template=rows[..., template].sum(-1).mean(-1),
        previous=neighbour(-1),
        following=neighbour(1),
        itself=weights.diagonal(0, -2, -1)[..., own].mean(-1),
        n_units=n,
    )


def head_distances(attention: Attention) -> Tensor:
    """How different two heads look at the text: (heads of all layers, the same), layer by layer.

    The Jensen-Shannon divergence of their rows in bits, mean over positions: 0 alike, 1 nothing in common (Clark et
    al. 2019, section 6).
    """
    weights = attention.weights.flatten(0, 1)  # (all heads, query, key)
    queries = weights.shape[1]
    if queries > MOST_QUERIES:
        weights = weights[:, torch.linspace(0, queries - 1, MOST_QUERIES).round().long()]
    own = entropy(weights)  # (all heads, query)
    found = weights.new_zeros(len(weights), len(weights))
    for head in range(len(weights)):
        between = entropy((weights[head] + weights[head:]) / 2) - (own[head] + own[head:]) / 2
        found[head, head:] = found[head:, head] = between.mean(-1).clamp_min(0)
    found.fill_diagonal_(0)
    return found


def layer_distances(distances: Tensor, layers: int) -> Tensor:
    """(layers, layers): mean distance of two layers' heads, each head with its nearest in the other layer."""
    grid = distances.view(layers, -1, layers, len(distances) // layers)  # (layer, head, layer, head)
    there: Tensor = grid.amin(3).mean(1)
    return (there + there.T) / 2


def clusters(distances: Tensor, number: int) -> tuple[int, ...]:
    """Group heads: the two groups that are nearest on average become one, until `number` are left.

    Groups are numbered in the order of their first head.
    """
    groups = [[head] for head in range(len(distances))]
    between = distances.clone().double()
    between.fill_diagonal_(torch.inf)
    while len(groups) > max(1, number):
        a, b = sorted(divmod(int(between.argmin()), len(groups)))
        sizes = len(groups[a]), len(groups[b])
        merged = (sizes[0] * between[a] + sizes[1] * between[b]) / sum(sizes)  # average linkage
        between[a], between[:, a] = merged, merged
        between[a, a] = torch.inf
        keep = [group for group in range(len(groups)) if group != b]
        between = between[keep][:, keep]
        groups[a] += groups.pop(b)
    groups.sort(key=min)
    found = {head: number for number, group in enumerate(groups) for head in group}
    return tuple(found[head] for head in range(len(distances)))


def places(distances: Tensor) -> Tensor:
    """(heads, 2): points in the plane whose distances come near the given ones (classical scaling)."""
    squared = distances.double()  # the divergence is the square of a metric
    n = len(squared)
    centre = torch.eye(n, dtype=squared.dtype) - 1 / n
    values, vectors = torch.linalg.eigh(-0.5 * centre @ squared @ centre)
    points = vectors[:, -2:].flip(1) * values[-2:].flip(0).clamp_min(0).sqrt()
    if points.shape[1] < 2:
        points = torch.cat([points, points.new_zeros(n, 2 - points.shape[1])], 1)
    signs: Tensor = points.gather(0, points.abs().argmax(0, keepdim=True)).sign()  # eigenvectors have none of their own
    found: Tensor = points * torch.where(signs == 0, torch.ones_like(signs), signs)
    return found


def kind(found: HeadStatistics, heads: Sequence[int]) -> str:
    """What heads mostly do, in words; heads are counted through all layers."""
    shares = {name: float(getattr(found, name).flatten()[list(heads)].mean()) for name in SHARES}
    best = max(shares, key=shares.__getitem__)
    if shares[best] >= 0.4:
        return {
            "template": "look at the template", "previous": "look at the one before",
            "following": "look at the next one", "itself": "look at themselves",
        }[best]  # fmt: skip
    spread = float(found.entropy.flatten()[list(heads)].mean()) / math.log2(max(2, found.n_units))
    return "look everywhere" if spread >= 0.85 else "choose by content"


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """All heads of a model on one text: their numbers, distances, groups (by head, counted through the layers)."""

    statistics: HeadStatistics
    distances: Tensor
    groups: tuple[int, ...]
    kinds: tuple[str, ...]
    points: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Layers and heads a layer."""
        layers, heads = self.statistics.entropy.shape
        return layers, heads

    @property
    def nearest(self) -> Tensor:
        """(heads,): the distance of each head to the one that is most like it; empty for a single head."""
        n = len(self.distances)
        others = self.distances + torch.diag(self.distances.new_full((n,), torch.inf))
        return others.amin(1) if n > 1 else self.distances.new_zeros(0)


def heads(attention: Attention, groups: int = 5) -> Heads:
    """Compare all heads of a model on one text, in at most so many groups."""
    found, distances = statistics(attention), head_distances(attention)
    group_of = clusters(distances, groups)
    members = [[head for head, g in enumerate(group_of) if g == group] for group in range(max(group_of) + 1)]
    return Heads(found, distances, group_of, tuple(kind(found, group) for group in members), places(distances))


# -- through all layers ------------------------------------------------------------------------------------------------


def with_residual(attention: Attention) -> Tensor:
    """(layers, query, key): heads averaged, and half of each step is the residual (Abnar and Zuidema 2020)."""
    mean = attention.weights.mean(1)
    return 0.5 * mean + 0.5 * torch.eye(mean.shape[-1], dtype=mean.dtype)


def rollout(attention: Attention) -> Tensor:
    """(layers, query, key): how much of each input position is in a position after each layer; rows sum to 1.

    Source: Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3 (arXiv 2005.00928).
    """
    steps, total = [], None
    for step in with_residual(attention):
        total = step if total is None else step @ total
        steps.append(total)
    return torch.stack(steps)


def flow(attention: Attention, query: int) -> Tensor:
    """(key,): the maximum flow from each input position to one position of the last layer, through all layers.

    Attention with its residual is a network of pipes. Source: Abnar and Zuidema 2020, section 4.
    """
    capacities = with_residual(attention).double()
    layers, n, _ = capacities.shape
    if layers * n * n > FLOW_EDGES:
        raise ValueError(
            f"Flow through {layers} layers and {n} positions would take too long: write a text of at most "
            f"{math.isqrt(FLOW_EDGES // layers)} words."
        )
    graph = _Pipes(capacities.tolist())
    return torch.tensor([graph.most(source, query) for source in range(n)], dtype=torch.float64)


class _Pipes:
    """Maximum flow by Dinic's algorithm in a layered graph: node (layer, position) is layer * n + position."""

    def __init__(self, capacities: Sequence[Sequence[Sequence[float]]]) -> None:
        self.n, self.depth = len(capacities[0]), len(capacities)
        self.ends: list[int] = []
        self.capacity: list[float] = []
        self.edges: list[list[int]] = [[] for _ in range((self.depth + 1) * self.n)]
        for layer, matrix in enumerate(capacities):
            for query, row in enumerate(matrix):
                for key, capacity in enumerate(row):
                    a, b = layer * self.n + key, (layer + 1) * self.n + query
                    self.edges[a].append(len(self.ends))
                    self.edges[b].append(len(self.ends) + 1)
                    self.ends += [b, a]
                    self.capacity += [capacity, 0.0]

    def most(self, source: int, target: int) -> float:
        """From an input position to a position of the last layer."""
        left, goal, total = self.capacity.copy(), self.depth * self.n + target, 0.0
        while (levels := self._levels(left, source, goal)) is not None:
            nexts = [0] * len(self.edges)
            while found := self._push(left, levels, nexts, source, goal):
                total += found
        return total

    def _levels(self, left: list[float], source: int, goal: int) -> list[int] | None:
        levels, border = [-1] * len(self.edges), [source]
        levels[source] = 0
        while border and levels[goal] < 0:
            beyond = []
            for node in border:
                for edge in self.edges[node]:
                    end = self.ends[edge]
                    if levels[end] < 0 and left[edge] > 1e-9:
                        levels[end] = levels[node] + 1
                        beyond.append(end)
            border = beyond
        return levels if levels[goal] >= 0 else None

    def _push(self, left: list[float], levels: list[int], nexts: list[int], source: int, goal: int) -> float:
        """One path that takes as much as it can; 0 where none is left."""
        path: list[int] = []
        node = source
        while node != goal:
            edges = self.edges[node]
            while nexts[node] < len(edges):
                edge = edges[nexts[node]]
                if left[edge] > 1e-9 and levels[self.ends[edge]] == levels[node] + 1:
                    break
                nexts[node] += 1
            else:
                if not path:
                    return 0.0
                back = path.pop()
                node = self.ends[back ^ 1]
                nexts[node] += 1
                continue
            path.append(edge)
            node = self.ends[edge]
        amount = min(left[edge] for edge in path)
        for edge in path:
            left[edge] -= amount
            left[edge ^ 1] += amount
        return amount


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


def heads_frame(found: Heads) -> pandas.DataFrame:
    """One row a head: layer, head (from 1), its numbers, its group, the distance to the head most like it."""
    import pandas

    layers, n = found.shape
    numbers = found.statistics
    nearest = found.nearest.tolist() or [math.nan]
    return pandas.DataFrame(
        {
            "layer": [layer + 1 for layer in range(layers) for _ in range(n)],
            "head": [*range(1, n + 1)] * layers,
            "entropy, bits": numbers.entropy.flatten().tolist(),
            "mean distance": numbers.distance.flatten().tolist(),
            "on the template": numbers.template.flatten().tolist(),
            "on the previous": numbers.previous.flatten().tolist(),
            "on the next": numbers.following.flatten().tolist(),
            "on itself": numbers.itself.flatten().tolist(),
            "group": [group + 1 for group in found.groups],
            "the group's heads": [found.kinds[group] for group in found.groups],
            "distance to the nearest head": nearest,
        }
    )
