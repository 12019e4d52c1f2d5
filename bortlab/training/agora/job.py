"""A run of Agora as a job, for pages that come and go. Its log in the job's folder tells the rounds as they end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bortlab.data.labelled import LabelledData, store, stored
from bortlab.system.settings import cache_folder
from bortlab.training.agora.learning import GRID, SETS, agora, labeller_named
from bortlab.training.agora.records import Log
from bortlab.training.finetune import FinetuneRun
from bortlab.training.finetune.job import data_path
from bortlab.work.jobs import Job
from bortlab.work.reference import ModelReference
from bortlab.work.running import Running

NAME = "Agora"
REPORT_S = 0.5
SMALL: Mapping[str, Any] = {"n_sets": 4, "options": {"budget": 10}, "epochs": 4, "length": 48}
"""A run that ends within minutes on two cores with a hundred examples."""


def job_of(data: LabelledData, model: ModelReference, labeller: str, choices: Mapping[str, Any]) -> Job:
    """The job of a run; equal ones are one job. choices: of `agora`, as JSON. Its name tells nothing of the data."""
    arguments = {
        "data": data_path(data).name,
        "model": model.to_json(),
        "labeller": labeller,
        "choices": {**choices},
    }
    return Job(NAME, f"{__name__}:run", arguments)


def start(data: LabelledData, model: ModelReference, labeller: str, choices: Mapping[str, Any] = SMALL) -> Job:
    """Start the job of a run, or join it."""
    if not data_path(data).is_file():
        store(data, data_path(data))
    return job_of(data, model, labeller, choices).start()


def log_path(job: Job) -> Path:
    """Where the log of a job's run lies, also after it has ended."""
    return job.folder / "work" / "log.jsonl"


def most_trainings(choices: Mapping[str, Any]) -> int:
    """Trainings that a run takes at most: at least one set leaves in each round."""
    n = min(int(choices.get("n_sets", SETS)), _size(choices.get("grid", GRID)))
    budget = int(choices.get("options", {}).get("budget", n * (n + 1) // 2))
    return min(budget, n * (n + 1) // 2)


def run(
    running: Running, *, data: str, model: Mapping[str, Any], labeller: str, choices: Mapping[str, Any]
) -> dict[str, Any]:
    """The job's function: what the run reached, as numbers of its status."""
    labelled = stored(cache_folder() / "labelled" / data)
    most, reported = most_trainings(choices), 0.0
    done = Log(running.folder / "log.jsonl").trainings  # a resumed run begins in the middle
    begun: dict[str, int] = {}

    def follow(name: str, training: FinetuneRun) -> None:
        nonlocal reported
        place = begun.setdefault(name, done + len(begun))
        if time.monotonic() - reported >= REPORT_S:
            reported = time.monotonic()
            round_number = int(name.split("-")[1]) + 1
            share = (place + training.step / training.steps) / most
            on = f"on {len(training.items)} examples"
            running.report(0.97 * share, f"Round {round_number}, training {place + 1} of at most {most}, {on}.")

    running.report(0.0, "The labeller learns.")
    report = agora(
        ModelReference.from_json(model).load(),
        labeller_named(labeller, labelled),
        labelled,
        folder=running.folder,
        follow=follow,
        **choices,
    )
    return {
        "test": asdict(report.test),
        "labeller": asdict(report.labeller),
        "warnings": list(report.warnings),
        "trainings": report.result.trainings,
        "best": report.result.best.name,
        "search": report.result.best.score,
    }


def _size(grid: Mapping[str, Any]) -> int:
    size = 1
    for values in grid.values():
        size *= len(values)
    return size
