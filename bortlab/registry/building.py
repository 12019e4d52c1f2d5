"""From request to model."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch

from bortlab.checkpoint import CheckpointError, check_weights, load_network, meta_network, own_heads, read_config
from bortlab.model import EXAMPLE, HEADS_KEY, PROVENANCES, Model, assemble, n_bytes
from bortlab.models import FAMILIES, Config, Family, Network
from bortlab.registry import adapted
from bortlab.registry.catalogue import config_of, find, known_checkpoints
from bortlab.registry.options import Options
from bortlab.registry.request import Request, request_for, request_from, stamp_of
from bortlab.system.garbage import no_collection
from bortlab.system.machine import memory_available
from bortlab.system.numbers import data_size
from bortlab.text import Tokenizer


class TooLargeError(RuntimeError):
    """A model that does not fit into memory; nothing was allocated."""


def own_task(key: str, *, revision: str | None = None, family: str | None = None) -> str | None:
    """The task that a key's or a repository's files were made for, if they hold its trained heads; None otherwise.

    Nothing is loaded or downloaded. Raises what `load` does for what is not there or cannot be read.
    """
    return _own_task(request_for(key, Options(revision=revision, family=family)))


def own_task_from(folder: str | os.PathLike[str], *, family: str | None = None) -> str | None:
    """As `own_task`, of a folder."""
    return _own_task(request_from(folder, Options(family=family)))


@functools.lru_cache(maxsize=256)
def _own_task(request: Request) -> str | None:
    """By request, so that a folder that has changed is looked into anew."""
    family, config = design_of(request)
    task, heads = own_heads(request.folder, family, config)
    heads |= _recorded(config.extra.get(HEADS_KEY), heads)
    return None if "random" in heads.values() else task


def measure(request: Request) -> int:
    """Bytes of the weights that a request asks for, counted without building them.

    A folder that does not hold them is refused here, before others are evicted for its sake.
    """
    family, config = design_of(request)
    if request.seed is None:
        network = check_weights(request.folder, family, config, task=request.task)
    else:
        network = meta_network(family, config, request.task)
    return n_bytes(network.to(request.dtype))


@no_collection()
def build(request: Request) -> Model:
    """Read or make the weights, freeze them, and run the model once, so that what is published is whole and works.

    Names, shapes and sizes are expected to have passed `measure`.
    """
    family, config = design_of(request)
    _fits(request, n_bytes(meta_network(family, config, request.task).to(request.dtype)))
    with ThreadPoolExecutor(1) as beside:  # weights are read in C, beside which a vocabulary is parsed in Python
        reading = beside.submit(Tokenizer.from_folder, request.folder, prefer=family.tokenizer)
        network, heads = _weights_of(request, family, config)
        tokenizer = reading.result()
    if request.family is None:
        _check_family(request, family, tokenizer)
    if request.seed is None and tokenizer.vocab_size > config.vocab_size:
        raise CheckpointError(
            f"{request.key}: the tokenizer has ids up to {tokenizer.vocab_size - 1:,}, and the network "
            f"{config.vocab_size:,} words. They do not belong together: get both from one place."
        )
    if stamp_of(request.folder) != request.stamp:
        raise CheckpointError(f"{request.folder} changed while it was being read. Load it again.")
    model = assemble(
        request.key, family, network, tokenizer, heads=heads, source=request.source, revision=request.revision
    )
    if request.source == "hub":  # what is remembered of one revision is not shown for another
        model = replace(model, digest=functools.partial(_of_revision, model))
    _try_out(model)
    return model


def _weights_of(request: Request, family: Family, config: Config) -> tuple[Network, Mapping[str, str]]:
    """The network, with its weights, where and as it is to be, and the provenance of its heads."""
    with torch.inference_mode(False), torch.no_grad():  # whatever mode the caller is in
        if request.seed is not None:
            network = meta_network(family, config, request.task).to(request.dtype).to_empty(device="cpu")
            network.initialise(torch.Generator().manual_seed(request.seed))
            heads = dict.fromkeys(network.tasks[request.task], "random")
        else:
            loaded = load_network(request.folder, family, config, task=request.task, dtype=request.dtype)
            network, heads = loaded.network, loaded.heads | _recorded(config.extra.get(HEADS_KEY), loaded.heads)
            heads |= _untrained(request, heads)
        return network.to(request.device), heads


def _try_out(model: Model) -> None:
    """Run every block and head on the first piece of a text; NonFiniteError if what comes of it is not finite.

    One piece shows what a text would, shapes, types, device and overflow, and costs less than a first answer does.
    """
    ids, type_ids = model.inputs(model.encode(EXAMPLE))
    with torch.inference_mode(False), torch.no_grad():
        hidden = model.encode_ids(ids[:, :1], None, type_ids[:, :1])
        for values in (hidden, *model.score(hidden).values()):
            model.check_finite(values)


def _of_revision(model: Model) -> str:
    """A fingerprint of a model that another one of the same weights at another revision does not share."""
    return hashlib.sha256(f"{model.fingerprint} {model.revision}".encode()).hexdigest()[:16]


def _check_family(request: Request, family: Family, tokenizer: Tokenizer) -> None:
    """Refuse to guess between families that share a model_type where the tokenizer speaks for another one.

    A published Bort calls itself "bert"; its byte-level BPE gives it away.
    """
    likelier = [
        other
        for other in FAMILIES.values()
        if other.config.model_type == family.config.model_type and other.tokenizer == tokenizer.kind
    ]
    if tokenizer.kind != family.tokenizer and likelier:
        raise CheckpointError(
            f"{request.key}: config.json says {family.config.model_type!r}, but the tokenizer is {tokenizer.kind}, as "
            f'{likelier[0].title}\'s is. Say which it is: family="{likelier[0].name}" or family="{family.name}".'
        )


def design_of(request: Request) -> tuple[Family, Config]:
    """The family and the configuration of a request."""
    if request.source in ("folder", "hub", adapted.ADAPTED):
        return read_config(request.folder, request.family)
    family, checkpoint = find(request.key)
    return family, config_of(family, checkpoint)


def _recorded(heads: object, present: Mapping[str, str]) -> dict[str, str]:
    """What a folder that bortlab saved says about its heads, where the file has them and the words are known."""
    recorded = heads if isinstance(heads, dict) else {}
    trained = [name for name, provenance in present.items() if provenance == "trained"]
    return {name: recorded[name] for name in trained if recorded.get(name) in PROVENANCES}


def _untrained(request: Request, present: Mapping[str, str]) -> dict[str, str]:
    """The heads that a published repository is known to hold and never trained; a folder of one's own is believed."""
    _, checkpoint = known_checkpoints().get(request.key, (None, None)) if request.source == "hub" else (None, None)
    random = checkpoint is not None and checkpoint.masked_lm == "random" and "masked-lm" in present
    return {"masked-lm": "random"} if random else {}


def _fits(request: Request, needed: int) -> None:
    """Refuse what the machine has no memory for, before anything is allocated. needed: bytes of the weights."""
    free = memory_available()
    if needed > free:
        raise TooLargeError(
            f"{request.key} needs {data_size(needed)} of memory, and {data_size(free)} are free. "
            f'Choose a smaller model, load it with dtype="bfloat16", or free some memory.'
        )
