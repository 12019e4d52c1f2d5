"""Networks from folders: strict both ways, built on the meta device."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from bortlab.checkpoint.files import CheckpointError
from bortlab.checkpoint.names import BUFFERS, canonical, published_name, published_names
from bortlab.checkpoint.opening import SAFETENSORS, open_weights, weights_files
from bortlab.checkpoint.weights import MAX_HEADER_BYTES, Weights, read_tensors
from bortlab.models import HEADS, TASKS, Config, ConfigError, Family, Network

_log = logging.getLogger("bortlab")

MAX_PARAMETERS = 1_500_000_000
"""A network with more parameters than this is refused before it is built; the largest published one here has 0.34e9."""
ROUNDING, SMALLEST = 2**-8, 2**-24
"""How far a number moves at most that went through bfloat16 or float16: as a share of itself, or near zero."""
PART = 1 << 23
"""How many numbers are read at once: 32 MB, so that few calls are made, and a narrower copy is never one of all."""
WORDS, DECODER = "embeddings.words.weight", "masked_lm.own_decoder"
"""Our names of the word table, and of a decoder that is not the word table."""
SEED = 0
"""Seed of the weights that a head gets where a file has none for it."""
_TWO_OUTPUTS = ("pre-training", "question-answering")  # transformers gives these heads as many as there are labels


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network with its weights, and what the file said about them.

    network: in eval mode, on the CPU, no parameter wants a gradient; its configuration says if the decoder is tied.
    heads: for each head the network has (names of models.base.HEADS), "trained" (it was in the file) or "random" (it
        was not, so it got random weights).
    missing: published names of the tensors that were given random weights for that reason.
    extra: names in the file that were not used: heads of other tasks, tied copies, buffers.
    """

    network: Network
    heads: dict[str, str]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


def meta_network(family: Family, config: Config, task: str = "masked-lm") -> Network:
    """The network with its shapes and no memory; CheckpointError for a task it has not, or for too many parameters."""
    if task not in family.tasks:
        raise CheckpointError(f"{family.title} has no task {task!r}. Known: {', '.join(family.tasks)}.")
    try:
        with torch.device("meta"):
            network = family.network(config, task)
    except ConfigError as error:
        raise CheckpointError(f"config.json: {error}") from error
    count = sum(parameter.numel() for parameter in network.parameters())
    if count > MAX_PARAMETERS:
        raise CheckpointError(
            f"This {family.title} configuration has {count:,} parameters, expected at most {MAX_PARAMETERS:,}."
        )
    return network


def load_network(
    folder: Path,
    family: Family,
    config: Config,
    *,
    task: str = "masked-lm",
    dtype: torch.dtype = torch.float32,
    network: Network | None = None,
    begun: Callable[[], None] = lambda: None,
) -> Loaded:
    """Load the weights of a folder, strictly: each tensor of the file is used or known to be useless, none is missing.

    A decoder that differs from the word table by more than rounding is the head's own, whatever config.json says, and
    its bias is the one beside it: so transformers reads them. Heads that the task does not use are left out; a head
    that the file lacks altogether, or has for another task by its config.json's architectures, gets random weights (see
    Loaded). Raises CheckpointError, and then names the tensors, for anything else: missing, unexpected or mis-shaped
    tensors, numbers that are not finite, files that are damaged or no weights at all.

    network: what `check_weights` or `meta_network` gave for these arguments, to be filled in the place of a new one.
    begun: called when other threads have begun to read, which leaves Python to the caller's other threads.
    """
    network = network or meta_network(family, config, task)
    limit = 16 * sum(tensor.numel() for tensor in network.state_dict().values()) + MAX_HEADER_BYTES  # float64, untied
    with open_weights(folder, limit) as weights:
        what = f"The weights in {folder} do not fit {family.title}, task {task}"

        def planned(network: Network) -> _Plan:
            return _plan(what, family, network, weights.shapes, _written_for(family, config))

        plan, state = planned(network), dict[str, Tensor]()
        if WORDS in plan.copies:
            state = _table_and_decoder(folder, weights, plan, dtype)
        # A decoder by what the file holds: its own, or none of its own for a head that the file has not.
        tied = config.tie_word_embeddings or plan.heads.get("masked-lm") == "random"
        if (tied and DECODER not in state) != config.tie_word_embeddings:
            network = meta_network(family, replace(config, tie_word_embeddings=not config.tie_word_embeddings), task)
            plan = planned(network)
        for ours in plan.copies.keys() - state.keys():
            state[ours] = _read_copied(folder, weights, plan, ours, dtype)
        with ThreadPoolExecutor(weights.readers) as readers:  # reading and checking leave Python to others
            reading = readers.map(lambda part: _read(weights, part, dtype), _parts(weights, plan, state))
            begun()
            for tensors in reading:
                state |= tensors
    for ours in plan.random:
        state[ours] = _random(ours, tuple(network.state_dict()[ours].shape), config, dtype)
    network.load_state_dict(state, assign=True)
    network.requires_grad_(False).eval()
    missing = tuple(published_name(family, ours) for ours in plan.random)
    extra = tuple(sorted(weights.shapes.keys() - set(plan.sources.values())))
    return Loaded(network, plan.heads, missing, extra)


