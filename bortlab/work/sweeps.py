"""Many trainings as one: a function called with each of many settings, in processes of this machine or by Ray.

    def train(setting: dict, folder: Path, progress: Callable[..., None]) -> dict:  # in an importable module
        for step in range(100):
            progress(step / 100, f"step {step}")
        return {"accuracy": 0.9}

    outcomes = sweeps.run(train, [{"rate": 0.1, "seed": 0}, {"rate": 0.1, "seed": 1}], "folder")
    outcomes[0].result  # in the order of the settings

Each result is written to the folder as soon as it is there, so a sweep that was stopped or killed goes on where it
was. Every item has a folder of its own for checkpoints. An item whose worker dies (out of memory, killed) is tried
again; one that raises an error is not, for it would raise it again. Neither keeps the others from their results.

A worker computes with the same number of threads here and on Ray, one unless told otherwise: sums depend on it.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bortlab.system import machine
from bortlab.system.settings import RAY_ADDRESS
from bortlab.system.store import file_name, write
from bortlab.work.crew import Crew, Task
from bortlab.work.job_folder import function_named
from bortlab.work.local_crew import LocalCrew
from bortlab.work.ray_crew import RayCrew

WORKER_BYTES = 1_500_000_000
"""Memory that a worker is reckoned with: torch, a small encoder and its training."""
POLL_S = 0.2
"""Seconds between two looks at `stop`."""
Work = Callable[[dict[str, Any], Path, Callable[..., None]], Any]


class SweepError(RuntimeError):
    """A sweep that cannot be run."""


class SweepStopped(RuntimeError):
    """A sweep that `stop` ended before all of its items were done; the same call goes on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one setting. result: as the function returned it; None if it failed. failed: why, in a sentence;
    "" for none. deaths: how often a worker died of it in this run."""

    setting: Mapping[str, Any]
    result: Any
    failed: str = ""
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """How far a sweep is. done, failed, total: numbers of items. running: number of an item -> (share, message)."""

    done: int
    failed: int
    total: int
    running: Mapping[int, tuple[float, str]]

    @property
    def share(self) -> float:
        """How much of it is over, 0 to 1; every item counts the same."""
        over = self.done + self.failed + sum(share for share, _ in self.running.values())
        return over / self.total if self.total else 1.0

    @property
    def message(self) -> str:
        """The same in a sentence."""
        failed = f", {self.failed} failed" if self.failed else ""
        texts = "; ".join(text for _, text in self.running.values() if text)
        return f"{self.done} of {self.total} done{failed}." + (f" Running: {texts}" if texts else "")


def run(
    work: Work | str,
    settings: Sequence[Mapping[str, Any]],
    folder: str | Path,
    *,
    workers: int | None = None,
    ray: str | None = None,
    on_progress: Callable[[SweepProgress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    retries: int = 3,
    threads: int = 1,
) -> list[Outcome]:
    """Call `work(setting, folder_of_the_item, progress)` for each setting; what came of each, in order.

    Args:
        work: a function of an importable module, or its name "package.module:function". It returns what JSON can hold.
            Its `progress(share, message="")` may be called at any rate.
        settings: what JSON can hold; equal settings are one item.
        folder: where results and checkpoints lie. Items whose result is there are not run again.
        workers: how many at once; unless told, as many as cores and memory allow, or as the Ray cluster can take.
        ray: address of a Ray cluster ("auto", "HOST:PORT"), or "local" for one of its own on this machine. RAY_ADDRESS
            counts where this is None; without either, processes of this machine.
        on_progress: called in this thread whenever something has changed.
        stop: asked several times a second; the sweep ends once it answers True.
        retries: how many deaths of its worker an item is allowed before it counts as failed.
        threads: of torch in each worker.

    Raises:
        SweepError: for a function that no worker can import, a folder in use, or a cluster that is not reached.
        SweepStopped: if `stop` ended it.
        ValueError: for settings that are not JSON, or numbers below 1.
    """
    for name, value in (("workers", workers), ("retries", retries), ("threads", threads)):
        if value is not None and value < 1:
            raise ValueError(f"{name}: expected 1 or more, got {value}.")
    function, root = _function_name(work), Path(folder).absolute()
    tasks = [_task(function, setting, root) for setting in settings]
    with _alone(root):
        sweep = _Sweep(tasks, retries, on_progress)
        if sweep.waiting:
            crew = _crew(function, sweep, workers=workers, address=_address(ray), threads=threads)
            try:
                sweep.go(crew, stop)
            finally:
                crew.close()
        return sweep.outcomes()


class _Sweep:
    """The state of a sweep: what waits, what runs and what is over."""

    def __init__(
        self, tasks: Sequence[Task], retries: int, on_progress: Callable[[SweepProgress], None] | None
    ) -> None:
        self._tasks, self._retries, self._on_progress = tasks, retries, on_progress
        self._items = {task.key: task for task in tasks}
        self._numbers = {task.key: number for number, task in reversed(list(enumerate(tasks)))}
        self._results = {key: result for key, task in self._items.items() if (result := _kept(task)) is not None}
        self._failed: dict[str, str] = {}
        self._deaths = dict.fromkeys(self._items, 0)
        self._running: dict[str, tuple[float, str]] = {}
        self.waiting = deque(task for key, task in self._items.items() if key not in self._results)

    def go(self, crew: Crew, stop: Callable[[], bool] | None) -> None:
        """Run what waits, until nothing does."""
        self._tell()
        while self.waiting or self._running:
            if stop is not None and stop():
                raise SweepStopped(
                    f"Stopped after {len(self._results)} of {len(self._items)} items. Run it again to go on."
                )
            while self.waiting and crew.free > 0:
                task = self.waiting.popleft()
                self._running[task.key] = (0.0, "")
                crew.start(task)
            for key, event in crew.events(POLL_S):
                self._take(key, event)

    def _take(self, key: str, event: Mapping[str, Any]) -> None:
        """Take in what a worker says of an item."""
        if event["kind"] == "progress":
            self._running[key] = (min(1.0, max(0.0, float(event["share"]))), str(event["message"]))
        else:
            del self._running[key]
            if event["kind"] == "done":
                _keep(self._items[key], event["result"])
                self._results[key] = event["result"]
            elif event["kind"] == "failed":
                self._failed[key] = event["reason"]
            else:
                self._bury(key, event["reason"])
        self._tell()

    def _bury(self, key: str, reason: str) -> None:
        """Let an item whose worker died be tried again, or give it up."""
        self._deaths[key] += 1
        if self._deaths[key] < self._retries:
            self.waiting.appendleft(self._items[key])
            return
        times = "once" if self._retries == 1 else f"{self._retries} times"
        self._failed[key] = f"Its worker died {times} ({reason}). It may need more memory than there is."

    def _tell(self) -> None:
        if self._on_progress is not None:
            running = {self._numbers[key]: standing for key, standing in self._running.items()}
            self._on_progress(SweepProgress(len(self._results), len(self._failed), len(self._items), running))

    def outcomes(self) -> list[Outcome]:
        """One for each setting, in order."""
        return [
            Outcome(
                task.setting,
                self._results[task.key][0] if task.key in self._results else None,
                self._failed.get(task.key, ""),
                self._deaths[task.key],
            )
            for task in self._tasks
        ]


# -- items in the folder -----------------------------------------------------------------------------------------------


def item_folder(work: Work | str, setting: Mapping[str, Any], folder: str | Path) -> Path:
    """The folder of one item of a sweep: its checkpoints, and result.json once it is done."""
    return _task(_function_name(work), setting, Path(folder).absolute()).folder


def results(work: Work | str, settings: Sequence[Mapping[str, Any]], folder: str | Path) -> list[Any]:
    """The results that lie in the folder of a sweep so far, in the order of the settings; None where there is none."""
    function, root = _function_name(work), Path(folder).absolute()
    kept = [_kept(_task(function, setting, root)) for setting in settings]
    return [None if result is None else result[0] for result in kept]


def _task(function: str, setting: Mapping[str, Any], root: Path) -> Task:
    try:
        text = json.dumps(dict(setting), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"A setting must be JSON (texts, numbers, lists): {error}.") from None
    key = file_name("item", function, text)
    return Task(key, json.loads(text), root / key)


def _keep(task: Task, result: Any) -> None:
    write(task.folder / "result.json", json.dumps({"setting": task.setting, "result": result[0]}, indent=1).encode())


def _kept(task: Task) -> list[Any] | None:
    """The result of an item that was done before, in a list; None if there is none that can be read."""
    try:
        return [json.loads((task.folder / "result.json").read_bytes())["result"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """The folder for this sweep alone; two would compute the same items twice."""
    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / "sweep.lock", timeout=0):
            yield
    except Timeout:
        raise SweepError(
            f"Another sweep is running in {root}. Wait for it, stop it, or choose another folder."
        ) from None


# -- who works ---------------------------------------------------------------------------------------------------------


def _function_name(work: Work | str) -> str:
    """The name by which a worker imports the function."""
    if isinstance(work, str):
        name = work
    else:
        module = work.__module__
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        if module == "__main__" and spec is not None:  # started as `python -m package.module`
            module = spec.name
        name = f"{module}:{work.__qualname__}"
    advice = "It must be a function at the top of a module that can be imported, for other processes call it."
    if name.startswith("__main__:") or "<" in name:
        raise SweepError(f"No worker can import {name}. {advice}")
    try:
        function_named(name)
    except ValueError as error:
        raise SweepError(f"{error} {advice}") from None
    return name


def _address(ray: str | None) -> str | None:
    return ray or RAY_ADDRESS.read()


def _crew(function: str, sweep: _Sweep, *, workers: int | None, address: str | None, threads: int) -> Crew:
    """The workers: of this machine, or of a cluster."""
    if address is not None:
        return RayCrew(function, address, workers=workers, threads=threads)
    return LocalCrew(function, min(workers or most_workers(threads), len(sweep.waiting)), threads)


def most_workers(threads: int = 1) -> int:
    """Workers that the cores and the free memory of this machine allow, at least one."""
    return max(1, min(machine.cores() // threads, machine.memory_available() // WORKER_BYTES))
