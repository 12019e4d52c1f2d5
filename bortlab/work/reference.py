"""Which model a job works with: enough to load the very same one in another process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch

from bortlab import registry
from bortlab.model import Model
from bortlab.registry import Head, Weights, fitted

LOADABLE = ("bundled", "hub", "folder")
"""Sources of models that can be loaded again."""


class ChangedModelError(ValueError):
    """A reference to weights that are no longer there: others lie in their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReference:
    """How a model is loaded again: a record that goes through JSON, equal for equal models.

    key: as `bortlab.load` takes it; with is_folder a path, as `load_from` does. The rest is as in `load`, but for the
    fingerprint, which the model that is loaded must have: of its encoder alone with encoder_only, "" to check none.
    """

    key: str
    is_folder: bool = False
    family: str | None = None
    task: str = "masked-lm"
    weights: Weights = "published"
    seed: int = 0
    dtype: str = "float32"
    revision: str | None = None
    head: Head = "fitted"
    fingerprint: str = ""
    encoder_only: bool = False

    @classmethod
    def of(cls, model: Model) -> Self:
        """The reference to a loaded model. ValueError for one of random weights, or made by hand."""
        if not can_be_loaded_again(model):
            raise ValueError(
                f"{model.key} ({model.source}) cannot be loaded by a job, which needs a bundled model, one of Hugging "
                f"Face or a folder. Save it with model.save(folder) and load it from there, or do the work in Python."
            )
        return cls(
            key=model.key,
            is_folder=model.source == "folder",
            family=model.family.name,
            task=model.task,
            dtype=str(model.dtype).removeprefix("torch."),
            revision=model.revision if model.source == "hub" else None,
            head="fitted" if fitted.PROVENANCE in model.heads.values() else "published",
            fingerprint=model.fingerprint,
        )

    @classmethod
    def of_encoder(cls, model: Model) -> Self:
        """The reference to the encoder of a model, with the masked-LM head that its files have.

        Equal for all models of these files, whatever their precision and whether a head was fitted for them here.
        """
        whole = cls.of(model)
        return cls(
            key=whole.key,
            is_folder=whole.is_folder,
            family=whole.family,
            revision=whole.revision,
            head="published",
            fingerprint=model.encoder_fingerprint,
            encoder_only=True,
        )

    @classmethod
    def named(cls, key: str | os.PathLike[str], *, family: str | None = None, head: Head = "fitted") -> Self:
        """The reference to what a person calls by a key, or by the path of a folder that is there."""
        return cls(key=str(key), is_folder=Path(key).expanduser().is_dir(), family=family, head=head)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reference that `to_json` wrote."""
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """As texts, numbers and truth values: what a job's arguments may hold."""
        return asdict(self)

    def load(self, device: str | torch.device | None = None) -> Model:
        """Load the model (see `bortlab.load`); ChangedModelError where its weights are others than they were."""
        if self.is_folder:
            model = registry.load_from(
                self.key, family=self.family, task=self.task, dtype=self.dtype, device=device, head=self.head
            )
        else:
            model = registry.load(
                self.key,
                family=self.family,
                task=self.task,
                weights=self.weights,
                seed=self.seed,
                dtype=self.dtype,
                revision=self.revision,
                device=device,
                head=self.head,
            )
        loaded = model.encoder_fingerprint if self.encoder_only else model.fingerprint
        if self.fingerprint and loaded != self.fingerprint:
            raise ChangedModelError(
                f"{self.key} has changed since this job was made: expected weights {self.fingerprint}, got {loaded}. "
                f"Load the model again and start a new job."
            )
        return model


def can_be_loaded_again(model: Model) -> bool:
    """Whether another process can load this very model: not one of random weights, or made by hand."""
    return model.source in LOADABLE


def fastest_device() -> str:
    """The device that a job computes on."""
    return "cuda" if torch.cuda.is_available() else "cpu"
