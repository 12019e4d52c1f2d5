"""How fast is it here? `python -m bortlab.analysis.latency bort bert-base-uncased --seq 16 128`.

The method, in order: every contestant gets a process of its own with as many threads as asked, pinned to cores; its
output is compared with torch in float32; it runs until it is warm; then all take turns, A B C, B C A, C A B, ..., each
turn one call that does not count and a few that do, until every one has had at least so many turns and so many seconds.
What others do to the machine falls on all alike, and how much that was is measured and told.

    from bortlab.analysis import latency

    run = latency.measure(latency.plan(["bort", "bert-base-uncased"], seq=[16, 128]))
    run.frame()  # p50, p90, p99, interval, memory
    run.ratios("bert-base-uncased")  # case -> Ratio, with its interval and whether the difference is real
    run.save("here.json")
    latency.compare(run, latency.load("there.json"))
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bortlab import registry
from bortlab.analysis import machine, runtimes, timing
from bortlab.analysis.machine import UNKNOWN, Noise
from bortlab.analysis.runtimes import MATMUL, MATMUL_SIZE, Case, Contestant, UnsupportedError, title
from bortlab.analysis.timing import Interval, Ratio, Times
from bortlab.jobs import Job, Running
from bortlab.serving import cores, memory_available
from bortlab.store import cache_folder, write

if TYPE_CHECKING:
    import pandas

ROUNDS, SECONDS = 20, 1.0
"""The usual minima: turns of each contestant, and seconds of counted calls."""
QUICK_ROUNDS, QUICK_SECONDS = 12, 0.2
TURN_S = 0.05
"""About how long a turn takes; a longer forward is called once."""
MOST_CALLS = 25
"""Counted calls of a turn."""
LIMIT_S = 1_200.0
"""A measurement ends after so long, with the rounds it has."""
SAVE_S = 2.0
"""Seconds between two partial results."""
MOST_CASES = 120
MOST_BYTES = 5_000_000
"""Of a result that is read."""
FORMAT = 1
RECORDED = Path(__file__).parents[2] / "assets" / "latency"
"""Results that came with the lab, each with its machine and date."""

MINIS = ("albert-mini", "convbert-mini", "bort-mini", "bert-mini")
SMALL_BORT = next(iter(runtimes.VARIANTS))

Report = Callable[..., None]
"""report(progress, message, **numbers): see jobs.Running.report."""


class MemoryNeededError(ValueError):
    """More memory than there is; nothing was allocated."""


# -- what is to be measured --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how long. left_out: combinations that were asked for and cannot be, and why."""

    cases: tuple[Case, ...]
    rounds: int = ROUNDS
    seconds: float = SECONDS
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.cases:
            why = f" {' '.join(self.left_out[:3])}" if self.left_out else ""
            raise UnsupportedError(f"Nothing to measure.{why or ' Choose a model.'}")
        if len(self.cases) > MOST_CASES:
            raise UnsupportedError(
                f"{len(self.cases)} combinations are too many for one measurement, expected at most {MOST_CASES}: "
                f"choose fewer models, lengths or batches."
            )
        if len(set(self.cases)) < len(self.cases):
            raise UnsupportedError("The same combination is there twice: name each once.")
        if not (2 <= self.rounds <= 10_000 and 0 <= self.seconds <= 3_600):
            raise UnsupportedError(
                f"Expected 2 to 10,000 rounds and 0 to 3,600 seconds, got {self.rounds} and {self.seconds:g}."
            )

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"cases": [case.to_dict() for case in self.cases], "rounds": self.rounds, "seconds": self.seconds}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """From JSON."""
        return cls(tuple(Case(**case) for case in data["cases"]), data["rounds"], data["seconds"])

    def check(self) -> None:
        """Refuse what cannot be run, or has no room, before anything is built."""
        for case in self.cases:
            runtimes.check(case)
        needed = sum(stays for stays, _ in self.memory())
        most, who = max((forward, who) for who, (_, forward) in zip(self._titles(), self.memory(), strict=True))
        free = memory_available()
        if free is not None and needed + most > free:
            raise MemoryNeededError(
                f"This needs about {(needed + most) / 1e9:,.1f} GB of memory ({needed / 1e9:,.1f} GB for "
                f"{len(self.groups)} processes with their weights, {most / 1e9:,.1f} GB for the largest forward, of "
                f"{who}), and {free / 1e9:,.1f} GB are free. Nothing was started. Take smaller batches, shorter "
                f"sequences or fewer models."
            )

    @property
    def groups(self) -> dict[Contestant, tuple[tuple[int, int], ...]]:
        """The contestants, each with its shapes."""
        found: dict[Contestant, tuple[tuple[int, int], ...]] = {}
        for case in self.cases:
            found[case.contestant] = (*found.get(case.contestant, ()), (case.batch, case.seq))
        return found

    @property
    def estimated_seconds(self) -> float:
        """About how long it takes: starting processes, and the arithmetic at 45 GFLOP/s a thread."""
        once = {case: runtimes.flops(case.model, case.output, case.batch, case.seq) / 45e9 / case.threads
                for case in self.cases}  # fmt: skip
        rounds = max([self.rounds, *(self.seconds / max(s, TURN_S) for s in once.values())])
        compiled = sum(15.0 for case in self.cases if case.runtime in ("compile", "onnx"))
        return 2.5 * len(self.groups) + compiled + rounds * sum(max(1.2 * s, TURN_S) for s in once.values())

    def memory(self) -> list[tuple[int, int]]:
        """Bytes of the host's memory: what stays, and the largest forward."""
        return [
            runtimes.needed_bytes(who, shapes if who.device == "cpu" else ((1, shapes[0][1]),))
            for who, shapes in self.groups.items()
        ]

    def _titles(self) -> list[str]:
        return [title(who.model) for who in self.groups]


