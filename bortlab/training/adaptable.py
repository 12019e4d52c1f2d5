"""What of a network learns when it is adapted, by which recipe, and what that takes: memory, disk and time."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from bortlab.checkpoint import meta_network
from bortlab.model import Model, NoHeadError
from bortlab.models import Config, Network
from bortlab.registry import TooLargeError
from bortlab.system.machine import cores, memory_available
from bortlab.system.numbers import data_size
from bortlab.training.encoded import EncodedText
from bortlab.training.masked_lm import MEASURED_RATE, Recipe
from bortlab.training.optimizers import Optimizers
from bortlab.training.packing import epoch_batches, epoch_rows, parts_of

LENGTH = 128
STEP_PIECES = 1024
TOP = "top:"
STARTUP_S = 10.0
"""Seconds until a job has loaded torch and the model."""
OVERHEAD = 1.15
"""Time for measuring on held-out text and for checkpoints, beside that for learning."""


class AdaptError(RuntimeError):
    """An adaptation that cannot be done here, or did not go well. Nothing that there was before is changed."""


def check_adaptable(base: Model) -> None:
    """Refuse a model that was loaded without a masked-LM head, or in a type that is too narrow to learn in."""
    if base.task != "masked-lm":
        raise NoHeadError(f'{base.key} was loaded for task "{base.task}": load it with task="masked-lm" to adapt it.')
    if base.dtype.itemsize < 4:
        raise ValueError(f"{base.key} was loaded in {base.dtype}: load it in torch.float32 to adapt it.")


def own_network(base: Model) -> Network:
    """A copy of the model's network that can learn: in float32, without dropout, so that a run can be repeated."""
    config = replace(base.config, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    network = meta_network(base.family, config, base.task)
    network.load_state_dict(
        {name: t.detach().float().clone() for name, t in base.network.state_dict().items()}, assign=True
    )
    return network


def top_layers(train: str, depth: int) -> int:
    """How many layers beside the head learn: all of "all", none of "head"; ValueError for what is neither."""
    if train in ("all", "head"):
        return depth if train == "all" else 0
    number = train.removeprefix(TOP)
    if not (train.startswith(TOP) and number.isdecimal() and 1 <= int(number) <= depth):
        raise ValueError(
            f'train: expected "all", "head", or "top:1" to "top:{depth}" (the head and so many upper layers), '
            f"got {train!r}."
        )
    return int(number)


def let_learn(network: Network, train: str) -> None:
    """Freeze what is not to learn. ValueError for upper layers that share their block with lower ones, as ALBERT's."""
    blocks, count = network.config.blocks, top_layers(train, network.config.depth)
    network.requires_grad_(train == "all")
    if train == "all":
        return
    assert network.masked_lm is not None
    network.masked_lm.requires_grad_(True)
    split = len(blocks) - count
    if set(blocks[split:]) & set(blocks[:split]):
        raise ValueError(
            f"train: {train!r} cannot be: the upper {count} of {len(blocks)} layers use the same block as lower ones. "
            'Use "all" or "head".'
        )
    for index in range(split, len(blocks)):
        network.block(index).requires_grad_(True)


def recipe_for(
    config: Config, text: EncodedText, *, pieces: int, train: str, seed: int, rate: float | None = None
) -> Recipe:
    """How a network is adapted.

    The wider a network, the more a step of Adam moves what comes out of it, so the rate falls with the width (Yang et
    al. 2022, arXiv 2203.03466, table 8). A short text has few rows of one length, so its steps are small: the rate
    falls with the root of their size (Malladi et al. 2022, arXiv 2205.10287).
    """
    usual = min(4e-3, 1.2 / config.hidden_size) if train == "head" else min(1e-3, 0.154 / config.hidden_size)
    length = min(LENGTH, config.max_position_embeddings)
    small = math.sqrt(min(1.0, mean_step(text, length) / STEP_PIECES))
    return Recipe(
        pieces=pieces,
        step_pieces=STEP_PIECES,
        length=length,
        muon=False,
        rate=rate or usual * small,
        weight_decay=0.01,
        warmup=pieces // 10,
        decay=0.6,
        hide=0.2,
        teach=0.0,
        seed=seed,
    )


def mean_step(text: EncodedText, length: int) -> float:
    """Pieces of a step, on average over an epoch; 0 for a text without rows."""
    rows = epoch_rows(text, parts_of(text, length - 2), room=length - 2, weights={}, seed=0, epoch=0)
    starts = text.cuttings[0].starts
    sizes = starts[rows[:, 1]] - starts[rows[:, 0]] + 2
    steps = epoch_batches(sizes, batch_pieces=STEP_PIECES, rng=np.random.default_rng(0))
    return float(sizes.sum() / max(1, len(steps)))


# -- what it takes -----------------------------------------------------------------------------------------------------


def n_learning(network: Network) -> int:
    """Numbers that learn."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def memory_needed(network: Network) -> int:
    """Bytes beside the model that is adapted: weights, gradients, Adam's two averages, and what a step keeps.

    What a step keeps of a layer is what its gradients need: about 16 vectors of the layer's width a piece, and two of
    the feed-forward part's.
    """
    config, learning = network.config, n_learning(network)
    whole = sum(parameter.numel() for parameter in network.parameters())
    kept = config.depth * (16 * config.hidden_size + 2 * config.intermediate_size)
    logits = math.ceil(0.3 * STEP_PIECES) * config.vocab_size * 3
    return 4 * (whole + 3 * learning + STEP_PIECES * kept + logits)


def check_room(key: str, network: Network, *folders: Path) -> None:
    """Refuse what memory or a disk has no room for, before anything is begun."""
    needed, free = memory_needed(network), memory_available()
    if needed > free:
        raise TooLargeError(
            f"Adapting {key} needs {data_size(needed)} of memory, and {data_size(free)} are free. Choose a smaller "
            'model, train="head" or "top:2", cut its vocabulary, or free some memory.'
        )
    whole = 4 * sum(parameter.numel() for parameter in network.parameters())
    on_disk = 3 * whole + 16 * n_learning(network)  # the result, and two checkpoints while one replaces the other
    for folder in folders:
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        if shutil.disk_usage(there).free < on_disk:
            raise AdaptError(
                f"Adapting {key} needs {data_size(on_disk)} on the disk of {there}, and "
                f"{data_size(shutil.disk_usage(there).free)} are free: free some, or name another folder."
            )


@dataclass(frozen=True, slots=True)
class Speed:
    """What adapting a model costs on one thread: seconds a piece, and seconds more a step."""

    piece_s: float
    step_s: float

    def seconds(self, pieces: int, *, threads: int | None = None) -> float:
        """How long a budget takes on so many threads, by default all that a job may use."""
        learning = pieces * self.piece_s + pieces / STEP_PIECES * self.step_s
        return STARTUP_S + OVERHEAD * learning / (threads or cores())


def measure_speed(base: Model, train: str = "all", *, rows: int = 4, length: int = 64) -> Speed:
    """Take a few steps with a copy of the model, as adapting it would, and time them."""
    with torch.inference_mode(False), torch.enable_grad():
        network = own_network(base).to(base.device)
        let_learn(network, train)
        check_room(base.key, network)
        optimizers = Optimizers(network, muon=False, weight_decay=0.0)
        length = min(length, base.config.max_position_embeddings)
        ids = torch.randint(base.tokenizer.vocab_size, (rows, length), generator=torch.Generator().manual_seed(0))
        ids = ids.to(base.device)
        n_hidden = max(1, round(MEASURED_RATE * length))
        learning: list[float] = []
        steps: list[float] = []
        for _ in range(3):
            started = time.perf_counter()
            logits = network.predict(network.encode(network.embed(ids)).hidden[:, :n_hidden])
            F.cross_entropy(logits.flatten(0, 1), ids[:, :n_hidden].flatten()).backward()  # type: ignore[no-untyped-call]
            learned = time.perf_counter()
            optimizers.step(0.0)
            steps.append(time.perf_counter() - learned)
            learning.append(learned - started)
        threads = torch.get_num_threads() if base.device.type == "cpu" else cores()
        return Speed(min(learning) / ids.numel() * threads, min(steps) * threads)
