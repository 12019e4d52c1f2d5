"""What was measured: times by round, confidence intervals, ratios to a baseline."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bortlab.analysis.intervals import Interval
from bortlab.analysis.latency import machine, timing
from bortlab.analysis.latency.cases import Case, title
from bortlab.analysis.latency.machine import UNKNOWN, Noise
from bortlab.analysis.latency.plans import Plan
from bortlab.analysis.latency.timing import Ratio, Times
from bortlab.runtimes import RUNTIMES
from bortlab.runtimes.comparison import Agreement
from bortlab.system.store import write

if TYPE_CHECKING:
    import pandas

FORMAT = 1
"""Version of the files that `Run.save` writes."""
BASELINES = ("threads", "device", "dtype", "runtime")
"""The conditions that can be a baseline, such as "runtime=eager"."""


@dataclass(frozen=True)
class Measured:
    """The times of one case, in milliseconds by round, or why there are none.

    difference: largest difference to torch in float32, as a share of the largest output. rss, device_bytes: the most
    memory of its process, and on its accelerator, while it ran. cpus: what its threads were pinned to. agreement: of an
    engine's logits with torch's on a few sentences, for models with weights of their own.
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
    agreement: Agreement | None = None

    @cached_property
    def times(self) -> Times:
        """(rounds, calls), milliseconds."""
        return np.array(self.rounds, dtype=np.float64)

    @cached_property
    def p50(self) -> Interval:
        """Median of all calls, with its confidence interval."""
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
    def shortest(self) -> float:
        """The shortest of all calls, in milliseconds: what other programs disturbed least."""
        return float(self.times.min())

    @property
    def per_second(self) -> float:
        """Sequences a second."""
        return 1000 * self.case.batch / self.p50.value

    @property
    def flops_per_second(self) -> float:
        """Arithmetic that was reached."""
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
        return tuple(measured for measured in self.measured if measured.rounds and measured.case.is_network)

    @property
    def failed(self) -> tuple[Measured, ...]:
        """The cases that could not be measured."""
        return tuple(measured for measured in self.measured if measured.error)

    @cached_property
    def by_case(self) -> Mapping[Case, Measured]:
        """The timed cases."""
        return {measured.case: measured for measured in self.timed}

    @property
    def models(self) -> tuple[str, ...]:
        """The models that were timed."""
        return tuple(dict.fromkeys(measured.case.model for measured in self.timed))

    @property
    def rounds(self) -> int:
        """Rounds that every timed case has."""
        return min((len(measured.rounds) for measured in self.timed), default=0)

    def disturbed(self) -> list[str]:
        """Why the machine was too busy to trust this, a sentence each; [] if it was quiet."""
        reasons = []
        noisy = [measured for measured in self.timed if measured.variation > timing.NOISY]
        if noisy:
            worst = max(noisy, key=lambda measured: measured.variation)
            reasons.append(
                f"{len(noisy)} of {len(self.timed)} cases vary by more than {timing.NOISY:.0%} from round to round, "
                f"{title(worst.case.model)} most: {worst.variation:.0%}."
            )
        if self.noise.others is not None and self.noise.others > machine.BUSY:
            reasons.append(f"Other programs took {self.noise.others:.0%} of the processors meanwhile.")
        return reasons

    @cached_property
    def _ratios(self) -> dict[str, dict[Case, Ratio]]:
        return {}

    def ratios(self, baseline: str) -> Mapping[Case, Ratio]:
        """The time of each case by that of its baseline, for those that have one (see `under`)."""
        if baseline not in self._ratios:
            self._ratios[baseline] = {
                measured.case: timing.ratio(measured.times, base.times)
                for measured in self.timed
                if under(measured.case, baseline) != measured.case
                and (base := self.by_case.get(under(measured.case, baseline))) is not None
            }
        return self._ratios[baseline]

    @cached_property
    def _pairs(self) -> dict[tuple[Case, Case], Ratio]:
        return {}

    def against(self, case: Case, other: Case) -> Ratio:
        """The time of one case by that of another, of this run."""
        if (case, other) not in self._pairs:
            self._pairs[case, other] = timing.ratio(self.by_case[case].times, self.by_case[other].times)
        return self._pairs[case, other]

    def roof(self, case: Case) -> float | None:
        """FLOP/s of the fastest matrix product under this case's conditions; None where none was measured."""
        conditions = case.threads, case.device, case.dtype
        reached = [
            1000 * product.flops / float(product.times.min())
            for product in self.measured
            if not product.case.is_network
            and product.rounds
            and (product.case.threads, product.case.device, product.case.dtype) == conditions
        ]
        return max(reached, default=None)

    def share_of_roof(self, measured: Measured) -> float | None:
        """Arithmetic reached, as a share of what a matrix product reaches here."""
        roof = self.roof(measured.case)
        return None if roof is None else measured.flops_per_second / roof

    def frame(self, baseline: str | None = None) -> pandas.DataFrame:
        """One row per case: conditions, times in milliseconds, memory, arithmetic, and the ratio to a baseline."""
        import pandas

        ratios = self.ratios(baseline) if baseline else {}
        rows = []
        for measured in (*self.timed, *self.failed):
            row = _conditions(measured.case)
            if measured.rounds:
                row |= _numbers(measured) | {"share of matmul": self.share_of_roof(measured)}
            if baseline:
                row |= _comparison(measured, ratios.get(measured.case), baseline)
            rows.append(row | {"error": measured.error})
        return pandas.DataFrame(rows)

    # -- saving --

    def to_json(self) -> str:
        """All of it, every single time included."""
        data = {
            "bortlab_latency": FORMAT,
            "complete": self.complete,
            "elapsed_s": self.elapsed_s,
            "environment": dict(self.environment),
            "noise": asdict(self.noise),
            "plan": {"rounds": self.plan.rounds, "seconds": self.plan.seconds, "left_out": list(self.plan.left_out)},
            "measured": [asdict(measured) for measured in self.measured],
        }
        return json.dumps(data)

    def save(self, path: str | os.PathLike[str], *, durable: bool = True) -> None:
        """Write it as JSON, whole or not at all."""
        write(Path(path), self.to_json().encode(), durable=durable)


