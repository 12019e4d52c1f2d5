"""Long work in a process of its own: progress, cancel, resume.

A job is a function of an importable module and JSON arguments. It runs as `python -m bortlab.work.jobs FOLDER`, a fresh
interpreter (never a fork: torch's threads would not live through it), and everything there is to know about it lies in
its folder, so that it survives a page that is reloaded or a browser that is closed. Equal jobs are one job: who starts
it while it runs joins it, and who starts it after it was cancelled, failed or died goes on from its last checkpoint, if
its function keeps one. Few run at once (LIMIT); the others are queued.

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
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NoReturn

from filelock import FileLock, Timeout

from bortlab.system.assets import CHECKOUT
from bortlab.system.store import cache_folder, file_name, write

LIMIT = 1
"""Jobs that run at once; they are heavy, and slow each other down."""
GRACE_S = 1.0
"""How long a job may take to stop by itself before it is killed."""
START_S = 60.0
"""How long a new process may take to say that it is there."""
GONE_S = 10.0
"""How long a process may take to be gone after its last word."""
KEPT_S = 30 * 86_400.0
"""How long the folder of a job that does not run is kept."""
POLL_S = 0.05
ROOT = CHECKOUT

State = Literal["queued", "running", "done", "failed", "cancelled"]
LIVE = ("queued", "running")
_GO_ON = "Start it again to go on from its last checkpoint."


class JobError(RuntimeError):
    """A job that could not be started."""


class Cancelled(BaseException):
    """Raised in a job's function when somebody cancels the job."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a job stands. progress: 0 to 1. message: one sentence. started: seconds since 1970. numbers: what it found.

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

        A job that was done begins anew; any other goes on with the files that its function left.
        """
        folder = self.folder  # refuses arguments that are not JSON
        _find(self.function)  # refused here rather than in a log
        sweep()
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "start.lock"):
            alive, last = _is_alive(folder, patience=4 * POLL_S), _read(folder)
            if alive and (last is None or last.alive):
                return self
            if alive and last is not None and not self._ends_within(GONE_S):
                _end(last.pid, gently=False)  # it has said its last word, yet does not leave
            if last is not None and last.state == "done":
                shutil.rmtree(folder / "work", ignore_errors=True)
            (folder / "work").mkdir(exist_ok=True)
            write(folder / "job.json", json.dumps(asdict(self), indent=2).encode())
            _write(folder, Status("queued", message="Starts."))
            self._spawn()
        return self

    def status(self) -> Status | None:
        """How it stands; None if it was never started, or long ago."""
        return _status(self.folder)

    def log(self) -> str:
        """What its process printed, tracebacks too; "" for none."""
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def cancel(self) -> None:
        """Stop it, with all processes it started; back when it has ended, within 2 s. One that does not run is left."""
        if not self.folder.is_dir():
            return
        with FileLock(self.folder / "start.lock"):
            status = self.status()
            if status is None or not status.alive:
                return
            _end(status.pid, gently=True)
            if not self._ends_within(GRACE_S):
                _end(status.pid, gently=False)
                self._ends_within(GRACE_S)
            last = _read(self.folder)
            if last is not None and last.alive:  # it had no time to say so itself
                _write(self.folder, replace(last, state="cancelled", message=f"Cancelled. {_GO_ON}"))

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
        """Start the process and wait until it holds its lock and has told its number."""
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait slow everything down
        with (self.folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bortlab.work.jobs", str(self.folder)],
                stdin=subprocess.PIPE,  # nothing is ever written: it closes when this process ends
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        threading.Thread(target=process.wait, name=f"job {self.name}", daemon=True).start()  # holds it, and reaps it
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            status = _read(self.folder)
            if status is not None and status.pid == process.pid:
                return
            if process.returncode is not None:
                break
            time.sleep(POLL_S)
        process.kill()
        said = (self.log().strip().splitlines() or ["it said nothing"])[-1]
        message = f"The process of the job {self.name} did not start: {said}."
        _write(self.folder, Status("failed", message=message))
        raise JobError(message)

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while _is_alive(self.folder):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True


def start(name: str, function: str, arguments: Mapping[str, Any]) -> Job:
    """Start a job, or join an equal one that runs (see Job)."""
    return Job(name, function, arguments).start()


def listed() -> list[tuple[Job, Status]]:
    """Every job that there is something to know about, the latest first."""
    found = []
    for path in jobs_folder().glob("*/job.json"):
        status = _status(path.parent)
        if status is not None:
            found.append((Job(**json.loads(path.read_bytes())), status))
    return sorted(found, key=lambda entry: -entry[1].started)


def sweep(older_than_s: float = KEPT_S) -> int:
    """Remove the folders of jobs that have not run for so long; how many that were."""
    removed = 0
    for path in jobs_folder().glob("*/status.json"):
        try:
            if time.time() - path.stat().st_mtime > older_than_s and not _is_alive(path.parent):
                shutil.rmtree(path.parent)
                removed += 1
        except OSError:  # somebody else swept it
            continue
    return removed


def jobs_folder() -> Path:
    """Where the folders of jobs lie."""
    return cache_folder() / "jobs"


# -- what both sides know ----------------------------------------------------------------------------------------------


def _json(arguments: Mapping[str, Any]) -> str:
    """The arguments as text, the same for equal ones; ValueError for what JSON does not know."""
    try:
        return json.dumps(dict(arguments), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A job's arguments must be JSON (texts, numbers, lists): {error}.") from None


def _find(function: str) -> Callable[..., Mapping[str, Any] | None]:
    """The function of a job; ValueError if there is none of that name."""
    module, _, name = function.partition(":")
    try:
        found: Callable[..., Mapping[str, Any] | None] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f'No function {function!r} for a job: {error}. Expected "package.module:name".') from None
    if not callable(found):
        raise ValueError(f"{function!r} is no function, so it cannot be a job.")
    return found


def _write(folder: Path, status: Status) -> None:
    write(folder / "status.json", json.dumps(asdict(status)).encode(), durable=False)


def _read(folder: Path) -> Status | None:
    """What a job said last, though it may have died since."""
    try:
        return Status(**json.loads((folder / "status.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _status(folder: Path) -> Status | None:
    """How the job of a folder stands."""
    status = _read(folder)
    if status is None or not status.alive or _is_alive(folder):
        return status
    status = _read(folder)  # it may have ended between the two looks
    if status is not None and status.alive and (status.pid or time.time() - status.started > START_S):
        return replace(status, state="failed", message=f"Its process was killed or crashed. {_GO_ON}")
    return status


_probing = threading.Lock()


def _is_alive(folder: Path, patience: float = 0.0) -> bool:
    """Does the process of a job live? patience: seconds, for another process may look at the very same moment."""
    with _probing:
        lock = FileLock(folder / "alive.lock")
        try:
            lock.acquire(timeout=patience, poll_interval=POLL_S)
        except Timeout:
            return True
        lock.release()
        return False


def _end(pid: int, *, gently: bool) -> None:
    """End a process and those it started."""
    try:
        if os.name == "nt":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGTERM if gently else signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # it has just ended
        pass


# -- the process of a job ----------------------------------------------------------------------------------------------


class Running:
    """A job as its own function sees it. folder: for checkpoints; it stays until the job is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self._home, self._lock = folder, threading.Lock()
        self._status = replace(_read(folder) or Status("queued"), pid=os.getpid())
        _write(folder, self._status)

    def report(self, progress: float, message: str = "", **numbers: Any) -> None:
        """Say how far it is (0 to 1), in one sentence, and what was found; it costs a tenth of a millisecond."""
        self._set(progress=min(1.0, max(0.0, progress)), message=message, numbers=numbers)

    def _set(self, **changes: Any) -> None:
        with self._lock:
            if not self._status.alive:  # the last word was said
                return
            changes["numbers"] = {**self._status.numbers, **changes.get("numbers", {})}
            self._status = replace(self._status, **changes)
            _write(self._home, self._status)

    def _finish(self, **changes: Any) -> NoReturn:
        """The last word; then nothing of the job is left, neither this process nor any that it started."""
        self._set(**changes)
        sys.stdout.flush()
        if os.name == "nt":
            os._exit(0)
        os.killpg(0, signal.SIGKILL)
        raise AssertionError("a process outlived SIGKILL")


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


