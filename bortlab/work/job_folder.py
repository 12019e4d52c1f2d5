"""The folder of a job, which is all that its two sides share: what it is to do, how it stands, whether it lives.

job.json        name, function and arguments
status.json     the last status that was written
log.txt         what its process printed
work/           its function's own files, such as checkpoints
start.lock      held by who starts or cancels it
alive.lock      held by its process for as long as it lives; the system takes it back, even after `kill -9`
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from bortlab.system.settings import cache_folder
from bortlab.system.store import write

START_S = 60.0
"""How long a new process may take to say that it is there."""
POLL_S = 0.05
"""Seconds between two looks at a job that is waited for."""
GO_ON = "Start it again to resume from its last checkpoint."

State = Literal["queued", "running", "done", "failed", "cancelled"]
LIVE = ("queued", "running")
Function = Callable[..., Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Status:
    """How a job stands. progress: 0 to 1. message: one sentence. started: seconds since 1970. numbers: its results.

    state: "queued" (it waits for another job), "running", "done", "failed" (message says why, its log has the rest)
    or "cancelled".
    """

    state: State
    progress: float = 0.0
    message: str = ""
    started: float = field(default_factory=time.time)
    pid: int = 0
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Is it queued or running?"""
        return self.state in LIVE


def jobs_folder() -> Path:
    """Where the folders of jobs lie."""
    return cache_folder() / "jobs"


def write_status(folder: Path, status: Status) -> None:
    """Write how a job stands, for all who look."""
    write(folder / "status.json", json.dumps(asdict(status)).encode(), durable=False)


def last_status(folder: Path) -> Status | None:
    """What was written last of a job, though it may have died since; None for nothing that can be read."""
    try:
        return Status(**json.loads((folder / "status.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def status_of(folder: Path) -> Status | None:
    """How the job of a folder stands: as `last_status`, but a job whose process is gone has failed."""
    status = last_status(folder)
    if status is None or not status.alive or is_alive(folder):
        return status
    status = last_status(folder)  # it may have ended between the two looks
    if status is not None and status.alive and (status.pid or time.time() - status.started > START_S):
        return replace(status, state="failed", message=f"Its process was killed, or crashed. {GO_ON}")
    return status


_probing = threading.Lock()


def is_alive(folder: Path, patience: float = 0.0) -> bool:
    """Does the process of a job live? patience: seconds, for another process may look at the very same moment."""
    with _probing:
        lock = alive_lock(folder)
        try:
            lock.acquire(timeout=patience, poll_interval=POLL_S)
        except Timeout:
            return True
        lock.release()
        return False


def alive_lock(folder: Path) -> FileLock:
    """What the process of a job holds while it lives."""
    return FileLock(folder / "alive.lock")


def start_lock(folder: Path) -> FileLock:
    """What is held while a job is started or cancelled."""
    return FileLock(folder / "start.lock")


def function_named(name: str) -> Function:
    """The function "package.module:name" of a job; ValueError if there is none."""
    module, _, attribute = name.partition(":")
    try:
        function: Function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f'No function {name!r} for a job: {error}. Expected "package.module:name".') from None
    if not callable(function):
        raise ValueError(f"{name!r} is no function, so it cannot be a job.")
    return function
