"""Are products with packed weights faster on this processor, and up to how many rows? Measured once, kept in the cache.

Which processor gains, and by how much, follows from its vector units and its memory, and no list of makers tells it.
Measuring takes about a third of a second on a quiet machine, and at most some seconds on a busy one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch

from bortlab.nn.linear import HAS_ONEDNN, linear_map
from bortlab.system import settings, store
from bortlab.system.machine import installed_version, processor

ROWS = (16, 128, 512)
WIDTH = 1024
N_WEIGHTS = 4
"""Maps that take turns, of 4 MB each: a network's weights do not lie in the processor's cache either."""
LEAST_ROUNDS, MOST_ROUNDS = 6, 60
SECONDS = 2.0
"""After which the rounds at one of ROWS end, steady or not."""
STEADY = 1.05
"""The second shortest time by the shortest: up to here the shortest was no accident, and other programs did not keep
all turns from it."""
TOLERATED = 1.1
"""Share of the time as the weights lie that packed ones may take. Other programs disturb a short measurement, and what
is computed together with a packed product is not part of it."""


@cache
def packing_pays_up_to(threads: int) -> float:
    """Rows (batch x seq) up to which packed weights are faster here, by so many threads: 0 never, infinity always."""
    if not HAS_ONEDNN:
        return 0
    path = settings.cache_folder() / "engines" / f"{_identity(threads)}.json"
    ratios = _kept(path)
    if ratios is None:
        ratios = measure()
        store.write(path, json.dumps(ratios).encode(), durable=False)
    return rows_up_to(ratios)


def rows_up_to(ratios: list[float]) -> float:
    """Where packing pays, by the ratios at ROWS: up to the last of them before it loses."""
    for index, ratio in enumerate(ratios):
        if ratio > TOLERATED:
            return ROWS[index - 1] if index else 0
    return math.inf


@torch.inference_mode()
def measure() -> list[float]:
    """Shortest time of products with packed weights by that with weights as they lie, at each of ROWS."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(WIDTH, WIDTH, generator=generator) for _ in range(N_WEIGHTS)]
    copies = [torch.ops.mkldnn._reorder_linear_weight(weight, None) for weight in weights]
    bias = torch.zeros(WIDTH)
    ratios = []
    for rows in ROWS:
        x = torch.randn(rows, WIDTH, generator=generator)
        ways: tuple[Callable[[int], object], ...] = (
            lambda n, x=x: linear_map(x, weights[n], bias),  # type: ignore[misc]
            lambda n, x=x: torch.ops.mkldnn._linear_pointwise(x, copies[n], bias, "none", [], ""),  # type: ignore[misc]
        )
        as_they_lie, packed = shortest_times(ways)
        ratios.append(packed / as_they_lie)
    return ratios


def shortest_times(ways: Sequence[Callable[[int], object]]) -> list[float]:
    """Seconds of each way at best: they take turns until each has reached about its shortest time twice."""
    times: list[list[float]] = [[] for _ in ways]
    for way in ways:
        _seconds(way)  # warms up
    start = time.monotonic()
    for number in range(1, MOST_ROUNDS + 1):
        for way, taken in zip(ways, times, strict=True):
            taken.append(_seconds(way))
        if number >= LEAST_ROUNDS - 1 and (all(map(_steady, times)) or time.monotonic() - start > SECONDS):
            break
    return [min(taken) for taken in times]


def _steady(taken: Sequence[float]) -> bool:
    shortest, second, *_ = sorted(taken)
    return second <= STEADY * shortest


def _seconds(way: Callable[[int], object]) -> float:
    start = time.perf_counter()
    for n in range(N_WEIGHTS):
        way(n)
    return time.perf_counter() - start


def _kept(path: Path) -> list[float] | None:
    """What an earlier measurement gave; None where there is none that can be read."""
    try:
        ratios = [float(ratio) for ratio in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError):
        return None
    return ratios if len(ratios) == len(ROWS) and all(0 < ratio < math.inf for ratio in ratios) else None


def _identity(threads: int) -> str:
    versions = [f"{name} {installed_version(name)}" for name in ("torch", "bortlab")]
    return store.file_name("products", processor(), torch.backends.cpu.get_cpu_capability(), str(threads), *versions)