def plan(
    models: Iterable[str],
    *,
    output: str = "encoder",
    batch: Iterable[int] = (1,),
    seq: Iterable[int] = (128,),
    threads: Iterable[int] = (),
    device: Iterable[str] = ("cpu",),
    dtype: Iterable[str] = ("float32",),
    runtime: Iterable[str] = ("fused",),
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    roof: bool = True,
) -> Plan:
    """Everything by everything; combinations that cannot be run are left out, and the plan says which and why.

    threads: as many as there are cores unless told. roof: measure a matrix product beside them, as the most that the
    machine gives.
    """
    cases, left_out = [], []
    conditions = list(product(tuple(threads) or (cores(),), list(device), list(dtype), list(runtime)))
    for model, n, length in product(list(models), list(batch), list(seq)):
        for n_threads, where, precision, program in conditions:
            case = Case(
                model=model,
                output=output,
                batch=n,
                seq=length,
                threads=n_threads,
                device=where,
                dtype=precision,
                runtime=program,
            )
            try:
                runtimes.check(case)
            except UnsupportedError as error:
                left_out.append(str(error))
            else:
                cases.append(case)
    if roof:
        cases += _roofs(cases)
    return Plan(tuple(cases), rounds, seconds, tuple(dict.fromkeys(left_out)))


def _roofs(cases: Iterable[Case]) -> list[Case]:
    """A matrix product for each number of threads, device and precision."""
    kinds = dict.fromkeys((case.threads, case.device, case.dtype) for case in cases)
    return [
        Case(model=MATMUL, threads=threads, device=device, dtype=dtype, batch=size, seq=size)
        for threads, device, dtype in kinds
        for size in [MATMUL_SIZE[device.partition(":")[0]]]
    ]


def quick() -> Plan:
    """The bundled minis at one length, a few seconds: what the page shows a first visitor."""
    return plan(MINIS, seq=[64], rounds=QUICK_ROUNDS, seconds=QUICK_SECONDS)


def claims_plan(seq: Iterable[int] = (16, 128, 512)) -> Plan:
    """Both sizes of Bort against BERT-base and BERT-large, one sequence at a time."""
    return plan(["bort", SMALL_BORT, "bert-base-uncased", "bert-large-uncased"], seq=seq, rounds=12, seconds=1.0)


