"""Answers by the engine that is fastest here: torch until that is known, and wherever the other one fails.

For the lab, whose visitors wait for no measurement: the first question about a model is answered by torch at once, and
its engine is measured and opened behind it, while nobody computes. Engines that round otherwise than torch in float32
never take part.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import torch

from bortlab.model import Model, Questions
from bortlab.registry import in_use
from bortlab.runtimes.engines import ENGINES
from bortlab.runtimes.engines.speeds import fastest_engine
from bortlab.system.machine import give_back_memory
from bortlab.work.pool import default_pool

T = TypeVar("T")
MOST_BYTES = 256_000_000
"""Weights that engines other than torch may hold at once, each as a second copy. Beyond, torch answers."""
QUIET_S = 1.0
"""So long nobody has to compute before an engine is measured."""
PATIENCE_S = 60.0
"""After which it is measured on a busy machine too."""
_log = logging.getLogger("bortlab")


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """An answer, and the name of the engine that computed it."""

    value: T
    engine: str


class Answering:
    """Which engine answers for which model; any number of threads may ask."""

    def __init__(self, *, quiet_s: float = QUIET_S, most_bytes: int = MOST_BYTES) -> None:
        self._quiet_s, self._most_bytes = quiet_s, most_bytes
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # one model is measured at a time
        self._chosen: WeakKeyDictionary[Model, str] = WeakKeyDictionary()
        self._preparing: WeakKeyDictionary[Model, threading.Thread] = WeakKeyDictionary()

    def answer(self, model: Model, question: Callable[[Questions], T]) -> Answered[T]:
        """question(model), computed by its engine; by torch if that raises, and from then on.

        What torch raises too is the question's fault, and raised.
        """
        name = self.engine(model)
        if name != "torch":
            try:
                return Answered(question(model.on(name)), name)
            except Exception as error:
                value = question(model)
                _log.warning("%s cannot answer for %s, so torch does: %s", name, model.key, error)
                self._choose(model, "torch")
                return Answered(value, "torch")
        return Answered(question(model), name)

    def engine(self, model: Model) -> str:
        """The name of a model's engine; "torch" until another one is ready, which this begins to make."""
        with self._lock:
            if model in self._chosen:
                return self._chosen[model]
            if model not in self._preparing:
                thread = threading.Thread(target=self._prepare, args=(model,), name="bortlab-engine", daemon=True)
                self._preparing[model] = thread
                thread.start()
        return "torch"

    def wait(self, model: Model, timeout: float | None = None) -> str:
        """The name of a model's engine, once it is ready."""
        self.engine(model)
        self._preparing[model].join(timeout)
        return self.engine(model)

    def _prepare(self, model: Model) -> None:
        """Choose the engine of a model, and open it."""
        with self._turn, in_use(model):
            try:
                name = self._fastest(model)
                if name != "torch":
                    model.on(name).encode_ids(torch.zeros(1, 4, dtype=torch.long))
            except Exception as error:  # of a foreign program, whatever it is
                _log.warning("No other engine answers for %s, so torch does: %s", model.key, error)
                name = "torch"
            give_back_memory()  # graphs that were written and read, and the engines that were slower
            self._choose(model, name)

    def _fastest(self, model: Model) -> str:
        with self._lock:
            held = sum(other.n_bytes for other, name in self._chosen.items() if name != "torch")
        if held + model.n_bytes > self._most_bytes:
            return "torch"
        self._await_quiet()
        name = fastest_engine(model)
        if not ENGINES[name].exact:
            _log.warning("%s rounds otherwise than torch, which answers in its place.", ENGINES[name].title)
            return "torch"
        return name

    def _await_quiet(self) -> None:
        """Let those who compute go first."""
        pool, give_up = default_pool(), time.monotonic() + PATIENCE_S
        quiet_since = time.monotonic()
        while time.monotonic() < min(give_up, quiet_since + self._quiet_s):
            time.sleep(self._quiet_s / 10)
            stats = pool.stats()
            if stats.queued or stats.running:
                quiet_since = time.monotonic()

    def _choose(self, model: Model, name: str) -> None:
        with self._lock:
            self._chosen[model] = name


ANSWERING = Answering()
"""The process's own."""
