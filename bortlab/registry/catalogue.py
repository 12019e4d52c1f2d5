"""Every model that can be loaded, by key."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from bortlab import hub
from bortlab.checkpoint import meta_network, read_config
from bortlab.models import FAMILIES, Checkpoint, Config, Family
from bortlab.system import assets

if TYPE_CHECKING:
    import pandas


class UnknownModelError(ValueError):
    """A key that no checkpoint has."""


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
            "parameters": (count := _count(family.name, config_of(family, checkpoint))),
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
        return (assets.CHECKPOINTS / checkpoint.key / "config.json").is_file()
    return hub.cached(checkpoint.source, checkpoint.revision) is not None


@functools.cache
def known_checkpoints() -> Mapping[str, tuple[Family, Checkpoint]]:
    """Every checkpoint by its key, and by its repository."""
    known: dict[str, tuple[Family, Checkpoint]] = {}
    for family in FAMILIES.values():
        for checkpoint in family.checkpoints:
            known[checkpoint.key] = family, checkpoint
            if checkpoint.source != "bundled":
                known[checkpoint.source] = family, checkpoint
    return MappingProxyType(known)


def find(key: str) -> tuple[Family, Checkpoint]:
    """The family and the checkpoint of a key, or of its Hugging Face repository; UnknownModelError with suggestions."""
    if not isinstance(key, str):
        raise UnknownModelError(f"A model's key is a text such as 'bort', got {key!r}. For a folder, use load_from.")
    known = known_checkpoints()
    if key in known:
        return known[key]
    looks_like_path = "/" in key or "\\" in key  # keys come from links: no look at the disk
    folder = " For a folder, use load_from; a Hugging Face repository is owner/name." if looks_like_path else ""
    quoted = repr(key) if len(key) <= 200 else f"{key[:200]!r}..."
    keys = ", ".join(checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints)
    raise UnknownModelError(f"Unknown model {quoted}.{did_you_mean(key[:200])}{folder} Known: {keys}.")


def did_you_mean(key: str) -> str:
    close = difflib.get_close_matches(key, known_checkpoints(), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def is_repository(key: object) -> bool:
    """Whether this names a repository, as owner/name, that is not known here. There need not be one."""
    if not isinstance(key, str) or "/" not in key or key in known_checkpoints():
        return False
    try:
        hub.check_names(key)
    except hub.RepositoryNameError:
        return False
    return True


def architecture(key: str) -> tuple[Family, Config]:
    """The family and the configuration of a key; nothing is loaded. UnknownModelError for a key that there is not."""
    family, checkpoint = find(key)
    return family, config_of(family, checkpoint)


def config_of(family: Family, checkpoint: Checkpoint) -> Config:
    """The configuration of a checkpoint; of a bundled one that of its folder, or the intended one."""
    if checkpoint.config is not None:
        return checkpoint.config
    folder = assets.CHECKPOINTS / checkpoint.key
    return read_config(folder, family.name)[1] if (folder / "config.json").is_file() else family.mini


@functools.lru_cache(maxsize=256)
def _count(family: str, config: Config) -> int:
    """Parameters of the masked-LM network, without building it in memory."""
    return sum(parameter.numel() for parameter in meta_network(FAMILIES[family], config).parameters())


def title(key: str) -> str:
    """What people call a model: the catalogue's title, or the last part of its repository's or folder's name."""
    try:
        return find(key)[1].title
    except UnknownModelError:
        return key.rstrip("/\\").replace("\\", "/").split("/")[-1] or key
