"""What measured times say, and how sure that is. Pure: arrays in, numbers out.

Times come as an array (rounds, calls), in milliseconds: in every round each contestant has one turn of equally many
calls. Whatever else the machine does affects all contestants of a round, so rounds, not single calls, are resampled
with replacement for a confidence interval (a block bootstrap), and for a ratio the same rounds are drawn for both
sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bortlab.analysis.intervals import Interval

Times = NDArray[np.float64]
"""Milliseconds, (rounds, calls)."""

RESAMPLES = 2_000
"""Of a bootstrap; the ends of an interval then vary by about a hundredth of its width."""
CONFIDENCE = 0.95
NOISY = 0.10
"""The coefficient of variation above which the machine counts as busy."""
_BATCH = 2_000_000
"""Numbers that are drawn at once, to bound memory."""

Verdict = Literal["faster", "slower", "no significant difference"]


@dataclass(frozen=True, slots=True)
class Ratio(Interval):
    """The time of one by the time of another; below 1: the first is faster."""

    @property
    def verdict(self) -> Verdict:
        """Is the difference significant? It is not while the interval contains 1."""
        if self.high < 1:
            return "faster"
        return "slower" if self.low > 1 else "no significant difference"

    @property
    def significant(self) -> bool:
        """Does the interval exclude 1?"""
        return self.high < 1 or self.low > 1

    @property
    def speedup(self) -> Interval:
        """The inverse: how many times as fast."""
        return Interval(1 / self.value, 1 / self.high, 1 / self.low)


def percentile(times: Times, share: float) -> float | None:
    """The time that this share of calls stays below; None where fewer than one call in (1 - share) would lie above.

    p99 of fifty calls would be the slowest of them, which is no percentile.
    """
    if times.size * (1 - share) < 1 - 1e-9:
        return None
    return float(np.percentile(times, 100 * share))


def p50(times: Times, *, seed: int = 0) -> Interval:
    """The median of all calls."""
    (medians,) = _resampled_medians((times,), seed)
    return Interval(float(np.median(times)), *_ends(medians))


def ratio(times: Times, baseline: Times, *, paired: bool = True, seed: int = 0) -> Ratio:
    """Median of `times` by median of `baseline`. paired: measured in the same rounds; the first common ones count."""
    if paired:
        rounds = min(len(times), len(baseline))
        times, baseline = times[:rounds], baseline[:rounds]
        medians, baseline_medians = _resampled_medians((times, baseline), seed)
    else:
        (medians,) = _resampled_medians((times,), seed)
        (baseline_medians,) = _resampled_medians((baseline,), seed + 1)
    return Ratio(float(np.median(times) / np.median(baseline)), *_ends(medians / baseline_medians))


def variation(times: Times) -> float:
    """Coefficient of variation of the rounds' medians: standard deviation by mean; 0 for a single round."""
    medians = np.median(times, axis=1)
    return float(medians.std(ddof=1) / medians.mean()) if len(medians) > 1 else 0.0


def _resampled_medians(samples: tuple[Times, ...], seed: int) -> tuple[NDArray[np.float64], ...]:
    """Medians of RESAMPLES resamples of rounds, the same rounds for all samples."""
    rounds = len(samples[0])
    if not rounds or any(times.size == 0 for times in samples):
        raise ValueError("No times: at least one round of one call is needed.")
    random = np.random.default_rng(seed)
    step = max(1, _BATCH // max(times.size for times in samples))
    parts = []
    for start in range(0, RESAMPLES, step):
        chosen = random.integers(rounds, size=(min(step, RESAMPLES - start), rounds))
        parts.append([np.median(times[chosen].reshape(len(chosen), -1), axis=1) for times in samples])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _ends(estimates: NDArray[np.float64]) -> tuple[float, float]:
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(estimates, [tail, 100 - tail])
    return float(low), float(high)
