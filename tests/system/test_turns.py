"""Taking turns on a machine that other programs use: known answers from a clock that says what the ways say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bortlab.system import turns
from bortlab.system.turns import LEAST_ROUNDS, MOST_ROUNDS, ShortestTimes, shortest_times


@pytest.fixture(autouse=True)
def scripted_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_seconds", lambda way: way())


def scripted(*times: float) -> Callable[[], object]:
    """A way that takes these times, one after another, the first of them to warm up."""
    left = iter(times)
    return lambda: next(left)


def test_on_a_busy_machine_turns_go_on_until_each_way_reached_its_shortest_time_twice() -> None:
    quiet = scripted(9.0, *[2.0] * 50)
    disturbed = scripted(9.0, 4.0, 3.5, 5.0, 6.0, 8.0, 7.0, 1.0, 6.0, 1.02, *[0.1] * 50)
    times = shortest_times({"quiet": quiet, "disturbed": disturbed})
    assert times == ShortestTimes({"quiet": 2.0, "disturbed": 1.0}, steady=True)  # five turns alone would say 3.5


def test_no_more_rounds_than_needed() -> None:
    assert shortest_times({"few": scripted(9.0, *[2.0] * LEAST_ROUNDS)}).seconds == {"few": 2.0}
    more = scripted(9.0, *[2.0] * 8)
    assert shortest_times({"more": more}, least_rounds=8).steady
    with pytest.raises(StopIteration):
        more()


def test_it_ends_though_nothing_is_steady() -> None:
    never = {"never": scripted(9.0, *[2.0**-n for n in range(MOST_ROUNDS)])}
    assert shortest_times(never, limit_s=1000.0) == ShortestTimes({"never": 2.0 ** (1 - MOST_ROUNDS)}, steady=False)
    late = {"late": scripted(9.0, *[2.0**-n for n in range(LEAST_ROUNDS)])}
    assert shortest_times(late, least_rounds=40, limit_s=0.0) == ShortestTimes(
        {"late": 2.0 ** (1 - LEAST_ROUNDS)}, False
    )


def test_everyone_takes_turns_and_nobody_is_always_first() -> None:
    order: list[str] = []

    def way(name: str) -> Callable[[], object]:
        return lambda: order.append(name) or 1.0

    shortest_times({name: way(name) for name in "abc"})
    rounds = ["".join(order[start : start + 3]) for start in range(3, len(order), 3)]
    assert all(sorted(turn) == ["a", "b", "c"] for turn in rounds)
    assert {turn[0] for turn in rounds} == {"a", "b", "c"}
