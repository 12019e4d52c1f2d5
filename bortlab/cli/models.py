"""How the subcommands name a model: a key, a Hugging Face repository, or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bortlab.model import Model


def open_model(name: str, family: str | None = None) -> Model:
    """The model of a folder if there is one of this name, else of a key."""
    from bortlab import registry

    if is_folder(name):
        return registry.load_from(name, family=family)
    return registry.load(name, family=family)


def is_folder(name: str) -> bool:
    """Whether there is a folder of this name."""
    return Path(name).is_dir()
