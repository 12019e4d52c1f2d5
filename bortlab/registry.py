"""Every model that can be loaded, and a shared, byte-bounded cache of those that are.

`load` finds weights by key or by Hugging Face repository, `load_from` in a folder, `checkpoints` lists the keys. All
three may be called from any number of threads: equal requests load once, a model is published only when it is whole and
has run once, and the memory of all cached models stays under a bound. What is evicted lives on for those who hold it:
Python's references see to it.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict, Unpack
from weakref import WeakValueDictionary

import torch

from bortlab import fitted, hub
from bortlab.checkpoint import CheckpointError, check_weights, load_network, meta_network, own_heads, read_config
from bortlab.model import EXAMPLE, HEADS_KEY, PROVENANCES, Model, assemble, check_whole, encoder_fingerprint, n_bytes
from bortlab.models import FAMILIES, Checkpoint, Config, Family, Network
from bortlab.serving import BusyError, memory_allowed, memory_available
from bortlab.tokenization import Kind, Tokenizer

if TYPE_CHECKING:
    import pandas

CHECKPOINTS = Path(__file__).parent.parent / "assets" / "checkpoints"
"""Where the bundled checkpoints lie, one folder a key."""
BUDGET_VARIABLE = "BORTLAB_MODEL_BUDGET_MB"
POLL_S = 0.1
"""Longest step of a wait: between two steps Python can deliver what interrupts the waiting thread."""
_MODEL_FILES = (".json", ".safetensors", ".bin", ".txt", ".model")

Weights = Literal["published", "random"]
Head = Literal["fitted", "published"]
Device = str | torch.device | None
Dtype = str | torch.dtype | None


class UnknownModelError(ValueError):
    """A key that no checkpoint has."""


class NeedsNetworkError(RuntimeError):
    """Weights that are not on this machine. Nothing is downloaded unless somebody asks for it."""


class MissingFolderError(CheckpointError, FileNotFoundError):
    """A path that is no folder, or none that may be looked into."""


class TooLargeError(RuntimeError):
    """A model that does not fit into memory; nothing was allocated."""


@dataclass(frozen=True, slots=True)
class Request:
    """What makes one loaded model differ from another: two equal requests are one model.

    folder: where weights and tokenizer lie, or the tokenizer alone for random weights. stamp: names, sizes and times of
    its files, so that a changed folder is another request. family: None where config.json is to tell. fitted: stamp of
    the masked-LM head that was fitted here and may take the place of a random one; None for none, or none wanted.
    """

    key: str
    folder: Path
    stamp: tuple[tuple[str, int, int], ...]
    family: str | None
    task: str
    weights: Weights
    seed: int | None
    device: str
    dtype: torch.dtype
    revision: str
    source: str
    fitted: fitted.Stamp | None = None


class Options(TypedDict, total=False):
    """The keyword arguments of `load`."""

    task: str
    weights: Weights
    seed: int
    device: Device
    dtype: Dtype
    revision: str | None
    family: str | None
    download: bool
    head: Head


# -- the catalogue -----------------------------------------------------------------------------------------------------


def checkpoints() -> pandas.DataFrame:
    """A table of everything that `load` knows, in the order of the families.

    parameters: of the masked-LM network, counted. size_mb: their memory in float32. masked_lm: what the published
    masked-LM head is. offline: whether the published weights are on this machine, bundled or in the cache that
    the Hugging Face libraries share; weights="random" needs none.
    """
    import pandas

    rows = [
        {
            "key": checkpoint.key,
            "title": checkpoint.title,
            "family": family.name,
            "source": checkpoint.source,
            "parameters": (count := _count(family.name, _architecture(family, checkpoint))),
            "size_mb": round(count * 4 / 1e6, 1),
            "licence": checkpoint.licence,
            "masked_lm": checkpoint.masked_lm,
            "offline": _is_here(checkpoint),
        }
        for family in FAMILIES.values()
        for checkpoint in family.checkpoints
    ]
    return pandas.DataFrame(rows)


def _is_here(checkpoint: Checkpoint) -> bool:
    if checkpoint.source == "bundled":
        return (CHECKPOINTS / checkpoint.key / "config.json").is_file()
    return hub.cached(checkpoint.source, checkpoint.revision) is not None


def _known() -> dict[str, tuple[Family, Checkpoint]]:
    """Every checkpoint by its key, and by its repository."""
    known: dict[str, tuple[Family, Checkpoint]] = {}
    for family in FAMILIES.values():
        for checkpoint in family.checkpoints:
            known[checkpoint.key] = family, checkpoint
            if checkpoint.source != "bundled":
                known[checkpoint.source] = family, checkpoint
    return known


def find(key: str) -> tuple[Family, Checkpoint]:
    """The family and the checkpoint of a key, or of its Hugging Face repository; UnknownModelError with suggestions."""
    if not isinstance(key, str):
        raise UnknownModelError(f"A model's key is a text such as 'bort', got {key!r}. For a folder, use load_from.")
    known = _known()
    if key in known:
        return known[key]
    looks_like_path = "/" in key or "\\" in key  # keys come from links: no look at the disk
    folder = " For a folder, use load_from; a Hugging Face repository is owner/name." if looks_like_path else ""
    shown = repr(key) if len(key) <= 200 else f"{key[:200]!r}..."
    keys = ", ".join(checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints)
    raise UnknownModelError(f"Unknown model {shown}.{_meant(key[:200])}{folder} Known: {keys}.")


def _meant(key: str) -> str:
    close = difflib.get_close_matches(key, _known(), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def is_repository(key: object) -> bool:
    """Whether this names a repository, as owner/name, that is not known here. There need not be one."""
    if not isinstance(key, str) or "/" not in key or key in _known():
        return False
    try:
        hub.check_names(key)
    except hub.RepositoryNameError:
        return False
    return True


def architecture(key: str) -> tuple[Family, Config]:
    """The family and the configuration of a key; nothing is loaded. UnknownModelError for a key that there is not."""
    family, checkpoint = find(key)
    return family, _architecture(family, checkpoint)


def _architecture(family: Family, checkpoint: Checkpoint) -> Config:
    """The configuration of a checkpoint; of a bundled one from its folder, or as it is meant to be without one."""
    if checkpoint.config is not None:
        return checkpoint.config
    folder = CHECKPOINTS / checkpoint.key
    return read_config(folder, family.name)[1] if (folder / "config.json").is_file() else family.mini


@functools.lru_cache(maxsize=256)
def _count(family: str, config: Config) -> int:
    """Parameters of the masked-LM network, without building it in memory."""
    return sum(parameter.numel() for parameter in meta_network(FAMILIES[family], config).parameters())


# -- requests ----------------------------------------------------------------------------------------------------------


def _request(
    key: str,
    *,
    task: str = "masked-lm",
    weights: Weights = "published",
    seed: int = 0,
    device: Device = None,
    dtype: Dtype = None,
    revision: str | None = None,
    family: str | None = None,
    download: bool = False,
) -> Request:
    """The request for a key; every argument is checked here, before anything is read."""
    if weights not in ("published", "random"):
        raise ValueError(f'weights: expected "published" or "random", got {weights!r}.')
    _check_family(family)
    random = weights == "random"
    if not random and is_repository(key):
        return _request_hub(key, None, family, task, device, dtype, revision, download)
    known, checkpoint = find(key)
    if family not in (None, known.name):
        raise ValueError(f"{checkpoint.key} is of family {known.name!r}, not {family!r}: leave family out.")
    bundled = checkpoint.source == "bundled"
    if random:
        check_whole("seed", seed, 0, 2**63 - 1)
    if revision is not None and (bundled or random):
        raise ValueError(f"{checkpoint.key} has no revisions to choose from here: leave revision out.")
    if not (bundled or random):
        return _request_hub(
            checkpoint.source, checkpoint, known.name, _task(task, known), device, dtype, revision, download
        )
    # Random weights have no vocabulary of their own: the family's bundled one cuts the text in its stead.
    vocabulary = checkpoint if bundled else next(c for c in known.checkpoints if c.source == "bundled")
    folder = CHECKPOINTS / vocabulary.key
    if not folder.is_dir():
        raise FileNotFoundError(f"The bundled {vocabulary.key} is missing: no folder {folder}. Reinstall bortlab.")
    return Request(
        key=checkpoint.key,
        folder=folder,
        stamp=_stamp(folder),
        family=known.name,
        task=_task(task, known),
        weights=weights,
        seed=seed if random else None,
        device=_device(device),
        dtype=_dtype(dtype),
        revision="" if random else checkpoint.revision,
        source="random weights" if random else "bundled",
    )


def _request_hub(
    repository: str,
    checkpoint: Checkpoint | None,
    family: str | None,
    task: str,
    device: Device,
    dtype: Dtype,
    revision: str | None,
    download: bool,
) -> Request:
    """The request for a repository, known here (then with its checkpoint) or not; downloads it only if told to."""
    key = checkpoint.key if checkpoint else repository
    wanted = revision or (checkpoint.revision if checkpoint else None)
    on, kind = _device(device), _dtype(dtype)
    folder = hub.cached(repository, wanted)
    if folder is None and download:
        folder = hub.download(hub.plan(repository, revision=wanted))
    if folder is None:
        what = repository if key == repository else f"{key} ({repository} on Hugging Face)"
        at = f" at revision {revision!r}" if revision else ""
        instead = (
            'With weights="random" its architecture works offline.'
            if checkpoint
            else f"For a folder, use load_from.{_meant(key)}"
        )
        asked = f"{key!r}, revision={revision!r}" if revision else repr(key)
        raise NeedsNetworkError(
            f"{what} is not on this machine{at}. Download it with bortlab.load({asked}, download=True) or on the "
            f"Models page. {instead}"
        )
    return Request(
        key=key,
        folder=folder,
        stamp=_stamp(folder),
        family=family,
        task=_task(task, FAMILIES[family] if checkpoint and family else read_config(folder, family)[0]),
        weights="published",
        seed=None,
        device=on,
        dtype=kind,
        revision=folder.name,  # the commit
        source="hub",
    )


def _check_family(family: str | None) -> None:
    if family is not None and family not in FAMILIES:
        raise ValueError(f"Unknown family {family!r}. Known: {', '.join(FAMILIES)}.")


def _request_from(
    folder: str | os.PathLike[str],
    *,
    family: str | None = None,
    task: str = "masked-lm",
    device: Device = None,
    dtype: Dtype = None,
) -> Request:
    """The request for a folder."""
    _check_family(family)
    try:
        path = Path(folder).expanduser().resolve()
        there = path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: ~nobody, or a loop; ValueError: a NUL
        raise MissingFolderError(f"{str(folder)[:200]!r} is no path that can be opened: {error}.") from error
    if not there:
        raise MissingFolderError(f"{path} is not a folder. Expected one with config.json, weights and tokenizer files.")
    return Request(
        key=str(path),
        folder=path,
        stamp=_stamp(path),
        family=family,
        task=_task(task, read_config(path, family)[0]),
        weights="published",
        seed=None,
        device=_device(device),
        dtype=_dtype(dtype),
        revision="",
        source="folder",
    )


def _with_head(request: Request, head: Head) -> Request:
    """The request with the fitted head that is here for it, if that is wanted; random weights stay random."""
    if head not in ("fitted", "published"):
        raise ValueError(f'head: expected "fitted" or "published", got {head!r}.')
    if head == "published" or request.weights == "random":
        return request
    return replace(request, fitted=fitted.stamp(request.key, request.revision))


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of change of each file that a model may be read from."""
    try:
        files = [path for path in folder.iterdir() if path.suffix in _MODEL_FILES and path.is_file()]
        return tuple(sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files))
    except OSError as error:
        raise MissingFolderError(f"Cannot look into {folder}: {error.strerror or error}.") from error


