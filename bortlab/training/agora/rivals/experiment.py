"""Does Agora help where data are scarce? Agora and its rivals on the same splits of bundled tasks.

    python -m bortlab.training.agora.rivals.experiment FOLDER --json assets/experiments/agora-bort-mini.json

Declared before anything ran. The unit is a split: D and E are drawn anew from a task's train examples, H from its dev
and test examples, so that what a task keeps apart (chapters, definitions) stays apart. **Primary contrast: Agora
against random search with a final refit on D and E, equally many trainings, accuracy on H**, over the splits of all
tasks that are complete. Random search is the fair opponent, for Agora exploits E as well. All other contrasts are
secondary and have Holm's correction. Nothing is left out or tuned after a look at its results; a null is a result.

The labeller S is a linear model on the vectors of the frozen MiniLM encoder, learned from D, its strength chosen on E.
The classes of each task were chosen, on train examples, so that S can be right in more than 2/3.

What was seen of test examples before: to size the experiment, the accuracy of S on all nine tasks or subsets of their
classes, and of one default training of bort-mini, for 8 and for 15 epochs, on one draw of four. No rival was seen.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bortlab.analysis.latency.machine import environment
from bortlab.data.labelled import Example, LabelledData, load_task
from bortlab.model import Model
from bortlab.registry import load
from bortlab.system.checks import check_whole
from bortlab.system.store import write
from bortlab.training.agora.learning import GRID, drawn_sets
from bortlab.training.agora.rivals.arms import ARMS, Contest
from bortlab.training.agora.rivals.trainings import Trainings
from bortlab.training.agora.rivals.verdict import verdict
from bortlab.training.finetune import frozen
from bortlab.work import sweeps

PRIMARY = ("agora", "random search")
"""The contrast that the experiment is about."""
FIRST = (*PRIMARY, "one pass", "default", "labeller")
"""Rivals that run before all others: the primary contrast, and what costs next to nothing beside it."""
TASKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "things": ("supersense", ("animal", "artifact", "body", "food", "plant")),
    "acts and states": ("supersense", ("act", "communication", "state", "time")),
    "fields": ("field", ("astronomy", "baseball", "biology", "computer-science", "law", "mathematics", "music")),
    "poetry and letters": ("book-genre", ("gospels", "letters", "prophets", "wisdom")),
    "stories and laws": ("book-genre", ("gospels", "history", "law", "letters")),
}
"""Bundled tasks, each with the classes that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """base, encoder: the model that learns, and the frozen one of the labeller. learn, search, test: examples of D and
    E, and of H at most. sets, budget, generator, rule: of Agora. epochs, length: of every training."""

    base: str = "bort-mini"
    encoder: str = "minilm-l6"
    tasks: tuple[str, ...] = tuple(TASKS)
    splits: int = 10
    learn: int = 100
    search: int = 100
    test: int = 200
    sets: int = 6
    budget: int = 16
    generator: str = "masked-lm"
    rule: str = "lcs"
    epochs: int = 8
    length: int = 48

    def __post_init__(self) -> None:
        unknown = [task for task in self.tasks if task not in TASKS]
        if unknown or not self.tasks:
            raise ValueError(f"tasks: expected some of {', '.join(TASKS)}, got {', '.join(unknown) or 'none'}.")
        check_whole("splits", self.splits, 1, 1_000)
        for name in ("learn", "search", "test"):
            check_whole(name, getattr(self, name), 2, 10_000)
        check_whole("budget", self.budget, self.sets, 100_000)


def split_of(task: str, plan: ExperimentPlan, number: int) -> LabelledData:
    """The number-th split of a task. ValueError where the task has too few examples."""
    name, labels = TASKS[task]
    data = load_task(name)
    rng = np.random.default_rng((17, number))
    learned = _drawn(data.train, labels, rng)
    sealed = _drawn((*data.dev, *data.test), labels, rng)
    if len(learned) < plan.learn + plan.search or not sealed:
        raise ValueError(
            f"{task} has {len(learned)} examples to learn and search with, expected {plan.learn + plan.search}."
        )
    return replace(
        data,
        name=task,
        labels=labels,
        train=learned[: plan.learn],
        dev=learned[plan.learn : plan.learn + plan.search],
        test=sealed[: plan.test],
    )


def _drawn(examples: Sequence[Example], labels: Sequence[str], rng: np.random.Generator) -> tuple[Example, ...]:
    """The examples of these classes in an order of chance."""
    kept = [example for example in examples if example.label in labels]
    return tuple(kept[place] for place in rng.permutation(len(kept)))


def settings_of(plan: ExperimentPlan) -> list[dict[str, Any]]:
    """The units of work in their order: the first rivals of all splits of a task, then the next task; last the rest."""
    own = {name: value for name, value in asdict(plan).items() if name not in ("tasks", "splits")}
    rest = tuple(arm for arm in ARMS if arm not in FIRST)
    return [
        {"plan": own, "task": task, "split": number, "arms": list(arms)}
        for arms in (FIRST, rest)
        for task in plan.tasks
        for number in range(plan.splits)
    ]


