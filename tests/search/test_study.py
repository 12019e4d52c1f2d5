"""What a trained grid says of the search: known answers on grids whose errors are written down."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bortlab.search import extraction, space
from bortlab.search.candidate_run import MEASURED_AT, Budget
from bortlab.search.costs import costs
from bortlab.search.grid import TrainedGrid, TrainingGrid, recorded
from bortlab.search.learning_curves import learning_curves
from bortlab.search.study import STRIDES, StudyError, bort_shapes, finding, resamplings, study, table_of, verdict
from bortlab.system import assets
from bortlab.views.search import length_sentence, study_sentences, verdict_sentence

NAMES = tuple(candidate.name for candidate, _ in extraction.order(space("minis"), seq=64))


def trained(errors: dict[str, list[float]], *, early: dict[str, float] | None = None) -> TrainedGrid:
    """A grid with these errors at the end, a seed each. early: the errors at a quarter and a half of it."""
    seeds = tuple(range(len(next(iter(errors.values())))))
    grid = TrainingGrid(
        space="minis",
        candidates=tuple(errors),
        teacher="bert-mini",
        budget=Budget(pieces=10_000),
        rates=(1e-3,),
        seeds=seeds,
    )
    trainings: list[dict[str, Any]] = []
    for name, values in errors.items():
        for seed, value in enumerate(values):
            before = value if early is None else early[name]
            curve = [{"pieces": share * 10_000, "error": value if share == 1 else before} for share in MEASURED_AT]
            trainings.append({"name": name, "seed": seed, "rate": 1e-3, "curve": curve, "cpu_seconds": 1.0})
    facts = {"unigram": {"error": 6.5, "loss": 6.5}, "teacher": {"error": 3.0, "loss": 3.2}, "hidden_pieces": 100}
    return TrainedGrid(grid, tuple(trainings), facts, {}, complete=True)


def by_formula(seeds: int = 3, noise: float = 0.0) -> TrainedGrid:
    """Errors that fall with width and depth, as known to be best by brute force."""
    rng = np.random.default_rng(0)
    values = {}
    for name in NAMES:
        depth, _, width, _ = map(int, name.split("-"))
        values[name] = (3 + 300 / (depth * width) + noise * rng.standard_normal(seeds)).tolist()
    return trained(values)


def test_looking_at_all_misses_nothing() -> None:
    result = study(by_formula())
    whole = result.comparisons[0]
    assert (whole.stride, whole.trained) == (1, 24)
    for entry in (whole.chosen, whole.random, whole.smallest):
        assert (entry.regret, entry.precision, entry.recall, entry.hypervolume) == (0, 1, 1, 1)
    assert [entry.stride for entry in result.comparisons] == list(STRIDES)
    assert [entry.trained for entry in result.comparisons] == [24, 12, 8, 6, 4]


def test_the_winner_and_the_front_are_those_of_brute_force() -> None:
    grid = by_formula()
    result = study(grid)
    where = space("minis")
    large = costs(where.named("6-4-224-896").config, "encoder", 64)
    points, ws = {}, {}
    for name in NAMES:
        own, error = costs(where.named(name).config, "encoder", 64), grid.errors_of(name)[0]
        points[name] = (own.parameters, own.operations, error)
        ws[name] = (1 - own.parameters / large.parameters) * (1 - own.operations / large.operations) / (error + 1e-7)
    assert result.winner == max(ws, key=ws.__getitem__)
    beaten = {
        name
        for name in NAMES
        for other in NAMES
        if points[name] != points[other] and all(np.array(points[other]) <= np.array(points[name]))
    }
    assert set(result.front) == set(NAMES) - beaten
    assert result.best[result.winner] == 1 and all(result.stability[name] == 1 for name in result.front)


def test_regret_is_the_share_of_the_best_w_that_is_missed() -> None:
    grid = by_formula()
    table, _ = table_of(grid, space("minis"), seq=64, size="parameters", maximum="bert-mini")
    errors = table.errors.mean(1)
    ws = table.ws(errors)
    best, second = np.argsort(-ws)[:2]
    found = finding(table, errors, np.array([second]))
    assert found.regret == pytest.approx(1 - ws[second] / ws[best])
    assert (found.precision, found.recall) == (1.0, pytest.approx(1 / len(study(grid).front)))
    assert 0 < found.hypervolume < 1


def test_noise_makes_the_front_unstable() -> None:
    result = study(by_formula(noise=0.5))
    assert any(0 < share < 1 for share in result.stability.values())
    assert sum(result.best.values()) == pytest.approx(1)


def test_all_draws_of_three_seeds_are_gone_through() -> None:
    drawn = list(resamplings(np.arange(6.0).reshape(2, 3)))
    assert len(drawn) == 27 and np.allclose(np.mean(drawn, axis=0), [1, 4])
    assert len(list(resamplings(np.zeros((2, 6))))) == 1_000


def test_uninformative_candidates_are_told_apart_and_left_out() -> None:
    errors = {name: [4.0 + number / 10] * 3 for number, name in enumerate(NAMES[:5])} | {NAMES[5]: [6.4] * 3}
    result = study(trained(errors))
    assert result.uninformative == (NAMES[5],) and NAMES[5] not in result.names
    assert "**1** are uninformative" in study_sentences(trained(errors), result)[0]
    with pytest.raises(StudyError, match="Only 0 of the 4 trained candidates are informative"):
        study(trained({name: [6.4, 6.5, 6.3] for name in NAMES[:4]}))


def test_what_is_said_of_the_spread_of_errors_and_of_narrow_feed_forward_parts() -> None:
    """Errors that width and depth alone decide: a wider feed-forward part only costs."""
    sentences = " ".join(study_sentences(by_formula(), study(by_formula())))
    assert "from 3.22 to 5.68 nats, where the maximum point's own is 3.00: the training is brief" in sentences
    assert "differ by at most 76" in sentences and "down to 0.00: it decides W more than they do" in sentences
    narrow = sum(name.endswith("-168") for name in study(by_formula()).front)
    assert (
        f"with the narrowest feed-forward part (168), {narrow} are on it; of the 8 with the widest (896), 0"
        in sentences
    )
    best = trained({name: [2.9, 2.9] for name in NAMES[:4]})
    assert "the best do as well as the maximum point" in study_sentences(best, study(best))[1]


def test_the_command_of_a_grid_names_its_candidates_where_they_are_not_the_whole_space() -> None:
    (grid,) = recorded().values()
    assert grid.grid.command.endswith("--seeds 3 --rates 0.004 0.01")
    few = trained({name: [4.0] for name in NAMES[:3]}).grid
    assert few.command.endswith(f"--rates 0.001 --candidates {' '.join(NAMES[:3])}")


def test_a_ranking_that_turned_over_has_not_settled() -> None:
    errors = {name: [4 + number / 10] * 3 for number, name in enumerate(NAMES[:6])}
    turned = trained(errors, early={name: 6 - number / 10 for number, name in enumerate(NAMES[:6])})
    result = study(turned)
    assert result.settled == {"0.25": pytest.approx(-1), "0.5": pytest.approx(-1)}
    assert "had **not** settled" in length_sentence(learning_curves(turned, result.names))
    assert study(trained(errors)).settled["0.25"] == pytest.approx(1)


def test_the_recorded_study_is_that_of_the_recorded_trainings() -> None:
    """What the file says of its grid follows from its trainings, and the shapes with Bort's proportions are in it."""
    (grid,) = recorded().values()
    (path,) = assets.EXPERIMENTS.glob("search-grid*.json")
    written = json.loads(path.read_text(encoding="utf-8"))["study"]
    result = study(grid)
    assert grid.complete and len(grid.grid.seeds) >= 3
    assert (result.winner, list(result.front)) == (max(written["ws"], key=written["ws"].get), written["front"])
    assert result.stability == pytest.approx(written["stability"])
    for own, other in zip(result.comparisons, written["comparisons"], strict=True):
        assert (own.stride, own.trained) == (other["stride"], other["trained"])
        assert own.chosen.regret == pytest.approx(other["chosen"]["regret"])
    shapes = bort_shapes(space("minis"))
    assert set(shapes) == {"2-4-224-168", "1-4-224-168"} <= set(result.names)
    assert all(verdict(grid, result, name).on_front for name in shapes)


def test_the_verdict_on_a_shape() -> None:
    """With equal errors everywhere the smallest beats all others."""
    grid = trained({name: [4.0, 4.0, 4.0] for name in NAMES[:4]})
    result = study(grid)
    assert verdict(grid, result, NAMES[0]).on_front
    beaten = verdict(grid, result, NAMES[1])
    assert (beaten.on_front, beaten.share, beaten.dominated_by) == (False, 0.0, (NAMES[0],))
    assert "**is not on the front**" in verdict_sentence(beaten, "a third of the layers")
    with pytest.raises(StudyError, match="is not among the informative candidates"):
        verdict(grid, result, NAMES[20])
