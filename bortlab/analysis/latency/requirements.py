"""What a case needs of the machine: which combinations can be run here at all, and how much memory they take."""

from __future__ import annotations

import functools

import torch

from bortlab.analysis.flops import activations
from bortlab.analysis.latency.cases import (
    MATMUL,
    OUTPUTS,
    Case,
    Contestant,
    architecture,
    n_parameters,
    network_without_weights,
    task_of,
    title,
)
from bortlab.runtimes import DTYPES, RUNTIMES, UnsupportedError
from bortlab.runtimes.engines import ENGINES

PROCESS_BYTES = 250_000_000
"""Memory of a process that has imported torch."""
LARGEST = 65_536
"""Sequences in a batch, and pieces in a sequence."""
MOST_THREADS = 1024


def devices() -> list[str]:
    """Devices that torch can use here."""
    gpus = [f"cuda:{number}" if number else "cuda" for number in range(torch.cuda.device_count())]
    return ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]


def check(case: Case) -> None:
    """Refuse what cannot be run, before anything is built.

    Raises:
        UnsupportedError: or another ValueError; the message says what can be run instead.
    """
    check_contestant(case.contestant)
    for name, value in (("batch", case.batch), ("seq", case.seq)):
        if not 1 <= value <= LARGEST:
            raise UnsupportedError(f"{name}: expected a whole number from 1 to {LARGEST:,}, got {value!r}.")
    if case.is_network:
        longest = architecture(case.model)[1].max_position_embeddings
        if case.seq > longest:
            raise UnsupportedError(
                f"{title(case.model)} has {longest} positions, so it cannot read {case.seq:,} pieces at once: choose "
                f"at most {longest}, in batches."
            )


def check_contestant(contestant: Contestant) -> None:
    """The part of `check` that holds for every shape."""
    if contestant.model != MATMUL:
        network_without_weights(contestant.model, contestant.output)
    for name, value, known in (
        ("output", contestant.output, OUTPUTS),
        ("dtype", contestant.dtype, DTYPES),
        ("runtime", contestant.runtime, RUNTIMES),
    ):
        if value not in known:
            raise UnsupportedError(f"Unknown {name} {str(value)[:80]!r}. Known: {', '.join(known)}.")
    if not 1 <= contestant.threads <= MOST_THREADS:
        raise UnsupportedError(f"threads: expected 1 to {MOST_THREADS}, got {contestant.threads!r}.")
    if contestant.device not in devices():
        raise UnsupportedError(f"There is no {contestant.device[:40]} here. Devices: {', '.join(devices())}.")
    RUNTIMES[contestant.runtime].check(contestant.device_kind, contestant.dtype)
    if contestant.dtype == "float16" and contestant.device_kind == "cpu":
        raise UnsupportedError("float16 is for GPUs: CPUs compute it in float32. Choose bfloat16 or int8 on a CPU.")
    if contestant.dtype == "int8" and contestant.device_kind != "cpu":
        raise UnsupportedError("Dynamic int8 runs on CPUs only. Choose float16 or bfloat16 on a GPU.")


@functools.lru_cache(maxsize=1024)
def needed_bytes(contestant: Contestant, shapes: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Memory in bytes: what stays (a process and the weights), and what the largest forward pass takes on top."""
    if contestant.model == MATMUL:
        return PROCESS_BYTES + max(4 * seq * seq for _, seq in shapes), max(8 * batch * seq for batch, seq in shapes)
    family, config = architecture(contestant.model)
    dtype, runtime = DTYPES[contestant.dtype], RUNTIMES[contestant.runtime]
    copy_bytes = 0 if contestant.dtype == "float32" else dtype.itemsize
    weights = n_parameters(contestant.model, contestant.output) * (4 + copy_bytes)
    if contestant.runtime in ENGINES:
        weights *= 3  # torch's, those of the engine's graph, and what it makes of them
    task = task_of(contestant.output)
    forwards = [
        activations(family, config, task, batch=batch, seq=seq, dtype=dtype, explicit=runtime.explicit).peak
        for batch, seq in shapes
    ]
    return PROCESS_BYTES + weights, max(forwards)
