"""What measured times say, and how sure that is. Pure: arrays in, numbers out.

Times come as an array (rounds, calls), in milliseconds: in every round each contestant has one turn of equally many
calls. What else the machine does falls on all contestants of a round, so the rounds, not the single calls, are what is
drawn with replacement when an interval is asked for (a block bootstrap), and for a ratio the same rounds are drawn for
both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]
"""Milliseconds, (rounds, calls)."""

DRAWS = 2_000
"""Resamples of a bootstrap; the ends of an interval then vary by about a hundredth of its width."""
CONFIDENCE = 0.95
NOISY = 0.10
"""A coefficient of variation from which the machine counts as busy."""
_BATCH = 2_000_000
"""Numbers that are drawn at once, to bound memory."""

Verdict = Literal["faster", "slower", "not told apart"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ratio(Interval):
    """The time of one by the time of another; below 1: the one is faster."""

    @property
    def verdict(self) -> Verdict:
        """Is the difference real? "not told apart" while the interval holds 1."""
        if self.high < 1:
            return "faster"
        return "slower" if self.low > 1 else "not told apart"

    @property
    def real(self) -> bool:
        """Does the interval leave 1 out?"""
        return self.verdict != "not told apart"

    @property
    def speedup(self) -> Interval:
        """The other way round: how many times as fast."""
        return Interval(1 / self.value, 1 / self.high, 1 / self.low)


def percentile(times: Times, share: float) -> float | None:
    """The time that this share of calls keeps below; None where fewer than one call in (1 - share) would lie above.

    p99 of fifty calls is the slowest of them, and no percentile.
    """
    if times.size * (1 - share) < 1 - 1e-9:
        return None
    return float(np.percentile(times, 100 * share))


def p50(times: Times, *, seed: int = 0) -> Interval:
    """The median of all calls."""
    (drawn,) = _draw((times,), seed)
    return Interval(float(np.median(times)), *_ends(drawn))


def ratio(one: Times, other: Times, *, paired: bool = True, seed: int = 0) -> Ratio:
    """Median of `one` by median of `other`. paired: taken in the same rounds; the first common ones count."""
    if paired:
        rounds = min(len(one), len(other))
        one, other = one[:rounds], other[:rounds]
        drawn = _draw((one, other), seed)
    else:
        drawn = (*_draw((one,), seed), *_draw((other,), seed + 1))
    return Ratio(float(np.median(one) / np.median(other)), *_ends(drawn[0] / drawn[1]))


def variation(times: Times) -> float:
    """Coefficient of variation of the rounds' medians: their standard deviation by their mean; 0 for one round."""
    medians = np.median(times, axis=1)
    return float(medians.std(ddof=1) / medians.mean()) if len(medians) > 1 else 0.0


def _draw(several: tuple[Times, ...], seed: int) -> tuple[NDArray[np.float64], ...]:
    """Medians of DRAWS resamples of rounds, the same rounds for all of `several`."""
    rounds = len(several[0])
    if not rounds or any(times.size == 0 for times in several):
        raise ValueError("No times: at least one round of one call is needed.")
    random = np.random.default_rng(seed)
    step = max(1, _BATCH // max(times.size for times in several))
    parts = []
    for start in range(0, DRAWS, step):
        chosen = random.integers(rounds, size=(min(step, DRAWS - start), rounds))
        parts.append([np.median(times[chosen].reshape(len(chosen), -1), axis=1) for times in several])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _ends(drawn: NDArray[np.float64]) -> tuple[float, float]:
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
