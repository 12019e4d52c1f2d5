"""What is to be measured, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from bortlab.analysis.latency import requirements
from bortlab.analysis.latency.cases import MATMUL, MATMUL_SIZE, VARIANTS, Case, Contestant, flops, title
from bortlab.models import FAMILIES
from bortlab.runtimes import RUNTIMES, UnsupportedError
from bortlab.system.machine import cores, memory_available

ROUNDS, SECONDS = 20, 1.0
"""The least that is measured unless told otherwise: rounds, and seconds of timed calls of each contestant."""
QUICK_ROUNDS, QUICK_SECONDS = 12, 0.2
TURN_S = 0.05
"""About how long a turn takes; a longer forward pass is called once."""
MOST_CASES = 120
FLOPS_PER_THREAD = 45e9
"""Arithmetic a second that a thread gives, for estimates of how long a measurement takes."""

MINIS = tuple(family.mini_key for family in FAMILIES.values())
"""The bundled models that were trained alike: comparing them is a fair experiment."""
SMALL_BORT = next(iter(VARIANTS))


class MemoryNeededError(ValueError):
    """More memory than there is; nothing was allocated."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and for how long. left_out: combinations that cannot be run, and why, a sentence each."""

    cases: tuple[Case, ...]
    rounds: int = ROUNDS
    seconds: float = SECONDS
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.cases:
            why = f" {' '.join(self.left_out[:3])}" if self.left_out else ""
            raise UnsupportedError(f"There is nothing to measure.{why or ' Choose a model.'}")
        if len(self.cases) > MOST_CASES:
            raise UnsupportedError(
                f"{len(self.cases)} combinations are too many for one measurement; at most {MOST_CASES} are possible: "
                f"choose fewer models, lengths or batches."
            )
        if len(set(self.cases)) < len(self.cases):
            raise UnsupportedError("The same combination appears twice: name each once.")
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
        """Refuse what cannot be run, or does not fit into memory, before anything is built.

        Raises:
            UnsupportedError: or another ValueError, for a combination that cannot be run here.
            MemoryNeededError: with the number of bytes.
        """
        for case in self.cases:
            requirements.check(case)
        memory = self.memory()
        weights = sum(stays for stays, _ in memory.values())
        hungriest = max(memory, key=lambda contestant: memory[contestant][1])
        largest, free = memory[hungriest][1], memory_available()
        if weights + largest > free:
            raise MemoryNeededError(
                f"This needs about {(weights + largest) / 1e9:,.1f} GB of memory ({weights / 1e9:,.1f} GB for "
                f"{len(memory)} processes with their weights, {largest / 1e9:,.1f} GB for the largest forward pass, "
                f"that of {title(hungriest.model)}), and {free / 1e9:,.1f} GB are free. Nothing was started. Choose "
                f"smaller batches, shorter sequences or fewer models."
            )

    @property
    def networks(self) -> tuple[Case, ...]:
        """The cases without the matrix products."""
        return tuple(case for case in self.cases if case.is_network)

    @property
    def shapes(self) -> dict[Contestant, tuple[tuple[int, int], ...]]:
        """The contestants, each with its shapes."""
        shapes: dict[Contestant, tuple[tuple[int, int], ...]] = {}
        for case in self.cases:
            shapes[case.contestant] = (*shapes.get(case.contestant, ()), (case.batch, case.seq))
        return shapes

    @property
    def estimated_seconds(self) -> float:
        """About how long it takes: starting the processes, and the arithmetic."""
        once = {
            case: flops(case.model, case.output, case.batch, case.seq) / FLOPS_PER_THREAD / case.threads
            for case in self.cases
        }
        rounds = max([self.rounds, *(self.seconds / max(seconds, TURN_S) for seconds in once.values())])
        prepared = sum(15.0 for case in self.cases if RUNTIMES[case.runtime].prepares_long)
        turns = sum(max(1.2 * seconds, TURN_S) for seconds in once.values())
        return 2.5 * len(self.shapes) + prepared + rounds * turns

    def memory(self) -> dict[Contestant, tuple[int, int]]:
        """Bytes of the host's memory for each contestant: what stays, and the largest forward pass."""
        return {
            contestant: requirements.needed_bytes(
                contestant, shapes if contestant.device == "cpu" else ((1, shapes[0][1]),)
            )
            for contestant, shapes in self.shapes.items()
        }


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
    """Every combination of these; those that cannot be run are left out, and the plan says which and why.

    threads: as many as there are cores unless told. roof: measure a matrix product too, as the most that the machine
    can give.
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
                requirements.check(case)
            except UnsupportedError as error:
                left_out.append(str(error))
            else:
                cases.append(case)
    if roof:
        cases += _roofs(cases)
    return Plan(tuple(cases), rounds, seconds, tuple(dict.fromkeys(left_out)))


def _roofs(cases: Iterable[Case]) -> list[Case]:
    """A matrix product for each number of threads, device and precision."""
    conditions = dict.fromkeys((case.threads, case.device, case.dtype, case.device_kind) for case in cases)
    return [
        Case(
            model=MATMUL,
            threads=threads,
            device=device,
            dtype=dtype,
            batch=MATMUL_SIZE[device_kind],
            seq=MATMUL_SIZE[device_kind],
        )
        for threads, device, dtype, device_kind in conditions
    ]


def quick() -> Plan:
    """The bundled minis at one length, a few seconds: what the page shows a first visitor."""
    return plan(MINIS, seq=[64], rounds=QUICK_ROUNDS, seconds=QUICK_SECONDS)


def claims_plan(seq: Iterable[int] = (16, 128, 512)) -> Plan:
    """Both sizes of Bort against BERT-base and BERT-large, one sequence at a time."""
    return plan(["bort", SMALL_BORT, "bert-base-uncased", "bert-large-uncased"], seq=seq, rounds=12, seconds=1.0)
