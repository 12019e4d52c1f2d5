"""How far an attribution can be trusted: what happens when words go in its order, and what else gives the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bortlab.analysis.attribution.methods import METHODS
from bortlab.analysis.attribution.problem import Problem
from bortlab.model import Model
from bortlab.models import Network

SHARES = (0.1, 0.2, 0.5)
"""Shares of the words that comprehensiveness and sufficiency take, and average over."""
ORDERS = 20
"""Random orders that an attribution's is compared with."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The answer while words go, or come back, those that contribute most first: (n + 1,) values, from 0 to n words.

    random_deletion, random_insertion: the same for random orders, (orders, n + 1). Where the answer falls with fewer
    words, a good order lies below the random ones in deletion and above them in insertion.
    """

    deletion: Tensor
    insertion: Tensor
    random_deletion: Tensor
    random_insertion: Tensor

    @property
    def areas(self) -> tuple[float, float]:
        """The mean value along deletion and along insertion."""
        return float(self.deletion.mean()), float(self.insertion.mean())

    @property
    def better_than(self) -> tuple[float, float]:
        """The share of random orders that lose to this one: in deletion (the answer falls later), in insertion."""
        deletion, insertion = self.areas
        return (
            float((self.random_deletion.mean(1) > deletion).double().mean()),
            float((self.random_insertion.mean(1) < insertion).double().mean()),
        )

    def comprehensiveness(self, curve: Tensor | None = None) -> float:
        """How much the answer falls without the first 10, 20 and 50% of the words, on average (DeYoung et al. 2020).

        At least one word goes. curve: another deletion curve than the attribution's own.
        """
        curve = self.deletion if curve is None else curve
        return float(curve[0] - curve[_counts(len(curve) - 1)].mean())

    def sufficiency(self, curve: Tensor | None = None) -> float:
        """How much the answer falls with the first 10, 20 and 50% of the words alone; lower is better."""
        curve = self.insertion if curve is None else curve
        return float(curve[-1] - curve[_counts(len(curve) - 1)].mean())

    @property
    def random_comprehensiveness(self) -> float:
        """The mean comprehensiveness of the random orders."""
        return sum(map(self.comprehensiveness, self.random_deletion)) / max(1, len(self.random_deletion))

    @property
    def random_sufficiency(self) -> float:
        """The mean sufficiency of the random orders."""
        return sum(map(self.sufficiency, self.random_insertion)) / max(1, len(self.random_insertion))


def _counts(n: int) -> list[int]:
    return [max(1, round(share * n)) for share in SHARES]


def curves(problem: Problem, values: Tensor, *, orders: int = ORDERS, seed: int = 0) -> Curves:
    """Take words away, and put them back, by their values (units,), largest first, and in random orders."""
    n = problem.n_units
    generator = torch.Generator().manual_seed(seed)
    own = values.argsort(descending=True, stable=True)
    ranks = torch.stack([own, *(torch.randperm(n, generator=generator) for _ in range(orders))]).argsort(1)
    gone = torch.arange(n + 1)[None, :, None] > ranks[:, None, :]  # (orders + 1, n + 1, units): the first k of an order
    with torch.no_grad():
        both = torch.cat([~gone, gone]).flatten(0, 1).to(problem.x.device)
        deletion, insertion = problem.present(both).double().cpu().view(2, orders + 1, n + 1)
    return Curves(deletion[0], insertion[0], deletion[1:], insertion[1:])


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation: 1 for the same order, -1 for the opposite one; tied values share their mean rank.

    nan where all values of one side are equal.
    """
    a, b = (_ranks(values.double()) for values in (first, second))
    a, b = a - a.mean(), b - b.mean()
    return float((a @ b) / (a.norm() * b.norm()))


def _ranks(values: Tensor) -> Tensor:
    below = (values[None, :] < values[:, None]).double().sum(1)
    same = (values[None, :] == values[:, None]).double().sum(1)
    return below + (same - 1) / 2


def agreement(values: Sequence[Tensor], signed: Sequence[bool]) -> Tensor:
    """(n, n): rank correlations of attributions to the same units; of their sizes where one of two has no sign."""
    n = len(values)
    correlations = torch.eye(n, dtype=torch.float64)
    for i in range(n):
        for j in range(i):
            both_signed = signed[i] and signed[j]
            a, b = (side if both_signed else side.abs() for side in (values[i], values[j]))
            correlations[i, j] = correlations[j, i] = rank_correlation(a, b)
    return correlations


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """The same method with several seeds: values (seeds, units)."""

    values: Tensor

    @property
    def spread(self) -> Tensor:
        """(units,): standard deviation over the seeds."""
        return self.values.std(0, correction=0)

    @property
    def correlations(self) -> list[float]:
        """Rank correlations of all pairs of seeds."""
        n = len(self.values)
        return [rank_correlation(self.values[i], self.values[j]) for i in range(n) for j in range(i)]


def repeated(problem: Problem, method: str, *, steps: int, seeds: Sequence[int]) -> Repeated:
    """A method's answers with several seeds; one that draws no random numbers is run as often all the same."""
    run = METHODS[method].run
    with torch.inference_mode(False), torch.enable_grad():
        return Repeated(torch.stack([run(problem, steps, seed) for seed in seeds]))


def with_random_weights(model: Model, seed: int = 0) -> Network:
    """A network of the model's configuration with random weights (Adebayo et al. 2018, arXiv 1810.03292)."""
    with torch.inference_mode(False), torch.no_grad():
        network = type(model.network)(model.config, model.task).to(model.device, model.dtype)
        return network.initialise(torch.Generator(model.device).manual_seed(seed)).eval().requires_grad_(False)
