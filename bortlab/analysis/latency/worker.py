"""A process that holds one contestant and times it when told to: `python -m bortlab.analysis.latency.worker`.

It reads one JSON order a line and writes one JSON answer. Between two orders it sleeps, its threads too, so that
contestants in processes of their own can take turns without disturbing each other. The order
{"build": contestant, "shapes": ...} comes first, {"warm": shape} once for each shape, then {"run": shape, "calls": n}
any number of times. An answer with "error" is a sentence for people.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import torch

from bortlab import registry
from bortlab.analysis.latency import machine, requirements
from bortlab.analysis.latency.cases import Contestant, has_own_weights, title
from bortlab.analysis.latency.networks import build, example
from bortlab.runtimes import (
    DTYPES,
    RUNTIMES,
    Forward,
    UnsupportedError,
    WrongOutputError,
    agreement,
    converted,
)
from bortlab.runtimes.comparison import Agreement
from bortlab.runtimes.engines import with_program
from bortlab.runtimes.engines.timed import Opened
from bortlab.system.garbage import no_collection

WARM_CALLS, WARM_S = 3, 0.2
"""A shape is warm after so many calls and so many seconds."""
LONG_MS = 200.0
"""A forward pass this long refills the caches anyway: its turns need no call that does not count."""
Shape = tuple[int, int]


class Worker:
    """One contestant in this process."""

    def __init__(self, contestant: Contestant, shapes: tuple[Shape, ...]) -> None:
        self.contestant = contestant
        torch.set_num_threads(contestant.threads)
        self.cpus = machine.chosen_cpus(contestant.threads)
        if self.cpus is not None:
            os.sched_setaffinity(0, self.cpus)
        requirements.check_contestant(contestant)
        self._check_device_memory(shapes)
        reference = build(contestant, shapes)
        with torch.inference_mode():  # of one sequence: the others are no different
            self._expected = {shape: reference(example(contestant, shape)[:1]) for shape in shapes}
        self._runtime = RUNTIMES[contestant.runtime]
        started = time.perf_counter()
        self._prepare = self._runtime.open(converted(reference, contestant.device, contestant.dtype))
        self._opened_s = time.perf_counter() - started
        self._forwards: dict[Shape, Forward] = {}
        self._long: set[Shape] = set()

    def agreement(self) -> Agreement | None:
        """How an engine's answers compare with torch's on a few sentences; None for random weights, and for torch."""
        if not isinstance(self._prepare, Opened) or not has_own_weights(self.contestant.model):
            return None
        model = registry.load(self.contestant.model)  # `build` has loaded it: the same object
        return with_program(model, self._runtime.engine, self._prepare.program).agreement

    def warm(self, shape: Shape) -> dict[str, Any]:
        """Prepare a shape, compare its output with torch in float32, and run it until it is warm."""
        x = example(self.contestant, shape).to(self.contestant.device)
        if x.is_floating_point():
            x = x.to(DTYPES[self.contestant.dtype])
        started = time.perf_counter()
        forward = self._forwards[shape] = self._prepare(x)
        output = torch.as_tensor(forward())[:1]
        precision = self.contestant.dtype if self._runtime.exact else "int8"
        difference = agreement(output, self._expected.pop(shape), dtype=precision, title=self._runtime.title)
        setup = self._opened_s + time.perf_counter() - started
        calls, end = 0, time.perf_counter() + WARM_S
        while calls < WARM_CALLS or time.perf_counter() < end:
            forward()
            calls += 1
        self._synchronise()
        ms = min(self._time(forward, 3))
        if ms > LONG_MS:
            self._long.add(shape)
        return {"ms": ms, "difference": difference, "setup_s": setup}

    def run(self, shape: Shape, calls: int) -> dict[str, Any]:
        """Time so many calls, after one that is not timed: the previous process left other things in the caches."""
        forward = self._forwards[shape]
        machine.forget_peak()
        if self.contestant.device_kind == "cuda":
            torch.cuda.reset_peak_memory_stats(self.contestant.device)
        with no_collection():
            if shape not in self._long:
                forward()
                self._synchronise()
            ms = [round(time, 4) for time in self._time(forward, calls)]
        return {"ms": ms, "cpu_s": time.process_time(), "rss": machine.peak_rss(), "device_bytes": self._device_bytes()}

    def _time(self, forward: Forward, calls: int) -> list[float]:
        """Milliseconds of each call, by CUDA's own clock where there is one; waiting for the result always counts."""
        ms = []
        if self.contestant.device_kind == "cuda":
            start, end = (
                torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
                for _ in range(2)
            )
            for _ in range(calls):
                start.record()
                forward()
                end.record()
                end.synchronize()
                ms.append(float(start.elapsed_time(end)))
            return ms
        clock, finish = time.perf_counter_ns, self._synchronise
        for _ in range(calls):
            began = clock()
            forward()
            finish()
            ms.append((clock() - began) / 1e6)
        return ms

    def _synchronise(self) -> None:
        if self.contestant.device_kind == "cuda":
            torch.cuda.synchronize(self.contestant.device)
        elif self.contestant.device_kind == "mps":
            torch.mps.synchronize()

    def _device_bytes(self) -> int | None:
        """Memory on the accelerator: the most of this run on CUDA, the present one on MPS."""
        if self.contestant.device_kind == "cuda":
            return torch.cuda.max_memory_allocated(self.contestant.device)
        return torch.mps.driver_allocated_memory() if self.contestant.device_kind == "mps" else None

    def _check_device_memory(self, shapes: tuple[Shape, ...]) -> None:
        if self.contestant.device_kind != "cuda":
            return
        stays, forward = requirements.needed_bytes(self.contestant, shapes)
        needed = stays + forward - requirements.PROCESS_BYTES
        free, _ = torch.cuda.mem_get_info(self.contestant.device)
        if needed > free:
            raise UnsupportedError(
                f"{title(self.contestant.model)} needs about {needed / 1e9:.1f} GB on {self.contestant.device}, and "
                f"{free / 1e9:.1f} GB are free there. Choose a smaller batch or a shorter sequence."
            )


