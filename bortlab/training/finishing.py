"""How a run gets to its end: alone in its folder, with checkpoints, progress and the time left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from tqdm import tqdm

from bortlab.system.machine import cores
from bortlab.training.masked_lm import Run

SAVE_S = 5.0
"""Seconds between two checkpoints."""
TRAINED = 0.9
"""Progress when a run has ended; what is left is for measuring."""

Report = Callable[..., None]
"""report(progress, message, **numbers): see jobs.Running.report."""


class BusyError(RuntimeError):
    """Another process is training the very same thing."""


@contextmanager
def alone(folder: Path, key: str) -> Iterator[None]:
    """No other process trains in this folder meanwhile: both would write one checkpoint. key: of the model."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder / "run.lock").acquire(timeout=0)
    except Timeout:
        raise BusyError(f"Another process is training the same for {key}: wait until it has ended.") from None
    with lock:
        yield


@contextmanager
def reporting(report: Report | None, title: str) -> Iterator[Report]:
    """Where progress goes: to `report`, or to a bar with a title."""
    if report is not None:
        yield report
        return
    with tqdm(total=100, desc=title, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}") as bar:

        def show(progress: float, message: str, **numbers: Any) -> None:
            bar.set_postfix_str(message, refresh=False)
            bar.update(round(100 * progress, 1) - bar.n)

        yield show


def finish(run: Run, report: Report) -> None:
    """Train to the budget, with checkpoints, from where the run stands."""
    saved = time.monotonic()
    for _ in run.train():
        budget = run.recipe.pieces
        left = run.seconds * (budget / run.seen - 1)
        share = min(1.0, run.seen / budget)
        report(TRAINED * share, f"{run.seen:,} of {budget:,} pieces read.", seconds_left=max(0.0, left))
        if time.monotonic() - saved > SAVE_S or share == 1.0:
            run.save()
            saved = time.monotonic()


def give_way() -> None:
    """Use all processors, but leave them to the lab whenever the lab wants them."""
    if hasattr(os, "nice"):
        os.nice(5)
    torch.set_num_threads(cores())
