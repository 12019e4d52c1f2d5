"""The process of a job: it runs the job's function, says how far it is, and leaves nothing behind when it ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from filelock import FileLock, Timeout

from bortlab.system import processes
from bortlab.work.job_folder import (
    GO_ON,
    POLL_S,
    START_S,
    Status,
    alive_lock,
    function_named,
    jobs_folder,
    last_status,
    write_status,
)

LIMIT = 1
"""Jobs that run at once; they are heavy, and slow each other down."""


class Cancelled(BaseException):
    """Raised in a job's function when somebody cancels the job."""


class Running:
    """A job as its own function sees it. folder: for checkpoints; it stays until the job is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self._home, self._lock = folder, threading.Lock()
        self._status = replace(last_status(folder) or Status("queued"), pid=os.getpid())
        write_status(folder, self._status)

    def report(self, progress: float, message: str = "", **numbers: Any) -> None:
        """Say how far it is (0 to 1), in one sentence, with results so far; it costs a tenth of a millisecond."""
        self._set(progress=min(1.0, max(0.0, progress)), message=message, numbers=numbers)

    def _set(self, **changes: Any) -> None:
        with self._lock:
            if not self._status.alive:  # it has ended
                return
            changes["numbers"] = {**self._status.numbers, **changes.get("numbers", {})}
            self._status = replace(self._status, **changes)
            write_status(self._home, self._status)

    def _finish(self, **changes: Any) -> NoReturn:
        """Write the last status and leave nothing of the job, neither this process nor any that it started."""
        self._set(**changes)
        sys.stdout.flush()
        processes.end_what_this_one_started()
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)  # those whose parent has ended belong to the group still; so does this one
        os._exit(0)


def main(folder: Path) -> NoReturn:
    """Run the job that a folder describes; the process ends with it."""
    alive = alive_lock(folder)  # kept, for it would be released with the object
    alive.acquire(timeout=START_S)  # never released: the system does
    running = Running(folder)
    cancelled = threading.Event()

    def cancel(number: int, frame: FrameType | None) -> NoReturn:
        cancelled.set()
        raise Cancelled

    def follow() -> NoReturn:
        """End with the process that started this one."""
        sys.stdin.buffer.read()
        running._finish(state="cancelled", message=f"The lab was closed while it ran. {GO_ON}")

    try:
        signal.signal(signal.SIGTERM, cancel)
        threading.Thread(target=follow, daemon=True).start()
        job = json.loads((folder / "job.json").read_bytes())
        running._set(message="Waiting for another job to end.")
        with _slot():
            running._set(state="running", message="Starting…")
            numbers = function_named(job["function"])(running, **job["arguments"])
            last = {"state": "done", "progress": 1.0, "message": "Done.", "numbers": dict(numbers or {})}
    except BaseException as error:
        if cancelled.is_set():  # what was imported just then may have made another error of it
            last = {"state": "cancelled", "message": f"Cancelled. {GO_ON}"}
        else:
            traceback.print_exc()
            message = " ".join(str(error).split()) or f"It failed with {type(error).__name__}."
            last = {"state": "failed", "message": message}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    running._finish(**last)


@contextmanager
def _slot() -> Iterator[None]:
    """One of the LIMIT places for jobs that run at once."""
    locks = [FileLock(jobs_folder() / f"slot-{number}.lock") for number in range(LIMIT)]
    while True:
        for lock in locks:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            try:
                yield
            finally:
                lock.release()
            return
        time.sleep(4 * POLL_S)
