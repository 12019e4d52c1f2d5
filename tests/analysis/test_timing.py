"""The statistics of times, on samples whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bortlab.analysis.intervals import Interval
from bortlab.analysis.latency import timing

Sample = np.ndarray


def sample(seed: int, ms: float, *, rounds: int = 20, calls: int = 5, noise: float = 0.05) -> Sample:
    """Times around a known median; noise: standard deviation of log times."""
    return ms * np.exp(np.random.default_rng(seed).normal(0, noise, (rounds, calls)))


def test_the_interval_of_a_median_holds_it_about_95_times_in_a_hundred() -> None:
    held = sum((found := timing.p50(sample(seed, 10.0), seed=seed)).low <= 10 <= found.high for seed in range(200))
    assert 0.90 <= held / 200 <= 0.99


def test_a_difference_that_is_none_is_rarely_called_real_and_a_true_one_mostly() -> None:
    same = [timing.ratio(sample(seed, 10.0), sample(seed + 1000, 10.0), seed=seed).significant for seed in range(200)]
    assert sum(same) / 200 <= 0.10
    found = [timing.ratio(sample(seed, 9.0), sample(seed + 1000, 10.0), seed=seed) for seed in range(100)]
    assert sum(ratio.verdict == "faster" for ratio in found) >= 95
    assert sum(ratio.low <= 0.9 <= ratio.high for ratio in found) >= 88


def test_noise_that_falls_on_a_whole_round_cancels_in_a_paired_ratio() -> None:
    busy = np.exp(np.random.default_rng(0).normal(0, 0.4, (30, 1)))  # rounds in which everything is slow
    one, other = sample(1, 9.0, rounds=30, noise=0.01) * busy, sample(2, 10.0, rounds=30, noise=0.01) * busy
    paired, apart = timing.ratio(one, other), timing.ratio(one, other, paired=False)
    assert paired.verdict == "faster" and paired.value == pytest.approx(0.9, rel=0.03)
    assert apart.verdict == "no significant difference"
    assert apart.high - apart.low > 5 * (paired.high - paired.low)


def test_rounds_are_what_is_drawn_not_calls() -> None:
    """Many calls in few rounds that differ say little: the interval must not shrink with their number."""
    rounds = np.array([[8.0], [9.0], [10.0], [11.0], [12.0]])
    few, many = timing.p50(rounds), timing.p50(np.repeat(rounds, 200, axis=1))
    assert (few.low, few.high) == (many.low, many.high)
    assert few.high - few.low >= 2


@pytest.mark.parametrize(
    ("calls", "share", "known"), [(9, 0.9, False), (10, 0.9, True), (99, 0.99, False), (100, 0.99, True)]
)
def test_a_percentile_needs_enough_calls(calls: int, share: float, known: bool) -> None:
    times = np.arange(1.0, calls + 1)[None]
    found = timing.percentile(times, share)
    assert (found is not None) is known
    if found is not None:
        assert found == np.percentile(times, 100 * share)


def test_verdicts_and_speedups() -> None:
    assert timing.Ratio(0.5, 0.4, 0.6).verdict == "faster"
    assert timing.Ratio(2.0, 1.5, 3.0).verdict == "slower"
    assert timing.Ratio(0.9, 0.7, 1.1).verdict == "no significant difference"
    assert timing.Ratio(0.5, 0.4, 0.8).speedup == Interval(2.0, 1.25, 2.5)


def test_variation_is_of_rounds() -> None:
    assert timing.variation(np.array([[10.0, 10.0], [10.0, 10.0]])) == 0
    assert timing.variation(np.array([[9.0], [11.0]])) == pytest.approx(np.sqrt(2) / 10)
    assert timing.variation(np.array([[9.0]])) == 0


def test_no_times_are_refused() -> None:
    with pytest.raises(ValueError, match="No times"):
        timing.p50(np.empty((0, 3)))


@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=st.floats(0.01, 1e5)))
def test_an_interval_lies_within_what_was_seen(times: Sample) -> None:
    found = timing.p50(times)
    assert times.min() <= found.low <= found.high <= times.max()
    assert times.min() <= found.value <= times.max()
    ratio = timing.ratio(times, 2 * times)
    assert ratio.value == pytest.approx(0.5) and ratio.low == pytest.approx(0.5) == ratio.high
