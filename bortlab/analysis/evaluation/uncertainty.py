"""How sure figures are, and whether two models differ: bootstrap over examples, and exact tests of paired ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bortlab.analysis.evaluation.measures import Figures, Measure, Outcomes
from bortlab.analysis.intervals import Interval

RESAMPLES = 1_000
TAIL = 2.5
"""Per cent of the resamples beyond each end of an interval."""
SIGNIFICANT = 0.05


def intervals(
    measure: Measure, runs: Sequence[Outcomes], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Interval]:
    """Every figure, the mean over runs of one model, with its 95% interval over the examples.

    Percentiles over resamples of the examples (Efron and Tibshirani 1993), the same ones for all runs: how much the
    test set happens to matter. How much the seed matters is told by the runs' own figures. ValueError for no examples.
    """
    if not runs or not len(runs[0]):
        raise ValueError("There is nothing to measure: the split has no examples.")
    drawn = [_means(measure, runs, rows) for rows in _resamples(len(runs[0]), resamples, seed)]
    means = _means(measure, runs, slice(None))
    return {name: _interval(value, [figures[name] for figures in drawn]) for name, value in means.items()}


def _resamples(n: int, count: int, seed: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return (rng.integers(n, size=n) for _ in range(count))


def _means(measure: Measure, runs: Sequence[Outcomes], rows: NDArray[np.int64] | slice) -> Figures:
    """Each figure's mean over runs, of these examples."""
    figures = [measure.figures(outcomes[rows]) for outcomes in runs]
    return {name: sum(run[name] for run in figures) / len(figures) for name in figures[0]}


def _interval(value: float, drawn: Sequence[float]) -> Interval:
    low, high = np.percentile(drawn, [TAIL, 100 - TAIL])
    return Interval(value, float(low), float(high))


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one is than another on the same examples.

    interval: of the difference, by a paired bootstrap. p: of McNemar's exact test where each example is right or wrong
    (two-sided binomial test of the examples on which one is right and the other is not); None for other figures.
    """

    interval: Interval
    p: float | None

    @property
    def significant(self) -> bool:
        """Does the interval exclude 0, and does the test agree where there is one?"""
        apart = self.interval.low > 0 or self.interval.high < 0
        return apart and (self.p is None or self.p < SIGNIFICANT)


def difference(
    measure: Measure,
    name: str,
    one: Sequence[Outcomes],
    other: Sequence[Outcomes],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Difference:
    """One minus the other in a figure, each the mean over its runs, on the same examples in the same order.

    The exact test compares the first run of each.
    """
    if len(one[0]) != len(other[0]):
        raise ValueError(f"Expected outcomes of the same examples, got {len(one[0])} and {len(other[0])}.")

    def apart(rows: NDArray[np.int64] | slice) -> float:
        return _means(measure, one, rows)[name] - _means(measure, other, rows)[name]

    drawn = [apart(rows) for rows in _resamples(len(one[0]), resamples, seed)]
    p = mcnemar(measure.right(one[0]), measure.right(other[0])) if measure.right and name == "accuracy" else None
    return Difference(_interval(apart(slice(None)), drawn), p)


def mcnemar(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """p of McNemar's exact test of the same examples, (examples,) right or wrong; 1 where both are alike on all."""
    from scipy.stats import binomtest

    better, worse = int((one & ~other).sum()), int((~one & other).sum())
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def wilson(successes: int, n: int) -> Interval:
    """A share with its 95% Wilson interval, which holds for few examples too."""
    from scipy.stats import binomtest

    ends = binomtest(successes, n).proportion_ci(method="wilson")
    return Interval(successes / n, float(ends.low), float(ends.high))