def _task(task: str, family: Family) -> str:
    if task not in family.tasks:
        raise ValueError(f"{family.title} has no task {task!r}. Known: {', '.join(family.tasks)}.")
    return task


def _device(device: Device) -> str:
    try:
        found = torch.device("cpu" if device is None else device)
    except RuntimeError:
        raise ValueError(f"Unknown device {device!r}. Known: cpu, cuda, cuda:1, mps.") from None
    if found.type == "cuda" and (found.index or 0) < torch.cuda.device_count():
        return f"cuda:{found.index or 0}"
    if found.type == "cpu" or (found.type == "mps" and torch.backends.mps.is_available()):
        return found.type
    raise ValueError(f'This machine has no device "{found}" that can run a model. Use device="cpu".')


def _dtype(dtype: Dtype) -> torch.dtype:
    known = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
    found = known.get(str(dtype or "float32").removeprefix("torch."))
    if found is None:
        raise ValueError(f"Unknown dtype {dtype!r}. Known: {', '.join(known)}.")
    return found


def own_task(key: str, *, revision: str | None = None, family: str | None = None) -> str | None:
    """The task that a key's or a repository's files were made for, if they hold its trained heads; None otherwise.

    Nothing is loaded or downloaded. Raises what `load` does for what is not there or cannot be read.
    """
    return _own_task(_request(key, revision=revision, family=family))


