"""Requests for models: every argument is checked here, before anything is read."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from bortlab import hub
from bortlab.checkpoint import CheckpointError, read_config
from bortlab.models import Checkpoint, Family
from bortlab.registry import adapted
from bortlab.registry.catalogue import did_you_mean, find, is_repository
from bortlab.registry.options import USUAL, Options, Weights
from bortlab.system import assets

_MODEL_FILES = (".json", ".safetensors", ".bin", ".h5", ".msgpack", ".txt", ".model")


class NeedsNetworkError(RuntimeError):
    """Weights that are not on this machine. Nothing is downloaded unless somebody asks for it."""


class MissingFolderError(CheckpointError, FileNotFoundError):
    """A path that is no folder, or none that may be looked into."""


@dataclass(frozen=True, slots=True)
class Request:
    """What makes one loaded model differ from another: two equal requests are one model.

    folder: where weights and tokenizer lie, or the tokenizer alone for random weights. stamp: names, sizes and times of
    its files, so that a changed folder is another request. family: None where config.json is to tell.
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


def request_for(key: str, options: Options = USUAL) -> Request:
    """The request for a key; every argument is checked here, before anything is read."""
    random = options.weights == "random"
    if not random and adapted.is_adapted(key):
        return replace(request_from(adapted.adapted_folder(key), options), key=key, source=adapted.ADAPTED)
    if not random and is_repository(key):
        return _request_hub(key, None, options)
    family, checkpoint = find(key)
    if options.family not in (None, family.name):
        raise ValueError(f"{checkpoint.key} is of family {family.name!r}, not {options.family!r}: leave family out.")
    bundled = checkpoint.source == "bundled"
    if options.revision is not None and (bundled or random):
        raise ValueError(f"{checkpoint.key} has no revisions to choose from here: leave revision out.")
    options.task_of(family)
    if not (bundled or random):
        return _request_hub(checkpoint.source, (family, checkpoint), options)
    # Random weights have no vocabulary of their own: the family's bundled one cuts the text in its stead.
    vocabulary = checkpoint if bundled else next(c for c in family.checkpoints if c.source == "bundled")
    folder = assets.CHECKPOINTS / vocabulary.key
    if not folder.is_dir():
        raise FileNotFoundError(f"The bundled {vocabulary.key} is missing: no folder {folder}. Reinstall bortlab.")
    return Request(
        key=checkpoint.key,
        folder=folder,
        stamp=stamp_of(folder),
        family=family.name,
        task=options.task,
        weights=options.weights,
        seed=options.seed if random else None,
        device=options.device_here(),
        dtype=options.torch_dtype(),
        revision="" if random else checkpoint.revision,
        source="random weights" if random else "bundled",
    )


def _request_hub(repository: str, known: tuple[Family, Checkpoint] | None, options: Options) -> Request:
    """The request for a repository, which may be known here; downloads it only if told to."""
    family, checkpoint = known or (None, None)
    key = checkpoint.key if checkpoint else repository
    revision = options.revision or (checkpoint.revision if checkpoint else None)
    device, dtype = options.device_here(), options.torch_dtype()
    folder = hub.cached(repository, revision)
    if folder is None and options.download:
        folder = hub.download(hub.plan(repository, revision=revision))
    if folder is None:
        raise NeedsNetworkError(_not_here(key, repository, options.revision))
    return Request(
        key=key,
        folder=folder,
        stamp=stamp_of(folder),
        family=family.name if family else options.family,
        task=options.task_of(family or read_config(folder, options.family)[0]),
        weights="published",
        seed=None,
        device=device,
        dtype=dtype,
        revision=folder.name,  # the commit
        source="hub",
    )


def _not_here(key: str, repository: str, revision: str | None) -> str:
    """What to do about weights that are not on this machine."""
    known = key != repository
    what = f"{key} ({repository} on Hugging Face)" if known else repository
    at = f" at revision {revision!r}" if revision else ""
    arguments = f"{key!r}, revision={revision!r}" if revision else repr(key)
    instead = (
        'With weights="random" its architecture works offline.'
        if known
        else f"For a folder, use load_from.{did_you_mean(key)}"
    )
    return (
        f"{what} is not on this machine{at}. Download it with bortlab.load({arguments}, download=True) or on the "
        f"Models page. {instead}"
    )


def request_from(folder: str | os.PathLike[str], options: Options = USUAL) -> Request:
    """The request for a folder."""
    try:
        path = Path(folder).expanduser().resolve()
        is_folder = path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: ~nobody, or a loop; ValueError: a NUL
        raise MissingFolderError(f"{str(folder)[:200]!r} is no path that can be opened: {error}.") from error
    if not is_folder:
        raise MissingFolderError(f"{path} is not a folder. Expected one with config.json, weights and tokenizer files.")
    return Request(
        key=str(path),
        folder=path,
        stamp=stamp_of(path),
        family=options.family,
        task=options.task_of(read_config(path, options.family)[0]),
        weights="published",
        seed=None,
        device=options.device_here(),
        dtype=options.torch_dtype(),
        revision="",
        source="folder",
    )


def stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of change of each file that a model may be read from."""
    try:
        files = [path for path in folder.iterdir() if path.suffix in _MODEL_FILES and path.is_file()]
        return tuple(sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files))
    except OSError as error:
        raise MissingFolderError(f"Cannot look into {folder}: {error.strerror or error}.") from error
