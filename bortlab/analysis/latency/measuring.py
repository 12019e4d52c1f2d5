"""Measuring: a process for each contestant, all taking turns; by itself or as a job."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bortlab.analysis.latency import machine, runtimes
from bortlab.analysis.latency.plans import TURN_S, Plan
from bortlab.analysis.latency.results import Measured, Run, runs_folder
from bortlab.analysis.latency.runtimes import Case, Contestant, shape, title
from bortlab.system import settings
from bortlab.system.assets import CHECKOUT
from bortlab.work.jobs import Job, Running

MOST_CALLS = 25
"""Counted calls of a turn."""
LIMIT_S = 1_200.0
"""A measurement ends after so long, with the rounds it has."""
SAVE_S = 2.0
"""Seconds between two partial results."""
Report = Callable[..., None]
"""report(progress, message, **numbers): see jobs.Running.report."""


def measure(plan: Plan, *, report: Report | None = None, path: Path | None = None, limit_s: float = LIMIT_S) -> Run:
    """Measure a plan. path: where partial results are kept too; what has been measured is there however this ends.

    Raises UnsupportedError or MemoryNeededError before anything is started. A case that fails later says so in the
    result, and the others go on.
    """
    plan.check()
    return Measurement(plan, report or _silent, path, limit_s).run()


def _silent(progress: float, message: str = "", **numbers: Any) -> None:
    """Nobody listens."""


class Measurement:
    """One measurement under way."""

    def __init__(self, plan: Plan, report: Report, path: Path | None, limit_s: float) -> None:
        self.plan, self.report, self.path, self.limit_s = plan, report, path, limit_s
        self.environment = machine.environment()
        self.found = {
            case: Measured(
                case,
                parameters=runtimes.n_parameters(case.model, case.output),
                flops=runtimes.flops(case.model, case.output, case.batch, case.seq),
            )
            for case in plan.cases
        }
        self.times: dict[Case, list[tuple[float, ...]]] = {case: [] for case in plan.cases}
        self.processes: dict[Contestant, Process] = {}
        self.calls: dict[Case, int] = {}
        self.watch, self.started, self.saved = machine.Watch(), time.monotonic(), time.monotonic()

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
        own = time.process_time() + sum(process.cpu_s for process in self.processes.values())
        rounds = min((len(self.times[case]) for case in self._alive()), default=0)
        measured = tuple(
            replace(one, rounds=tuple(self.times[case][: rounds or None]) if not one.error else tuple(self.times[case]))
            for case, one in self.found.items()
        )
        return Run(
            self.plan, measured, self.environment, self.watch.noise(own - self._own_before),
            time.monotonic() - self.started, complete, self.path.stem if self.path else "",
        )  # fmt: skip

    def _build(self, stack: ExitStack) -> None:
        """Start all processes, then let each build its network: they start side by side."""
        self._own_before = time.process_time()
        groups = self.plan.groups
        for who in groups:
            self.processes[who] = stack.enter_context(_process(who))
        for number, (who, shapes) in enumerate(groups.items()):
            self.report(0.1 * number / len(groups), f"Builds {title(who.model)}.")
            with self._failing(*self._cases(who)):
                answer = self.processes[who].ask({"build": asdict(who), "shapes": shapes})
                cpus = answer["cpus"]
                for case in self._cases(who):
                    self.found[case] = replace(self.found[case], cpus=None if cpus is None else tuple(cpus))

    def _warm(self) -> None:
        for number, case in enumerate(self.plan.cases):
            if self.found[case].error:
                continue
            doing = "Compiles and warms" if case.runtime in ("compile", "onnx") else "Warms"
            self.report(0.1 + 0.2 * number / len(self.plan.cases), f"{doing} {title(case.model)}, {shape(case)}.")
            with self._failing(case):
                answer = self.processes[case.contestant].ask({"warm": [case.batch, case.seq]})
                self.calls[case] = max(1, min(MOST_CALLS, round(1000 * TURN_S / answer["ms"])))
                self.found[case] = replace(self.found[case], difference=answer["difference"], setup_s=answer["setup_s"])

    def _take_turns(self) -> None:
        """Round after round, each starting with another contestant, until all have enough."""
        begun, number = time.monotonic(), 0
        while (cases := self._alive()) and not self._enough(cases, number):
            shift = number % len(cases)
            for case in (*cases[shift:], *cases[:shift]):
                with self._failing(case):
                    self._turn(case)
            number += 1
            now = time.monotonic()
            left = self._rounds_left(number) * (now - begun) / number
            share = number / (number + self._rounds_left(number))
            self.report(
                0.3 + 0.7 * share, f"Round {number} of {number + self._rounds_left(number)}.", seconds_left=left
            )
            if self.path is not None and (number == 1 or now - self.saved > SAVE_S):
                self.result().save(self.path, durable=False)
                self.saved = now
            if now - self.started > self.limit_s:
                return

    def _turn(self, case: Case) -> None:
        answer = self.processes[case.contestant].ask({"run": [case.batch, case.seq], "calls": self.calls[case]})
        self.times[case].append(tuple(answer["ms"]))
        one = self.found[case]
        self.found[case] = replace(
            one, rss=_most(one.rss, answer["rss"]), device_bytes=_most(one.device_bytes, answer["device_bytes"])
        )

    def _enough(self, cases: Sequence[Case], rounds: int) -> bool:
        return rounds > 0 and self._rounds_left(rounds) == 0

    def _rounds_left(self, rounds: int) -> int:
        """Until everybody has the least number of rounds and of seconds, from what the rounds so far took."""
        needed = self.plan.rounds
        for case in self._alive():
            spent = sum(map(sum, self.times[case])) / 1000
            if spent > 0:
                needed = max(needed, math.ceil(rounds * self.plan.seconds / spent - 1e-9))
        return max(0, needed - rounds)

    def _cases(self, who: Contestant) -> list[Case]:
        return [case for case in self.plan.cases if case.contestant == who]

    def _alive(self) -> list[Case]:
        return [case for case in self.plan.cases if not self.found[case].error]

    @contextmanager
    def _failing(self, *cases: Case) -> Iterator[None]:
        """A failure of a contestant is noted beside its cases, and the others go on."""
        try:
            yield
        except ContestantError as error:
            lost = self._cases(cases[0].contestant) if error.dead else cases
            for case in lost:
                self.found[case] = replace(self.found[case], error=str(error))


def _most(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


class ContestantError(RuntimeError):
    """A contestant that cannot go on; the message is for people. dead: its process has ended."""

    def __init__(self, message: str, *, dead: bool = False) -> None:
        super().__init__(message)
        self.dead = dead


@dataclass(slots=True)
class Process:
    """The process of a contestant. cpu_s: processor time it has used."""

    popen: subprocess.Popen[str]
    cpu_s: float = field(default=0.0)

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Give an order and wait for the answer; ContestantError if it failed or the process ended."""
        assert self.popen.stdin is not None and self.popen.stdout is not None
        try:
            self.popen.stdin.write(json.dumps(order) + "\n")
            self.popen.stdin.flush()
            line = self.popen.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise ContestantError(_ended(self.popen.wait()), dead=True)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContestantError(answer["error"])
        self.cpu_s = answer.get("cpu_s", self.cpu_s)
        return answer


