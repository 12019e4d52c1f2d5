"""A comparison as a job, for pages that come and go."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bortlab.data.labelled import LabelledData, fingerprint, store, stored
from bortlab.system.settings import cache_folder
from bortlab.training.finetune.comparing import ComparisonPlan, compare
from bortlab.work.jobs import Job, Running, listed

NAME = "Fine-tuning"
REPORT_S = 0.5


def data_path(data: LabelledData) -> Path:
    """Where data lie that a job was started with."""
    return cache_folder() / "labelled" / f"{fingerprint(data)}.json"


def job_of(data: LabelledData, plan: ComparisonPlan) -> Job:
    """The job of a comparison; equal ones are one job. Its name, which all visitors see, tells nothing of the data."""
    arguments = {"data": data_path(data).name, "plan": plan.to_json()}
    return Job(NAME, f"{__name__}:run", arguments)


def start(data: LabelledData, plan: ComparisonPlan) -> Job:
    """Start the job of a comparison, or join it."""
    if not data_path(data).is_file():
        store(data, data_path(data))
    return job_of(data, plan).start()


def jobs_of(data: LabelledData) -> list[Job]:
    """The jobs that were started with these data, also those of other kinds of training."""
    own = data_path(data).name
    return [job for job, _ in listed() if job.arguments.get("data") == own]


def forget(data: LabelledData) -> None:
    """Remove the data and all that was made of them: jobs, results and models."""
    for job in jobs_of(data):
        job.forget()
    data_path(data).unlink(missing_ok=True)


def results_folder(job: Job) -> Path:
    """Where the comparison of a job lies, also after it has ended."""
    return job.folder / "work"


def run(running: Running, *, data: str, plan: Mapping[str, Any]) -> dict[str, float]:
    """The job's function."""
    labelled = stored(cache_folder() / "labelled" / data)
    started = reported = time.monotonic()
    first: float | None = None
    for progress in compare(labelled, ComparisonPlan.from_json(plan), running.folder):
        now = time.monotonic()
        first = progress.share if first is None else first  # a resumed job begins in the middle
        if now - reported >= REPORT_S:
            reported, gained = now, progress.share - first
            left = (now - started) * (1 - progress.share) / gained if gained > 0.01 else 0.0
            running.report(progress.share, progress.message, seconds_left=round(left, 1))
    return {"seconds": round(time.monotonic() - started, 1)}
