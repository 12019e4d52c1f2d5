"""Agora's rivals on a learner whose scores are known, the splits, the verdict, and a real unit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

import bortlab
from bortlab.data.labelled import Example, LabelledData, store
from bortlab.training.agora import Candidate, Theta, job, labeller_accuracy, labeller_named
from bortlab.training.agora.rivals import ARMS, Contest, Trainings, verdict
from bortlab.training.agora.rivals.arms import _first_rung
from bortlab.training.agora.rivals.experiment import (
    PRIMARY,
    TASKS,
    ExperimentPlan,
    collected,
    run_experiment,
    settings_of,
    split_of,
    work,
)
from bortlab.training.agora.rivals.verdict import contrast
from bortlab.work.reference import ModelReference

AXES = {"rate": (0.5, 1.0, 2.0), "seed": (0, 1, 2, 3)}
GRID = tuple(product(*AXES.values()))


def sentences(n: int = 20) -> LabelledData:
    splits = [
        tuple(Example(f"the {split} of a large house number {i} was old and grey", str(i % 2)) for i in range(n))
        for split in ("train", "dev", "test")
    ]
    return LabelledData("halves", "sequence-classification", "single_label_classification", ("0", "1"), *splits)


class Known(Trainings):
    """Trainings whose figures are known: the place of a set in the grid decides, on H the other way round."""

    def __init__(self, data: LabelledData) -> None:
        super().__init__(bortlab.load("bert-mini"), data, tuple(AXES), Path("unused"), epochs=8)
        self.sizes: list[int] = []
        self.epochs: list[int] = []
        self.refitted: list[Theta] = []
        self.learned: list[tuple[Example, ...]] = []

    def train(self, theta: Theta, examples: Sequence[Example], name: str = "", **changes: int) -> Candidate:
        self.learned.append(tuple(examples))
        self.epochs.append(self.recipe(theta, **changes).epochs)
        return self._known(theta, f"{GRID.index(theta)}")

    def refit(self, theta: Theta) -> Candidate:
        self.refitted.append(theta)
        return self._known(theta, f"{GRID.index(theta)} again")

    def _known(self, theta: Theta, name: str) -> Candidate:
        right = GRID.index(theta) + 1
        answers = tuple(e.label if i < right else "wrong" for i, e in enumerate(self.data.dev))
        self.asked.append((theta, Candidate(name, right / len(self.data.dev), answers)))
        self.seconds += 2.0
        return self.asked[-1][1]

    def test_figure(self, name: str) -> float:
        place, _, again = name.partition(" ")
        return 1 - int(place) / 100 + (0.5 if again else 0)


def contest(**changes: object) -> Contest:
    own = {"trainings": Known(sentences()), "labeller": lambda examples: ["1"] * len(examples), "axes": AXES}
    return Contest(**{**own, "grid": GRID, "sets": 4, "budget": 10, "generator": "swap", "rule": "worst", **changes})


def arm(name: str, trainings: int = 9, **changes: object) -> tuple[dict, Known]:
    its = contest(**changes)
    its.trainings.begin()
    return ARMS[name](its, trainings), its.trainings


@pytest.mark.parametrize("name", ARMS)
def test_every_rival_keeps_to_its_trainings_and_tells_the_same(name: str) -> None:
    result, learner = arm(name, trainings=10)
    assert {"search", "test", "trainings", "seconds"} <= set(result)
    assert result["trainings"] == len(learner.asked) <= 10
    assert result["seconds"] == 2.0 * len(learner.asked)
    assert json.loads(json.dumps(result)) == result
    foreign = {example.content for split in (learner.data.dev, learner.data.test) for example in split}
    assert not foreign & {example.content for examples in learner.learned for example in examples}


def test_random_search_refits_the_best_of_all_but_one() -> None:
    result, learner = arm("random search", trainings=6)
    assert result == {"search": 0.25, "test": pytest.approx(0.96 + 0.5), "trainings": 6, "seconds": 12.0}
    assert learner.refitted == [GRID[4]]
    assert set(learner.learned) == {learner.data.train}


def test_random_search_begins_with_the_sets_of_agora() -> None:
    ours, theirs = contest(), contest()
    ARMS["agora"](ours, 0)
    ARMS["random search"](theirs, 9)
    assert [theta for theta, _ in theirs.trainings.asked[:4]] == [theta for theta, _ in ours.trainings.asked[:4]]


def test_default_and_one_pass() -> None:
    result, learner = arm("default")
    assert result["trainings"] == 1 and learner.asked[0][0] == (1.0, 0)
    assert arm("one pass")[0]["search"] == 0.2  # the fourth of the sets is the best of four


def test_agora_and_its_ablations_differ_in_what_they_leave_out() -> None:
    agora, learner = arm("agora")
    assert [row["sets"] for row in agora["rounds"]] == [4, 3, 2, 1]
    assert agora["trainings"] == 10 and agora["points"] == sum(row["kept"] for row in agora["rounds"]) > 0
    assert {example.label for example in learner.learned[-1][len(learner.data.train) :]} == {"1"}
    assert arm("agora without points")[0]["points"] == 0
    unpruned, _ = arm("agora without pruning", trainings=9)
    assert [row["sets"] for row in unpruned["rounds"]] == [4, 4]
    assert [row["removed"] for row in unpruned["rounds"]] == [0, 0]


def test_points_of_random_items_are_near_what_is_learned_and_gold_labels_are_those_of_the_mistakes() -> None:
    _, learner = arm("agora, random items")
    made = learner.learned[-1][len(learner.data.train) :]
    assert made and all("train" in example.text for example in made)
    _, learner = arm("agora, gold labels")
    made = learner.learned[-1][len(learner.data.train) :]
    assert made and all("dev" in example.text for example in made)
    assert {example.label for example in made} == {"0", "1"}


@pytest.mark.parametrize(("trainings", "first"), [(1, 1), (3, 1), (4, 2), (7, 4), (10, 6), (14, 8)])
def test_halving_begins_with_as_many_sets_as_its_trainings_allow(trainings: int, first: int) -> None:
    assert _first_rung(trainings, 24) == first


def test_halving_trains_the_better_half_for_twice_as_long() -> None:
    result, learner = arm("successive halving", trainings=7)
    assert learner.epochs == [2] * 4 + [4] * 2 + [8]
    assert [theta for theta, _ in learner.asked[4:]] == [GRID[3], GRID[2], GRID[3]]
    assert result["search"] == 0.2


def test_tpe_proposes_by_chance_that_is_fixed() -> None:
    assert arm("tpe", seed=3)[0] == arm("tpe", seed=3)[0]
    asked = [theta for theta, _ in arm("tpe", seed=3)[1].asked]
    assert len(asked) == 9 and set(asked) <= set(GRID)


# -- splits and settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_splits_are_of_different_examples_and_sealed_ones_come_from_elsewhere(task: str) -> None:
    plan = ExperimentPlan()
    data = split_of(task, plan, 0)
    assert (len(data.train), len(data.dev)) == (100, 100) and len(data.test) > 90
    contents = [{example.content for example in data.splits[split]} for split in ("train", "dev", "test")]
    assert not contents[0] & contents[1] and not (contents[0] | contents[1]) & contents[2]
    assert {example.label for example in data} <= set(data.labels)
    assert split_of(task, plan, 0) == data != split_of(task, plan, 1)


def test_the_primary_contrast_of_a_task_is_complete_before_the_next_begins() -> None:
    units = settings_of(ExperimentPlan(tasks=("things", "fields"), splits=3))
    assert [(each["task"], each["split"]) for each in units[:6]] == list(product(("things", "fields"), range(3)))
    assert all(set(PRIMARY) <= set(each["arms"]) for each in units[:6])
    assert not any(set(PRIMARY) & set(each["arms"]) for each in units[6:])
    for split in range(3):
        arms = [a for each in units if (each["task"], each["split"]) == ("fields", split) for a in each["arms"]]
        assert sorted(arms) == sorted(ARMS)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"tasks": ()}, "tasks"), ({"tasks": ("x",)}, "got x"), ({"budget": 5}, "budget"), ({"splits": 0}, "splits")],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ExperimentPlan(**wrong)


def test_too_few_examples_are_told() -> None:
    with pytest.raises(ValueError, match="expected 5000"):
        split_of("fields", ExperimentPlan(learn=2_500, search=2_500), 0)


# -- the verdict -------------------------------------------------------------------------------------------------------


def results(**figures: float) -> dict[str, dict[str, float]]:
    return {
        name.replace("_", " "): {"test": figure, "search": figure + 0.1, "trainings": 9, "seconds": 1.0}
        for name, figure in figures.items()
    }


def test_a_contrast_is_the_mean_over_tasks_with_the_test_of_scipy() -> None:
    one, other = np.array([0.02, 0.04, -0.01, 0.03]), np.array([0.10, 0.12])
    its = contrast({"a": one, "b": other})
    assert its["mean"] == pytest.approx((one.mean() + other.mean()) / 2)
    assert its["low"] < its["mean"] < its["high"]
    assert its["p"] == pytest.approx(wilcoxon(np.concatenate([one, other])).pvalue)
    assert (its["splits"], its["better"], its["worse"]) == (6, 5, 1)


def test_equal_results_are_a_null_and_no_results_are_none() -> None:
    assert contrast({"a": np.zeros(5)})["p"] == 1.0
    assert contrast({}) == contrast({"a": np.array([])})
    assert contrast({})["mean"] is None


def test_all_but_the_primary_contrast_are_corrected() -> None:
    rng = np.random.default_rng(0)
    tasks = {
        task: [results(agora=0.8 + rng.normal(0, 0.01), random_search=0.8, default=0.7, tpe=0.79) for _ in range(10)]
        for task in ("a", "b")
    }
    its = verdict(tasks, primary=PRIMARY)
    assert its["primary"]["contrast"] == list(PRIMARY) and "p_holm" not in its["primary"]
    corrected = [*its["secondary"].values(), *its["by task"].values()]
    assert set(its["secondary"]) == {"default", "tpe"} and set(its["by task"]) == {"a", "b"}
    assert all(each["p_holm"] >= each["p"] for each in corrected)
    least = min(corrected, key=lambda each: each["p"])
    assert least["p_holm"] == pytest.approx(min(1, 4 * least["p"]))
    assert its["means"]["default"]["mean"] == pytest.approx(0.7)
    assert its["search minus test"]["agora"] == pytest.approx(0.1)


@settings(max_examples=15)
@given(st.lists(st.floats(-0.2, 0.2).map(lambda x: round(x, 3)), min_size=1, max_size=12))
def test_an_interval_holds_its_mean_and_changes_sign_with_it(differences: list[float]) -> None:
    its, mirrored = contrast({"a": np.array(differences)}), contrast({"a": -np.array(differences)})
    assert its["low"] - 1e-12 <= its["mean"] <= its["high"] + 1e-12
    assert mirrored["mean"] == pytest.approx(-its["mean"]) and mirrored["p"] == pytest.approx(its["p"])
    assert 0 <= its["p"] <= 1


# -- a real unit -------------------------------------------------------------------------------------------------------


SMALL = ExperimentPlan(
    encoder="bert-mini", tasks=("things",), splits=1, learn=12, search=8, test=8, sets=2, budget=4, epochs=1, length=16
)


def test_a_unit_runs_shares_its_trainings_and_is_gone_on_with(tmp_path: Path) -> None:
    (first, _) = settings_of(SMALL)
    spoken: list[str] = []
    unit = work(first, tmp_path / "unit", lambda share, message: spoken.append(message))
    assert set(unit) == set(first["arms"]) and spoken
    files = sorted((tmp_path / "trainings").iterdir())
    assert len(files) <= unit["agora"]["trainings"] + unit["random search"]["trainings"]
    stamps = [file.stat().st_mtime_ns for file in files]
    assert work(first, tmp_path / "unit", lambda share, message: None) == unit
    assert [file.stat().st_mtime_ns for file in sorted((tmp_path / "trainings").iterdir())] == stamps


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    record = collected(SMALL, tmp_path)
    assert record["verdict"] is None
    assert "agora has 0 of 1 splits" in record["missing"] and len(record["missing"]) == len(ARMS)


def test_an_experiment_writes_its_results_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [{name: results(x=0.5)["x"] for name in each["arms"]} for each in settings_of(SMALL)]
    monkeypatch.setattr("bortlab.work.sweeps.results", lambda *_: kept)
    monkeypatch.setattr("bortlab.work.sweeps.run", lambda *_, **__: [])
    record = run_experiment(SMALL, tmp_path, path=tmp_path / "agora.json", command="a command")
    assert record["missing"] == [] and record["verdict"]["primary"]["p"] == 1.0
    assert json.loads((tmp_path / "agora.json").read_text())["command"] == "a command"


def test_a_run_that_goes_on_elsewhere_tells_both_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bortlab.work.sweeps.run", lambda *_, **__: [])
    here = {"processor": "AMD EPYC", "cores": 2, "versions": {"torch": "2.13.0"}, "date": "2026-11-26"}
    there = here | {"processor": "Intel Xeon"}
    for machine in (there, here, here | {"date": "2026-11-27"}):
        monkeypatch.setattr("bortlab.training.agora.rivals.experiment.environment", lambda machine=machine: machine)
        record = run_experiment(SMALL, tmp_path, path=tmp_path / "agora.json", command="a command")
    assert record["machines"] == [there, here | {"date": "2026-11-27"}]


def test_answers_are_kept_apart_for_other_recipes_and_examples(tmp_path: Path) -> None:
    data = split_of("things", SMALL, 0)
    learner = Trainings(bortlab.load("bort-mini"), data, ("rate",), tmp_path, epochs=1, length=16)
    one = learner.train((1.0,), data.train)
    again, other = learner.train((1.0,), data.train), learner.train((1.0,), data.train[:6])
    assert one == again and other.name != one.name
    refit = learner.refit((1.0,))
    assert refit.name not in (one.name, other.name)
    assert len(learner.asked) == 4 and len(list(tmp_path.iterdir())) == 3
    changed = Trainings(learner.base, replace(data, test=data.test[:4]), ("rate",), tmp_path, epochs=1, length=16)
    assert changed.train((1.0,), data.train).name != one.name


# -- as a job ----------------------------------------------------------------------------------------------------------


class Told:
    """A job as its function sees it, which remembers what was reported."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.reports = folder, list[tuple[float, str]]()

    def report(self, progress: float, message: str = "", **numbers: object) -> None:
        self.reports.append((progress, message))


