"""What was measured: times by round, intervals, ratios to a baseline; kept as JSON, and read from anybody's."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bortlab.analysis.latency import machine, runtimes, timing
from bortlab.analysis.latency.machine import UNKNOWN, Noise
from bortlab.analysis.latency.plans import Plan
from bortlab.analysis.latency.runtimes import MATMUL, Case, title
from bortlab.analysis.latency.timing import Interval, Ratio, Times
from bortlab.system import assets
from bortlab.system.settings import cache_folder
from bortlab.system.store import write

if TYPE_CHECKING:
    import pandas
MOST_BYTES = 5_000_000
"""Of a result that is read."""
FORMAT = 1
RECORDED = assets.LATENCY
"""Results that came with the lab, each with its machine and date."""


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