def own_task_from(folder: str | os.PathLike[str], *, family: str | None = None) -> str | None:
    """As `own_task`, of a folder."""
    return _own_task(_request_from(folder, family=family))


@functools.lru_cache(maxsize=256)
def _own_task(request: Request) -> str | None:
    """By request, so that a folder that has changed is looked into anew."""
    family, config = _design(request)
    task, heads = own_heads(request.folder, family, config)
    heads |= _told(config.extra.get(HEADS_KEY), heads)
    return None if "random" in heads.values() else task


# -- from request to model ---------------------------------------------------------------------------------------------


def measure(request: Request) -> int:
    """Bytes of the weights that a request asks for, counted without building them.

    A folder that does not hold them is refused here, before others are evicted for its sake.
    """
    family, config = _design(request)
    if request.seed is None:
        check_weights(request.folder, family, config, task=request.task)
    return n_bytes(meta_network(family, config, request.task).to(request.dtype))


def build(request: Request) -> Model:
    """Read or make the weights, freeze them, and run the model once, so that what is published is whole and works."""
    family, config = _design(request)
    _fits(request)
    tokenizer = Tokenizer.from_folder(request.folder, _kind(family))
    if request.seed is None and tokenizer.vocab_size > config.vocab_size:
        raise CheckpointError(
            f"{request.key}: the tokenizer has ids up to {tokenizer.vocab_size - 1:,}, and the network "
            f"{config.vocab_size:,} words. They do not belong together: get both from one place."
        )
    with torch.inference_mode(False), torch.no_grad():  # whatever mode the caller is in
        if request.seed is not None:
            network = meta_network(family, config, request.task).to(request.dtype).to_empty(device="cpu")
            network.initialise(torch.Generator().manual_seed(request.seed))
            heads = dict.fromkeys(network.tasks[request.task], "random")
        else:
            loaded = load_network(request.folder, family, config, task=request.task, dtype=request.dtype)
            network, heads = loaded.network, loaded.heads | _told(config.extra.get(HEADS_KEY), loaded.heads)
            heads |= _untrained(request, heads)
            heads |= _fitted(request, heads, family, network, tokenizer)
        network.to(request.device)
    if _stamp(request.folder) != request.stamp:
        raise CheckpointError(f"{request.folder} changed while it was being read. Load it again.")
    model = assemble(
        request.key, family, network, tokenizer, heads=heads, source=request.source, revision=request.revision
    )
    if request.source == "hub":  # what is remembered of one revision is not shown for another
        model = replace(
            model, fingerprint=hashlib.sha256(f"{model.fingerprint} {model.revision}".encode()).hexdigest()[:16]
        )
    model.trace(EXAMPLE)
    model.scores(model.encode(EXAMPLE))
    return model


