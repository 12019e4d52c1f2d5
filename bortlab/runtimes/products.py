"""Are products with packed weights faster on this processor, and up to how many rows? Measured once, kept in the cache.

Which processor gains, and by how much, follows from its vector units and its memory, and no list of makers tells it.
Measuring takes about a third of a second on a quiet machine, and at most some seconds on a busy one.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from bortlab.nn.linear import HAS_ONEDNN, linear_map
from bortlab.runtimes.turns import shortest_times
from bortlab.system import settings, store
from bortlab.system.machine import installed_version, processor

ROWS = (16, 128, 512)
WIDTH = 1024
N_WEIGHTS = 4
"""Maps that take turns, of 4 MB each: a network's weights do not lie in the processor's cache either."""
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

        def as_they_lie(x: Tensor = x) -> None:
            for weight in weights:
                linear_map(x, weight, bias)

        def packed(x: Tensor = x) -> None:
            for copy in copies:
                torch.ops.mkldnn._linear_pointwise(x, copy, bias, "none", [], "")

        times = shortest_times({"as they lie": as_they_lie, "packed": packed}).seconds
        ratios.append(times["packed"] / times["as they lie"])
    return ratios


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
