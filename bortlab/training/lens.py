"""Fit a tuned lens to a frozen model: `bortlab lens albert-mini`.

Each layer but the last gets one affine map, which begins as no change and learns to make what the head says of the
layer's states as close as it can be to what the model says in the end: the mean KL(last layer || this layer), over the
hidden pieces of the bundled corpus and as many visible ones (Belrose et al. 2023, arXiv 2303.08112, section 2). Neither
the encoder nor the head changes.

The result is a `bortlab.analysis.lens.TunedLens`, kept in the user's cache with a card that says what it gained on text
it has not seen. A fit may be killed at any moment and goes on from its last
checkpoint to the same numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.analysis.lens import TunedLens, uses
from bortlab.data.corpus import Document
from bortlab.model import Model, NoHeadError
from bortlab.registry import lenses
from bortlab.system.machine import cores
from bortlab.training.batches import IGNORED, Batch, EncodedDocument, fill, hide, in_batches
from bortlab.training.lesson import (
    LENGTH,
    STARTUP_S,
    Lesson,
    Report,
    card_of,
    give_way,
    learned,
)
from bortlab.training.lesson import recipe_of as lesson_recipe
from bortlab.training.pretrain import MEASURED_RATE, Recipe, autocast
from bortlab.work.jobs import Job, Running
from bortlab.work.reference import ModelReference, fastest_device

PIECES = 400_000
"""The usual budget, in pieces seen: a minute or two for a mini on two cores."""
MEASURED = 0.1
"""Words that are measured with, as a share of the budget."""
KINDS = ("hidden", "visible")


class Translators(nn.Module):
    """The affine maps while they are fitted. They begin as no change."""

    def __init__(self, base: Model, device: torch.device) -> None:
        super().__init__()
        depth, hidden = base.config.depth, base.config.hidden_size
        self.weight = nn.Parameter(torch.zeros(depth, hidden, hidden, dtype=base.dtype, device=device))
        self.bias = nn.Parameter(torch.zeros(depth, hidden, dtype=base.dtype, device=device))


def recipe_of(base: Model, *, pieces: int, seed: int) -> Recipe:
    """How a lens is fitted: as any lesson, with the share of hidden pieces that it is measured with."""
    return replace(lesson_recipe(base, pieces=pieces, seed=seed), mask_rate=MEASURED_RATE)


class Tuning(Lesson):
    """A lens being fitted."""

    def __init__(self, base: Model, recipe: Recipe, documents: Sequence[EncodedDocument], folder: Path) -> None:
        self.maps = Translators(base, base.device)
        super().__init__(base, self.maps, recipe, documents, folder)

    @property
    def lens(self) -> TunedLens:
        """The maps as they are now."""
        return TunedLens(self.maps.weight, self.maps.bias)

    def losses(self, batches: Sequence[Batch]) -> Iterator[Tensor]:
        """The mean divergence of each layer: what it would say, from what the model says."""
        states = torch.cat([part for batch in batches for part in states_of(self.base, batch).values()], 1)
        with torch.no_grad():
            last = self.base.network.predict(states[-1]).float().log_softmax(-1)
        for layer in range(len(states) - 1):
            here = self.base.network.predict(self.lens(layer, states[layer])).float().log_softmax(-1)
            yield F.kl_div(here, last, reduction="batchmean", log_target=True)


@torch.no_grad()
def states_of(base: Model, batch: Batch) -> dict[str, Tensor]:
    """The states (layers + 1, pieces, hidden) of the hidden pieces of a batch, and of as many visible ones.

    The visible ones stand one place to the right of a hidden one, so that the choice needs no generator.
    """
    chosen = (batch.labels != IGNORED).to(base.device)
    beside = chosen.roll(1, 1) & ~chosen
    beside[:, [0, -1]] = False  # the template
    words = base.network.embed(batch.ids.to(base.device))
    output = base.network.encode(words, keep_layers=True)
    layers = torch.stack([output.embeddings, *(layer.hidden for layer in output.layers)])
    return {"hidden": layers[:, chosen], "visible": layers[:, beside]}


class Gain(NamedTuple):
    """Of each layer but the last, on held-out pieces: mean divergence in bits, and how often it names the answer."""

    divergence: list[float]
    agreement: list[float]
    pieces: int


@torch.no_grad()
def measure(
    base: Model, tuned: TunedLens | None, documents: Mapping[str, Sequence[EncodedDocument]], *, length: int
) -> dict[str, Gain]:
    """How close each layer comes to the last one, through the plain or a tuned lens: for hidden and visible pieces."""
    depth, tokenizer = base.config.depth, base.tokenizer
    sums = {kind: torch.zeros(2, depth, dtype=torch.float64) for kind in KINDS}
    counts = dict.fromkeys(KINDS, 0)
    sequences = [
        part for some in documents.values() for document in some for part in fill(document.sentences, length - 2)
    ]
    rng = np.random.default_rng(0)
    batches = in_batches(sequences, batch_pieces=2048, cls=tokenizer.cls_id, sep=tokenizer.sep_id, rng=rng)
    for index, pieces in enumerate(batches):
        batch = hide(pieces, rate=MEASURED_RATE, mask=tokenizer.mask_id, seed=(0, index))
        for kind, states in states_of(base, batch).items():
            last = base.network.predict(states[-1]).float().log_softmax(-1)
            counts[kind] += len(last)
            for layer in range(depth):
                seen = states[layer] if tuned is None else tuned(layer, states[layer])
                here = base.network.predict(seen).float().log_softmax(-1)
                bits = F.kl_div(here, last, reduction="sum", log_target=True) / math.log(2)
                sums[kind][0, layer] += bits.cpu()
                sums[kind][1, layer] += (here.argmax(-1) == last.argmax(-1)).sum().cpu()
    found = {}
    for kind in KINDS:
        divergence, agreement = ([round(x, 4) for x in row] for row in (sums[kind] / max(1, counts[kind])).tolist())
        found[kind] = Gain(divergence, agreement, counts[kind])
    return found


class Tuned(NamedTuple):
    """A lens that was fitted, and its card."""

    lens: TunedLens
    card: Mapping[str, Any]


def fit(
    base: Model,
    documents: Sequence[Document] | None = None,
    heldout: Sequence[Document] | None = None,
    *,
    pieces: int = PIECES,
    seed: int = 0,
    keep: bool = True,
    report: Report | None = None,
) -> Tuned:
    """Fit a tuned lens to a model.

    documents: to learn from; heldout: to measure with; the bundled corpus unless told. keep: in the user's cache, for
    `read`. report: as Running.report; a progress bar unless told.
    """
    if base.network.masked_lm is None:
        raise NoHeadError(f'{base.key} has no masked-LM head to look through: load it with task="masked-lm".')
    recipe = recipe_of(base, pieces=pieces, seed=seed)
    with learned(
        Tuning, base, recipe, documents, heldout, to="fit a lens", measured=MEASURED, kind=["lens"], report=report
    ) as done:
        run, unseen, corpus = done
        lens = TunedLens(run.maps.weight.detach(), run.maps.bias.detach())
        card = card_of(run, corpus) | {
            "title": f"Tuned lens for {base.key}",
            "model": base.fingerprint,
            "layers": ["embeddings", *(use.name for use in uses(base.config)[:-1])],
            "command": f"bortlab lens {base.key} --pieces {pieces} --seed {seed}",
            "heldout": {
                "plain": _said(measure(base, None, unseen, length=recipe.length)),
                "tuned": _said(measure(base, lens, unseen, length=recipe.length)),
            },
        }
        if keep:
            lenses.save(base.key, base.revision, run.maps, card)
    return Tuned(lens, card)


def _said(found: Mapping[str, Gain]) -> dict[str, dict[str, Any]]:
    return {
        kind: {"divergence_bits": gain.divergence, "agreement": gain.agreement, "pieces": gain.pieces}
        for kind, gain in found.items()
    }


def read_lens(model: Model) -> Tuned | None:
    """The lens that was fitted here for exactly this model, and its card; None if there is none."""
    like = Translators(model, torch.device("meta"))
    found = lenses.read(model.key, model.revision, fingerprint=model.fingerprint, like=like)
    if found is None:
        return None
    weight, bias = (found.tensors[name].to(model.device, model.dtype) for name in ("weight", "bias"))
    return Tuned(TunedLens(weight, bias), found.card)


# -- as a job ----------------------------------------------------------------------------------------------------------


def job(model: Model, *, pieces: int = PIECES, seed: int = 0) -> Job:
    """The job that fits a lens to a model and keeps it. ValueError for a model that another process cannot load."""
    reference = ModelReference.of(model)
    return Job("fit-lens", "bortlab.training.lens:run", {"base": reference.to_json(), "pieces": pieces, "seed": seed})


def run(running: Running, *, base: Mapping[str, Any], pieces: int, seed: int) -> Mapping[str, Any]:
    """Fit a lens in a process of its own."""
    give_way()
    reference = ModelReference.from_json(base)
    running.report(0.0, f"Loading {reference.key}.")
    model = reference.load(fastest_device())
    return {"heldout": fit(model, pieces=pieces, seed=seed, report=running.report).card["heldout"]}


def estimated_seconds(model: Model, pieces: int = PIECES) -> float:
    """How long a fit may take here, from the time that a few pieces take now."""
    length, depth = min(LENGTH, model.config.max_position_embeddings), model.config.depth
    words = model.network.embed(torch.zeros(2, length, dtype=torch.long, device=model.device))
    times = []
    with torch.inference_mode(), autocast(model.device):
        for _ in range(2):
            started = time.perf_counter()
            states = model.network.encode(words, keep_layers=True).hidden.flatten(0, 1)
            encoded = time.perf_counter()
            model.network.predict(states[: math.ceil(2 * MEASURED_RATE * len(states))]).float().log_softmax(-1)
            times.append((encoded - started) + 3 * depth * (time.perf_counter() - encoded))
    faster = cores() / torch.get_num_threads() if model.device.type == "cpu" else 1.0
    return STARTUP_S + min(times) * (1 + MEASURED) * pieces / (2 * length) / faster
