"""Tuned lenses that were fitted to models on this machine: where they lie, and how they come back.

A lens belongs to certain weights, by fingerprint: for the same key with other weights there is none. It lies in the
user's cache with its card, under the key and the revision of its model, so that a model without one costs one look at
the disk.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from bortlab.system.settings import cache_folder
from bortlab.system.store import file_name, write

LARGEST_CARD = 100_000
WEIGHTS, CARD = "lens.safetensors", "card.json"
_log = logging.getLogger("bortlab")

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LensTensors:
    """The tensors by name, in memory of their own, and what the card says."""

    tensors: Mapping[str, Tensor]
    card: Mapping[str, Any]


def folder_of(key: str, revision: str) -> Path:
    """Where the lens of a model lies, if there is one."""
    return cache_folder() / "lenses" / file_name(key, revision)


def stamp(key: str, revision: str) -> Stamp | None:
    """Changes when another lens is fitted for this model; None: there is none."""
    try:
        about = (folder_of(key, revision) / CARD).stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino


def save(key: str, revision: str, module: nn.Module, card: Mapping[str, Any]) -> Path:
    """Keep a lens and its card, in place of an older one; the folder. The card's "model" says whose it is."""
    folder = folder_of(key, revision)
    weights = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in module.state_dict().items()})
    complete = {**card, "sha256": sha256(weights).hexdigest()}
    write(folder / WEIGHTS, weights)
    write(folder / CARD, (json.dumps(complete, indent=2) + "\n").encode())  # last: it vouches for the weights
    return folder


def read(key: str, revision: str, *, fingerprint: str, like: nn.Module) -> LensTensors | None:
    """The lens that was fitted for exactly these weights; None, and a line in the log, for what does not fit."""
    card = _read_card(folder_of(key, revision) / CARD)
    if card is None or card.get("model") != fingerprint:
        return None
    path = folder_of(key, revision) / WEIGHTS
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
        _log.warning("The fitted lens %s is not used: %s. Fit it again.", path, error)
        return None
    return LensTensors(tensors, card)


def _read_card(path: Path) -> Mapping[str, Any] | None:
    """What a card says, whatever the weights; None for none that can be read."""
    try:
        with path.open("rb") as file:
            card = json.loads(file.read(LARGEST_CARD))
    except (OSError, ValueError):
        return None
    return card if isinstance(card, dict) else None