def _conditions(case: Case) -> dict[str, Any]:
    return {
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


def _numbers(measured: Measured) -> dict[str, Any]:
    return {
        "p50 ms": measured.p50.value,
        "from ms": measured.p50.low,
        "to ms": measured.p50.high,
        "p90 ms": measured.p90,
        "p99 ms": measured.p99,
        "sequences a second": measured.per_second,
        "variation": measured.variation,
        "calls": measured.times.size,
        "GFLOP/s": measured.flops_per_second / 1e9,
        "memory MB": None if measured.rss is None else measured.rss / 1e6,
        "device memory MB": None if measured.device_bytes is None else measured.device_bytes / 1e6,
        "parameters": measured.parameters,
        "difference": measured.difference,
    }


def _comparison(measured: Measured, ratio: Ratio | None, baseline: str) -> dict[str, Any]:
    is_baseline = under(measured.case, baseline) == measured.case and bool(measured.rounds)
    speedup = ratio.speedup if ratio else Interval(1.0, 1.0, 1.0) if is_baseline else None
    return {
        "times as fast": speedup and speedup.value,
        "at least": speedup and speedup.low,
        "at most": speedup and speedup.high,
        "verdict": ratio.verdict if ratio else "baseline" if is_baseline else "",
    }


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
    if name == "runtime" and value in RUNTIMES:
        return RUNTIMES[value].title
    if name == "threads":
        return f"{value} thread{'' if value == '1' else 's'}"
    return value if name in BASELINES else title(baseline)


def compare(here: Run, there: Run) -> dict[Case, Ratio]:
    """The times of `here` by those of `there`, for the cases in both; measured apart, so not paired."""
    return {
        case: timing.ratio(measured.times, there.by_case[case].times, paired=False)
        for case, measured in here.by_case.items()
        if case in there.by_case
    }
