"""Milliseconds in the place of operations: known answers on times that are written down, and the recorded times."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from bortlab.analysis.latency import Measured, Run
from bortlab.search import extraction, search
from bortlab.search.extraction import Row
from bortlab.search.latency import Timed, latency_plan, recorded, timed
from bortlab.search.space import SpaceError, space
from bortlab.system import assets
from bortlab.views.search import operations_and_milliseconds, timed_sentences
from bortlab.views.theme import Look

SPACE = search("minis", seq=64, error="power")
NAMES = [row.name for row in SPACE.rows]


def measurement(ms: Callable[[Row], float], *, of: extraction.Extraction = SPACE, rounds: int = 4) -> Timed:
    """Every representative takes so many milliseconds, in each round the same."""
    plan = latency_plan(of)
    by_model = {of.space.model_of(row.candidate.config): row for row in of.representatives}
    measured = tuple(Measured(case, ((ms(by_model[case.model]),),) * rounds) for case in plan.cases)
    return timed(of, Run(plan, measured, {"processor": "made up"}, complete=True))


def by_operations(row: Row) -> float:
    return row.costs.operations / 1e8


def test_times_in_proportion_to_operations_change_nothing() -> None:
    its = measurement(by_operations)
    assert [entry.name for entry in its.candidates] == NAMES
    assert [its.spearman.value, its.spearman.low, its.spearman.high] == pytest.approx([1, 1, 1])
    assert its.winners == its.winners_by_operations
    assert all(entry.rate == pytest.approx(1e11) for entry in its.candidates)
    rank, winner, _ = timed_sentences(its)
    assert "**1.00** (1.00 to 1.00" in rank and "nearly as the clock does" in rank and "stays that of" in winner


def test_the_winner_by_milliseconds_is_that_of_brute_force() -> None:
    """Times fall with operations, so that the largest is the fastest."""
    its = measurement(lambda row: 1e9 / row.costs.operations)
    assert its.spearman.value == pytest.approx(-1)
    most = max(1e9 / row.costs.operations for row in SPACE.rows)
    assert all(row.error is not None for row in SPACE.rows)
    ws = {
        row.name: (1 - row.costs.parameters / SPACE.maximum.parameters)
        * (1 - 1e9 / row.costs.operations / most)
        / ((row.error or 0) + 1e-7)
        for row in SPACE.rows
    }
    assert its.winners == (max(ws, key=ws.__getitem__),) != its.winners_by_operations
    sentences = " ".join(timed_sentences(its))
    assert f"by milliseconds that of **{its.winners[0]}**" in sentences and "no safe guide" in sentences


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.1, 100), min_size=24, max_size=24, unique=True))
def test_spearmans_correlation_is_that_of_scipy_and_inside_its_interval(ms: list[float]) -> None:
    values = dict(zip(NAMES, ms, strict=True))
    rho = measurement(lambda row: values[row.name], rounds=1).spearman
    assert rho.value == pytest.approx(spearmanr([row.costs.operations for row in SPACE.rows], ms).statistic)
    assert -1 <= rho.low <= rho.value <= rho.high <= 1 or abs(rho.value) < 0.6  # percentiles may miss it near 0


@pytest.mark.filterwarnings("error")
def test_draws_of_one_of_three_candidates_rank_nothing_and_are_left_out() -> None:
    rho = measurement(by_operations, of=search("minis", seq=64, stride=8)).spearman
    assert [rho.value, rho.low, rho.high] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    ("wide", "words"),
    [
        (0.5, ("does 2.00 to 2.00 times as many", "is less than its operations say")),
        (2.0, ("does only 0.50 to 0.50 times as many", "saves more than its operations say")),
    ],
)
def test_the_narrow_feed_forward_part_beside_the_wide(wide: float, words: tuple[str, ...]) -> None:
    its = measurement(lambda row: by_operations(row) * (wide if row.candidate.config.intermediate_size == 896 else 1))
    pairs = {(pair.narrow.name, pair.wide.name): pair for pair in its.feed_forward_pairs}
    assert len(pairs) == 8
    pair = pairs["2-4-224-168", "2-4-224-896"]
    assert pair.ms == pytest.approx(wide * pair.operations)
    sentence = timed_sentences(its)[2]
    assert all(part in sentence for part in words) and "**2-4-224-168**, which has Bort's proportions," in sentence


def test_where_widths_do_not_decide_that_is_said() -> None:
    slow = {"1-4-112-168": 3, **dict.fromkeys((name for name in NAMES if name.endswith("-896")), 2)}
    its = measurement(lambda row: by_operations(row) * slow.get(row.name, 1))
    assert "more operations a second than the narrowest in 1 of 8 pairs" in timed_sentences(its)[2]


def test_a_space_with_one_feed_forward_width_or_none_has_no_pairs() -> None:
    convbert = search("convbert", seq=16, stride=3)
    its = measurement(by_operations, of=convbert)
    assert its.feed_forward_pairs == () and len(timed_sentences(its)) == 2
    view = operations_and_milliseconds(its, Look("dark"))
    assert len(view.picture.data) == 2 and len(view.table) == len(its.candidates)


def test_a_measurement_is_read_as_it_was_written() -> None:
    its = measurement(lambda row: by_operations(row) ** 0.5)
    again = Timed.from_dict(json.loads(json.dumps(its.to_dict())))
    assert again == its and again.spearman == its.spearman
    with pytest.raises(SpaceError, match="No candidate"):
        Timed.from_dict(its.to_dict() | {"space": "bort"})


def test_too_few_and_too_many_are_told_before_any_is_timed() -> None:
    for stride, words in ((12, "a smaller stride"), (1, "a larger stride")):
        with pytest.raises(SpaceError, match=words):
            latency_plan(search("minis" if stride == 12 else "bort", stride=stride))
    plan = latency_plan(SPACE)
    with pytest.raises(SpaceError, match="Only 0 representatives were timed"):
        timed(SPACE, Run(plan, tuple(Measured(case, error="No.") for case in plan.cases), {}))


def test_the_recorded_times_are_of_all_minis_and_their_costs_are_the_formulas() -> None:
    its = recorded()["search-latency-minis"]
    assert {entry.name for entry in its.candidates} == {entry.name for entry in space("minis").candidates}
    for entry in its.candidates:
        row = SPACE.row(entry.name)
        assert (entry.parameters, entry.operations) == (row.costs.parameters, row.costs.operations)
        assert entry.ms.low <= entry.ms.value <= entry.ms.high
    written = json.loads((assets.EXPERIMENTS / "search-latency-minis.json").read_text(encoding="utf-8"))
    assert its.spearman.value == pytest.approx(written["spearman"]) and not its.disturbed
    view = operations_and_milliseconds(its, Look("light"))
    assert sum(len(trace.x) for trace in view.picture.data if trace.mode == "markers") == 24
    named = {annotation.text for annotation in view.picture.layout.annotations}
    assert {"2-4-224-168", "2-4-224-896", *its.winners} <= named
