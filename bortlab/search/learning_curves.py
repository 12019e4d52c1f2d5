"""Is n, the pieces that each candidate is trained on, long enough? What grades on the way say of the ranking.

The specification asks for a ranking that holds from n to four times n. A grade on the way is taken before the learning
rate falls, so it is worse than that of a training that had ended there: what is compared is the order, not the errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bortlab.analysis.intervals import Interval
from bortlab.search.grid import TrainedGrid
from bortlab.search.resampling import Floats, resamplings

if TYPE_CHECKING:
    import pandas

SETTLED = 0.7
"""Kendall's tau of two rankings from which they are the same for our purpose."""
TIMES = 4
"""How many times as many pieces the ranking must hold for."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Kendall's tau of the rankings after two numbers of pieces; its interval over seeds drawn again."""

    before: int
    after: int
    tau: Interval

    @property
    def settled(self) -> bool:
        """Is the ranking the same?"""
        return self.tau.value >= SETTLED

    @property
    def is_sure(self) -> bool:
        """Is it the same, or another, for all seeds that may be drawn?"""
        return self.tau.low >= SETTLED or self.tau.high < SETTLED


@dataclass(frozen=True)
class LearningCurves:
    """The errors of some candidates on the way.

    pieces: seen at each grade. errors: (candidates, seeds, grades), in nats. budget: the pieces that were planned.
    """

    names: tuple[str, ...]
    pieces: tuple[int, ...]
    errors: Floats
    budget: int

    @property
    def means(self) -> Floats:
        """Over the seeds: (candidates, grades)."""
        return np.asarray(self.errors.mean(1))

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """Every two grades, those far apart first."""
        pairs = sorted(combinations(range(len(self.pieces)), 2), key=lambda pair: pair[0] - pair[1])
        return tuple(self.agreement(first, second) for first, second in pairs)

    def agreement(self, first: int, second: int) -> Agreement:
        """How far the rankings at two grades are the same."""
        resampled = [kendall(means[:, first], means[:, second]) for means in resamplings(self.errors)]
        low, high = np.quantile(resampled, (0.025, 0.975))
        tau = Interval(kendall(self.means[:, first], self.means[:, second]), float(low), float(high))
        return Agreement(self.pieces[first], self.pieces[second], tau)

    @property
    def between_seeds(self) -> float | None:
        """The mean tau of the rankings at the end by one seed and by another; None where there is one seed."""
        taus = [kendall(*pair) for pair in combinations(self.errors[:, :, -1].T, 2)]
        return float(np.mean(taus)) if taus else None

    @property
    def lasting(self) -> Agreement | None:
        """The first ranking that is that after TIMES as many pieces, beside that ranking. None if none is.

        A grade is taken at the first step after its share, so numbers of pieces are compared by shares of the budget.
        """
        shares = [count / self.pieces[-1] for count in self.pieces]
        for first, second in combinations(range(len(shares)), 2):
            is_apart = abs(shares[second] / shares[first] - TIMES) < 0.1 * TIMES
            if is_apart and (agreement := self.agreement(first, second)).settled:
                return agreement
        return None

    @property
    def enough(self) -> int | None:
        """The n of the curves: the fewest pieces after which the ranking is that after TIMES n; None if none is."""
        return self.lasting.before if self.lasting else None

    def frame(self) -> pandas.DataFrame:
        """One row a candidate and grade."""
        import pandas

        return pandas.DataFrame(
            [
                {
                    "candidate": name,
                    "pieces": count,
                    "mean error": float(self.errors[row, :, grade].mean()),
                    **{f"error, seed {seed}": float(error) for seed, error in enumerate(self.errors[row, :, grade])},
                }
                for row, name in enumerate(self.names)
                for grade, count in enumerate(self.pieces)
            ]
        )


def learning_curves(trained: TrainedGrid, names: Sequence[str]) -> LearningCurves:
    """The curves of candidates whose trainings are all done, each seed at its best rate."""
    curves = [[entry["curve"] for entry in trained.best(name)] for name in names]
    return LearningCurves(
        names=tuple(names),
        pieces=tuple(int(point["pieces"]) for point in curves[0][0]),
        errors=np.array([[[point["error"] for point in curve] for curve in seeds] for seeds in curves]),
        budget=trained.grid.budget.pieces,
    )


def kendall(first: Floats, second: Floats) -> float:
    """Kendall's tau-b of two rankings; NaN where one ranks nothing."""
    from scipy.stats import kendalltau

    return float(kendalltau(first, second).statistic)
