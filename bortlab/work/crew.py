"""What the workers of a sweep have in common, wherever they run, and what each of them does."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bortlab.work.job_folder import function_named

PROGRESS_S = 0.2
"""A worker says how far it is at most so often."""
Event = Mapping[str, Any]
"""kind: "progress" (share, message), "done" (result, in a list), "failed" (reason) or "died" (reason)."""


@dataclass(frozen=True, slots=True)
class Task:
    """One item of a sweep. key: its name. folder: its own, for checkpoints and its result."""

    key: str
    setting: dict[str, Any]
    folder: Path


class Crew(Protocol):
    """Workers. free: how many tasks can be started now."""

    @property
    def free(self) -> int: ...

    def start(self, task: Task) -> None:
        """Give a task to a worker; only while one is free."""

    def events(self, timeout: float) -> Iterable[tuple[str, Event]]:
        """(key of the task, what happened) since the last call; [] if nothing did within so many seconds."""

    def close(self) -> None:
        """End the workers at once, with what they are doing."""


def perform(function: str, setting: dict[str, Any], folder: Path, say: Callable[[Event], None]) -> Event:
    """Do one item in this process: the event it ends with. say: takes its progress."""
    spoken = 0.0

    def progress(share: float, message: str = "") -> None:
        nonlocal spoken
        if time.monotonic() - spoken >= PROGRESS_S:
            spoken = time.monotonic()
            say({"kind": "progress", "share": float(share), "message": str(message)})

    try:
        folder.mkdir(parents=True, exist_ok=True)
        result = function_named(function)(setting, folder, progress)
        return {"kind": "done", "result": json.loads(json.dumps([result]))}
    except Exception as error:
        traceback.print_exc()
        reason = " ".join(str(error).split()) or f"It failed with {type(error).__name__}."
        return {"kind": "failed", "reason": reason}
