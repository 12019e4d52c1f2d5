"""Requests for models: every argument is checked here, before anything is read."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

import torch

from bortlab import hub
from bortlab.checkpoint import CheckpointError, read_config
from bortlab.models import FAMILIES, Checkpoint, Family
from bortlab.registry import fitted
from bortlab.system import assets
from bortlab.system.checks import check_whole

if TYPE_CHECKING:
    pass
from bortlab.registry.catalogue import did_you_mean, find, is_repository

_MODEL_FILES = (".json", ".safetensors", ".bin", ".txt", ".model")
Weights = Literal["published", "random"]
Head = Literal["fitted", "published"]
Device = str | torch.device | None
Dtype = str | torch.dtype | None


class NeedsNetworkError(RuntimeError):
    """Weights that are not on this machine. Nothing is downloaded unless somebody asks for it."""


class MissingFolderError(CheckpointError, FileNotFoundError):
    """A path that is no folder, or none that may be looked into."""


@dataclass(frozen=True, slots=True)
class Request:
    """What makes one loaded model differ from another: two equal requests are one model.

    folder: where weights and tokenizer lie, or the tokenizer alone for random weights. stamp: names, sizes and times of
    its files, so that a changed folder is another request. family: None where config.json is to tell. fitted: stamp of
    the masked-LM head that was fitted here and may take the place of a random one; None for none, or none wanted.
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
    fitted: fitted.Stamp | None = None


class Options(TypedDict, total=False):
    """The keyword arguments of `load`."""

    task: str
    weights: Weights
    seed: int
    device: Device
    dtype: Dtype
    revision: str | None
    family: str | None
    download: bool
    head: Head


def request_for(
    key: str,
    *,
    task: str = "masked-lm",
    weights: Weights = "published",
    seed: int = 0,
    device: Device = None,
    dtype: Dtype = None,
    revision: str | None = None,
    family: str | None = None,
    download: bool = False,
) -> Request:
    """The request for a key; every argument is checked here, before anything is read."""
    if weights not in ("published", "random"):
        raise ValueError(f'weights: expected "published" or "random", got {weights!r}.')
    _check_family(family)
    random = weights == "random"
    if not random and is_repository(key):
        return _request_hub(key, None, family, task, device, dtype, revision, download)
    known, checkpoint = find(key)
    if family not in (None, known.name):
        raise ValueError(f"{checkpoint.key} is of family {known.name!r}, not {family!r}: leave family out.")
    bundled = checkpoint.source == "bundled"
    if random:
        check_whole("seed", seed, 0, 2**63 - 1)
    if revision is not None and (bundled or random):
        raise ValueError(f"{checkpoint.key} has no revisions to choose from here: leave revision out.")
    if not (bundled or random):
        return _request_hub(
            checkpoint.source, checkpoint, known.name, checked_task(task, known), device, dtype, revision, download
        )
    # Random weights have no vocabulary of their own: the family's bundled one cuts the text in its stead.
    vocabulary = checkpoint if bundled else next(c for c in known.checkpoints if c.source == "bundled")
    folder = assets.CHECKPOINTS / vocabulary.key
    if not folder.is_dir():
        raise FileNotFoundError(f"The bundled {vocabulary.key} is missing: no folder {folder}. Reinstall bortlab.")
    return Request(
        key=checkpoint.key,
        folder=folder,
        stamp=stamp_of(folder),
        family=known.name,
        task=checked_task(task, known),
        weights=weights,
        seed=seed if random else None,
        device=_device(device),
        dtype=_dtype(dtype),
        revision="" if random else checkpoint.revision,
        source="random weights" if random else "bundled",
    )


