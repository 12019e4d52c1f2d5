"""Workers of a sweep by Ray: on a cluster, or on a small one of its own.

Results come back to this machine, which writes them. An item's folder for checkpoints is at the same path on the
machine that computes it, so an item goes on from a checkpoint on another machine only where they share a file system.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bortlab.system import settings
from bortlab.system.assets import CHECKOUT
from bortlab.system.machine import cores
from bortlab.work.crew import Event, Task, perform

OBJECTS_BYTES = 100_000_000
"""Memory for objects of a cluster of our own: results are small."""


class RayError(RuntimeError):
    """Ray that is not there, or a cluster that is not reached."""


class _Board:
    """What the items say of their progress, in a process of its own."""

    def __init__(self) -> None:
        self._latest: dict[str, str] = {}

    def say(self, key: str, event: str) -> None:
        self._latest[key] = event

    def read(self) -> dict[str, str]:
        latest, self._latest = self._latest, {}
        return latest


def _perform(board: Any, function: str, key: str, setting: dict[str, Any], folder: str) -> str:
    """One item, in a process of Ray."""
    end = perform(function, setting, Path(folder), lambda event: board.say.remote(key, json.dumps(event)))
    return json.dumps(end)


class RayCrew:
    """Tasks of a Ray cluster. address: "auto", "HOST:PORT", or "local"; one that is joined already is kept."""

    def __init__(self, function: str, address: str, *, workers: int | None, threads: int) -> None:
        settings.keep_ray_quiet()
        try:
            import ray
        except ImportError:
            raise RayError("Ray is not installed: pip install 'bortlab[ray]', or leave out its address.") from None
        self._ray: Any = ray
        self._function, self._joined = function, not self._ray.is_initialized()
        if self._joined:
            _join(ray, address)
        self._size = workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)) // threads)
        paths = os.pathsep.join([str(CHECKOUT), *filter(None, sys.path)])
        variables = {
            "PYTHONPATH": paths,
            settings.OPENMP_THREADS.name: str(threads),
            settings.OPENMP_WAIT.name: "PASSIVE",
        }
        options = {"runtime_env": {"env_vars": variables}}
        self._board: Any = self._ray.remote(_Board).options(num_cpus=0, **options).remote()
        self._remote: Any = self._ray.remote(_perform).options(num_cpus=threads, max_retries=0, **options)
        self._tasks: dict[Any, str] = {}

    @property
    def free(self) -> int:
        """How many tasks can be started now."""
        return self._size - len(self._tasks)

    def start(self, task: Task) -> None:
        """Hand a task to the cluster."""
        reference = self._remote.remote(self._board, self._function, task.key, task.setting, str(task.folder))
        self._tasks[reference] = task.key

    def events(self, timeout: float) -> Iterable[tuple[str, Event]]:
        """(key of the task, what happened) since the last call."""
        ended, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=timeout)
        running = set(self._tasks.values())
        for key, event in self._ray.get(self._board.read.remote()).items():
            if key in running:
                yield key, json.loads(event)
        for reference in ended:
            yield self._tasks.pop(reference), self._end(reference)

    def _end(self, reference: Any) -> Event:
        """How a task ended."""
        errors = self._ray.exceptions
        try:
            end: Event = json.loads(self._ray.get(reference))
            return end
        except errors.RayTaskError as error:  # before the work began: bortlab is not installed there
            return {"kind": "failed", "reason": f"Ray could not run it: {str(error).strip().splitlines()[-1]}"}
        except errors.RayError as error:
            return {"kind": "died", "reason": type(error).__name__}

    def close(self) -> None:
        """Cancel what runs at once; leave the cluster, if this joined it."""
        for reference in self._tasks:
            self._ray.cancel(reference, force=True)
        self._ray.kill(self._board)
        if self._joined:
            self._ray.shutdown()


def _join(ray: Any, address: str) -> None:
    """Join a cluster, or begin one on this machine."""
    own = {"num_cpus": cores(), "include_dashboard": False, "object_store_memory": OBJECTS_BYTES}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **(own if address == "local" else {}))
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise RayError(f"The Ray cluster at {address!r} is not reached: {' '.join(str(error).split())[:300]}") from None
