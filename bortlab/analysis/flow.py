"""Attention through all layers at once: rollout and maximum flow (Abnar and Zuidema 2020, arXiv 2005.00928)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bortlab.analysis.attention import Attention

FLOW_EDGES = 30_000
"""Largest graph whose maximum flows are computed, in edges: about three seconds."""


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
            while amount := self._push(left, levels, nexts, source, goal):
                total += amount
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
