"""Every model that can be loaded, and a shared, byte-bounded cache of those that are.

`load` finds weights by key or by Hugging Face repository, `load_from` in a folder, `checkpoints` lists the keys. All
three may be called from any number of threads: equal requests load once, a model is published only when it is whole and
has been tried out, and the memory of all cached models stays under a bound. What is evicted lives on for those who hold
it: Python's references see to it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from bortlab.model import Model
from bortlab.registry.cache import Registry, Resident
from bortlab.registry.options import USUAL, Device, Dtype, Options, Weights
from bortlab.registry.request import request_for, request_from

REGISTRY = Registry()
"""The process's own registry, behind the functions below."""


def load(
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
) -> Model:
    """Load a model by its key (see `checkpoints`) or by any Hugging Face repository of a supported family.

    The same call gives the same object.

    Args:
        task: "masked-lm", "pre-training" (with the sentence-order head; ALBERT and BERT), "sequence-classification",
            "multiple-choice", "token-classification", "question-answering" or "encoder". A head that the file has not
            is random, and `model.heads` says so.
        weights: "random" builds the real architecture with random weights by `seed`: sizes and speed need no download.
            Its text is cut by the family's bundled vocabulary, a stand-in, and all its heads are "random".
        device: "cpu" by default. dtype: torch.float32 by default.
        revision: of a Hugging Face repository, a commit, branch or tag; by default the pinned one, or "main".
            `model.revision` is the commit.
        family: of a repository whose config.json cannot tell; a Bort calls itself "bert".
        download: get a repository that is not on this machine; once there, it is used without a network.

    Raises UnknownModelError, NeedsNetworkError (the weights are not on this machine), bortlab.hub.HubError (they could
    not be downloaded), TooLargeError (no memory for it), BusyError (all models in memory are leased), ValueError for
    other arguments, CheckpointError for damaged files.
    """
    options = Options(
        task=task,
        weights=weights,
        seed=seed,
        device=device,
        dtype=dtype,
        revision=revision,
        family=family,
        download=download,
    )
    return REGISTRY.get(request_for(key, options))


def load_from(
    folder: str | os.PathLike[str],
    *,
    family: str | None = None,
    task: str = "masked-lm",
    device: Device = None,
    dtype: Dtype = None,
) -> Model:
    """Load a folder in Hugging Face layout: config.json, weights, tokenizer files. A changed folder is read anew.

    family: where config.json cannot tell; a published Bort calls itself "bert". The rest is as in `load`.
    """
    options = Options(task=task, device=device, dtype=dtype, family=family)
    return REGISTRY.get(request_from(folder, options))


@contextmanager
def lease(key: str, options: Options = USUAL) -> Iterator[Model]:
    """As `load`, and the model stays in the cache until the block ends."""
    with REGISTRY.lease(request_for(key, options)) as model:
        yield model


@contextmanager
def lease_from(folder: str | os.PathLike[str], options: Options = USUAL) -> Iterator[Model]:
    """As `load_from`, and the model stays in the cache until the block ends."""
    with REGISTRY.lease(request_from(folder, options)) as model:
        yield model


def in_use(model: Model) -> AbstractContextManager[None]:
    """Keep a loaded model in the cache until the block ends, if it is there: what is used counts as memory."""
    return REGISTRY.in_use(model)


def loaded() -> list[Resident]:
    """What is in memory, least recently used first."""
    return REGISTRY.loaded()


def unload(key: str) -> int:
    """Drop the models of a key, or of a folder's path, from memory, unless leased; how many that were."""
    return REGISTRY.unload(key)
