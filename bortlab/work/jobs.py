"""Long work in a process of its own: progress, cancel, resume.

A job is a function of an importable module and JSON arguments. It runs as `python -m bortlab.work FOLDER`, a fresh
interpreter (never a fork: torch's threads would not live through it), and everything there is to know about it lies in
its folder (see job_folder), so that it survives a page that is reloaded or a browser that is closed. Equal jobs are one
job: starting it while it runs joins it, and starting it after it was cancelled, failed or died resumes from its last
checkpoint, if its function keeps one. Few run at once (running.LIMIT); the others are queued.

A job ends with the process that started it, however that ends: it holds the other end of a pipe. Whether it lives is
told by a lock that the system takes back when it dies, so `kill -9` leaves no job that seems to run.

    def count(running: jobs.Running, *, to: int) -> dict[str, float]:  # in an importable module
        for number in range(to):
            running.report(number / to, f"{number} of {to}")
        return {"counted": to}

    job = jobs.Job("count", "bortlab.example:count", {"to": 9}).start()
    job.status()  # Status(state="running", progress=0.3, ...)
    job.cancel()  # within 2 s
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bortlab.system import processes, settings
from bortlab.system.assets import CHECKOUT
from bortlab.system.store import file_name, write
from bortlab.work.job_folder import (
    GO_ON,
    POLL_S,
    START_S,
    State,
    Status,
    function_named,
    is_alive,
    jobs_folder,
    last_status,
    start_lock,
    status_of,
    write_status,
)
from bortlab.work.running import Cancelled, Running

__all__ = ["Cancelled", "Job", "JobError", "Running", "State", "Status", "jobs_folder", "listed", "start", "sweep"]

GRACE_S = 1.0
"""How long a job may take to stop by itself before it is killed."""
GONE_S = 10.0
"""How long a process may take to exit after its last status."""
KEPT_S = 30 * 86_400.0
"""How long the folder of a job that does not run is kept."""


class JobError(RuntimeError):
    """A job that could not be started."""


@dataclass(frozen=True)
class Job:
    """A function "package.module:name", which takes a `Running` and the arguments by name, and returns numbers or None.

    name: what a person calls it. Two jobs of equal name, function and arguments are one.
    """

    name: str
    function: str
    arguments: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Where everything about it lies: job.json, status.json, log.txt, and its function's own files in work/."""
        return jobs_folder() / file_name(self.name, self.function, _json(self.arguments))

    def start(self) -> Job:
        """Start it, or join it if it runs already; back when its process is there, so that `cancel` reaches it.

        A job that was done begins anew; any other resumes with the files that its function left.
        """
        folder = self.folder  # refuses arguments that are not JSON
        function_named(self.function)  # refused here rather than in a log
        sweep()
        folder.mkdir(parents=True, exist_ok=True)
        with start_lock(folder):
            alive, last = is_alive(folder, patience=4 * POLL_S), last_status(folder)
            if alive and (last is None or last.alive):
                return self
            if alive and last is not None and not self._ends_within(GONE_S):
                self._kill(last.pid)  # it wrote its last status, yet has not exited
            if last is not None and last.state == "done":
                shutil.rmtree(folder / "work", ignore_errors=True)
            (folder / "work").mkdir(exist_ok=True)
            write(folder / "job.json", json.dumps(asdict(self), indent=2).encode())
            write_status(folder, Status("queued", message="Starting…"))
            self._spawn()
        return self

    def status(self) -> Status | None:
        """How it stands; None if it was never started, or long ago."""
        return status_of(self.folder)

    def log(self) -> str:
        """What its process printed, tracebacks too; "" for none."""
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def cancel(self) -> None:
        """Stop it, with all processes it started; back when it has ended, within 2 s. One that does not run is left."""
        if not self.folder.is_dir():
            return
        with start_lock(self.folder):
            status = self.status()
            if status is None or not status.alive:
                return
            members = processes.family(status.pid)
            processes.end(members, gently=True, group=status.pid)
            if not self._ends_within(GRACE_S):
                self._kill(status.pid)
                self._ends_within(GRACE_S)
            processes.end(members, gently=False)  # those that it left behind
            last = last_status(self.folder)
            if last is not None and last.alive:  # it had no time to say so itself
                write_status(self.folder, replace(last, state="cancelled", message=f"Cancelled. {GO_ON}"))

    def forget(self) -> None:
        """Stop it, and remove its folder with all that it made."""
        self.cancel()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self, timeout: float | None = None) -> Status:
        """How it ended, once its process is gone. TimeoutError if it runs on after so many seconds, JobError if it was
        never started."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            status = self.status()
            if status is None:
                raise JobError(f"The job {self.name} was never started.")
            if not status.alive:
                self._ends_within(GONE_S)
                return status
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"The job {self.name} is {status.state} ({status.message}) after {timeout:g} s.")
            time.sleep(POLL_S)

    def _spawn(self) -> None:
        """Start the process and wait until it holds its lock and has written its number."""
        with (self.folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bortlab.work", str(self.folder)],
                stdin=subprocess.PIPE,  # nothing is ever written: it closes when this process ends
                stdout=log,
                stderr=subprocess.STDOUT,
                env=settings.environment_for(CHECKOUT, PYTHONUNBUFFERED="1"),
                start_new_session=True,  # a group of its own, where there are groups; and on Windows:
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        threading.Thread(target=process.wait, name=f"job {self.name}", daemon=True).start()  # holds it, and reaps it
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            status = last_status(self.folder)
            if status is not None and status.pid == process.pid:
                return
            if process.returncode is not None:
                break
            time.sleep(POLL_S)
        process.kill()
        last_line = (self.log().strip().splitlines() or ["it printed nothing"])[-1]
        message = f"The process of the job {self.name} did not start: {last_line}."
        write_status(self.folder, Status("failed", message=message))
        raise JobError(message)

    def _kill(self, pid: int) -> None:
        """End its process and those that it started, at once."""
        processes.end(processes.family(pid), gently=False, group=pid)

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while is_alive(self.folder):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def start(name: str, function: str, arguments: Mapping[str, Any]) -> Job:
    """Start a job, or join an equal one that runs (see Job)."""
    return Job(name, function, arguments).start()


def listed() -> list[tuple[Job, Status]]:
    """Every job that there is something to know about, the latest first."""
    jobs = []
    for path in jobs_folder().glob("*/job.json"):
        status = status_of(path.parent)
        if status is not None:
            jobs.append((Job(**json.loads(path.read_bytes())), status))
    return sorted(jobs, key=lambda job_and_status: -job_and_status[1].started)


def sweep(older_than_s: float = KEPT_S) -> int:
    """Remove the folders of jobs that have not run for so long; how many that were."""
    removed = 0
    for path in jobs_folder().glob("*/status.json"):
        try:
            if time.time() - path.stat().st_mtime > older_than_s and not is_alive(path.parent):
                shutil.rmtree(path.parent)
                removed += 1
        except OSError:  # somebody else swept it
            continue
    return removed


def _json(arguments: Mapping[str, Any]) -> str:
    """The arguments as text, the same for equal ones; ValueError for what JSON does not know."""
    try:
        return json.dumps(dict(arguments), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A job's arguments must be JSON (texts, numbers, lists): {error}.") from None