def _request_hub(
    repository: str,
    checkpoint: Checkpoint | None,
    family: str | None,
    task: str,
    device: Device,
    dtype: Dtype,
    revision: str | None,
    download: bool,
) -> Request:
    """The request for a repository, known here (then with its checkpoint) or not; downloads it only if told to."""
    key = checkpoint.key if checkpoint else repository
    wanted = revision or (checkpoint.revision if checkpoint else None)
    on, kind = _device(device), _dtype(dtype)
    folder = hub.cached(repository, wanted)
    if folder is None and download:
        folder = hub.download(hub.plan(repository, revision=wanted))
    if folder is None:
        what = repository if key == repository else f"{key} ({repository} on Hugging Face)"
        at = f" at revision {revision!r}" if revision else ""
        instead = (
            'With weights="random" its architecture works offline.'
            if checkpoint
            else f"For a folder, use load_from.{did_you_mean(key)}"
        )
        asked = f"{key!r}, revision={revision!r}" if revision else repr(key)
        raise NeedsNetworkError(
            f"{what} is not on this machine{at}. Download it with bortlab.load({asked}, download=True) or on the "
            f"Models page. {instead}"
        )
    of_family = FAMILIES[family] if checkpoint and family else read_config(folder, family)[0]
    return Request(
        key=key,
        folder=folder,
        stamp=stamp_of(folder),
        family=family,
        task=checked_task(task, of_family),
        weights="published",
        seed=None,
        device=on,
        dtype=kind,
        revision=folder.name,  # the commit
        source="hub",
    )


def _check_family(family: str | None) -> None:
    if family is not None and family not in FAMILIES:
        raise ValueError(f"Unknown family {family!r}. Known: {', '.join(FAMILIES)}.")


def request_from(
    folder: str | os.PathLike[str],
    *,
    family: str | None = None,
    task: str = "masked-lm",
    device: Device = None,
    dtype: Dtype = None,
) -> Request:
    """The request for a folder."""
    _check_family(family)
    try:
        path = Path(folder).expanduser().resolve()
        there = path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: ~nobody, or a loop; ValueError: a NUL
        raise MissingFolderError(f"{str(folder)[:200]!r} is no path that can be opened: {error}.") from error
    if not there:
        raise MissingFolderError(f"{path} is not a folder. Expected one with config.json, weights and tokenizer files.")
    of_family, _ = read_config(path, family)
    return Request(
        key=str(path),
        folder=path,
        stamp=stamp_of(path),
        family=family,
        task=checked_task(task, of_family),
        weights="published",
        seed=None,
        device=_device(device),
        dtype=_dtype(dtype),
        revision="",
        source="folder",
    )


def with_head(request: Request, head: Head) -> Request:
    """The request with the fitted head that is here for it, if that is wanted; random weights stay random."""
    if head not in ("fitted", "published"):
        raise ValueError(f'head: expected "fitted" or "published", got {head!r}.')
    if head == "published" or request.weights == "random":
        return request
    return replace(request, fitted=fitted.stamp(request.key, request.revision))


def stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of change of each file that a model may be read from."""
    try:
        files = [path for path in folder.iterdir() if path.suffix in _MODEL_FILES and path.is_file()]
        return tuple(sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files))
    except OSError as error:
        raise MissingFolderError(f"Cannot look into {folder}: {error.strerror or error}.") from error


def checked_task(task: str, family: Family) -> str:
    if task not in family.tasks:
        raise ValueError(f"{family.title} has no task {task!r}. Known: {', '.join(family.tasks)}.")
    return task


def _device(device: Device) -> str:
    try:
        found = torch.device("cpu" if device is None else device)
    except RuntimeError:
        raise ValueError(f"Unknown device {device!r}. Known: cpu, cuda, cuda:1, mps.") from None
    if found.type == "cuda" and (found.index or 0) < torch.cuda.device_count():
        return f"cuda:{found.index or 0}"
    if found.type == "cpu" or (found.type == "mps" and torch.backends.mps.is_available()):
        return found.type
    raise ValueError(f'This machine has no device "{found}" that can run a model. Use device="cpu".')


def _dtype(dtype: Dtype) -> torch.dtype:
    known = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
    found = known.get(str(dtype or "float32").removeprefix("torch."))
    if found is None:
        raise ValueError(f"Unknown dtype {dtype!r}. Known: {', '.join(known)}.")
    return found
