"""Does the number of heads matter? Known answers on errors that are written down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare

from bortlab.search.candidate_run import MEASURED_AT, Budget
from bortlab.search.grid import TrainedGrid, TrainingGrid, recorded
from bortlab.search.heads import HeadsStudy, detectable, friedman, heads_study
from bortlab.search.heads import recorded as recorded_heads
from bortlab.search.space import space
from bortlab.views.search import errors_by_heads, heads_sentences
from bortlab.views.theme import Look

NAMES = tuple(candidate.name for candidate in space("minis-heads").candidates)
LEVEL = {1: 5.0, 2: 4.8, 4: 4.7}
"""The error of a shape by its layers."""
SEEDS = (0.0, 0.02, -0.02)


def trained(gain: dict[int, float], *, names: tuple[str, ...] = NAMES, seeds: tuple[float, ...] = SEEDS) -> TrainedGrid:
    """A grid whose errors are those of the shape, plus a number of heads' and a seed's."""
    grid = TrainingGrid(
        space="minis-heads", candidates=NAMES, teacher="bert-mini", budget=Budget(pieces=10_000), rates=(1e-3,)
    )
    trainings = []
    for name in names:
        layers, heads, *_ = map(int, name.split("-"))
        for seed, noise in enumerate(seeds):
            error = LEVEL[layers] + gain[heads] + noise
            curve = [{"pieces": share * 10_000, "error": error} for share in MEASURED_AT]
            trainings.append({"name": name, "seed": seed, "rate": 1e-3, "curve": curve, "cpu_seconds": 1.0})
    facts = {"unigram": {"error": 6.5, "loss": 6.5}, "teacher": {"error": 3.0, "loss": 3.2}, "hidden_pieces": 100}
    return TrainedGrid(grid, tuple(trainings), facts, {}, complete=len(names) == len(NAMES))


def test_heads_that_are_better_in_every_block_matter() -> None:
    study = heads_study(trained({2: 0.2, 4: 0.0, 8: 0.1}))
    assert (study.letters, study.heads) == ("D-H-I", (2, 4, 8))
    assert [shape.name for shape in study.shapes] == ["1-224-168", "2-224-168", "4-224-168"]
    first = study.shapes[0]
    assert first.means == pytest.approx([5.2, 5.0, 5.1])
    assert (first.between_heads, first.between_seeds) == (pytest.approx(0.2), pytest.approx(0.04))
    assert study.blocks.shape == (9, 3) and study.mean_ranks.tolist() == [3, 1, 2]
    assert study.p == pytest.approx(np.exp(-9))  # all blocks alike: the statistic is 18, and chi2 has 2 degrees
    shape, *_, overall = heads_sentences(study)
    assert shape == (
        "**1-224-168**: 5.20 with 2, 5.00 with 4 and 5.10 with 8 heads. The means are 0.20 nats apart, more than seeds "
        "of the same number of heads are (0.04)."
    )
    assert "in 9 blocks (3 shapes × 3 seeds) gives p = 0.00012: the number of heads **matters**." in overall
    assert "are 3.0 with 2, 1.0 with 4 and 2.0 with 8 heads" in overall


def test_equal_errors_show_no_difference() -> None:
    study = heads_study(trained({2: 0.0, 4: 0.0, 8: 0.0}))
    assert study.p == 1 and all(shape.between_heads == 0 for shape in study.shapes)
    assert "no more than seeds" in heads_sentences(study)[0]
    assert "**no difference is shown**" in heads_sentences(study)[-1]


@pytest.mark.parametrize(
    ("names", "shapes", "words"),
    [
        (NAMES[:1], 0, ""),
        (NAMES[:2], 1, "there are 2 and 4, and 1 shape with all of them"),
        (NAMES[:5], 2, "(1 shape × 3 seeds)"),  # the second shape has only two of the three
        (NAMES[:6], 2, "(2 shapes × 3 seeds)"),
        (NAMES[1:3] + NAMES[3:5], 2, "there are 2, 4 and 8, and 0 shapes with all of them"),
    ],
)
def test_a_shape_counts_once_it_has_two_numbers_of_heads(names: tuple[str, ...], shapes: int, words: str) -> None:
    study = heads_study(trained({2: 0.1, 4: 0.0, 8: 0.0}, names=names))
    sentences = heads_sentences(study)
    assert len(study.shapes) == shapes and len(sentences) == (shapes + 1 if shapes else 0)
    if shapes:
        assert words in sentences[-1]
        assert len(errors_by_heads(study, Look("dark")).picture.data) == 2 * shapes


def test_seeds_that_are_missing_and_candidates_that_say_nothing_do_not_count() -> None:
    whole = trained({2: 0.1, 4: 0.0, 8: 0.0}, names=NAMES[:3])
    assert heads_study(whole).shapes[0].heads == (2, 4, 8)
    assert heads_study(replace(whole, trainings=whole.trainings[:-1])).shapes[0].heads == (2, 4)
    assert heads_study(trained({2: 1.5, 4: 0.0, 8: 0.0}, names=NAMES[:3])).shapes[0].heads == (4, 8)


def test_a_grid_with_one_number_of_heads_says_nothing_of_them() -> None:
    for grid in recorded().values():
        study = heads_study(grid)
        assert study.shapes == () and heads_sentences(study) == [] and study.p is None


@given(st.permutations(range(12)))
def test_the_statistic_is_that_of_scipy(order: list[int]) -> None:
    blocks = np.array(order, dtype=float).reshape(4, 3)
    assert friedman(blocks) == pytest.approx(friedmanchisquare(*blocks.T).statistic)


@settings(max_examples=5, deadline=None)
@given(st.floats(0.01, 1))
def test_what_is_detectable_grows_with_the_noise_and_falls_with_the_blocks(scale: float) -> None:
    noise = np.random.default_rng(1).normal(size=(9, 3))
    small, many = detectable(noise), detectable(np.tile(noise, (4, 1)))
    assert small is not None and many is not None and many < small
    assert detectable(scale * noise) == pytest.approx(scale * small)
    assert detectable(noise[:2]) is None  # the largest statistic of two blocks, 4, is not significant


def test_what_is_detectable_is_found_in_four_of_five_cases() -> None:
    blocks = np.random.default_rng(2).normal(size=(9, 3))
    gap = detectable(blocks)
    residuals = blocks - blocks.mean(1, keepdims=True) - blocks.mean(0) + blocks.mean()
    deviation = np.sqrt((residuals**2).sum() / 16)
    drawn = np.random.default_rng(3).normal(0, deviation, (2_000, 9, 3)) + np.array([-0.5, 0, 0.5]) * gap
    assert np.mean(friedman(drawn) > 5.9915) == pytest.approx(0.8, abs=0.04)


def test_two_blocks_could_have_shown_nothing() -> None:
    study = heads_study(trained({2: 0.2, 4: 0.0, 8: 0.1}))
    few = HeadsStudy(study.letters, (replace(study.shapes[0], errors=study.shapes[0].errors[:, :2]),))
    assert few.detectable is None and "could not have shown any" in heads_sentences(few)[-1]


def test_the_picture_has_a_dot_for_each_seed_and_the_table_a_row_for_each_number() -> None:
    view = errors_by_heads(heads_study(trained({2: 0.2, 4: 0.0, 8: 0.1})), Look("light"))
    dots = [trace for trace in view.picture.data if trace.mode == "markers"]
    assert [len(trace.x) for trace in dots] == [9, 9, 9] and [trace.name for trace in dots] == [
        "1-224-168",
        "2-224-168",
        "4-224-168",
    ]
    assert view.table["heads"].tolist() == [2, 4, 8] * 3 and view.table["mean error"][0] == pytest.approx(5.2)
    assert "1-224-168 5.20 with 2, 5.00 with 4 and 5.10 with 8 heads" in view.alt


def test_the_recorded_heads_are_told_by_their_trainings() -> None:
    grid = recorded_heads()["search-heads-minis"]
    study = heads_study(grid)
    assert study.heads == (2, 4, 8) and len(study.whole) >= 2 and len(study.blocks) == 3 * len(study.whole)
    assert study.p == pytest.approx(friedmanchisquare(*study.blocks.T).pvalue)
    for shape in study.shapes:
        layers, width, inner = shape.name.split("-")
        for number, errors in zip(shape.heads, shape.errors, strict=True):
            name = f"{layers}-{number}-{width}-{inner}"
            entries = [entry for entry in grid.trainings if entry["name"] == name]
            assert len(entries) == 4 and len({entry["seed"] for entry in entries}) == 3  # two rates by the first seed
            least = [min(e["curve"][-1]["error"] for e in entries if e["seed"] == seed) for seed in range(3)]
            assert errors == pytest.approx(least)
    assert ("**matters**" in heads_sentences(study)[-1]) == (study.p is not None and study.p < 0.05)
