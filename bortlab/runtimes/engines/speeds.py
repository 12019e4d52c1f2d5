"""Which engine runs a model fastest on this machine: a short measurement, made once and kept in the cache.

Only engines that compute what torch computes take part, so the choice changes how long an answer takes, and not the
answer. They take turns, as `bortlab.system.turns` says. A machine too busy for that decides nothing: torch answers,
and the next process measures again.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from bortlab.model import Model
from bortlab.runtimes.engines import ENGINES, open_engine
from bortlab.runtimes.runtime import UnsupportedError
from bortlab.system import settings, store
from bortlab.system.checks import check_whole
from bortlab.system.machine import installed_version
from bortlab.system.turns import shortest_times

CANDIDATES = ("torch", "torch-packed", "onnx")
"""Engines that are tried, where they are installed; torch is what the others are held to."""
PIECES = 32
"""Length of the text that is timed, unless said otherwise: a sentence or two."""
LEAST_ROUNDS = 15
"""Turns of each engine, if they take no more than SECONDS together: of seven, the choice changed on a busy machine."""
SECONDS = 3.0
CLOSE = 1e-4
"""Largest difference of an output to torch's at which an engine takes part."""
WORTHWHILE = 0.9
"""Share of an engine's time from which another one is worth more memory, or another program."""


@dataclass(frozen=True, slots=True)
class EngineSpeeds:
    """How fast engines ran a text of so many pieces, batch 1.

    ms: engine -> shortest time of a forward pass in milliseconds. differences: engine -> largest difference of an
    output to torch's. An engine without a time was not close enough to be timed. steady: other programs left each
    engine a free moment, so that its shortest time can be relied on.
    """

    pieces: int
    ms: Mapping[str, float]
    differences: Mapping[str, float]
    steady: bool = True

    @property
    def fastest(self) -> str:
        """The fastest engine; in the order of CANDIDATES, each has to take less than WORTHWHILE of the best before.

        torch where the times are not steady.
        """
        best = "torch"
        for name in sorted(self.ms if self.steady else (), key=CANDIDATES.index):
            if self.ms[name] < WORTHWHILE * self.ms[best]:
                best = name
        return best


def fastest_engine(model: Model, pieces: int = PIECES) -> str:
    """The name of the engine that runs a model fastest here, for `Model.on`.

    BORTLAB_ENGINE names one without a measurement. A model that is not in float32 on the CPU is torch's.

    Raises ValueError for a number of pieces that the model does not read, and UnsupportedError, a ValueError, where
    BORTLAB_ENGINE names no engine.
    """
    if chosen := settings.ENGINE.read():
        if chosen not in ENGINES:
            raise UnsupportedError(f"{settings.ENGINE.name}: unknown engine {chosen!r}. Known: {', '.join(ENGINES)}.")
        return chosen
    if model.device.type != "cpu" or model.dtype != torch.float32:
        return "torch"
    return engine_speeds(model, pieces).fastest


def engine_speeds(model: Model, pieces: int = PIECES) -> EngineSpeeds:
    """How fast each of CANDIDATES runs a model, float32 on the CPU: as kept in the cache, else measured now.

    Steady times are kept. They are measured anew for other weights, another machine, number of threads or version of
    torch or ONNX Runtime. Raises ValueError for a number of pieces that the model does not read.
    """
    check_whole("pieces", pieces, 1, model.config.max_position_embeddings)
    path = _path(model, pieces)
    if kept := _kept(path, pieces):
        return kept
    measured = measure(model, pieces)
    if measured.steady:
        store.write(path, json.dumps(asdict(measured)).encode(), durable=False)
    return measured


def measure(model: Model, pieces: int) -> EngineSpeeds:
    """Time each of CANDIDATES that is installed and computes what torch does, taking turns."""
    engines = {name: open_engine(model, name) for name in CANDIDATES if not ENGINES[name].missing()}
    generator = torch.Generator().manual_seed(0)
    shape = (1, 2, pieces) if model.task == "multiple-choice" else (1, pieces)
    ids = torch.randint(model.config.vocab_size, shape, generator=generator)
    expected = model.outputs(ids)
    differences = {name: _difference(engine.outputs(ids), expected) for name, engine in engines.items()}
    close = [name for name in engines if name == "torch" or differences[name] <= CLOSE]
    ways = {name: partial(engines[name].outputs, ids) for name in close}
    times = shortest_times(ways, least_rounds=LEAST_ROUNDS, limit_s=SECONDS)
    ms = {name: 1e3 * seconds for name, seconds in times.seconds.items()}
    return EngineSpeeds(pieces, ms, differences, times.steady)


def _difference(actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    return max(float((actual[name] - values).abs().max()) for name, values in expected.items())


def _kept(path: Path, pieces: int) -> EngineSpeeds | None:
    """What an earlier measurement gave; None where there is none that can be read."""
    try:
        read = json.loads(path.read_bytes())
        speeds = EngineSpeeds(
            pieces,
            {str(name): float(ms) for name, ms in read["ms"].items()},
            {str(name): float(difference) for name, difference in read["differences"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return speeds if "torch" in speeds.ms and set(CANDIDATES) >= speeds.ms.keys() else None


def _path(model: Model, pieces: int) -> Path:
    machine = (platform.node(), _processor(), str(torch.get_num_threads()))
    versions = [f"{name} {installed_version(name)}" for name in ("torch", "onnxruntime", "bortlab")]
    name = store.file_name(model.key, model.fingerprint, model.task, str(pieces), *machine, *versions)
    return settings.cache_folder() / "engines" / f"{name}.json"


def _processor() -> str:
    """The kind of processor, and the widest instructions of it that torch uses."""
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