def _ended(code: int) -> str:
    if code == -9:
        return (
            "Its process was killed by the system, most likely for lack of memory. What was measured until then is "
            "kept. Take a smaller batch, a shorter sequence or a smaller model."
        )
    return f"Its process ended unexpectedly (exit code {code}). What was measured until then is kept."


@contextmanager
def _process(who: Contestant) -> Iterator[Process]:
    """A process for a contestant, which ends with the block."""
    environment = settings.environment_for(
        CHECKOUT, OMP_NUM_THREADS=str(who.threads), TORCHINDUCTOR_COMPILE_THREADS="1"
    )
    popen = subprocess.Popen(
        [sys.executable, "-m", "bortlab.analysis.latency.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8",
    )  # fmt: skip
    try:
        yield Process(popen)
    finally:
        popen.kill()
        popen.wait()
        for pipe in (popen.stdin, popen.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not written goes nowhere
                    pipe.close()


# -- as a job ----------------------------------------------------------------------------------------------------------

JOB_NAME = "latency"


def job(plan: Plan) -> Job:
    """The job that measures a plan and keeps the result; ValueError for what cannot be measured here."""
    plan.check()
    return Job(JOB_NAME, f"{__name__}:run", plan.to_dict())


def run(running: Running, **arguments: Any) -> Mapping[str, Any]:
    """Measure in a job. Its numbers say where the result is, from the first round on."""
    asked = Plan.from_dict(arguments)
    path = runs_folder() / f"{time.strftime('%Y-%m-%d-%H%M%S', time.gmtime())}-{os.getpid()}.json"
    running.report(0.0, "Starts its processes.", path=str(path), seconds_left=0.0)
    found = measure(asked, report=running.report, path=path)
    if not found.timed:
        raise RuntimeError(found.failed[0].error if found.failed else "Nothing was measured.")
    return {"path": str(path), "seconds": found.elapsed_s}