# -- what was measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """The times of one case, in milliseconds by round, or why there are none.

    difference: largest difference to torch in float32 by the largest output. rss, device_bytes: most memory of its
    process and on its accelerator while it ran. cpus: what its threads were pinned to.
    """

    case: Case
    rounds: tuple[tuple[float, ...], ...] = ()
    error: str = ""
    parameters: int = 0
    flops: int = 0
    difference: float | None = None
    setup_s: float = 0.0
    rss: int | None = None
    device_bytes: int | None = None
    cpus: tuple[int, ...] | None = None

    @cached_property
    def times(self) -> Times:
        """(rounds, calls), milliseconds."""
        return np.array(self.rounds, dtype=np.float64)

    @cached_property
    def p50(self) -> Interval:
        """Median of all calls, with its interval."""
        return timing.p50(self.times)

    @property
    def p90(self) -> float | None:
        """None with fewer than ten calls."""
        return timing.percentile(self.times, 0.9)

    @property
    def p99(self) -> float | None:
        """None with fewer than a hundred calls."""
        return timing.percentile(self.times, 0.99)

    @property
    def variation(self) -> float:
        """Coefficient of variation of the rounds."""
        return timing.variation(self.times)

    @property
    def per_second(self) -> float:
        """Sequences a second."""
        return 1000 * self.case.batch / self.p50.value

    @property
    def flops_per_second(self) -> float:
        """What was reached."""
        return 1000 * self.flops / self.p50.value


@dataclass(frozen=True, eq=False)
class Run:
    """One measurement: what, where, when, and how quiet it was. complete: False while it runs, or if it was stopped."""

    plan: Plan
    measured: tuple[Measured, ...]
    environment: Mapping[str, Any]
    noise: Noise = UNKNOWN
    elapsed_s: float = 0.0
    complete: bool = False
    name: str = ""

    @cached_property
    def timed(self) -> tuple[Measured, ...]:
        """The cases that have times, without the matrix products."""
        return tuple(one for one in self.measured if one.rounds and one.case.model != MATMUL)

    @property
    def failed(self) -> tuple[Measured, ...]:
        """The cases that could not be measured."""
        return tuple(one for one in self.measured if one.error)

    @cached_property
    def by_case(self) -> Mapping[Case, Measured]:
        """The timed cases."""
        return {one.case: one for one in self.timed}

    @property
    def models(self) -> tuple[str, ...]:
        """The models that were timed."""
        return tuple(dict.fromkeys(one.case.model for one in self.timed))

    @property
    def rounds(self) -> int:
        """Rounds that every timed case has."""
        return min((len(one.rounds) for one in self.timed), default=0)

    def disturbed(self) -> list[str]:
        """Why the machine was too busy to trust this, as sentences; [] if it was quiet."""
        said = []
        noisy = [one for one in self.timed if one.variation > timing.NOISY]
        if noisy:
            worst = max(noisy, key=lambda one: one.variation)
            said.append(
                f"{len(noisy)} of {len(self.timed)} vary by more than {timing.NOISY:.0%} from round to round, "
                f"{title(worst.case.model)} most: {worst.variation:.0%}."
            )
        if self.noise.others is not None and self.noise.others > machine.BUSY:
            said.append(f"Other programs took {self.noise.others:.0%} of the processors meanwhile.")
        return said

    @cached_property
    def _ratios(self) -> dict[str, dict[Case, Ratio]]:
        return {}

    def ratios(self, baseline: str) -> Mapping[Case, Ratio]:
        """The time of each case by that of its baseline, for those that have one (see `under`)."""
        if baseline not in self._ratios:
            self._ratios[baseline] = {
                one.case: timing.ratio(one.times, base.times)
                for one in self.timed
                if under(one.case, baseline) != one.case
                and (base := self.by_case.get(under(one.case, baseline))) is not None
            }
        return self._ratios[baseline]

    def against(self, one: Case, other: Case) -> Ratio:
        """The time of one case by that of another, of this run."""
        return timing.ratio(self.by_case[one].times, self.by_case[other].times)

    def roof(self, case: Case) -> float | None:
        """FLOP/s of the fastest matrix product under this case's conditions; None where none was measured."""
        found = [
            one.flops / one.times.min() * 1000
            for one in self.measured
            if one.case.model == MATMUL
            and one.rounds
            and (one.case.threads, one.case.device, one.case.dtype) == (case.threads, case.device, case.dtype)
        ]
        return max(found, default=None)

    def share_of_roof(self, one: Measured) -> float | None:
        """Arithmetic reached by the most that a matrix product reaches here."""
        roof = self.roof(one.case)
        return None if roof is None else one.flops_per_second / roof

    def frame(self, baseline: str | None = None) -> pandas.DataFrame:
        """A row a case: conditions, times in milliseconds, memory, arithmetic, and the ratio to a baseline model."""
        import pandas

        ratios = self.ratios(baseline) if baseline else {}
        return pandas.DataFrame([self._row(one, ratios.get(one.case), baseline) for one in (*self.timed, *self.failed)])

    def _row(self, one: Measured, ratio: Ratio | None, baseline: str | None) -> dict[str, Any]:
        case = one.case
        row: dict[str, Any] = {
            "model": title(case.model),
            "scenario": case.scenario,
            "batch": case.batch,
            "pieces": case.seq,
            "threads": case.threads,
            "device": case.device,
            "precision": case.dtype,
            "runtime": case.runtime,
            "output": case.output,
        }
        if one.rounds:
            row |= {
                "p50 ms": one.p50.value,
                "from ms": one.p50.low,
                "to ms": one.p50.high,
                "p90 ms": one.p90,
                "p99 ms": one.p99,
                "sequences a second": one.per_second,
                "variation": one.variation,
                "calls": one.times.size,
                "GFLOP/s": one.flops_per_second / 1e9,
                "share of matmul": self.share_of_roof(one),
                "memory MB": None if one.rss is None else one.rss / 1e6,
                "device memory MB": None if one.device_bytes is None else one.device_bytes / 1e6,
                "parameters": one.parameters,
                "difference": one.difference,
            }
        if baseline:
            same = under(case, baseline) == case and bool(one.rounds)
            speed = ratio.speedup if ratio else Interval(1.0, 1.0, 1.0) if same else None
            row |= {
                "times as fast": speed and speed.value,
                "at least": speed and speed.low,
                "at most": speed and speed.high,
                "verdict": ratio.verdict if ratio else "baseline" if same else "",
            }
        return row | {"error": one.error}

    # -- keeping it --

    def to_json(self) -> str:
        """All of it, every single time included."""
        data = {
            "bortlab_latency": FORMAT,
            "complete": self.complete,
            "elapsed_s": self.elapsed_s,
            "environment": dict(self.environment),
            "noise": asdict(self.noise),
            "plan": {"rounds": self.plan.rounds, "seconds": self.plan.seconds, "left_out": list(self.plan.left_out)},
            "measured": [asdict(one) for one in self.measured],
        }
        return json.dumps(data)

    def save(self, path: str | os.PathLike[str], *, durable: bool = True) -> None:
        """Write it as JSON, whole or not at all."""
        write(Path(path), self.to_json().encode(), durable=durable)


