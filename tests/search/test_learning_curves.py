"""Is n long enough? Known answers on curves that are written down, and what the recorded grid's say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from bortlab.search.grid import recorded
from bortlab.search.learning_curves import SETTLED, LearningCurves, learning_curves
from bortlab.search.study import study
from bortlab.views.search import agreements_frame, learning, length_sentence
from bortlab.views.theme import Look

ORDER = np.arange(8.0)


def curves(*grades: np.ndarray, pieces: tuple[int, ...], seeds: int = 3) -> LearningCurves:
    """Curves of so many candidates, the same by every seed."""
    errors = np.stack([np.repeat(grade[:, None], seeds, 1) for grade in grades], axis=-1)
    return LearningCurves(tuple(map(str, range(len(errors)))), pieces, errors, pieces[-1])


@pytest.mark.parametrize(
    ("grades", "pieces", "enough"),
    [
        ((ORDER + 1, ORDER + 0.5, ORDER), (250, 500, 1000), 250),
        ((-ORDER, ORDER, ORDER), (250, 500, 1000), None),  # only twice as many pieces are known to agree
        ((-ORDER, ORDER, ORDER, ORDER), (100, 250, 500, 1000), 250),
        ((ORDER, ORDER, ORDER), (500, 750, 1000), None),  # four times as many were not tried
        ((ORDER, -ORDER, ORDER), (252, 500, 1003), 252),  # a grade is taken at the first step after its share
    ],
)
def test_n_is_the_fewest_pieces_whose_order_four_times_as_many_keep(
    grades: tuple[np.ndarray, ...], pieces: tuple[int, ...], enough: int | None
) -> None:
    assert curves(*grades, pieces=pieces).enough == enough


@pytest.mark.parametrize(
    ("grades", "pieces", "words"),
    [
        (
            (ORDER, ORDER, ORDER),
            (250, 500, 1000),
            "n = 250 ranks them as 4 times as many do, and n is long",
        ),
        ((-ORDER, ORDER, ORDER), (250, 500, 1000), "so the order had **not** settled, and"),
        ((-ORDER, ORDER, ORDER, ORDER), (100, 250, 500, 1000), "From 250 pieces to 1.0 k"),
        ((ORDER, ORDER, ORDER), (500, 750, 1000), "but 4 times as many pieces were not tried"),
    ],
)
def test_what_is_said_of_the_length(grades: tuple[np.ndarray, ...], pieces: tuple[int, ...], words: str) -> None:
    assert words in length_sentence(curves(*grades, pieces=pieces))


@pytest.mark.parametrize(
    ("swaps", "words"),
    [
        ((0, 0, 2), "0.7 or more, so n = 250 ranks them as 4 times as many do, but not surely"),
        ((0, 2, 2), "had **not** settled, though with other seeds it might have"),
    ],
)
def test_where_the_interval_reaches_across_the_limit_that_is_said(swaps: tuple[int, ...], words: str) -> None:
    """Each seed ends with so many pairs of candidates, of four, turned over."""
    errors = np.stack([np.stack([ORDER, turned(2 * number)], axis=-1) for number in swaps], axis=1)
    its = LearningCurves(tuple("abcdefgh"), (250, 1000), errors, 1000)
    tau = its.agreements[0].tau
    assert tau.low < SETTLED <= tau.high and not its.agreements[0].is_sure
    assert words in length_sentence(its)


def turned(places: int) -> np.ndarray:
    """The order with its first places turned over."""
    return np.concatenate([ORDER[:places][::-1], ORDER[places:]])


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_the_agreement_is_kendalls_tau_of_the_means(first: list[int], last: list[int]) -> None:
    before, after = np.array(first, dtype=float), np.array(last, dtype=float)
    entry = curves(before, after, pieces=(1, 4)).agreement(0, 1)
    assert entry.tau.value == pytest.approx(kendalltau(first, last).statistic)
    assert entry.tau.low == entry.tau.high == pytest.approx(entry.tau.value)  # equal seeds
    assert entry.settled == (entry.tau.value >= SETTLED)


def test_seeds_that_differ_widen_the_interval_and_agree_less() -> None:
    noise = np.random.default_rng(0).normal(0, 2, (8, 3, 2))
    its = LearningCurves(tuple("abcdefgh"), (1, 4), ORDER[:, None, None] + noise, 4)
    tau = its.agreement(0, 1).tau
    assert tau.low < tau.value < tau.high
    assert its.between_seeds is not None and its.between_seeds < 1
    assert curves(ORDER, ORDER, pieces=(1, 4)).between_seeds == pytest.approx(1)
    assert curves(ORDER, ORDER, pieces=(1, 4), seeds=1).between_seeds is None


def test_the_recorded_curves_are_those_of_the_trainings() -> None:
    for grid in recorded().values():
        result = study(grid)
        its = learning_curves(grid, result.names)
        assert its.errors.shape == (len(result.names), len(grid.grid.seeds), len(its.pieces))
        assert its.means[:, -1] == pytest.approx([np.mean(result.errors[name]) for name in result.names])
        assert its.agreements[0].tau.value == pytest.approx(result.settled["0.25"])
        assert (its.enough is not None) == (result.settled["0.25"] >= SETTLED)
        assert f"{its.agreements[0].tau.value:.2f}" in length_sentence(its)
        view = learning(its, result.front, "#123456", Look("light"))
        assert len(view.picture.data) == len(result.names) and len(view.table) == len(result.names) * len(its.pieces)
        assert len(agreements_frame(its)) == 3
