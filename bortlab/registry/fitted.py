"""What was fitted to models on this machine, masked-LM heads and tuned lenses: where it lies, and how it comes back.

Either belongs to certain weights, by fingerprint: a head to an encoder, a lens to an encoder and its head. For the
same key with other weights there is none. It lies in the user's cache with its card, under the key and the revision of
its base, so that a model nobody fitted costs one look at the disk.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from bortlab.system.settings import cache_folder
from bortlab.system.store import file_name, write

PROVENANCE = "fitted here"
LARGEST_CARD = 100_000
_log = logging.getLogger("bortlab")

Stamp = tuple[int, int]
Fittable = Literal["head", "lens"]
_FOLDERS: Mapping[Fittable, str] = {"head": "heads", "lens": "lenses"}


@dataclass(frozen=True, slots=True)
class FittedTensors:
    """The tensors by name, in memory of their own, and what the card says."""

    tensors: Mapping[str, Tensor]
    card: Mapping[str, Any]


def folder_of(key: str, revision: str, kind: Fittable = "head") -> Path:
    """Where what was fitted to a model lies, if there is something."""
    return cache_folder() / _FOLDERS[kind] / file_name(key, revision)


def stamp(key: str, revision: str, kind: Fittable = "head") -> Stamp | None:
    """Changes when another one is fitted for this model; None: there is none."""
    try:
        about = (folder_of(key, revision, kind) / "card.json").stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino


def save(key: str, revision: str, module: nn.Module, card: Mapping[str, Any], kind: Fittable = "head") -> Path:
    """Keep a module and its card, in place of an older one; the folder. The card's "encoder" says whose it is."""
    folder = folder_of(key, revision, kind)
    weights = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in module.state_dict().items()})
    complete = {**card, "sha256": sha256(weights).hexdigest()}
    write(folder / f"{kind}.safetensors", weights)
    write(folder / "card.json", (json.dumps(complete, indent=2) + "\n").encode())  # last: it vouches for the weights
    return folder


def card_of(key: str, revision: str, kind: Fittable = "head") -> Mapping[str, Any] | None:
    """The card of what lies here for a model, whatever its weights; None for none that can be read."""
    try:
        with (folder_of(key, revision, kind) / "card.json").open("rb") as file:
            card = json.loads(file.read(LARGEST_CARD))
    except (OSError, ValueError):
        return None
    return card if isinstance(card, dict) else None


def read(key: str, revision: str, *, encoder: str, like: nn.Module, kind: Fittable = "head") -> FittedTensors | None:
    """What was fitted for exactly these weights; None, and a line in the log, for what does not fit."""
    card = card_of(key, revision, kind)
    if card is None or card.get("encoder") != encoder:
        return None
    path = folder_of(key, revision, kind) / f"{kind}.safetensors"
    shapes = {name: tuple(tensor.shape) for name, tensor in like.state_dict().items()}
    try:
        weights = path.read_bytes()
        if sha256(weights).hexdigest() != card.get("sha256"):
            raise ValueError("it is not the file that its card describes")
        tensors = safetensors.torch.load(weights)
        if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != shapes:
            raise ValueError("its tensors have other names or shapes")
        if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise ValueError("it holds numbers that are not finite")
    except (OSError, ValueError, SafetensorError) as error:
        _log.warning("The fitted %s %s is not used: %s. Fit it again.", kind, path, error)
        return None
    return FittedTensors(tensors, card)