def main(folder: Path) -> NoReturn:
    """Run the job that a folder describes; the process ends with it."""
    alive = FileLock(folder / "alive.lock")
    alive.acquire(timeout=START_S)  # never released: the system does
    running = Running(folder)

    def cancel(number: int, frame: FrameType | None) -> NoReturn:
        raise Cancelled

    def follow() -> NoReturn:
        """End with the process that started this one."""
        sys.stdin.buffer.read()
        running._finish(state="cancelled", message=f"The lab was closed while it ran. {_GO_ON}")

    try:
        signal.signal(signal.SIGTERM, cancel)
        threading.Thread(target=follow, daemon=True).start()
        job = json.loads((folder / "job.json").read_bytes())
        running._set(message="Waits for another job to end.")
        with _slot():
            running._set(state="running", message="Starts.")
            numbers = _find(job["function"])(running, **job["arguments"])
            last = {"state": "done", "progress": 1.0, "message": "Done.", "numbers": dict(numbers or {})}
    except Cancelled:
        last = {"state": "cancelled", "message": f"Cancelled. {_GO_ON}"}
    except BaseException as error:
        traceback.print_exc()
        last = {"state": "failed", "message": " ".join(str(error).split()) or f"It failed with {type(error).__name__}."}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    running._finish(**last)


if __name__ == "__main__":
    from bortlab.work.jobs import (
        main as imported_main,  # so that there is one class Cancelled, not one of __main__ besides
    )

    imported_main(Path(sys.argv[1]))