def _design(request: Request) -> tuple[Family, Config]:
    """The family and the configuration of a request."""
    if request.source in ("folder", "hub") or request.family is None:
        return read_config(request.folder, request.family)
    family, checkpoint = find(request.key)
    return family, _architecture(family, checkpoint)


def _kind(family: Family) -> Kind:
    return family.tokenizer  # type: ignore[return-value]


def _told(heads: object, present: Mapping[str, str]) -> dict[str, str]:
    """What a folder that bortlab saved says about its heads, where the file has them and the words are known."""
    told = heads if isinstance(heads, dict) else {}
    return {name: told[name] for name, found in present.items() if found == "trained" and told.get(name) in PROVENANCES}


def _untrained(request: Request, present: Mapping[str, str]) -> dict[str, str]:
    """The heads that a published repository is known to hold and never trained; a folder of one's own is believed."""
    _, checkpoint = _known().get(request.key, (None, None)) if request.source == "hub" else (None, None)
    random = checkpoint is not None and checkpoint.masked_lm == "random" and "masked-lm" in present
    return {"masked-lm": "random"} if random else {}


def _fitted(
    request: Request, present: Mapping[str, str], family: Family, network: Network, tokenizer: Tokenizer
) -> dict[str, str]:
    """Give a network whose masked-LM head is random the one that was fitted here for its encoder, if there is one."""
    if request.fitted is None or present.get("masked-lm") != "random" or network.masked_lm is None:
        return {}
    exact = network  # what its fingerprint is of: a narrower type has lost digits
    if request.dtype.itemsize < 4:
        exact = load_network(request.folder, family, network.config, task=request.task).network
    encoder = encoder_fingerprint(family, exact, tokenizer)
    head = fitted.read(request.key, request.revision, encoder=encoder, like=network.masked_lm)
    if head is None:
        return {}
    network.masked_lm.load_state_dict(head.tensors)
    return {"masked-lm": fitted.PROVENANCE}


