"""How this processor multiplies by the weights of a linear map fastest: measured once, and kept in the cache.

torch multiplies by MKL, and has oneDNN too, which takes half of the time on an AMD EPYC (Zen 5), and up to twice as
long on an Intel Xeon. Weights packed beforehand for oneDNN save more on the one than on the other. Who gains follows
from vector units, caches and memory, and no list of makers tells it. Measuring takes a quarter of a second on a quiet
machine, and some seconds at most on a busy one; whoever loads or packs a network asks for it (`products_here`), in the
thread that will compute. Until then products are torch's.
"""

from __future__ import annotations

import itertools
import json
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from bortlab.system import settings, store
from bortlab.system.machine import installed_version, processor
from bortlab.system.turns import shortest_times

HAS_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")  # not in every build of torch
WAYS = ("torch", "onednn", "packed")
"""F.linear; oneDNN with weights as they lie; oneDNN with weights packed beforehand."""
ROWS = (16, 128, 512)
WIDTH = 1024
N_WEIGHTS = 4
"""Maps that take turns, of 4 MB each: a network's weights do not lie in the processor's cache either. Of many rows one,
for there the cache matters less, and the time more."""
SECONDS = 1.0
"""For each of ROWS, at most, where other programs keep the times from being steady."""
WORTHWHILE = 0.95
"""Share of torch's time from which oneDNN is worth other roundings than everybody else's."""


@dataclass(frozen=True)
class Products:
    """How long each of WAYS takes, by the time of "torch", at each of ROWS. steady: it can be relied on."""

    ratios: tuple[Mapping[str, float], ...]
    steady: bool = field(default=True, compare=False)

    def onednn_pays(self, rows: int) -> bool:
        """Is oneDNN worthwhile for so many rows (batch x seq), with weights as they lie?"""
        return self._onednn[sum(rows > bound for bound in _BOUNDS)]

    @cached_property
    def _onednn(self) -> tuple[bool, ...]:
        return tuple(ratio["onednn"] <= WORTHWHILE for ratio in self.ratios)

    @cached_property
    def packing_pays_up_to(self) -> float:
        """Rows up to which packed weights are no slower than as they lie: 0 never, infinity always."""
        for index, ratio in enumerate(self.ratios):
            if ratio["packed"] > (ratio["onednn"] if self._onednn[index] else 1):
                return ROWS[index - 1] if index else 0
        return math.inf


_BOUNDS = tuple(math.sqrt(fewer * more) for fewer, more in itertools.pairwise(ROWS))
"""Between which of ROWS a number of rows is nearest to."""
SAID: Mapping[str, Products] = {
    "torch": Products(({"torch": 1, "onednn": math.inf, "packed": math.inf},) * len(ROWS)),
    "onednn": Products(({"torch": 1, "onednn": 0, "packed": 0},) * len(ROWS)),
}
"""What BORTLAB_PRODUCTS says in the place of a measurement."""
_known: dict[int, Products] = {}
_measuring = threading.Lock()


def products_here() -> Products:
    """What is fastest on this processor, by as many threads as torch has now; measured if nobody has yet."""
    threads = torch.get_num_threads()
    if (known := _known.get(threads)) is None:
        with _measuring:
            known = _known.get(threads) or _known.setdefault(threads, _found(threads))
    return known


def onednn_pays(rows: int) -> bool:
    """As `Products.onednn_pays`, by what is known, if need be of other numbers of threads.

    Nothing is measured here, in the middle of a network.
    """
    known = _known.get(torch.get_num_threads()) or next(iter(tuple(_known.values())), None)  # others may add to it
    return known is not None and known.onednn_pays(rows)


def _found(threads: int) -> Products:
    """As BORTLAB_PRODUCTS says, else as kept in the cache, else measured now; steady times are kept."""
    said = settings.PRODUCTS.read()
    if said is not None and said not in SAID:
        raise ValueError(f"{settings.PRODUCTS.name} is {said!r}, expected {' or '.join(SAID)}.")
    if not HAS_ONEDNN:
        said = "torch"
    if said:
        return SAID[said]
    path = settings.cache_folder() / "engines" / f"{_identity(threads)}.json"
    if (kept := _kept(path)) is not None:
        return kept
    measured = measure()
    if measured.steady:
        store.write(path, json.dumps(measured.ratios).encode(), durable=False)
    return measured


def measure() -> Products:
    """Let WAYS take turns at products of each of ROWS."""
    with torch.inference_mode(), torch.device("cpu"):  # whatever device the caller makes networks on
        generator = torch.Generator().manual_seed(0)
        weights = [torch.randn(WIDTH, WIDTH, generator=generator) for _ in range(N_WEIGHTS)]
        packed = [torch.ops.mkldnn._reorder_linear_weight(weight, None) for weight in weights]
        bias = torch.zeros(WIDTH)
        ratios, steady = [], True
        for rows in ROWS:
            x = torch.randn(rows, WIDTH, generator=generator)
            few = slice(N_WEIGHTS if rows < ROWS[-1] else 1)
            ways = {
                "torch": partial(_each, F.linear, x, weights[few], bias),
                "onednn": partial(_each, onednn_product, x, weights[few], bias),
                "packed": partial(_each, onednn_product, x, packed[few], bias),
            }
            times = shortest_times(ways, limit_s=SECONDS)
            ratios.append({way: times.seconds[way] / times.seconds["torch"] for way in WAYS})
            steady = steady and times.steady
    return Products(tuple(ratios), steady)


def _each(multiply: Callable[[Tensor, Tensor, Tensor], Tensor], x: Tensor, weights: list[Tensor], bias: Tensor) -> None:
    """One product after the other."""
    for weight in weights:
        multiply(x, weight, bias)


def onednn_product(
    x: Tensor, weight: Tensor, bias: Tensor | None, activation: str = "none", variant: str = "none"
) -> Tensor:
    """x (..., inputs), weight (outputs, inputs) as it lies or packed, bias (outputs) -> (..., outputs), by oneDNN.

    activation, variant: what follows the product, by oneDNN's names. It has no derivative.
    """
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], variant)  # type: ignore[no-any-return]


def _kept(path: Path) -> Products | None:
    """What an earlier measurement gave; None where there is none that can be read."""
    try:
        ratios = [{way: float(ratio[way]) for way in WAYS} for ratio in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    sound = len(ratios) == len(ROWS) and all(0 < value < math.inf for ratio in ratios for value in ratio.values())
    return Products(tuple(ratios)) if sound else None


def _identity(threads: int) -> str:
    versions = [f"{name} {installed_version(name)}" for name in ("torch", "bortlab")]
    return store.file_name("products", processor(), torch.backends.cpu.get_cpu_capability(), str(threads), *versions)
