"""Which model a job works with: enough to load the very same one in another process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch

from bortlab import registry
from bortlab.model import Model
from bortlab.registry import Options
from bortlab.registry.options import USUAL

LOADABLE = ("bundled", "hub", "folder", "adapted")
"""Sources of models that can be loaded again."""


class ChangedModelError(ValueError):
    """A reference to weights that are no longer there: others lie in their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReference:
    """How a model is loaded again: a record that goes through JSON, equal for equal models.

    key: as `bortlab.load` takes it; with is_folder a path, as `load_from` does. options: how it is loaded. fingerprint:
    of the weights that are to be found; "" takes whatever is there.
    """

    key: str
    is_folder: bool = False
    options: Options = USUAL
    fingerprint: str = ""

    @classmethod
    def of(cls, model: Model) -> Self:
        """The reference to a loaded model. ValueError for one of random weights, or made by hand."""
        if not can_be_loaded_again(model):
            raise ValueError(
                f"{model.key} ({model.source}) cannot be loaded by a job, which needs a bundled model, one of Hugging "
                f"Face or a folder. Save it with model.save(folder) and load it from there, or do the work in Python."
            )
        options = Options(
            family=model.family.name,
            task=model.task,
            dtype=str(model.dtype).removeprefix("torch."),
            revision=model.revision if model.source == "hub" else None,
        )
        is_folder = model.source == "folder"
        return cls(key=model.key, is_folder=is_folder, options=options, fingerprint=model.fingerprint)

    @classmethod
    def named(cls, key: str | os.PathLike[str], *, family: str | None = None) -> Self:
        """The reference to what a person calls by a key, or by the path of a folder that is there."""
        is_folder = Path(key).expanduser().is_dir()
        return cls(key=str(key), is_folder=is_folder, options=Options(family=family))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reference that `to_json` wrote."""
        return cls(**{**data, "options": Options(**data["options"])})

    def to_json(self) -> dict[str, Any]:
        """As texts, numbers and truth values: what a job's arguments may hold."""
        return asdict(self)

    def load(self, device: str | torch.device | None = None) -> Model:
        """Load the model (see `bortlab.load`); ChangedModelError where its weights are others than they were."""
        options = replace(self.options, device=device)
        if self.is_folder:
            model = registry.load_from(self.key, **options.of_load_from())
        else:
            model = registry.load(self.key, **options.of_load())
        if self.fingerprint and model.fingerprint != self.fingerprint:
            raise ChangedModelError(
                f"{self.key} has changed since this job was made: expected weights {self.fingerprint}, got "
                f"{model.fingerprint}. Load the model again and start a new job."
            )
        return model


def can_be_loaded_again(model: Model) -> bool:
    """Whether another process can load this very model: not one of random weights, or made by hand."""
    return model.source in LOADABLE


def fastest_device() -> str:
    """The device that a job computes on."""
    return "cuda" if torch.cuda.is_available() else "cpu"
