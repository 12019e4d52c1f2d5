"""From request to model."""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from bortlab.checkpoint import CheckpointError, check_weights, load_network, meta_network, own_heads, read_config
from bortlab.model import EXAMPLE, HEADS_KEY, PROVENANCES, Model, assemble, n_bytes
from bortlab.models import FAMILIES, Config, Family, Network
from bortlab.nn.products import products_here
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


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a request asks for, before any of its weights is there.

    network: on the meta device; `build` gives it its weights. n_bytes: that they will take.
    """

    request: Request
    family: Family
    config: Config
    network: Network
    n_bytes: int


def blueprint_of(request: Request) -> Blueprint:
    """Lay out the network of a request; a folder that does not hold it is refused, before others are evicted for it."""
    family, config = design_of(request)
    if request.seed is None:
        network = check_weights(request.folder, family, config, task=request.task)
    else:
        network = meta_network(family, config, request.task)
    if request.dtype != torch.get_default_dtype():
        network = network.to(request.dtype)
    return Blueprint(request, family, config, network, n_bytes(network))


@no_collection()
def build(blueprint: Blueprint) -> Model:
    """Read or make the weights, freeze them, and try them out, so that what is published is whole and works.

    A blueprint can be built once: its network becomes the model's.
    """
    request, family, config = blueprint.request, blueprint.family, blueprint.config
    _fits(blueprint)
    if request.device == "cpu":
        products_here()
    begun = threading.Event()

    def vocabulary() -> Tokenizer:
        """Parsed in Python beside weights that are read in C, and not while Python is still wanted to begin that."""
        begun.wait()
        return Tokenizer.from_folder(request.folder, prefer=family.tokenizer)

    with ThreadPoolExecutor(1) as beside:
        parsing = beside.submit(vocabulary)
        try:
            network, heads = _weights_of(blueprint, begun.set)
        finally:
            begun.set()
        tokenizer = parsing.result()
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


def _weights_of(blueprint: Blueprint, begun: Callable[[], None]) -> tuple[Network, Mapping[str, str]]:
    """The network, with its weights, where and as it is to be, and the provenance of its heads.

    begun: called when weights are being read, or made.
    """
    request, family, config, network = blueprint.request, blueprint.family, blueprint.config, blueprint.network
    with torch.inference_mode(False), torch.no_grad():  # whatever mode the caller is in
        if request.seed is not None:
            begun()
            network = network.to_empty(device="cpu")
            network.initialise(torch.Generator().manual_seed(request.seed))
            heads = dict.fromkeys(network.tasks[request.task], "random")
        else:
            loaded = load_network(
                request.folder,
                family,
                config,
                task=request.task,
                dtype=request.dtype,
                network=network,
                begun=begun,
            )
            network, heads = loaded.network, loaded.heads | _recorded(config.extra.get(HEADS_KEY), loaded.heads)
            heads |= _untrained(request, heads)
        return network.to(request.device), heads


def _try_out(model: Model) -> None:
    """Run the embeddings and a block on the first piece of a text; NonFiniteError if what comes of it is not finite.

    That shows whether this type works on this device; shapes and weights were checked. To run all of the model would
    take as long as an answer does, and show only overflow besides, which every answer is looked through for.
    """
    ids, type_ids = (each[:, :1] for each in model.inputs(model.encode(EXAMPLE)))
    network = model.network
    with torch.inference_mode(False), torch.no_grad():
        model.check_finite(network.run(network.embeddings(network.embed(ids), type_ids), stop=1))


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


def _fits(blueprint: Blueprint) -> None:
    """Refuse what the machine has no memory for, before anything is allocated."""
    free = memory_available()
    if blueprint.n_bytes > free:
        raise TooLargeError(
            f"{blueprint.request.key} needs {data_size(blueprint.n_bytes)} of memory, and {data_size(free)} are free. "
            f'Choose a smaller model, load it with dtype="bfloat16", or free some memory.'
        )