BASELINES = ("threads", "device", "dtype", "runtime")
"""The conditions that can be a baseline, as "runtime=eager"."""


def under(case: Case, baseline: str) -> Case:
    """What a case is compared with: the model "bert-mini" in its place, or the same model where "runtime=eager"."""
    name, _, value = baseline.partition("=")
    if name not in BASELINES:
        return replace(case, model=baseline)
    changes: dict[str, Any] = {name: int(value) if name == "threads" else value}
    return replace(case, **changes)


def baseline_title(baseline: str) -> str:
    """What people call a baseline."""
    name, _, value = baseline.partition("=")
    if name == "runtime" and value in runtimes.RUNTIMES:
        return runtimes.RUNTIMES[value].title
    if name == "threads":
        return f"with {value} thread{'' if value == '1' else 's'}"
    return value if name in BASELINES else title(baseline)


class ResultError(ValueError):
    """A file that holds no measurement."""


def load(path: str | os.PathLike[str]) -> Run:
    """Read what `Run.save` wrote."""
    with Path(path).open("rb") as file:
        return read(file.read(MOST_BYTES + 1), name=Path(path).stem)


def read(content: bytes, *, name: str = "") -> Run:
    """A measurement from JSON, which may come from anybody: ResultError for what is none."""
    if len(content) > MOST_BYTES:
        raise ResultError(f"This is no measurement: more than {MOST_BYTES / 1e6:g} MB.")
    try:
        data = json.loads(content)
        if data["bortlab_latency"] != FORMAT:
            raise ResultError(f"This measurement has format {data['bortlab_latency']!r}, expected {FORMAT}.")
        measured = tuple(_measured(entry) for entry in data["measured"])
        told = data["plan"]
        plan = Plan(
            tuple(one.case for one in measured), _number(told["rounds"], int), _number(told["seconds"], float),
            tuple(map(_text, told["left_out"])),
        )  # fmt: skip
        noise = Noise(**{entry.name: _number(data["noise"][entry.name], float, True) for entry in fields(Noise)})
        environment = data["environment"]
        if not isinstance(environment, dict):
            raise TypeError("environment")
        return Run(
            plan, measured, environment, noise, _number(data["elapsed_s"], float), data["complete"] is True, name
        )
    except ResultError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        said = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ResultError(f"This is no measurement that bortlab saved: {said}.") from None


