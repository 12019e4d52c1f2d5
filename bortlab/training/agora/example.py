"""A run of Agora from its folder, and the one that comes with bortlab, so that its rounds can be looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bortlab.system.assets import EXPERIMENTS
from bortlab.training.agora.records import History, Log

SUMMARY, LOG = "agora.json", "log.jsonl"
"""What `bortlab agora` leaves in its folder beside the models."""
EXAMPLE = EXPERIMENTS / "agora-run"
"""The folder of the run that comes with bortlab; docs/agora.md has its command."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that has ended. summary: as the command wrote it."""

    summary: Mapping[str, Any]
    history: History


def past_run(folder: Path) -> PastRun:
    """The run of a folder. OSError or ValueError where there is none."""
    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    rounds = Log(folder / LOG).rounds
    return PastRun(summary, History(tuple(summary["axes"]), int(summary["examples"]["D"]), rounds))


def example() -> PastRun:
    """The run that comes with bortlab."""
    return past_run(EXAMPLE)
