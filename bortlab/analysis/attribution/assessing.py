"""All that tells how far an attribution can be trusted, in one record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean
from typing import Any

from torch import Tensor

from bortlab.analysis.attribution import trust
from bortlab.analysis.attribution.attributing import Attribution, attribute
from bortlab.analysis.attribution.methods import METHODS
from bortlab.analysis.attribution.problem import Baseline, By, Watch, of_text
from bortlab.analysis.attribution.trust import Curves, rank_correlation, with_random_weights
from bortlab.model import Model
from bortlab.text import Encoding

SEEDS = 3
"""Seeds that a random method is run with in all, and networks with random weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Assessment:
    """An attribution and the results of its tests, None where it was not tested.

    deletion, insertion: share of random orders that do worse. comprehensiveness, sufficiency: of the attribution's own
    order, and the mean of random orders. repeatability: mean rank correlation between seeds, 1 for a method that draws
    no random numbers. random_weights: mean rank correlation of the sizes with those from networks of random weights;
    near 0 is good.
    """

    attribution: Attribution
    deletion: float | None = None
    insertion: float | None = None
    comprehensiveness: float | None = None
    random_comprehensiveness: float | None = None
    sufficiency: float | None = None
    random_sufficiency: float | None = None
    repeatability: float | None = None
    random_weights: float | None = None


def curves_of(
    model: Model,
    encoding: Encoding,
    attribution: Attribution,
    *,
    baseline: Baseline,
    by: By,
    watch: Watch | None = None,
) -> Curves:
    """The answer while words go, or come back, in an attribution's order and in random ones."""
    problem, _, _ = of_text(model, encoding, attribution.target, baseline=baseline, by=by, watch=watch)
    return trust.curves(problem, attribution.values[attribution.own], seed=attribution.seed)


def assess(
    model: Model,
    encoding: Encoding,
    attribution: Attribution,
    curves: Curves,
    *,
    baseline: Baseline,
    by: By,
    watch: Watch | None = None,
) -> Assessment:
    """Test an attribution: by its curves, by other seeds where it draws random numbers, and by random weights."""

    def values(seed: int, **more: Any) -> Tensor:
        """The same attribution once more, with another seed or network."""
        result = attribute(
            model,
            encoding,
            attribution.target,
            method=attribution.method,
            baseline=baseline,
            by=by,
            steps=attribution.steps,
            seed=seed,
            watch=watch,
            **more,
        )
        return result.values[attribution.own]

    own, seed = attribution.values[attribution.own], attribution.seed
    repeats = [own, *(values(seed + n) for n in range(1, SEEDS))] if METHODS[attribution.method].random else []
    unlearned = [values(seed, network=with_random_weights(model, n)) for n in range(SEEDS)]
    deletion, insertion = curves.better_than
    return Assessment(
        attribution,
        deletion=deletion,
        insertion=insertion,
        comprehensiveness=curves.comprehensiveness(),
        random_comprehensiveness=curves.random_comprehensiveness,
        sufficiency=curves.sufficiency(),
        random_sufficiency=curves.random_sufficiency,
        repeatability=_mean_correlation(repeats),
        random_weights=mean(rank_correlation(own.abs(), other.abs()) for other in unlearned),
    )


def _mean_correlation(repeats: Sequence[Tensor]) -> float:
    """The mean rank correlation of all pairs, 1 for fewer than two."""
    return mean([rank_correlation(a, b) for a, b in combinations(repeats, 2)] or [1.0])
