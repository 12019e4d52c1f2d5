"""Measuring: a process for each contestant, all taking turns; by itself or as a job."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bortlab.analysis.latency import cases, machine
from bortlab.analysis.latency.cases import Case, Contestant, shape, title
from bortlab.analysis.latency.files import runs_folder
from bortlab.analysis.latency.plans import TURN_S, Plan
from bortlab.analysis.latency.process import ContestantError, Process, contestant_process
from bortlab.analysis.latency.results import Measured, Run
from bortlab.runtimes import RUNTIMES
from bortlab.runtimes.comparison import Agreement
from bortlab.work.jobs import Job, Running

MOST_CALLS = 25
"""Counted calls of a turn."""
LIMIT_S = 1_200.0
"""A measurement ends after so long, with the rounds it has."""
SAVE_S = 2.0
"""Seconds between two partial results."""
JOB_NAME = "latency"
Report = Callable[..., None]
"""report(progress, message, **numbers): see `Running.report`."""


def measure(plan: Plan, *, report: Report | None = None, path: Path | None = None, limit_s: float = LIMIT_S) -> Run:
    """Measure a plan.

    A case that fails says so in the result, and the others go on.

    Args:
        report: is told how far the measurement is.
        path: where the result is saved, and partial results meanwhile: however this ends, what was measured is there.
        limit_s: ends the measurement after so many seconds, with the rounds it has.

    Raises:
        UnsupportedError, MemoryNeededError: before anything is started.
    """
    plan.check()
    return Measurement(plan, report or silent, path, limit_s).run()


def silent(progress: float, message: str = "", **numbers: Any) -> None:
    """A report to nobody."""


class Measurement:
    """A measurement in progress."""

    def __init__(self, plan: Plan, report: Report, path: Path | None, limit_s: float) -> None:
        self.plan, self.report, self.path, self.limit_s = plan, report, path, limit_s
        self.environment = machine.environment()
        self.measured = {
            case: Measured(
                case,
                parameters=cases.n_parameters(case.model, case.output),
                flops=cases.flops(case.model, case.output, case.batch, case.seq),
            )
            for case in plan.cases
        }
        self.times: dict[Case, list[tuple[float, ...]]] = {case: [] for case in plan.cases}
        self.processes: dict[Contestant, Process] = {}
        self.calls: dict[Case, int] = {}
        self.watch, self.started, self.saved = machine.Watch(), time.monotonic(), time.monotonic()
        self._cpu_before = time.process_time()

    def run(self) -> Run:
        """All of it; partial results are kept if it is stopped."""
        complete = False
        try:
            with ExitStack() as stack:
                self._build(stack)
                self._warm()
                self._take_turns()
                result = self.result(complete=True)
                complete = True
        finally:
            if self.path is not None and (complete or any(self.times.values())):
                (result if complete else self.result()).save(self.path)
        return result

    def result(self, *, complete: bool = False) -> Run:
        """What is known so far."""
        own_cpu_s = time.process_time() + sum(process.cpu_s for process in self.processes.values()) - self._cpu_before
        common_rounds = min((len(self.times[case]) for case in self._running_cases()), default=0)
        measured = tuple(
            replace(entry, rounds=tuple(self.times[case] if entry.error else self.times[case][: common_rounds or None]))
            for case, entry in self.measured.items()
        )
        return Run(
            self.plan,
            measured,
            self.environment,
            self.watch.noise(own_cpu_s),
            time.monotonic() - self.started,
            complete,
            self.path.stem if self.path else "",
        )

    def _build(self, stack: ExitStack) -> None:
        """Start all processes, then let each build its network: they start side by side."""
        shapes_of = self.plan.shapes
        for contestant in shapes_of:
            self.processes[contestant] = stack.enter_context(contestant_process(contestant))
        for number, (contestant, shapes) in enumerate(shapes_of.items()):
            self.report(0.1 * number / len(shapes_of), f"Building {title(contestant.model)}.")
            with self._failing(*self._cases_of(contestant)):
                answer = self.processes[contestant].ask({"build": asdict(contestant), "shapes": shapes})
                cpus, agrees = answer["cpus"], answer["agreement"]
                for case in self._cases_of(contestant):
                    self._note(
                        case,
                        cpus=None if cpus is None else tuple(cpus),
                        agreement=None if agrees is None else Agreement(**agrees),
                    )

    def _warm(self) -> None:
        for number, case in enumerate(self.plan.cases):
            if self.measured[case].error:
                continue
            doing = "Compiling and warming up" if RUNTIMES[case.runtime].prepares_long else "Warming up"
            self.report(0.1 + 0.2 * number / len(self.plan.cases), f"{doing} {title(case.model)}, {shape(case)}.")
            with self._failing(case):
                answer = self.processes[case.contestant].ask({"warm": [case.batch, case.seq]})
                self.calls[case] = max(1, min(MOST_CALLS, round(1000 * TURN_S / answer["ms"])))
                self._note(case, difference=answer["difference"], setup_s=answer["setup_s"])

    def _take_turns(self) -> None:
        """Round after round, each starting with another contestant, until all have enough."""
        began, done = time.monotonic(), 0
        while (running := self._running_cases()) and not (done and self._rounds_left(done) == 0):
            first = done % len(running)
            for case in (*running[first:], *running[:first]):
                with self._failing(case):
                    self._turn(case)
            done += 1
            self._report_round(done, time.monotonic() - began)
            if self.path is not None and (done == 1 or time.monotonic() - self.saved > SAVE_S):
                self.result().save(self.path, durable=False)
                self.saved = time.monotonic()
            if time.monotonic() - self.started > self.limit_s:
                return

    def _turn(self, case: Case) -> None:
        answer = self.processes[case.contestant].ask({"run": [case.batch, case.seq], "calls": self.calls[case]})
        self.times[case].append(tuple(answer["ms"]))
        before = self.measured[case]
        self._note(
            case,
            rss=_larger(before.rss, answer["rss"]),
            device_bytes=_larger(before.device_bytes, answer["device_bytes"]),
        )

    def _report_round(self, done: int, seconds: float) -> None:
        left = self._rounds_left(done)
        self.report(
            0.3 + 0.7 * done / (done + left), f"Round {done} of {done + left}.", seconds_left=left * seconds / done
        )

    def _rounds_left(self, done: int) -> int:
        """Until every case has the least number of rounds and of seconds, judged by what the rounds so far took."""
        needed = self.plan.rounds
        for case in self._running_cases():
            seconds = sum(map(sum, self.times[case])) / 1000
            if seconds > 0:
                needed = max(needed, math.ceil(done * self.plan.seconds / seconds - 1e-9))
        return max(0, needed - done)

    def _cases_of(self, contestant: Contestant) -> list[Case]:
        return [case for case in self.plan.cases if case.contestant == contestant]

    def _running_cases(self) -> list[Case]:
        return [case for case in self.plan.cases if not self.measured[case].error]

    def _note(self, case: Case, **facts: Any) -> None:
        self.measured[case] = replace(self.measured[case], **facts)

    @contextmanager
    def _failing(self, *failing: Case) -> Iterator[None]:
        """A failure of a contestant is noted in its cases, and the others go on."""
        try:
            yield
        except ContestantError as error:
            for case in self._cases_of(failing[0].contestant) if error.dead else failing:
                self._note(case, error=str(error))


def _larger(first: int | None, second: int | None) -> int | None:
    known = [value for value in (first, second) if value is not None]
    return max(known, default=None)


# -- as a job ----------------------------------------------------------------------------------------------------------


def job(plan: Plan) -> Job:
    """The job that measures a plan and keeps the result; ValueError for what cannot be measured here."""
    plan.check()
    return Job(JOB_NAME, f"{__name__}:run", plan.to_dict())


def run(running: Running, **arguments: Any) -> Mapping[str, Any]:
    """Measure in a job. Its numbers say where the result is, from the first round on."""
    plan = Plan.from_dict(arguments)
    path = runs_folder() / f"{time.strftime('%Y-%m-%d-%H%M%S', time.gmtime())}-{os.getpid()}.json"
    running.report(0.0, "Starting its processes.", path=str(path), seconds_left=0.0)
    result = measure(plan, report=running.report, path=path)
    if not result.timed:
        raise RuntimeError(result.failed[0].error if result.failed else "Nothing was measured.")
    return {"path": str(path), "seconds": result.elapsed_s}
