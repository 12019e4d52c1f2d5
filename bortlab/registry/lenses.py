"""Tuned lenses of models: where they lie, and how they come back.

A lens belongs to certain weights, by their fingerprint: for the same key with other weights there is none. One that was
trained on this machine lies in the user's cache with its card, under the key and the revision of its model. The bundled
models bring theirs (assets/lenses), which serve until another one is trained here.
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

from bortlab.model import weights_fingerprint
from bortlab.models import Network
from bortlab.system import assets
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


def places(key: str, revision: str) -> tuple[Path, ...]:
    """Where a lens of a model may lie: in the user's cache, or among the bundled ones."""
    cached = folder_of(key, revision)
    return (cached, assets.LENSES / key) if Path(key).name == key else (cached,)  # the key of a folder is its path


def stamp(key: str, revision: str) -> Stamp | None:
    """Changes when another lens is trained for this model; None: there is none."""
    for folder in places(key, revision):
        try:
            about = (folder / CARD).stat()
        except OSError:
            continue
        return about.st_mtime_ns, about.st_ino
    return None


def save(folder: Path, module: nn.Module, card: Mapping[str, Any]) -> None:
    """Write a lens and its card, in place of an older one. The card's "weights" say whose it is."""
    weights = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in module.state_dict().items()})
    complete = {**card, "sha256": sha256(weights).hexdigest()}
    write(folder / WEIGHTS, weights)
    write(folder / CARD, (json.dumps(complete, indent=2) + "\n").encode())  # last: it vouches for the weights


def read(key: str, revision: str, network: Network, *, like: nn.Module) -> LensTensors | None:
    """The lens that was trained for exactly these weights; None, and a line in the log, for what does not fit."""
    cards = [(folder, card) for folder in places(key, revision) if (card := _read_card(folder / CARD)) is not None]
    weights = weights_fingerprint(network) if cards else ""
    for folder, card in cards:
        if card.get("weights") == weights:
            tensors = _read_tensors(folder / WEIGHTS, card, like)
            if tensors is not None:
                return LensTensors(tensors, card)
    return None


def _read_tensors(path: Path, card: Mapping[str, Any], like: nn.Module) -> Mapping[str, Tensor] | None:
    """What a file holds, where it is what its card and its module say."""
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
        _log.warning("The tuned lens %s is not used: %s. Train it again.", path, error)
        return None
    return tensors


def _read_card(path: Path) -> Mapping[str, Any] | None:
    """What a card says, whatever the weights; None for none that can be read."""
    try:
        with path.open("rb") as file:
            card = json.loads(file.read(LARGEST_CARD))
    except (OSError, ValueError):
        return None
    return card if isinstance(card, dict) else None
