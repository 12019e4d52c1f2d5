"""What visitors opened beside the bundled models, and the download under way. Both belong to the process: all share.

A model is remembered by how it was opened, not by its weights: those live in the registry, which may evict them and
load them again.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from bortlab import hub, registry
from bortlab.model import Model
from bortlab.models import Checkpoint
from bortlab.registry import Options
from bortlab.system import settings
from bortlab.system.errors import BusyError

NOT_STATED = "not stated here"
MOST = 50
"""How many opened models are remembered."""


@dataclass(frozen=True, slots=True)
class Opened:
    """How a model was opened: by a key or repository, or from a folder, as which family (None: as its files say).

    visitor: the session that alone is offered it, "" for all: a model that was made of somebody's data tells of them.
    """

    key: str
    title: str
    family: str | None
    folder: bool
    licence: str
    visitor: str = ""


_lock = threading.Lock()
_opened: dict[str, Opened] = {}
_download: Download | None = None


# -- models ------------------------------------------------------------------------------------------------------------


def keys() -> list[str]:
    """Keys of the opened models, oldest first."""
    return list(_opened)


def is_folder(name: str) -> bool:
    """Is this a path, rather than a key or a repository? A folder here is written as /, ~, ., or C:\\ something."""
    return name.startswith(("/", "~", ".")) or "\\" in name


def folders_allowed() -> bool:
    """May visitors name folders? A path tells what is on this machine's disk, so only if they sit before it."""
    choice = settings.FOLDERS.read()
    if choice in ("0", "1"):
        return choice == "1"
    address = str(st.get_option("server.address") or "")  # empty: every network
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def open_model(name: str, *, family: str | None = None, licence: str = "") -> Model:
    """Load a key, a repository or a folder, and let every page offer it; its key is the model's."""
    folder = is_folder(name)
    if folder and not folders_allowed():
        raise ValueError(
            f"Folders of this machine are not opened for visitors here, as others may reach the server. Whoever runs "
            f"it can allow them with {settings.FOLDERS.name}=1."
        )
    model = registry.load_from(name, family=family) if folder else registry.load(name, family=family)
    checkpoint = None if folder else known(name)
    if checkpoint is None or checkpoint.source != "bundled":
        stated = licence or (checkpoint.licence if checkpoint else NOT_STATED)
        heading = registry.title(model.key)
        entry = Opened(model.key, heading, family, folder, stated)
        with _lock:
            _opened.pop(model.key, None)
            _opened[model.key] = entry
            for key in list(_opened)[:-MOST]:
                del _opened[key]
    return model


def load(key: str, task: str = "masked-lm") -> Model:
    """The model of a key that a page offers, with the heads of a task."""
    entry = _opened.get(key)
    if entry is None:
        return registry.load(key, task=task)
    load = registry.load_from if entry.folder else registry.load
    return load(key, family=entry.family, task=task)


def remember(folder: Path, *, title: str, family: str) -> str:
    """Offer a model that was made here, in a folder of the lab's own, to this visitor alone; its key."""
    key = str(folder)
    with _lock:
        _opened[key] = Opened(key, title, family, True, "that of its base and its data", _visitor())
    return key


def forget_within(folder: Path) -> None:
    """Forget the models of a folder of the lab's own, and drop them from memory."""
    with _lock:
        gone = [key for key, entry in _opened.items() if entry.visitor and Path(key).is_relative_to(folder)]
        for key in gone:
            del _opened[key]
    for key in gone:
        registry.unload(key)


def family(key: str) -> str | None:
    """The family that a visitor said a model is of; None where its files say it."""
    entry = _opened.get(key)
    return entry.family if entry else None


def _visitor() -> str:
    """The present session."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


@contextmanager
def lease(key: str, task: str = "masked-lm") -> Iterator[Model]:
    """As `load`, and the model stays in memory until the block ends."""
    entry = _opened.get(key)
    if entry is not None and entry.folder:
        with registry.lease_from(key, Options(family=entry.family, task=task)) as model:
            yield model
    else:
        with registry.lease(key, Options(family=entry.family if entry else None, task=task)) as model:
            yield model


def own_task(key: str) -> str | None:
    """The task that a model's files hold the trained heads of; None where there is none, or no such model."""
    entry = _opened.get(key)
    try:
        if entry is None:
            return registry.own_task(key)
        return (registry.own_task_from if entry.folder else registry.own_task)(key, family=entry.family)
    except (ValueError, OSError, registry.NeedsNetworkError):
        return None  # loading it says what is wrong


def title(key: str) -> str:
    """A model's title: the catalogue's, or the last part of its repository's or folder's name."""
    entry = _opened.get(key)
    checkpoint = known(key)
    if entry is None and checkpoint is None and registry.is_adapted(key):
        return str(registry.adapted_card(key).get("title", key))
    return entry.title if entry else registry.title(key)


def python(key: str, task: str = "masked-lm") -> str:
    """The expression that loads this model in a notebook, with the heads of a task."""
    entry = _opened.get(key)
    function = "load_from" if entry and entry.folder else "load"
    family = f", family={entry.family!r}" if entry and entry.family else ""
    heads = "" if task == "masked-lm" else f", task={task!r}"
    return f"bortlab.{function}({key!r}{family}{heads})"


def licence(key: str) -> str:
    """A model's licence, as the catalogue or its repository states it."""
    entry = _opened.get(key)
    checkpoint = known(key)
    if entry is None and checkpoint is None and registry.is_adapted(key):
        return str(registry.adapted_card(key).get("licence", NOT_STATED))
    return entry.licence if entry else checkpoint.licence if checkpoint else NOT_STATED


def known(key: str) -> Checkpoint | None:
    """The catalogue's entry for a key or a repository, if it has one."""
    try:
        return registry.find(key)[1]
    except registry.UnknownModelError:
        return None


# -- the download ------------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Download:
    """A plan on its way, in a thread of its own: it goes on while pages come and go."""

    name: str
    plan: hub.DownloadPlan
    family: str | None
    done: int = 0
    key: str = ""
    error: Exception | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Get the files, then load the model."""
        try:
            hub.download(self.plan, progress=self._note, cancelled=self.stop.is_set)
            self.key = open_model(self.name, family=self.family, licence=self.plan.licence).key
        except Exception as error:
            self.error = error
        finally:
            self.over.set()

    def _note(self, done: int, _: int) -> None:
        self.done = done


def download() -> Download | None:
    """The latest download, under way or over."""
    return _download


def start_download(name: str, plan: hub.DownloadPlan, family: str | None) -> None:
    """Get a plan and open the model; one at a time, for the whole lab."""
    global _download
    with _lock:
        if _download is not None and not _download.over.is_set():
            raise BusyError(f"{_download.plan.repo_id} is being downloaded. One at a time: wait for it, or cancel it.")
        _download = Download(name, plan, family)
    threading.Thread(target=_download.run, name=f"download of {plan.repo_id}", daemon=True).start()


def dismiss_download() -> None:
    """Forget a download that is over."""
    global _download
    with _lock:
        if _download is not None and _download.over.is_set():
            _download = None


def choosable(bundled: Sequence[str]) -> list[str]:
    """What pages offer this visitor: the bundled models, those adapted here, then the opened ones."""
    visitor = _visitor()
    offered = (key for key, entry in list(_opened.items()) if entry.visitor in ("", visitor))
    return list(dict.fromkeys([*bundled, *registry.adapted_keys(), *offered]))
