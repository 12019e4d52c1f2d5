"""What attention heads do with a text: numbers of each, how alike they are, groups of those that do the same.

Layers, heads and positions are counted from 0; the views count layers and heads from 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bortlab.analysis.attention import Attention, entropy

if TYPE_CHECKING:
    import pandas

MOST_QUERIES = 64
"""Heads are compared on so many positions of a longer text, evenly spread."""
SHARES = ("template", "previous", "following", "itself")
"""Shares of a head's attention, as `HeadStatistics` names them."""
KINDS: Mapping[str, str] = {
    "template": "look at the template",
    "previous": "look at the previous token",
    "following": "look at the next token",
    "itself": "look at the token itself",
}
"""What heads do that put most of their attention on one of SHARES."""


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
    distances = weights.new_zeros(len(weights), len(weights))
    for head in range(len(weights)):
        between = entropy((weights[head] + weights[head:]) / 2) - (own[head] + own[head:]) / 2
        distances[head, head:] = distances[head:, head] = between.mean(-1).clamp_min(0)
    distances.fill_diagonal_(0)
    return distances


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
    group_of = {head: number for number, group in enumerate(groups) for head in group}
    return tuple(group_of[head] for head in range(len(distances)))


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
    turned: Tensor = points * torch.where(signs == 0, torch.ones_like(signs), signs)
    return turned


def kind(statistics: HeadStatistics, heads: Sequence[int]) -> str:
    """What heads mostly do, in words; heads are counted through all layers."""
    shares = {name: float(getattr(statistics, name).flatten()[list(heads)].mean()) for name in SHARES}
    largest = max(shares, key=shares.__getitem__)
    if shares[largest] >= 0.4:
        return KINDS[largest]
    spread = float(statistics.entropy.flatten()[list(heads)].mean()) / math.log2(max(2, statistics.n_units))
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


def of(attention: Attention, groups: int = 5) -> Heads:
    """Compare all heads of a model on one text, in at most so many groups."""
    numbers, distances = statistics(attention), head_distances(attention)
    group_of = clusters(distances, groups)
    members = [[head for head, g in enumerate(group_of) if g == group] for group in range(max(group_of) + 1)]
    return Heads(numbers, distances, group_of, tuple(kind(numbers, group) for group in members), places(distances))


def frame(heads: Heads) -> pandas.DataFrame:
    """One row a head: layer, head (from 1), its numbers, its group, the distance to the head most like it."""
    import pandas

    layers, n = heads.shape
    numbers = heads.statistics
    nearest = heads.nearest.tolist() or [math.nan]
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
            "group": [group + 1 for group in heads.groups],
            "the group's heads": [heads.kinds[group] for group in heads.groups],
            "distance to the nearest head": nearest,
        }
    )
