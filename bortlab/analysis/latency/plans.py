"""What is to be measured, and how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from bortlab.analysis.latency import runtimes
from bortlab.analysis.latency.runtimes import MATMUL, MATMUL_SIZE, Case, Contestant, UnsupportedError, title
from bortlab.system.machine import cores, memory_available

ROUNDS, SECONDS = 20, 1.0
"""The usual minima: turns of each contestant, and seconds of counted calls."""
QUICK_ROUNDS, QUICK_SECONDS = 12, 0.2
TURN_S = 0.05
"""About how long a turn takes; a longer forward is called once."""
MOST_CASES = 120

MINIS = ("albert-mini", "convbert-mini", "bort-mini", "bert-mini")
SMALL_BORT = next(iter(runtimes.VARIANTS))


class MemoryNeededError(ValueError):
    """More memory than there is; nothing was allocated."""


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
        if needed + most > free:
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
