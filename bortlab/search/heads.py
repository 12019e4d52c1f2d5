"""Does the number of heads matter? Shapes that were trained with several numbers of heads.

Heads change neither parameters nor operations, so only the error can tell them apart: per shape by the means over the
seeds, and over all shapes by Friedman's test, whose blocks are a shape and a seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from bortlab.search.grid import TrainedGrid, read_grid
from bortlab.search.resampling import Floats
from bortlab.search.space import HEADS, space
from bortlab.system import assets

if TYPE_CHECKING:
    import pandas

SIGNIFICANT = 0.05
POWER = 0.8
"""The share of cases in which a difference is found that is called detectable."""
SIMULATIONS = 2_000


@dataclass(frozen=True)
class HeadsShape:
    """A shape with its numbers of heads, the fewest first.

    name: its sizes without the heads. errors: (heads, seeds), in nats.
    """

    name: str
    heads: tuple[int, ...]
    errors: Floats

    @property
    def means(self) -> Floats:
        """Over the seeds: (heads,)."""
        return np.asarray(self.errors.mean(1))

    @property
    def between_heads(self) -> float:
        """From the best mean to the worst, in nats."""
        return float(np.ptp(self.means))

    @property
    def between_seeds(self) -> float:
        """From the best seed to the worst of one number of heads, in nats, on average."""
        return float(np.ptp(self.errors, axis=1).mean())


@dataclass(frozen=True)
class HeadsStudy:
    """Shapes that were trained with two numbers of heads or more."""

    letters: str
    shapes: tuple[HeadsShape, ...]

    @property
    def heads(self) -> tuple[int, ...]:
        """All numbers of heads, the fewest first."""
        return tuple(sorted({number for shape in self.shapes for number in shape.heads}))

    @property
    def whole(self) -> tuple[HeadsShape, ...]:
        """The shapes that have all numbers of heads: those that can be tested together."""
        return tuple(shape for shape in self.shapes if shape.heads == self.heads)

    @cached_property
    def blocks(self) -> Floats:
        """(shapes and seeds, heads): the errors that Friedman's test compares within each block."""
        return np.concatenate([np.empty((0, len(self.heads))), *(shape.errors.T for shape in self.whole)])

    @property
    def mean_ranks(self) -> Floats:
        """(heads,): the mean place by error within the blocks; 1 is the best."""
        from scipy.stats import rankdata

        return np.asarray(rankdata(self.blocks, axis=1).mean(0))

    @cached_property
    def p(self) -> float | None:
        """Of Friedman's test that all numbers of heads are as good; None for fewer than three, or without blocks."""
        from scipy.stats import friedmanchisquare

        if len(self.heads) < 3 or not len(self.blocks):
            return None
        if not np.ptp(self.blocks, axis=1).any():
            return 1.0
        return float(friedmanchisquare(*self.blocks.T).pvalue)

    @cached_property
    def detectable(self) -> float | None:
        """The range of means, in nats, that the test would find in a share POWER of cases; None if it would find none.

        Simulated: means spread evenly over the range, normal noise as large as what shape, seed and heads leave over.
        """
        if self.p is None:
            return None
        return detectable(self.blocks)

    def frame(self) -> pandas.DataFrame:
        """One row a shape and number of heads."""
        import pandas

        return pandas.DataFrame(
            [
                {
                    "shape": shape.name,
                    "heads": number,
                    "mean error": float(errors.mean()),
                    **{f"error, seed {seed}": float(error) for seed, error in enumerate(errors)},
                }
                for shape in self.shapes
                for number, errors in zip(shape.heads, shape.errors, strict=True)
            ]
        )


def heads_study(trained: TrainedGrid) -> HeadsStudy:
    """The shapes of a grid with two numbers of heads or more that are informative and whose seeds are all done."""
    where = space(trained.grid.space)
    if HEADS not in where.sizes:
        return HeadsStudy("", ())
    place = list(where.sizes).index(HEADS)
    by_shape: dict[tuple[int, ...], dict[int, list[float]]] = {}
    for name in trained.names:
        sizes = where.named(name).sizes
        if trained.is_informative(name):
            by_shape.setdefault(sizes[:place] + sizes[place + 1 :], {})[sizes[place]] = trained.errors_of(name)
    shapes = tuple(
        HeadsShape("-".join(map(str, sizes)), tuple(sorted(errors)), np.array([errors[key] for key in sorted(errors)]))
        for sizes, errors in sorted(by_shape.items())
        if len(errors) > 1
    )
    return HeadsStudy("-".join(where.letters[:place] + where.letters[place + 1 :]), shapes)


def detectable(blocks: Floats) -> float | None:
    """See `HeadsStudy.detectable`. blocks: (blocks, treatments)."""
    from scipy.optimize import bisect
    from scipy.stats import chi2

    n, k = blocks.shape
    residuals = blocks - blocks.mean(1, keepdims=True) - blocks.mean(0) + blocks.mean()
    if n < 2 or chi2.sf(n * (k - 1), k - 1) >= SIGNIFICANT:  # the largest statistic, where all blocks rank alike
        return None
    deviation = float(np.sqrt((residuals**2).sum() / ((n - 1) * (k - 1))))
    noise = np.random.default_rng(0).normal(size=(SIMULATIONS, n, k))
    evenly = np.linspace(-0.5, 0.5, k)

    def missing(gap: float) -> float:
        p = chi2.sf(friedman(noise + gap * evenly), k - 1)
        return POWER - float((p < SIGNIFICANT).mean())

    return deviation * float(bisect(missing, 0, 100, xtol=0.01))


def friedman(blocks: Floats) -> Floats:
    """Friedman's statistic of blocks without ties, (..., blocks, treatments), for many at once."""
    from scipy.stats import rankdata

    n, k = blocks.shape[-2:]
    sums = rankdata(blocks, axis=-1).sum(-2)
    return np.asarray(12 / (n * k * (k + 1)) * (sums**2).sum(-1) - 3 * n * (k + 1))


def recorded() -> dict[str, TrainedGrid]:
    """The grids of heads that come with bortlab, by the name of their file."""
    return {path.stem: read_grid(path) for path in sorted(assets.EXPERIMENTS.glob("search-heads*.json"))}