def test_a_run_as_a_job_tells_how_far_it_is_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(job, "REPORT_S", 0.0)
    data, model = split_of("things", SMALL, 0), ModelReference.named("bort-mini")
    choices = {"n_sets": 2, "epochs": 1, "length": 16, "generator": "swap"}
    its = job.job_of(data, model, "words", choices)
    store(data, job.data_path(data))
    told = Told(tmp_path / "run")
    numbers = job.run(told, **its.arguments)  # type: ignore[arg-type]
    assert numbers["trainings"] == 3 == job.most_trainings(choices)
    assert 0 <= numbers["test"]["low"] <= numbers["test"]["value"] <= numbers["test"]["high"] <= 1
    assert any("2/3" in warning for warning in numbers["warnings"])
    shares = [share for share, _ in told.reports]
    assert shares == sorted(shares) and shares[-1] > 0.9
    assert "Round 2, training 3 of at most 3" in told.reports[-1][1]
    again = Told(told.folder)
    assert job.run(again, **its.arguments) == numbers  # type: ignore[arg-type]
    assert len(again.reports) == 1


def test_a_labeller_may_be_a_frozen_encoder() -> None:
    data = split_of("things", ExperimentPlan(), 0)
    accuracy = labeller_accuracy(labeller_named("frozen minilm-l6", data), data.test)
    assert accuracy.low > 0.6
