"""A shared, byte-bounded cache of loaded models."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

from bortlab.model import Adaptation, Model
from bortlab.registry.building import Blueprint, TooLargeError, blueprint_of, build
from bortlab.registry.request import Request
from bortlab.system import settings
from bortlab.system.errors import BusyError
from bortlab.system.machine import memory_allowed
from bortlab.system.numbers import data_size

POLL_S = 0.1
"""Longest step of a wait: between two steps Python can deliver what interrupts the waiting thread."""


class Resident(NamedTuple):
    """A model in the cache.

    source: "bundled", "hub", "folder", "adapted" or "random weights". revision: the commit, of what comes from the
    hub. heads: provenance by name. last_used: when it was last requested, seconds since 1970. in_use: whether it must
    stay for now.
    """

    key: str
    family: str
    source: str
    revision: str
    heads: Mapping[str, str]
    adaptation: Adaptation | None
    n_bytes: int
    last_used: float
    in_use: bool


@dataclass(slots=True)
class _Entry:
    model: Model
    size: int
    pins: int
    last_used: float = field(default_factory=time.time)


@dataclass(slots=True, eq=False)
class _Flight:
    """A load under way. Neither model nor error after landing: it was interrupted, and the next one may try."""

    landed: threading.Event = field(default_factory=threading.Event)
    model: Model | None = None
    error: Exception | None = None
    traceback: TracebackType | None = None


class Registry:
    """Loaded models by request: one load for equal requests, and no more bytes than the budget.

    The least recently used leaves first; what is leased never goes; what was evicted while somebody held it comes
    back without a second load. A failed load leaves nothing behind, and the next request tries again.

    Threads wait, for another's load or for room, in steps of POLL_S of plain Python, so that an interrupt gets through;
    Streamlit delivers its stop at the page's next `st.` call.

    Args:
        budget: bytes; None: BORTLAB_MODEL_BUDGET_MB, or a quarter of the memory this process may have.
        patience: seconds to wait for room while everything is leased, or being loaded.
    """

    def __init__(
        self,
        budget: int | None = None,
        *,
        patience: float = 60.0,
        blueprint_of: Callable[[Request], Blueprint] = blueprint_of,
        build: Callable[[Blueprint], Model] = build,
    ) -> None:
        self._budget, self._patience, self._blueprint_of, self._build = budget, patience, blueprint_of, build
        self._lock = threading.Lock()
        self._entries: OrderedDict[Request, _Entry] = OrderedDict()  # least recently used first
        self._flights: dict[Request, _Flight] = {}
        self._reserved = 0  # bytes of the loads under way
        self._alive: WeakValueDictionary[Request, Model] = WeakValueDictionary()  # in the cache or held
        self._requests: WeakKeyDictionary[Model, Request] = WeakKeyDictionary()  # the same, the other way round

    @property
    def budget(self) -> int:
        """Bytes that the cached models may take together."""
        if self._budget is not None:
            return self._budget
        value = settings.BUDGET.read()
        if value is None:
            return memory_allowed() // 4
        try:
            megabytes = float(value)
            if not 0 < megabytes < 1e9:
                raise ValueError
        except ValueError:
            raise ValueError(
                f"{settings.BUDGET.name}: expected a number of megabytes such as 2000, got {value!r}."
            ) from None
        return int(megabytes * 1e6)

    def get(self, request: Request) -> Model:
        """The model of a request, from the cache or loaded now."""
        return self._acquire(request, pins=0)

    @contextmanager
    def lease(self, request: Request) -> Iterator[Model]:
        """As `get`, and the model stays in the cache until the block ends."""
        model = self._acquire(request, pins=1)
        try:
            yield model
        finally:
            with self._lock:
                self._entries[request].pins -= 1

    @contextmanager
    def in_use(self, model: Model) -> Iterator[None]:
        """Keep a model in the cache until the block ends, if it is there: its memory counts as long as it is used."""
        with self._lock:
            request = self._requests.get(model)
            entry = None if request is None else self._entries.get(request)
            if entry is not None:
                entry.pins += 1
        try:
            yield
        finally:
            if entry is not None:
                with self._lock:
                    entry.pins -= 1

    def loaded(self) -> list[Resident]:
        """What is in the cache, least recently used first."""
        with self._lock:
            entries = [(entry.model, entry.size, entry.last_used, entry.pins > 0) for entry in self._entries.values()]
        return [
            Resident(
                model.key,
                model.family.name,
                model.source,
                model.revision,
                model.heads,
                model.adaptation,
                size,
                used,
                in_use,
            )
            for model, size, used, in_use in entries
        ]

    def unload(self, key: str) -> int:
        """Drop every cached model of a key (of a folder, by its path) that is not leased; how many that were."""
        names = (key, str(Path(key).expanduser().resolve()))
        with self._lock:
            drop = [request for request, entry in self._entries.items() if request.key in names and not entry.pins]
            for request in drop:
                del self._entries[request]
                self._alive.pop(request, None)
        return len(drop)

    def _acquire(self, request: Request, *, pins: int) -> Model:
        while True:
            with self._lock:
                entry = self._entries.get(request)
                if entry is not None:
                    self._entries.move_to_end(request)
                    entry.last_used = time.time()
                    entry.pins += pins
                    return entry.model
                flight = self._flights.get(request)
                leads = flight is None
                if flight is None:
                    flight = self._flights[request] = _Flight()
            if leads:
                return self._load(request, flight, pins)
            while not flight.landed.wait(POLL_S):
                pass
            if flight.error is not None:
                raise flight.error.with_traceback(flight.traceback)
            if flight.model is not None and not pins:
                return flight.model  # even if it was evicted in the meantime

    def _load(self, request: Request, flight: _Flight, pins: int) -> Model:
        reserved = 0
        try:
            blueprint = self._blueprint_of(request)
            self._reserve(request.key, blueprint.n_bytes)
            reserved = blueprint.n_bytes
            model = self._alive.get(request) or self._build(blueprint)
            with self._lock:
                self._entries[request] = _Entry(model, max(reserved, model.n_bytes), pins)
                self._alive[request] = flight.model = model
                self._requests[model] = request
                self._reserved -= reserved
                reserved = 0
            return model
        except Exception as error:
            flight.error, flight.traceback = error, error.__traceback__
            raise
        finally:
            with self._lock:
                self._reserved -= reserved
                del self._flights[request]
            flight.landed.set()

    def _reserve(self, key: str, size: int) -> None:
        """Take `size` bytes of the budget, evicting what must go; wait while leases and other loads leave no room."""
        deadline = time.monotonic() + self._patience
        while True:
            budget = self.budget
            if size > budget:
                raise TooLargeError(
                    f"{key} needs {data_size(size)}, and loaded models may take {data_size(budget)} in all. "
                    f'Choose a smaller model or dtype="bfloat16", or set {settings.BUDGET.name}={size // 10**6 + 1}.'
                )
            with self._lock:
                free = budget - self._reserved - sum(entry.size for entry in self._entries.values())
                idle = {request: entry.size for request, entry in self._entries.items() if not entry.pins}
                if size <= free + sum(idle.values()):
                    for request, freed in idle.items():
                        if size <= free:
                            break
                        del self._entries[request]
                        free += freed
                    self._reserved += size
                    return
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"{key} needs {data_size(size)}, and all models in memory are in use. Try again in a minute, "
                    f"or raise {settings.BUDGET.name} (now {budget // 10**6})."
                )
            time.sleep(POLL_S)
