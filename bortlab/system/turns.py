"""Which of several ways takes the least time here, while other programs use the machine too: they take turns.

Whatever else the machine does lengthens some turns, and seldom all of a way's, so the shortest time of each counts. It
counts only once a way has come close to it twice, in a moment that others left free and not by accident.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

LEAST_ROUNDS, MOST_ROUNDS = 5, 60
SECONDS = 2.0
"""After which the rounds end, steady or not, once there are LEAST_ROUNDS."""
STEADY = 1.05
"""The second shortest time by the shortest, up to which the shortest was no accident."""


@dataclass(frozen=True, slots=True)
class ShortestTimes:
    """Seconds that each way took at best, by name. steady: each of them has come close to that twice."""

    seconds: Mapping[str, float]
    steady: bool


def shortest_times(
    ways: Mapping[str, Callable[[], object]], *, least_rounds: int = LEAST_ROUNDS, limit_s: float = SECONDS
) -> ShortestTimes:
    """Each way's shortest time: they take turns until all are steady, for about limit_s seconds at most.

    Each runs once unmeasured, and every round starts with another one, so that nobody always follows the same.
    """
    names = list(ways)
    times: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        _seconds(ways[name])
    start = time.monotonic()
    for rounds in range(1, MOST_ROUNDS + 1):
        first = rounds % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(_seconds(ways[name]))
        late = rounds >= LEAST_ROUNDS and time.monotonic() - start > limit_s
        if late or (rounds >= least_rounds and all(map(_steady, times.values()))):
            break
    return ShortestTimes({name: min(taken) for name, taken in times.items()}, all(map(_steady, times.values())))


def _steady(taken: Sequence[float]) -> bool:
    shortest, second, *_ = sorted(taken)
    return second <= STEADY * shortest


def _seconds(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start
