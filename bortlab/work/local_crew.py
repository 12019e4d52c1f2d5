"""Workers of a sweep as processes of this machine, each a fresh interpreter that does one item after the other.

Tasks go to a worker's standard input and events come from its standard output, a line of JSON each. What the work
itself prints goes to standard error. A worker ends with the process that started it: its standard input closes.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bortlab.system import processes, settings
from bortlab.system.assets import CHECKOUT
from bortlab.work.crew import Event, Task, perform


@dataclass(eq=False)
class _Worker:
    """A process, and the key of the task it does, "" for none."""

    process: subprocess.Popen[str]
    key: str = ""


class LocalCrew:
    """So many processes, started when they are needed. threads: of torch in each."""

    def __init__(self, function: str, size: int, threads: int) -> None:
        self._function, self._size, self._threads = function, size, threads
        self._workers: list[_Worker] = []
        self._events: queue.SimpleQueue[tuple[_Worker, Event]] = queue.SimpleQueue()

    @property
    def free(self) -> int:
        """How many tasks can be started now."""
        return self._size - sum(bool(worker.key) for worker in self._workers)

    def start(self, task: Task) -> None:
        """Give a task to a worker that is free, or to a new one."""
        idle = [worker for worker in self._workers if not worker.key]
        worker = idle[0] if idle else self._new_worker()
        worker.key = task.key
        assert worker.process.stdin is not None
        try:
            worker.process.stdin.write(json.dumps({"setting": task.setting, "folder": str(task.folder)}) + "\n")
            worker.process.stdin.flush()
        except OSError:  # it died while it was idle; its reader says so
            pass

    def events(self, timeout: float) -> Iterable[tuple[str, Event]]:
        """(key of the task, what happened) since the last call."""
        try:
            happened = [self._events.get(timeout=timeout)]
        except queue.Empty:
            return
        while not self._events.empty():
            happened.append(self._events.get())
        for worker, event in happened:
            key = worker.key
            if event["kind"] == "died":
                self._workers.remove(worker)
            if event["kind"] != "progress":
                worker.key = ""
            if key:
                yield key, event

    def close(self) -> None:
        """End the workers at once, with all that they started."""
        for worker in self._workers:
            processes.end(processes.family(worker.process.pid), gently=False)
        for worker in self._workers:
            worker.process.wait()

    def _new_worker(self) -> _Worker:
        paths = os.pathsep.join(path for path in sys.path if path)  # what can be imported here can be there
        environment = settings.environment_for(CHECKOUT, **{settings.OPENMP_THREADS.name: str(self._threads)})
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [environment["PYTHONPATH"], paths]))
        process = subprocess.Popen(
            [sys.executable, "-m", "bortlab.work.local_crew", self._function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        worker = _Worker(process)
        self._workers.append(worker)
        threading.Thread(target=self._listen, args=[worker], name="sweep worker", daemon=True).start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Pass on what a worker says until it ends."""
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            try:
                self._events.put((worker, json.loads(line)))
            except ValueError:  # cut off by its death
                break
        code = worker.process.wait()
        reason = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._events.put((worker, {"kind": "died", "reason": reason}))


def main(function: str) -> None:
    """A worker: do the tasks that come by standard input, one after the other."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the work prints, C libraries too
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    lock = threading.Lock()

    def read() -> None:
        for line in sys.stdin:
            tasks.put(line)
        processes.end_what_this_one_started()
        os._exit(1)

    def say(event: Event) -> None:
        with lock:
            channel.write(json.dumps(event) + "\n")
            channel.flush()

    threading.Thread(target=read, daemon=True).start()
    while True:
        task = json.loads(tasks.get())
        say(perform(function, task["setting"], Path(task["folder"]), say))


if __name__ == "__main__":
    main(sys.argv[1])