def _fits(request: Request) -> None:
    """Refuse what the machine has no memory for, before anything is allocated."""
    needed, free = measure(request), memory_available()
    if free is not None and needed > free:
        raise TooLargeError(
            f"{request.key} needs {_mb(needed)} of memory, and {_mb(free)} are free. "
            f'Take a smaller model, dtype="bfloat16", or close something.'
        )


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


# -- the cache ---------------------------------------------------------------------------------------------------------


class Resident(NamedTuple):
    """A model in the cache.

    source: "bundled", "hub", "folder" or "random weights". revision: the commit, of what comes from the hub. heads:
    provenance by name. last_used: when it was last asked for, seconds since 1970. in_use: whether it must stay for now.
    """

    key: str
    family: str
    source: str
    revision: str
    heads: Mapping[str, str]
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

    The least recently asked-for goes first; what is leased never goes; what was evicted while somebody held it comes
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
        build: Callable[[Request], Model] = build,
        measure: Callable[[Request], int] = measure,
    ) -> None:
        self._budget, self._patience, self._build, self._measure = budget, patience, build, measure
        self._lock = threading.Lock()
        self._entries: OrderedDict[Request, _Entry] = OrderedDict()  # least recently used first
        self._flights: dict[Request, _Flight] = {}
        self._reserved = 0  # bytes of the loads under way
        self._alive: WeakValueDictionary[Request, Model] = WeakValueDictionary()  # in the cache or held

    @property
    def budget(self) -> int:
        """Bytes that the cached models may take together."""
        if self._budget is not None:
            return self._budget
        told = os.environ.get(BUDGET_VARIABLE)
        if told is None:
            return memory_allowed() // 4
        try:
            megabytes = float(told)
            if not 0 < megabytes < 1e9:
                raise ValueError
        except ValueError:
            raise ValueError(f"{BUDGET_VARIABLE}: expected a number of megabytes such as 2000, got {told!r}.") from None
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
            entry = next((entry for entry in self._entries.values() if entry.model is model), None)
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
            Resident(model.key, model.family.name, model.source, model.revision, model.heads, size, used, in_use)
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
            size = self._measure(request)
            self._reserve(request.key, size)
            reserved = size
            model = self._alive.get(request) or self._build(request)
            with self._lock:
                self._entries[request] = _Entry(model, max(size, model.n_bytes), pins)
                self._alive[request] = flight.model = model
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
                    f"{key} needs {_mb(size)}, and loaded models may take {_mb(budget)} in all. "
                    f'Take a smaller model, dtype="bfloat16", or set {BUDGET_VARIABLE}={size // 10**6 + 1}.'
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
                    f"{key} needs {_mb(size)}, and all models in memory are in use. Try again in a minute, or raise "
                    f"{BUDGET_VARIABLE} (now {budget // 10**6})."
                )
            time.sleep(POLL_S)


