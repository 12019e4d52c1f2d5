"""Measurements as files: those made here, those that came with the lab, and those that anybody hands in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bortlab.analysis.latency.cases import Case, architecture
from bortlab.analysis.latency.machine import Noise
from bortlab.analysis.latency.plans import Plan
from bortlab.analysis.latency.results import FORMAT, Measured, Run
from bortlab.runtimes.comparison import Agreement
from bortlab.system import assets
from bortlab.system.settings import cache_folder

MOST_BYTES = 5_000_000
"""Of a result that is read."""
RECORDED = assets.LATENCY
"""Results that came with the lab, each with its machine and date."""

Text = Annotated[str, Field(max_length=1_000)]
Count = Annotated[int, Field(ge=0, lt=10**18)]
Size = Annotated[int, Field(ge=1, lt=10**9)]
Amount = Annotated[float, Field(ge=0, lt=1e18)]
Cosine = Annotated[float, Field(ge=-1.001, le=1.001)]
Milliseconds = Annotated[float, Field(gt=0, lt=1e9)]


class ResultError(ValueError):
    """A file that holds no measurement."""


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, frozen=True)


class _SavedCase(_Checked):
    model: Text
    output: Text
    threads: Size
    device: Text
    dtype: Text
    runtime: Text
    batch: Size
    seq: Size


class _SavedAgreement(_Checked):
    texts: Count
    largest_difference: Amount
    largest_value: Amount
    cosine: Cosine
    same: Count
    decisions: Count


class _SavedMeasured(_Checked):
    case: _SavedCase
    rounds: tuple[tuple[Milliseconds, ...], ...]
    error: Text
    parameters: Count
    flops: Count
    difference: Amount | None
    setup_s: Amount
    rss: Count | None
    device_bytes: Count | None
    cpus: tuple[Count, ...] | None
    agreement: _SavedAgreement | None = None

    def measured(self) -> Measured:
        """As the lab uses it; ValueError for an unknown model, or for rounds that differ in length."""
        case = Case(**self.case.model_dump())
        if case.is_network:
            architecture(case.model)
        if len({len(times) for times in self.rounds}) > 1 or (self.rounds and not self.rounds[0]):
            raise ValueError("every round must have the same number of times, at least one")
        agrees = self.agreement and Agreement(**dict(self.agreement))
        return Measured(**{**dict(self), "case": case, "agreement": agrees})


class _SavedNoise(_Checked):
    load_before: Amount | None
    load_after: Amount | None
    others: Amount | None


class _SavedPlan(_Checked):
    rounds: Count
    seconds: Amount
    left_out: tuple[Text, ...]


class _SavedRun(_Checked):
    """What `Run.to_json` writes."""

    complete: bool
    elapsed_s: Amount
    environment: dict[str, Any]
    noise: _SavedNoise
    plan: _SavedPlan
    measured: tuple[_SavedMeasured, ...]

    def run(self, name: str) -> Run:
        """As the lab uses it; ValueError for what cannot have been measured."""
        measured = tuple(saved.measured() for saved in self.measured)
        plan = Plan(tuple(entry.case for entry in measured), **dict(self.plan))
        noise = Noise(**dict(self.noise))
        return Run(plan, measured, self.environment, noise, self.elapsed_s, self.complete, name)


def load(path: str | os.PathLike[str]) -> Run:
    """Read what `Run.save` wrote.

    Raises:
        ResultError: for a file that holds no measurement.
    """
    with Path(path).open("rb") as file:
        return read(file.read(MOST_BYTES + 1), name=Path(path).stem)


def read(content: bytes, *, name: str = "") -> Run:
    """A measurement from JSON, which may come from anybody.

    Raises:
        ResultError: for content that holds no measurement.
    """
    if len(content) > MOST_BYTES:
        raise ResultError(f"This is not a measurement: it has more than {MOST_BYTES / 1e6:g} MB.")
    try:
        version = json.loads(content)["bortlab_latency"]
        if version != FORMAT:
            raise ResultError(f"This measurement has format {str(version)[:20]!r}, expected {FORMAT}.")
        return _SavedRun.model_validate_json(content).run(name)
    except ResultError:
        raise
    except ValidationError as error:
        raise ResultError(f"This is not a measurement that bortlab saved: {_first_problem(error)}.") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        problem = str(error).splitlines()[0][:120].rstrip(".") if str(error) else type(error).__name__
        raise ResultError(f"This is not a measurement that bortlab saved: {problem}.") from None


def _first_problem(error: ValidationError) -> str:
    """Where the first thing is wrong, and what: 'measured, 0, case, batch: input should be at least 1'."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ", ".join(map(str, first["loc"]))
    message = first["msg"][:1].lower() + first["msg"][1:]
    return f"{place[:120]}: {message[:120]}" if place else message[:120]


def runs_folder() -> Path:
    """Where the measurements of this machine are kept."""
    return cache_folder() / "latency"


def kept() -> list[Path]:
    """Measurements made here, the latest first."""
    return sorted(runs_folder().glob("*.json"), reverse=True)


def recorded() -> list[Path]:
    """Measurements that came with the lab."""
    return sorted(RECORDED.glob("*.json"))