def _table_and_decoder(folder: Path, weights: Weights, plan: _Plan, dtype: torch.dtype) -> dict[str, Tensor]:
    """The word table, and the decoder if it differs from it by more than the rounding of float16 or bfloat16."""
    name, copy = plan.sources[WORDS], plan.copies[WORDS]
    words, decoder = (read_tensors(weights, [each], dtype)[0] for each in (name, copy))
    if torch.equal(words, decoder):
        return {WORDS: words}
    difference = (words.double() - decoder.double()).abs()
    where = f"{copy} differs from {name} by up to {difference.max().item():.2g}"
    if bool((difference <= ROUNDING * words.double().abs() + SMALLEST).all()):
        _log.warning("%s: %s, the rounding of a narrower type; the latter is used for both.", folder, where)
        return {WORDS: words}
    share, largest = (difference > 0).double().mean().item(), words.abs().max().item()
    _log.warning("%s: %s (%.0f%% of them; the largest is %.2g): untied.", folder, where, 100 * share, largest)
    return {WORDS: words, DECODER: decoder}


def _parts(weights: Weights, plan: _Plan, there: Collection[str]) -> list[dict[str, str]]:
    """What is left to read, our names and those of the file, in runs of neighbours of about PART numbers.

    The largest first, so that no thread is left with it at the end.
    """
    ours_of = {name: ours for ours, name in plan.sources.items() if ours not in there}
    sizes = {name: math.prod(shape) for name, shape in weights.shapes.items() if name in ours_of}
    parts: list[dict[str, str]] = []
    room = 0
    for name, size in sizes.items():
        if size > room:
            parts.append({})
            room = PART
        parts[-1][ours_of[name]] = name
        room -= size
    return sorted(parts, key=lambda part: -sum(sizes[name] for name in part.values()))


def _read(weights: Weights, part: Mapping[str, str], dtype: torch.dtype) -> dict[str, Tensor]:
    """Tensors by our names; part: these, and those of the file."""
    return dict(zip(part, read_tensors(weights, tuple(part.values()), dtype), strict=True))


def _read_copied(folder: Path, weights: Weights, plan: _Plan, ours: str, dtype: torch.dtype) -> Tensor:
    """A tensor that stands in the file twice, as the bias of a decoder may: the one beside it, which is in use."""
    name, copy = plan.sources[ours], plan.copies[ours]
    original, used = (read_tensors(weights, [each], dtype)[0] for each in (name, copy))
    if not torch.equal(original, used):
        _log.warning("%s: %s differs from %s; the former is used, as in transformers.", folder, copy, name)
    return used


def check_weights(folder: Path, family: Family, config: Config, *, task: str = "masked-lm") -> Network:
    """What `load_network` would find wrong with names, shapes and sizes, found without reading a tensor.

    So a folder that promises much more than it holds costs nobody any memory. Returns the network that it was compared
    with, on the meta device.
    """
    network = meta_network(family, config, task)
    kept_in, paths = weights_files(folder)
    if kept_in == SAFETENSORS:
        with open_weights(folder, 0) as weights:
            what = f"The weights in {folder} do not fit {family.title}, task {task}"
            _plan(what, family, network, weights.shapes, _written_for(family, config))
    elif paths:
        size = sum(path.stat().st_size for path in paths)
        least = 2 * network.embeddings.words.weight.numel()  # in float16, and the largest of its tensors alone
        if size + MAX_HEADER_BYTES < least:  # what is only a little too small, the reader tells better
            raise CheckpointError(f"The weights in {folder} have {size:,} bytes, and their words alone need {least:,}.")
    return network