def sentence(error: BaseException) -> str:
    """What went wrong, for people."""
    message = " ".join(str(error).split())
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in message:
        details = f": {message[:200]}" if message else ""
        return f"Out of memory{details}. Choose a smaller batch or a shorter sequence."
    if isinstance(error, WrongOutputError):
        return f"{message} It was not timed."
    if isinstance(error, ValueError):
        return message
    if "CUDA" in message or "device" in message.lower():
        return f"The device failed or is gone: {message[:200]}. Choose another device, or try again."
    return f"{type(error).__name__}: {message[:300] or 'no details were given'}."


def serve(orders: TextIO, answers: TextIO) -> None:
    """Answer orders until there are no more."""
    worker: Worker | None = None
    for line in orders:
        order = json.loads(line)
        try:
            if "build" in order:
                worker = Worker(Contestant(**order["build"]), tuple(map(tuple, order["shapes"])))
                agrees = worker.agreement()
                answer: dict[str, Any] = {
                    "cpus": worker.cpus,
                    "cpu_s": time.process_time(),
                    "agreement": agrees and asdict(agrees),
                }
            elif worker is None:
                raise ValueError("Nothing was built: the first order must be to build.")
            else:
                answer = obey(worker, order)
        except Exception as error:
            answer = {"error": sentence(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def obey(worker: Worker, order: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to an order to warm or to run."""
    if "warm" in order:
        return worker.warm(tuple(order["warm"]))
    return worker.run(tuple(order["run"]), order["calls"])


def main() -> None:
    """Talk over standard input and output; whatever else is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with suppress(OSError):  # if memory runs out, this process should go, not the lab
        Path("/proc/self/oom_score_adj").write_text("1000")
    warnings.simplefilter("ignore")
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