REGISTRY = Registry()
"""The process's own registry, behind the functions below."""


def load(
    key: str,
    *,
    task: str = "masked-lm",
    weights: Weights = "published",
    seed: int = 0,
    device: Device = None,
    dtype: Dtype = None,
    revision: str | None = None,
    family: str | None = None,
    download: bool = False,
    head: Head = "fitted",
) -> Model:
    """Load a model by its key (see `checkpoints`) or by any Hugging Face repository of a supported family.

    The same call gives the same object.

    Args:
        task: "masked-lm", "pre-training" (with the sentence-order head; ALBERT and BERT), "sequence-classification",
            "multiple-choice", "token-classification", "question-answering" or "encoder". A head that the file has not
            is random, and `model.heads` says so.
        weights: "random" builds the real architecture with random weights by `seed`: sizes and speed need no download.
            Its text is cut by the family's bundled vocabulary, a stand-in, and all its heads are "random".
        device: "cpu" unless told. dtype: torch.float32 unless told.
        revision: of a Hugging Face repository, a commit, branch or tag; the pinned one, or "main", unless told.
            `model.revision` is the commit.
        family: of a repository whose config.json cannot tell; a Bort calls itself "bert".
        download: get a repository that is not on this machine; once there, it is used without a network.
        head: "published" leaves a random masked-LM head random, though one was fitted here for it (Model.fit_head).

    Raises UnknownModelError, NeedsNetworkError (the weights are not on this machine), bortlab.hub.HubError (they could
    not be downloaded), TooLargeError (no memory for it), BusyError (all models in memory are leased), ValueError for
    other arguments, CheckpointError for damaged files.
    """
    request = _request(
        key,
        task=task,
        weights=weights,
        seed=seed,
        device=device,
        dtype=dtype,
        revision=revision,
        family=family,
        download=download,
    )
    return REGISTRY.get(_with_head(request, head))


def load_from(
    folder: str | os.PathLike[str],
    *,
    family: str | None = None,
    task: str = "masked-lm",
    device: Device = None,
    dtype: Dtype = None,
    head: Head = "fitted",
) -> Model:
    """Load a folder in Hugging Face layout: config.json, weights, tokenizer files. A changed folder is read anew.

    family: where config.json cannot tell; a published Bort calls itself "bert". The rest is as in `load`.
    """
    request = _request_from(folder, family=family, task=task, device=device, dtype=dtype)
    return REGISTRY.get(_with_head(request, head))


@contextmanager
def lease(key: str, **options: Unpack[Options]) -> Iterator[Model]:
    """As `load`, and the model stays in the cache until the block ends."""
    head = options.pop("head", "fitted")
    with REGISTRY.lease(_with_head(_request(key, **options), head)) as model:  # type: ignore[misc]
        yield model


def loaded() -> list[Resident]:
    """What is in memory, least recently used first."""
    return REGISTRY.loaded()


def unload(key: str) -> int:
    """Drop the models of a key, or of a folder's path, from memory, unless leased; how many that were."""
    return REGISTRY.unload(key)
