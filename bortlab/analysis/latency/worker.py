"""A process that holds one contestant and times it when told to: `python -m bortlab.analysis.latency.worker`.

It reads one JSON object a line and answers with one. Between two orders it sleeps, its threads too, so that contestants
in processes of their own can take turns without disturbing each other. The order {"build": contestant, "shapes": ...}
comes first, {"warm": shape} once for each shape, then {"run": shape, "calls": n} as often as one likes. An answer with
"error" is a sentence for people.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import torch

from bortlab.analysis.latency import machine, runtimes
from bortlab.analysis.latency.runtimes import RUNTIMES, TOLERANCES, Contestant, Forward, UnsupportedError

WARM_CALLS, WARM_S = 3, 0.2
"""A shape is warm after so many calls and so many seconds."""
LONG_MS = 200.0
"""A forward of this length fills the caches anew anyway: its turns need no call that does not count."""
Shape = tuple[int, int]


class WrongOutputError(RuntimeError):
    """A runtime that computes something else than torch does in float32."""


class Worker:
    """One contestant in this process."""

    def __init__(self, who: Contestant, shapes: tuple[Shape, ...]) -> None:
        self.who, self.kind = who, who.device.partition(":")[0]
        torch.set_num_threads(who.threads)
        self.cpus = machine.chosen_cpus(who.threads)
        if self.cpus is not None:
            os.sched_setaffinity(0, self.cpus)
        runtimes.check_contestant(who)
        self._room_on_device(shapes)
        reference = runtimes.build(who, shapes)
        with torch.inference_mode():  # of one sequence: the others are no different
            self._expected = {shape: reference(runtimes.example(who, shape)[:1]) for shape in shapes}
        self._module = runtimes.converted(reference, who)
        self._forwards: dict[Shape, Forward] = {}
        self._long: set[Shape] = set()

    def warm(self, shape: Shape) -> dict[str, Any]:
        """Prepare a shape, compare its output with torch in float32, and run it until it is warm."""
        x = runtimes.example(self.who, shape).to(self.who.device)
        if x.is_floating_point():
            x = x.to(runtimes.DTYPES[self.who.dtype])
        started = time.perf_counter()
        forward = self._forwards[shape] = RUNTIMES[self.who.runtime].prepare(self._module, x)
        difference = self._difference(shape, forward())
        setup = time.perf_counter() - started
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
        """Time so many calls, after one that is not timed: whoever ran before left other things in the caches."""
        forward = self._forwards[shape]
        machine.forget_peak()
        if self.kind == "cuda":
            torch.cuda.reset_peak_memory_stats(self.who.device)
        collects = gc.isenabled()
        gc.disable()
        try:
            if shape not in self._long:
                forward()
                self._synchronise()
            ms = [round(time, 4) for time in self._time(forward, calls)]
        finally:
            if collects:
                gc.enable()
        return {"ms": ms, "cpu_s": time.process_time(), "rss": machine.peak_rss(), "device_bytes": self._device_bytes()}

    def _time(self, forward: Forward, calls: int) -> list[float]:
        """Milliseconds of each call. CUDA's own clock where there is one; waiting for the result always counts."""
        ms = []
        if self.kind == "cuda":
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
            begun = clock()
            forward()
            finish()
            ms.append((clock() - begun) / 1e6)
        return ms

    def _synchronise(self) -> None:
        if self.kind == "cuda":
            torch.cuda.synchronize(self.who.device)
        elif self.kind == "mps":
            torch.mps.synchronize()

    def _device_bytes(self) -> int | None:
        """Memory on the accelerator: the most of this run on CUDA, what is taken now on MPS."""
        if self.kind == "cuda":
            return torch.cuda.max_memory_allocated(self.who.device)
        return torch.mps.driver_allocated_memory() if self.kind == "mps" else None

    def _room_on_device(self, shapes: tuple[Shape, ...]) -> None:
        if self.kind != "cuda":
            return
        stays, forward = runtimes.needed_bytes(self.who, shapes)
        needed = stays + forward - runtimes.PROCESS_BYTES
        free, _ = torch.cuda.mem_get_info(self.who.device)
        if needed > free:
            raise UnsupportedError(
                f"{runtimes.title(self.who.model)} needs about {needed / 1e9:.1f} GB on {self.who.device}, and "
                f"{free / 1e9:.1f} GB are free there. Take a smaller batch or a shorter sequence."
            )

    def _difference(self, shape: Shape, output: Any) -> float:
        """Largest difference to torch in float32 by the largest output, at the first sequence of the batch."""
        expected = self._expected.pop(shape)
        found = torch.as_tensor(output)[:1].to("cpu", torch.float32)
        if found.shape != expected.shape or not bool(found.isfinite().all()):
            raise WrongOutputError(f"{RUNTIMES[self.who.runtime].title} gave no finite output of the right shape.")
        difference = float((found - expected).abs().max() / expected.abs().max())
        most = TOLERANCES[self.who.dtype]
        if difference > most:
            raise WrongOutputError(
                f"{RUNTIMES[self.who.runtime].title} computes something else: its output differs by {difference:.1%} "
                f"of the largest value, expected at most {most:.1%}. It was not timed."
            )
        return difference


def sentence(error: BaseException) -> str:
    """What went wrong, for people."""
    said = " ".join(str(error).split())
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in said:
        return f"Out of memory: {said[:200] or 'nothing more was said'}. Take a smaller batch or a shorter sequence."
    if isinstance(error, ValueError | WrongOutputError):
        return said
    if "CUDA" in said or "device" in said.lower():
        return f"The device failed or is gone: {said[:200]}. Choose another device, or try again."
    return f"{type(error).__name__}: {said[:300] or 'nothing more was said'}."


def serve(orders: TextIO, answers: TextIO) -> None:
    """Answer orders until there are no more."""
    worker: Worker | None = None
    for line in orders:
        order = json.loads(line)
        try:
            answer: dict[str, Any] = {}
            if "build" in order:
                worker = Worker(Contestant(**order["build"]), tuple(map(tuple, order["shapes"])))
                answer = {"cpus": worker.cpus, "cpu_s": time.process_time()}
            elif worker is None:
                raise ValueError("Nothing was built: the first order must be one to build.")
            else:
                does: Callable[..., dict[str, Any]] = worker.warm if "warm" in order else worker.run
                shape = tuple(order.get("warm") or order["run"])
                answer = does(shape) if "warm" in order else does(shape, order["calls"])
        except Exception as error:
            answer = {"error": sentence(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Talk over standard input and output; whatever else is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with suppress(OSError):  # if memory runs out, this process is to go, and not the lab
        Path("/proc/self/oom_score_adj").write_text("1000")
    warnings.simplefilter("ignore")
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
