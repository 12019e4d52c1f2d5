"""Short computations for many visitors at once: a fixed pool of long-lived threads, and what the machine allows.

Streamlit runs every visitor's script in a thread of its own, new on every rerun. If all of them ran networks, they
would fight for the cores and each would start a new team of OpenMP threads. So they hand their computation to a `Pool`:

- workers x intra-op threads <= cores, counting the limits of affinity mask and cgroup;
- equal requests, queued, running or lately finished, are computed once;
- the queue is bounded and waiting has an end: `BusyError`, with a sentence for the visitor;
- a wait goes in steps of at most `POLL_S`, and a request nobody waits for any more is dropped before it starts.

One intra-op thread a worker (`configure_torch`) is a measured choice. Six users of one page on two cores that another
program wants too, median seconds in two runs (the first with that program for part of the time only):

    1 worker, 2 actively waiting OpenMP threads    5.26  4.63
    1 worker, 2 threads, OMP_WAIT_POLICY=PASSIVE   0.14  0.30
    1 worker, 1 thread                             0.28  0.25
    2 workers, 1 thread each                       0.21  0.32
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import torch

from bortlab.system.errors import BusyError
from bortlab.system.machine import cores

T = TypeVar("T")
POLL_S = 0.1
"""Longest step of a wait: between two steps Python can deliver what interrupts the waiting thread."""


class ComputationError(RuntimeError):
    """A computation died of something that is no Exception, such as a panic of a Rust library."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """queued, running: at present. done: computed, failures too. shared: needed no computation. rejected: busy."""

    queued: int
    running: int
    done: int
    shared: int
    rejected: int


@dataclass(slots=True, eq=False)
class _Task:
    """One computation and those who wait for it."""

    key: Hashable
    function: Callable[[], Any]
    waiters: int = 0
    finished: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    size: int = 0  # bytes of the result
    error: Exception | None = None
    traceback: TracebackType | None = None


class Pool:
    """A fixed number of threads that compute what is asked, each equal request once.

    Args:
        workers: threads; None: as many as the cores allow with torch's present number of intra-op threads.
        queue: requests that may wait. A full one of 0.15 s each (a base model, a sentence) is done by two workers in
            19 s, before anybody's time is over; with 64, a third of a class of 120 was told "busy" at once.
        results: finished results kept (failures never are).
        results_mb: most memory they may take; a larger one is not kept.
    """

    def __init__(
        self, workers: int | None = None, queue: int = 256, *, results: int = 128, results_mb: float = 256
    ) -> None:
        workers = max(1, cores() // torch.get_num_threads()) if workers is None else workers
        if workers < 1 or queue < 1:
            raise ValueError(f"A pool needs at least 1 worker and room for 1 request, got {workers} and {queue}.")
        self._queue, self._n_results, self._results_bytes = queue, results, int(results_mb * 1e6)
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._waiting: deque[_Task] = deque()
        self._tasks: dict[Hashable, _Task] = {}  # queued and running
        self._results: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()  # key -> result, bytes
        self._running = self._done = self._shared = self._rejected = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"bortlab-worker-{i}", daemon=True) for i in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def run(
        self, key: Hashable, function: Callable[[], T], *, timeout: float = 30.0, tick: Callable[[], None] | None = None
    ) -> T:
        """function(), computed by a worker; an equal key shares the computation, and its exception too.

        key: everything the result depends on: the function's name, the model's fingerprint, the arguments. Treat the
        result as read-only, for others hold it too. Raises BusyError when the queue is full or `timeout` is over.

        The wait is plain Python in steps of POLL_S. Streamlit delivers its stop only at an `st.` call, so a page that
        is to be stopped while it waits passes one as `tick`; it is called between steps and may raise. A computation
        that runs cannot be stopped; it is finished, and kept for the next one who asks. In a worker, `run` computes at
        once.
        """
        if threading.current_thread() in self._threads:
            return function()
        task = self._join(key, function)
        if isinstance(task, _Kept):
            return cast(T, task.result)
        deadline = time.monotonic() + timeout
        try:
            while not task.finished.wait(max(0.0, min(POLL_S, deadline - time.monotonic()))):
                if tick is not None:
                    tick()
                if time.monotonic() >= deadline:
                    raise self._too_late()
        finally:
            self._leave(task)
        if task.error is not None:
            raise task.error.with_traceback(task.traceback)  # not the traceback that another waiter made longer
        return cast(T, task.result)

    def stats(self) -> PoolStats:
        """What the pool does now and has done."""
        with self._lock:
            return PoolStats(len(self._waiting), self._running, self._done, self._shared, self._rejected)

    def forget(self) -> None:
        """Drop the finished results."""
        with self._lock:
            self._results.clear()

    def close(self, timeout: float = 10.0) -> None:
        """Take no new requests, finish those there are, end the threads; after `timeout` the rest is told "busy"."""
        with self._lock:
            self._closed = True
            self._work.notify_all()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            while self._waiting:
                task = self._waiting.popleft()
                task.error = BusyError("The lab is shutting down. Try again in a minute.")
                self._finish(task)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _join(self, key: Hashable, function: Callable[[], Any]) -> _Task | _Kept:
        """The kept result, the computation under way, or a new one at the end of the queue."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                self._shared += 1
                return _Kept(self._results[key][0])
            task = self._tasks.get(key)
            if task is not None:
                self._shared += 1
            else:
                if self._closed:
                    raise BusyError("The lab is shutting down. Try again in a minute.")
                if len(self._waiting) >= self._queue:
                    self._rejected += 1
                    raise BusyError(
                        f"The lab is busy: {len(self._waiting)} requests are waiting, and more do not fit. "
                        f"Try again in a few seconds.",
                        len(self._waiting),
                    )
                task = self._tasks[key] = _Task(key, function)
                self._waiting.append(task)
                self._work.notify()
            task.waiters += 1
            return task

    def _leave(self, task: _Task) -> None:
        """One waiter less; without any, a task that has not started never will."""
        with self._lock:
            task.waiters -= 1
            if not task.waiters and task in self._waiting:
                self._waiting.remove(task)
                del self._tasks[task.key]

    def _too_late(self) -> BusyError:
        with self._lock:
            self._rejected += 1
            waiting = len(self._waiting)
        return BusyError(
            f"The lab is busy: there was no answer in time, {waiting} requests are waiting. "
            f"Try again, or with a shorter text or a smaller model.",
            waiting,
        )

    def _serve(self) -> None:
        """A worker: take the oldest task, compute, tell; until the pool is closed and the queue is empty."""
        while True:
            with self._lock:
                while not self._waiting and not self._closed:
                    self._work.wait()
                if not self._waiting:
                    return
                task = self._waiting.popleft()
                self._running += 1
            _compute(task)
            with self._lock:
                self._running -= 1
                self._done += 1
                self._keep(task)
                self._finish(task)
            del task  # an idle worker holds on to nothing

    def _keep(self, task: _Task) -> None:
        if task.error is not None or task.size > self._results_bytes:
            return
        self._results[task.key] = (task.result, task.size)
        while len(self._results) > self._n_results or sum(s for _, s in self._results.values()) > self._results_bytes:
            self._results.popitem(last=False)

    def _finish(self, task: _Task) -> None:
        del self._tasks[task.key]
        task.finished.set()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A finished result."""

    result: Any


def _compute(task: _Task) -> None:
    """Run the task's function; whatever it raises becomes an Exception, so that neither worker nor page dies of it."""
    try:
        task.result = task.function()
        task.size = _bytes_of(task.result)
    except Exception as error:
        task.error, task.traceback = error, error.__traceback__
    except BaseException as error:
        task.error = ComputationError(f"The computation broke down: {type(error).__name__}: {error}")
        task.error.__cause__ = error


def _bytes_of(value: object) -> int:
    """Memory of the arrays inside a result, roughly: tensors and arrays in records, tuples, lists and mappings."""
    if isinstance(size := getattr(value, "nbytes", None), int):
        return size
    if is_dataclass(value) and not isinstance(value, type):
        return sum(_bytes_of(getattr(value, entry.name)) for entry in fields(value))
    if isinstance(value, Mapping):
        return sum(map(_bytes_of, value.values()))
    if isinstance(value, tuple | list):
        return sum(map(_bytes_of, value))
    return len(value) if isinstance(value, str | bytes) else 0


_default: Pool | None = None
_default_lock = threading.Lock()


def default_pool() -> Pool:
    """The process's own pool, made at its first use and drained when Python ends."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Pool()
            atexit.register(_default.close)
        return _default


def configure_torch() -> None:
    """The app's policy, to be called once at its start and never by the library: one intra-op thread for each worker.

    Changes the whole process. The module's docstring has the measurement.
    """
    torch.set_num_threads(1)