def own_heads(folder: Path, family: Family, config: Config) -> tuple[str | None, dict[str, str]]:
    """The task that the class behind a folder is made for, None where config.json does not say, and its heads.

    The heads are as `load_network` would find them, though no tensor is read. Other files than safetensors tell
    their names only to those who read all of it: there the class is believed.
    """
    task = _written_for(family, config)
    if task is None:
        return None, {}
    network = meta_network(family, config, task)
    kept_in, paths = weights_files(folder)
    if kept_in != SAFETENSORS:
        return task, dict.fromkeys(network.tasks[task], "trained" if paths else "random")
    with open_weights(folder, 0) as weights:
        what = f"The weights in {folder} do not fit {family.title}, task {task}"
        return task, _plan(what, family, network, weights.shapes, task).heads


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where each tensor of a network comes from, by our names.

    sources: its name in the file; copies: the name of what should be a copy, where both are there; random: the tensors
        of absent heads.
    """

    sources: dict[str, str]
    copies: dict[str, str]
    random: list[str]
    heads: dict[str, str]


def _written_for(family: Family, config: Config) -> str | None:
    """The task of the class that wrote a folder, by its config.json; None where it does not say one of ours."""
    classes = config.extra.get("architectures")
    name = classes[0] if isinstance(classes, list) and classes else None
    stem = family.architecture.removesuffix(TASKS["masked-lm"])
    return next((task for task in family.tasks if name == stem + TASKS[task]), None)


def _head_names(family: Family, config: Config) -> dict[str, list[str]]:
    """Our names of the tensors of every head that the family may have."""
    with torch.device("meta"):
        heads = {head: family.network.head(head, config) for head in HEADS}
    return {head: [f"{HEADS[head]}.{name}" for name in module.state_dict()] for head, module in heads.items()}


def _plan(
    what: str, family: Family, network: Network, shapes: Mapping[str, tuple[int, ...]], written_for: str | None
) -> _Plan:
    """Match the tensors of a file (name -> shape) with a network's; CheckpointError, led by `what`, on a misfit."""
    expected = {ours: tuple(tensor.shape) for ours, tensor in network.state_dict().items()}
    theirs = published_names(family, network)
    heads = _head_names(family, network.config)
    known = {
        *theirs.values(),
        *family.tied,
        *(family.prefix + name for name in BUFFERS),
        *(published_name(family, ours) for names in heads.values() for ours in names),
    }
    names_in_file = canonical(family, shapes, known)
    others = set(family.network.tasks[written_for]) if written_for else set()
    foreign = {published_name(family, ours) for head in others for ours in heads[head] if ours not in expected}
    sources = {
        ours: names_in_file[name] for ours, name in theirs.items() if name in names_in_file and name not in foreign
    }
    # Without a masked-LM head nobody asks what the decoder is. With one, a file may keep the copy and not the original.
    tied = family.tied.items() if network.masked_lm is not None else ()
    copies = {
        ours: names_in_file[copy]
        for copy, ours in tied
        if copy in names_in_file and not (ours == WORDS and DECODER in expected)
    }
    sources = copies | sources
    copies = {ours: copy for ours, copy in copies.items() if copy != sources[ours]}

    present = {head: heads[head] for head in family.network.tasks[network.task]}
    absent = {head for head, names in present.items() if not sources.keys() & set(names)}
    if DECODER in expected and DECODER not in sources and "masked-lm" not in absent:
        raise CheckpointError(
            f"{what}: config.json says that the decoder is not the word table (tie_word_embeddings is false), and "
            f"there is no {theirs[DECODER]}. Set it to true if they are the same, or load the model with "
            'task="encoder".'
        )
    random = [ours for head in present if head in absent for ours in heads[head]]
    _check_names(
        what,
        missing=[theirs[ours] for ours in expected if ours not in sources and ours not in random],
        unexpected=[names_in_file[name] for name in names_in_file.keys() - known],
        misshaped={
            name: (shapes[name], expected[ours])
            for ours, name in (*sources.items(), *copies.items())
            if shapes[name] != expected[ours]
        },
    )
    return _Plan(sources, copies, random, {head: "random" if head in absent else "trained" for head in present})


def _check_names(
    what: str,
    missing: list[str],
    unexpected: list[str],
    misshaped: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]],
) -> None:
    """Raise one CheckpointError that names the first few of all tensors that do not fit."""
    wrong = [f"{name} has shape {got}, expected {shape}" for name, (got, shape) in misshaped.items()]
    kinds = {"missing": missing, "unexpected": sorted(unexpected), "mis-shaped": wrong}
    complaints = [
        f"{len(names)} {kind}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for kind, names in kinds.items()
        if names
    ]
    if complaints:
        raise CheckpointError(f"{what}. {'; '.join(complaints)}. Is it another model, or another family?")


def _random(ours: str, shape: tuple[int, ...], config: Config, dtype: torch.dtype) -> Tensor:
    """Random weights for one tensor of a head, as Network.initialise gives them; the same ones every time."""
    if ours.endswith("bias"):
        return torch.zeros(shape, dtype=dtype)
    if "norm" in ours:
        return torch.ones(shape, dtype=dtype)
    return torch.empty(shape, dtype=dtype).normal_(
        0.0, config.initializer_range, generator=torch.Generator().manual_seed(SEED)
    )