def work(setting: dict[str, Any], folder: Path, progress: Callable[..., None]) -> dict[str, Any]:
    """Some rivals on one split: what each reached. Trainings lie beside the folder, so that units share them."""
    plan = ExperimentPlan(**setting["plan"])
    number, arms = int(setting["split"]), setting["arms"]
    contest = _contest(plan, setting["task"], number, folder.parent / "trainings")
    ours = PRIMARY[0]
    results: dict[str, Any] = {}
    for place, arm in enumerate(dict.fromkeys((ours, *arms))):  # the others take as many trainings as ours did
        progress(place / (len(arms) + 1), f"{setting['task']}, split {number + 1}: {arm}")
        contest.trainings.begin()
        results[arm] = ARMS[arm](contest, results[ours]["trainings"] if results else 0)
    return {arm: results[arm] for arm in arms}


def _contest(plan: ExperimentPlan, task: str, number: int, folder: Path) -> Contest:
    data, base = split_of(task, plan, number), _model(plan.base)
    baseline = frozen(data, _model(plan.encoder))
    assert baseline is not None  # texts have classes here
    grid = drawn_sets(GRID, n=10_000, seed=number)
    return Contest(
        trainings=Trainings(base, data, tuple(GRID), folder, epochs=plan.epochs, length=plan.length),
        labeller=lambda examples: baseline.predict(examples).labels,
        axes=GRID,
        grid=grid,
        sets=plan.sets,
        budget=plan.budget,
        generator=plan.generator,
        rule=plan.rule,
        seed=number,
    )


@cache
def _model(name: str) -> Model:
    return load(name)


# -- the whole ---------------------------------------------------------------------------------------------------------


def collected(plan: ExperimentPlan, folder: Path) -> dict[str, Any]:
    """What lies in the folder: the results of each split, the verdict over tasks whose splits are all there, and what
    is missing, in a sentence each."""
    settings = settings_of(plan)
    tasks: dict[str, list[dict[str, Any]]] = {task: [{} for _ in range(plan.splits)] for task in plan.tasks}
    for setting, result in zip(settings, sweeps.results(work, settings, folder), strict=True):
        tasks[setting["task"]][setting["split"]] |= result or {}
    complete = {task: tuple(splits) for task, splits in tasks.items() if all(PRIMARY[1] in split for split in splits)}
    return {
        "plan": asdict(plan),
        "primary": list(PRIMARY),
        "tasks": {task: {"classes": list(TASKS[task][1]), "splits": splits} for task, splits in tasks.items()},
        "missing": _missing(plan, tasks),
        "verdict": verdict(_evenly(complete), primary=PRIMARY) if complete else None,
    }


def _evenly(tasks: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The results of each task's rivals that have all of its splits: no contrast of a part of them."""
    return {
        task: [
            {arm: result for arm, result in split.items() if all(arm in other for other in splits)} for split in splits
        ]
        for task, splits in tasks.items()
    }


def _missing(plan: ExperimentPlan, tasks: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    total = plan.splits * len(tasks)
    counts = {arm: sum(arm in split for splits in tasks.values() for split in splits) for arm in ARMS}
    return [f"{arm} has {done} of {total} splits" for arm, done in counts.items() if done < total]


def _machines(path: Path) -> list[dict[str, Any]]:
    """This machine after those that worked on the file before: a run may go on elsewhere."""
    here = environment()
    before = json.loads(path.read_text(encoding="utf-8"))["machines"] if path.is_file() else []
    return [*(other for other in before if _differs(other, here)), here]


def _differs(machine: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(machine[fact] != other[fact] for fact in ("processor", "cores", "versions"))


def run_experiment(
    plan: ExperimentPlan, folder: Path, *, path: Path, command: str, workers: int | None = 1, ray: str | None = None
) -> dict[str, Any]:
    """Run what is not done yet, and write the results to `path` after each unit; the same call goes on."""

    machines = _machines(path)

    def keep() -> dict[str, Any]:
        record = {"command": command, "machines": machines, **collected(plan, folder)}
        write(path, json.dumps(record, indent=1, ensure_ascii=False).encode())
        return record

    done = -1

    def follow(progress: sweeps.SweepProgress) -> None:
        nonlocal done
        if progress.done != done:
            done = progress.done
            print(progress.message, flush=True)
            keep()

    outcomes = sweeps.run(work, settings_of(plan), folder, workers=workers, ray=ray, on_progress=follow)
    for outcome in outcomes:
        if outcome.failed:
            print(f"{outcome.setting['task']}, split {outcome.setting['split'] + 1}: {outcome.failed}", flush=True)
    return keep()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where units and trainings lie; a run that was stopped goes on")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="the results so far")
    parser.add_argument("--model", default="bort-mini", help="the encoder that learns (default: bort-mini)")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS), metavar="TASK")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ray", metavar="ADDRESS", help="a Ray cluster")
    options = parser.parse_args()
    plan = ExperimentPlan(base=options.model, tasks=tuple(options.tasks), splits=options.splits)
    program = "python -m bortlab.training.agora.rivals.experiment FOLDER"
    choices = ["--model", options.model, "--splits", str(options.splits), "--tasks", *options.tasks]
    command = f"{program} {shlex.join(choices)}"
    run_experiment(plan, options.folder, path=options.json, command=command, workers=options.workers, ray=options.ray)


if __name__ == "__main__":
    main()