def _measured(entry: Any) -> Measured:
    case = Case(**{
        field.name: _number(entry["case"][field.name], int) if field.type == "int" else _text(entry["case"][field.name])
        for field in fields(Case)
    })  # type: ignore[arg-type]  # fmt: skip
    if case.model != MATMUL:
        runtimes.architecture(case.model)  # known, or UnknownModelError, which is a ValueError
    if case.batch < 1 or case.seq < 1 or case.threads < 1:
        raise ValueError("a shape that is none")
    rounds = tuple(tuple(_number(time, float) for time in times) for times in entry["rounds"])
    if any(len(times) != len(rounds[0]) for times in rounds) or any(not 0 < t < 1e9 for times in rounds for t in times):
        raise ValueError("times that are none")
    if rounds and not rounds[0]:
        raise ValueError("rounds without calls")
    cpus = entry["cpus"]
    return Measured(
        case, rounds, _text(entry["error"]), _number(entry["parameters"], int), _number(entry["flops"], int),
        _number(entry["difference"], float, True), _number(entry["setup_s"], float), _number(entry["rss"], int, True),
        _number(entry["device_bytes"], int, True), None if cpus is None else tuple(_number(cpu, int) for cpu in cpus),
    )  # fmt: skip


def _number(value: Any, kind: type, optional: bool = False) -> Any:
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise TypeError(f"expected a number, got {str(value)[:40]!r}")
    if not math.isfinite(value) or not 0 <= value < 1e18:
        raise ValueError(f"expected a number from 0, got {value!r}")
    return kind(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1_000:
        raise TypeError(f"expected a text, got {str(value)[:40]!r}")
    return value


def runs_folder() -> Path:
    """Where the measurements of this machine are kept."""
    return cache_folder() / "latency"


def kept() -> list[Path]:
    """Measurements made here, the latest first."""
    return sorted(runs_folder().glob("*.json"), reverse=True)


def recorded() -> list[Path]:
    """Measurements that came with the lab."""
    return sorted(RECORDED.glob("*.json"))


def compare(here: Run, there: Run) -> dict[Case, Ratio]:
    """The times of `here` by those of `there`, of the cases that both have; measured apart, so not paired."""
    return {
        case: timing.ratio(one.times, there.by_case[case].times, paired=False)
        for case, one in here.by_case.items()
        if case in there.by_case
    }


# -- measuring ---------------------------------------------------------------------------------------------------------


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
            self.report(0.1 + 0.2 * number / len(self.plan.cases), f"{doing} {title(case.model)}, {_shape(case)}.")
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


def _shape(case: Case) -> str:
    return f"{case.batch} × {case.seq}"


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
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": paths}
    environment |= {"OMP_NUM_THREADS": str(who.threads), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    popen = subprocess.Popen(
        [sys.executable, "-m", "bortlab.analysis.worker"],
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
    return Job(JOB_NAME, "bortlab.analysis.latency:run", plan.to_dict())


def run(running: Running, **arguments: Any) -> Mapping[str, Any]:
    """Measure in a job. Its numbers say where the result is, from the first round on."""
    asked = Plan.from_dict(arguments)
    path = runs_folder() / f"{time.strftime('%Y-%m-%d-%H%M%S', time.gmtime())}-{os.getpid()}.json"
    running.report(0.0, "Starts its processes.", path=str(path), seconds_left=0.0)
    found = measure(asked, report=running.report, path=path)
    if not found.timed:
        raise RuntimeError(found.failed[0].error if found.failed else "Nothing was measured.")
    return {"path": str(path), "seconds": found.elapsed_s}


# -- claims ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """A published speed, and where it was published."""

    name: str
    model: str
    baseline: str
    times: float
    source: str


SPEED_CLAIMS = tuple(
    Claim(name, model, baseline, times, "de Wynter and Perry 2020 (arXiv 2010.10499) and the authors' README")
    for name, baseline, times in (
        ("7.9 times", "bert-base-uncased", 7.9),
        ("about 20 times", "bert-large-uncased", 20.0),
    )
    for model in ("bort", SMALL_BORT)
)
"""Bort's speed on a CPU. Processor, batch and length of the published measurement are not known."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim measured at one shape. flops: by how much the arithmetic is less."""

    claim: Claim
    case: Case
    speedup: Interval
    flops: float

    @property
    def verdict(self) -> str:
        """ "reached", "not reached", or "within the interval"."""
        if self.speedup.low >= self.claim.times:
            return "reached"
        return "not reached" if self.speedup.high < self.claim.times else "within the interval"


def check_claims(run: Run) -> list[Checked]:
    """Bort's published speeds against what was measured, wherever a run has both sides."""
    found = []
    for claim in SPEED_CLAIMS:
        for case, ratio in run.ratios(claim.baseline).items():
            if case.model == claim.model:
                base = run.by_case[replace(case, model=claim.baseline)]
                found.append(Checked(claim, case, ratio.speedup, base.flops / run.by_case[case].flops))
    return found


# -- size, speed and quality -------------------------------------------------------------------------------------------


def heldout_accuracy(model: str) -> Interval | None:
    """Share of held-out masked pieces that a bundled mini gets right, from its card; None for other models.

    The interval is of 95 %, for as many pieces as were hidden.
    """
    path = registry.CHECKPOINTS / model / "card.json"
    if model not in MINIS or not path.is_file():
        return None
    heldout = json.loads(path.read_bytes())["heldout"]
    share = float(heldout["masked_accuracy"])
    width = 1.96 * math.sqrt(share * (1 - share) / heldout["hidden_pieces"])
    return Interval(share, share - width, share + width)


def front(points: Mapping[Case, tuple[float, float]]) -> list[Case]:
    """The cases that no other one beats in both (milliseconds, accuracy), fastest first: the Pareto front."""
    best, found = -math.inf, []
    for case, (_, accuracy) in sorted(points.items(), key=lambda point: (point[1][0], -point[1][1])):
        if accuracy > best:
            best = accuracy
            found.append(case)
    return found


# -- the command -------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, show a table, keep the result; or compare two results."""
    parser = argparse.ArgumentParser(
        prog="python -m bortlab.analysis.latency", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("models", nargs="*", help="keys, bort:hidden_size=768,intermediate_size=1024 too; the minis")
    parser.add_argument("--claims", action="store_true", help="both sizes of Bort against BERT-base and BERT-large")
    parser.add_argument("--compare", nargs=2, type=Path, metavar="JSON", help="two saved results, measuring nothing")
    parser.add_argument("--batch", nargs="+", type=int, default=[1])
    parser.add_argument("--seq", nargs="+", type=int, default=[16, 128])
    parser.add_argument("--threads", nargs="+", type=int, default=[], help="as many as there are cores unless told")
    parser.add_argument("--device", nargs="+", default=["cpu"])
    parser.add_argument("--dtype", nargs="+", default=["float32"], help=", ".join(runtimes.DTYPES))
    parser.add_argument("--runtime", nargs="+", default=["fused"], help=", ".join(runtimes.RUNTIMES))
    parser.add_argument("--output", default="encoder", choices=list(runtimes.OUTPUTS))
    parser.add_argument("--baseline", help="a model, or a condition as runtime=eager; the last model")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of counted calls, for each")
    parser.add_argument("--json", type=Path, help="keep the result here")
    parser.add_argument("--csv", type=Path, help="keep the table here")
    told = parser.parse_args(arguments)
    try:
        print(_compared(*map(load, told.compare)) if told.compare else _measured_table(told))
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None


def _measured_table(told: argparse.Namespace) -> str:
    models = told.models or list(MINIS)
    asked = (
        claims_plan(told.seq)
        if told.claims
        else plan(
            models, output=told.output, batch=told.batch, seq=told.seq, threads=told.threads, device=told.device,
            dtype=told.dtype, runtime=told.runtime, rounds=told.rounds, seconds=told.seconds,
        )
    )  # fmt: skip
    for sentence in asked.left_out:
        print(sentence, file=sys.stderr)

    def show(progress: float, message: str = "", **numbers: Any) -> None:
        print(f"\r{progress:4.0%} {message:<60.60}", end="", file=sys.stderr, flush=True)

    try:
        found = measure(asked, report=show, path=told.json)
    finally:
        print(file=sys.stderr)
    baseline = told.baseline or ("bert-base-uncased" if told.claims else models[-1])
    frame = found.frame(baseline)
    if told.csv:
        frame.to_csv(told.csv, index=False)
    shown = ["model", "batch", "pieces", "threads", "precision", "runtime", "p50 ms", "from ms", "to ms", "p90 ms"]
    shown += ["p99 ms", "times as fast", "at least", "at most", "verdict", "share of matmul", "memory MB", "error"]
    lines = [frame[[name for name in shown if name in frame]].to_string(index=False, float_format="{:.3g}".format)]
    lines.append(f"{machine.described(found.environment)}; times as fast as {baseline_title(baseline)}; 95 %.")
    lines += [f"{checked_sentence(one)}" for one in check_claims(found)]
    return "\n".join([*lines, *found.disturbed()])


def checked_sentence(one: Checked) -> str:
    """A claim, and what was found."""
    return (
        f"{one.claim.name} as fast as {title(one.claim.baseline)}, {title(one.claim.model)}, {_shape(one.case)}: "
        f"{one.speedup.value:.1f} ({one.speedup.low:.1f} to {one.speedup.high:.1f}), {one.verdict}; "
        f"{one.flops:.1f} times less arithmetic."
    )


def _compared(here: Run, there: Run) -> str:
    lines = [f"{machine.described(here.environment)} by {machine.described(there.environment)}"]
    for case, ratio in compare(here, there).items():
        lines.append(
            f"{title(case.model)}, {_shape(case)}, {case.runtime}, {case.dtype}: {ratio.value:.2f} "
            f"({ratio.low:.2f} to {ratio.high:.2f}), {ratio.verdict}"
        )
    return "\n".join(lines) if len(lines) > 1 else "The two have no case in common."


if __name__ == "__main__":
    from bortlab.analysis.latency import main as imported_main  # so that there is one class of each, not two

    imported_main()
