"""The search against brute force, W, the maximum point, strides, ties, and what cannot be compared."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bortlab
from bortlab import search
from bortlab.models import Config
from bortlab.search import LARGEST, MaximumPoint, MaximumPointError, Space, SpaceError, UninformativeError
from bortlab.search.costs import Costs, costs
from bortlab.search.extraction import order
from bortlab.search.objective import TINY, in_space

LARGE = "bert-large-uncased"


def analytic(config: Config, entry: Costs) -> float:
    return 0.5 + 900 / (config.depth * config.hidden_size)


def test_the_public_name_is_the_search_and_the_room() -> None:
    assert bortlab.search("minis").space.name == "minis"
    assert bortlab.search.space("minis").candidates


@pytest.mark.parametrize(
    ("maximum", "factors", "needed"),
    [(LARGE, (0.909, 0.722, 0.797), (0.795, 0.877)), (LARGEST, (0.817, 0.464, 0.598), (0.568, 0.732))],
)
def test_where_bort_stands_depends_on_the_maximum_point(
    maximum: str, factors: tuple[float, ...], needed: tuple[float, ...]
) -> None:
    """The numbers of the specification, at 512 pieces: the smallest candidate, Bort as released, Bort 768 wide."""
    result = search.search("bort", maximum=maximum)
    standing = {entry.landmark.title: entry for entry in search.standings(result)}
    released, narrow = standing["Bort, as released"], standing["Bort, 768 wide"]
    smallest = result.rows[0]
    assert released.factor is not None and narrow.factor is not None
    assert tuple(round(value, 3) for value in (smallest.factor, released.factor, narrow.factor)) == factors
    assert (round(released.needed or 0, 3), round(narrow.needed or 0, 3)) == needed
    assert result.best == (smallest, *result.rows[1:3])  # the same for all errors: the smallest, with 4, 8 or 16 heads


def test_looking_at_all_equals_brute_force() -> None:
    where = search.space("bort")
    result = search.search(where, maximum=LARGE, error=analytic, seq=128)
    large = costs(in_space(where, LARGE), "encoder", 128)
    best, names = -1.0, set()
    for candidate in where.candidates:
        own = costs(candidate.config, "encoder", 128)
        e = 0.5 + 900 / (candidate.sizes[0] * candidate.sizes[2])
        w = (1 - own.parameters / large.parameters) * (1 - own.operations / large.operations) / (e + TINY)
        assert math.isclose(w, result.row(candidate.name).w or 0.0, rel_tol=1e-12)
        if w > best * (1 + 1e-12):
            best, names = w, set()
        if w >= best * (1 - 1e-12):
            names.add(candidate.name)
    assert {row.name for row in result.best} == names == {row.name for row in result.best_of_all}


def test_w_is_zero_at_the_maximum_point() -> None:
    result = search.search("minis", seq=64)
    largest = result.row("6-4-224-896")
    assert largest.factor == 0 and largest.w == 0


@given(
    p=st.floats(0.01, 0.99),
    i=st.floats(0.01, 0.99),
    e=st.floats(0.01, 10),
    unit=st.floats(1e-3, 1e3),
    other=st.floats(1e-3, 1e3),
)
def test_units_do_not_change_w(p: float, i: float, e: float, unit: float, other: float) -> None:
    first = MaximumPoint("T", 1.0, 1.0).w(p, i, e)
    assert math.isclose(first, MaximumPoint("T", unit, other).w(p * unit, i * other, e), rel_tol=1e-6)


def test_milliseconds_or_operations_the_order_is_total_and_by_size() -> None:
    ordered = order(search.space("bort"), seq=512)
    keys = [(entry.parameters, entry.operations, candidate.sizes) for candidate, entry in ordered]
    assert keys == sorted(keys) and len(set(keys)) == 300


@given(n=st.integers(1, 60), data=st.data())
def test_one_of_each_block_is_looked_at(n: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, n))
    first = search.representatives(n, stride)
    last = search.representatives(n, stride, keep="last")
    assert len(first) == len(last) == math.ceil(n / stride)
    assert {place // stride for place in first} == {place // stride for place in last}
    assert search.representatives(n, stride, ends=True) == first | {0, n - 1}
    assert (stride > 1) or first == last == set(range(n))


@pytest.mark.parametrize("stride", [0, -1, 25, True, 1.5])
def test_a_stride_beyond_the_space_is_refused(stride: int) -> None:
    with pytest.raises(SpaceError, match="stride: expected a whole number from 1 to the 24 candidates"):
        search.search("minis", stride=stride, seq=64)


def test_a_stride_may_miss_the_best_and_the_result_says_so() -> None:
    result = search.search(
        "minis", stride=24, error={"6-4-224-896": 1.0, "4-4-224-896": 1.0, "1-4-112-168": 99.0}, seq=64
    )
    assert [row.name for row in result.best] == ["1-4-112-168"]
    assert [row.name for row in result.best_of_all] == ["4-4-224-896"]


def test_equal_w_is_shared() -> None:
    where = Space(
        name="x", title="x", key="bort", sizes={"num_attention_heads": (4, 8, 16), "num_hidden_layers": (2, 4)}
    )
    result = search.search(where, error="power")
    assert [row.candidate.sizes[0] for row in result.best] == [4, 8, 16]


@pytest.mark.parametrize("error", [float("nan"), float("inf"), -0.1])
def test_an_error_that_is_no_number_is_refused_by_name(error: float) -> None:
    with pytest.raises(ValueError, match="2-4-112-168: An error must be a number from 0"):
        search.search("minis", error={"1-4-112-168": 1.0, "2-4-112-168": error}, seq=64)
    with pytest.raises(ValueError, match="An error must be a number from 0"):
        search.search("minis", error=lambda config, entry: error, seq=64)


def test_uninformative_candidates_have_no_w_and_a_search_of_nothing_else_is_refused() -> None:
    errors = {"1-4-112-168": 1.0, "2-4-112-168": 1.1}
    result = search.search("minis", error=errors, uninformative=["1-4-112-168"], seq=64)
    assert [row.name for row in result.rows if row.w is not None] == ["2-4-112-168"]
    assert not result.row("1-4-112-168").on_front
    with pytest.raises(UninformativeError, match="No candidate is informative"):
        search.search("minis", error=errors, uninformative=list(errors), seq=64)
    with pytest.raises(UninformativeError):
        search.search("minis", error={}, seq=64)


def test_a_maximum_point_smaller_than_a_candidate_is_refused() -> None:
    with pytest.raises(MaximumPointError, match=r"BERT base is no maximum point of this space.*Choose a larger"):
        search.search("bort", maximum="bert-base-uncased")
    with pytest.raises(MaximumPointError, match="for only one of the two has embedding_size"):
        search.search("albert", maximum=LARGE)
    with pytest.raises(MaximumPointError, match="The maximum point T is smaller than a candidate"):
        MaximumPoint("T", 1.0, 1.0).w(2.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"error": "brot"}, "Unknown error 'brot'"),
        ({"error": {"9-9-9-9": 1.0}}, "No candidate '9-9-9-9'"),
        ({"size": "brot"}, "size: expected"),
        ({"keep": "middle"}, "keep: expected"),
        ({"seq": 4096}, "does not fit"),
        ({"maximum": "brot"}, "brot"),
    ],
)
def test_other_wrong_options_are_sentences(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        search.search("minis", **({"seq": 64} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", search.SPACES)
@pytest.mark.parametrize("error", search.ERRORS)
def test_every_space_and_error_gives_a_winner_that_the_table_shows(name: str, error: str) -> None:
    result = search.search(name, error=error, seq=64)
    table = result.frame()
    assert list(table["candidate"]) == [row.name for row in result.rows]
    assert table.loc[table["W"].idxmax(), "candidate"] in {row.name for row in result.best}
    assert set(result.to_dict()["best"]) == {row.name for row in result.best}
    assert all(row.on_front for row in result.best)  # nothing that is beaten in all three can have the largest W


def test_the_winner_moves_with_what_is_asked() -> None:
    given = search.answers(search.space("bort"), error="power")
    assert len(given) == 2 * 2 * 5
    assert len({answer.winners for answer in given if answer.stride == 1}) > 1
    frame = search.answers_frame(given)
    assert list(frame["pieces"]) == [128, 512, 128, 512]


# -- fronts ------------------------------------------------------------------------------------------------------------


def slow_front(points: np.ndarray) -> list[bool]:
    return [not any((q <= p).all() and (q < p).any() for q in points) for p in points]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=30))
def test_the_front_is_that_of_comparing_all_pairs_ties_included(points: list[list[int]]) -> None:
    assert search.pareto_front(points).tolist() == slow_front(np.array(points))


def test_the_volume_of_boxes() -> None:
    assert search.hypervolume([[0, 0, 0]], [1, 2, 3]) == 6
    assert search.hypervolume([[0, 0.5, 0], [0.5, 0, 0]], [1, 1, 1]) == 0.75
    assert search.hypervolume([[0, 0.5], [0.5, 0], [0.9, 0.9]], [1, 1]) == 0.75
    assert search.hypervolume([[2, 2, 2]], [1, 1, 1]) == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=8))
def test_the_volume_is_the_share_of_cells_that_are_beaten(points: list[list[int]]) -> None:
    cells = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), -1).reshape(-1, 3)
    covered = (np.array(points)[None] <= cells[:, None]).all(-1).any(1).sum()
    assert search.hypervolume(points, [5, 5, 5]) == covered


@pytest.mark.parametrize("points", [[1, 2], [[1, math.nan]], [[[1]]]])
def test_what_is_no_table_of_points_is_refused(points: list[object]) -> None:
    with pytest.raises(ValueError, match=r"Expected a table|NaN"):
        search.pareto_front(points)
