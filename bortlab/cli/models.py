"""How the subcommands name a model: a key, a Hugging Face repository, or a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bortlab.model import Model


def open_model(name: str, family: str | None = None) -> Model:
    """The model of a folder if there is one of this name, else of a key."""
    from bortlab.work.reference import ModelReference

    return ModelReference.named(name, family=family).load()
