"""Train a tuned lens for a frozen model: `bortlab lens albert-mini`.

Each layer but the last gets one affine map, which begins as no change and learns to make what the head says of the
layer's states as close as it can be to what the model says in the end: the mean KL(last layer || this layer), over
hidden pieces and as many visible ones (Belrose et al. 2023, arXiv 2303.08112, section 2). Neither the encoder nor the
head changes.

The result is a `bortlab.analysis.lens.TunedLens`, kept as float16 in the user's cache with a card that says what it
gained on text it has not read. The bundled models bring theirs (assets/lenses). A training may be killed at any moment
and goes on from its last checkpoint to the same numbers.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.analysis.lens import TunedLens, uses
from bortlab.data import corpus
from bortlab.data.corpus import Document
from bortlab.data.folders import TextDocument
from bortlab.model import Model, NoHeadError, weights_fingerprint
from bortlab.registry import lenses
from bortlab.system.machine import cores
from bortlab.system.settings import cache_folder
from bortlab.system.store import file_name
from bortlab.training.encoded import EncodedText, encode_text
from bortlab.training.finishing import Report, alone, finish, give_way, reporting
from bortlab.training.hiding import IGNORED, DeviceText, Hidden, Rows, Template
from bortlab.training.masked_lm import MEASURED_RATE, Recipe, Run, autocast, measured_batches
from bortlab.training.packing import epoch_rows, parts_of
from bortlab.work.jobs import Job, Running
from bortlab.work.reference import ModelReference, fastest_device

PIECES = 400_000
"""The usual budget, in pieces seen: a minute or two for a mini on two idle cores."""
STEP_PIECES = 2048
LENGTH = 128
"""Pieces of the longest row, template included."""
MEASURED = 0.1
"""Words that are measured with, as a share of the budget: measuring more would take longer than training."""
STARTUP_S = 10.0
"""Seconds until a job has loaded torch, the model and the corpus."""
KINDS = ("hidden", "visible")

Documents = Sequence[Document | TextDocument]


class Translators(nn.Module):
    """The affine maps while they are trained. They begin as no change."""

    def __init__(self, base: Model, device: torch.device) -> None:
        super().__init__()
        depth, hidden = base.config.depth, base.config.hidden_size
        self.weight = nn.Parameter(torch.zeros(depth, hidden, hidden, dtype=base.dtype, device=device))
        self.bias = nn.Parameter(torch.zeros(depth, hidden, dtype=base.dtype, device=device))

    @property
    def lens(self) -> TunedLens:
        """The maps as they are now."""
        return TunedLens(self.weight, self.bias)


def recipe_of(base: Model, *, pieces: int, seed: int) -> Recipe:
    """How a lens is trained: AdamW, with the share of hidden words that it is measured with.

    The wider a network, the more a step of Adam moves what comes out of it, so the rate falls with the width (Yang et
    al. 2022, arXiv 2203.03466, table 8).
    """
    return Recipe(
        pieces=pieces,
        step_pieces=STEP_PIECES,
        length=min(LENGTH, base.config.max_position_embeddings),
        muon=False,
        rate=min(4e-3, 1.2 / base.config.hidden_size),
        weight_decay=0.0,
        warmup=pieces // 10,
        decay=1.0,
        hide=MEASURED_RATE,
        seed=seed,
    )


class LensRun(Run):
    """A lens that is being trained."""

    def __init__(self, base: Model, recipe: Recipe, folder: Path, text: EncodedText) -> None:
        self.base, self.maps = base, Translators(base, base.device)
        super().__init__(recipe, folder, self.maps, text, base.tokenizer, device=base.device)

    def losses(self, rows: Rows, hidden: Hidden) -> Iterator[Tensor]:
        """The mean divergence of each layer: what it would say, from what the model says."""
        states = torch.cat(list(states_of(self.base, hidden).values()), 1)
        with torch.no_grad():
            last = self.base.network.predict(states[-1]).float().log_softmax(-1)
        for layer in range(len(states) - 1):
            here = self.base.network.predict(self.maps.lens(layer, states[layer])).float().log_softmax(-1)
            yield F.kl_div(here, last, reduction="batchmean", log_target=True)


@torch.no_grad()
def states_of(base: Model, hidden: Hidden) -> dict[str, Tensor]:
    """The states (layers + 1, pieces, hidden) of the hidden pieces of a batch, and of as many visible ones.

    The visible ones stand one place to the right of a hidden one, so that the choice needs no generator; where another
    hidden one or the template stands there, there is none.
    """
    rows, chosen = (hidden.labels != IGNORED).nonzero().unbind(1)
    places = hidden.places[rows, chosen]
    is_hidden = torch.zeros_like(hidden.ids, dtype=torch.bool)
    is_hidden[rows, places] = True
    beside = is_hidden.roll(1, 1) & (hidden.ids != base.tokenizer.mask_id)
    beside[:, [0, -1]] = False  # the template
    output = base.network.encode(base.network.embed(hidden.ids), keep_layers=True)
    layers = torch.stack([output.embeddings, *(layer.hidden for layer in output.layers)])
    return {"hidden": layers[:, is_hidden], "visible": layers[:, beside]}


class Gain(NamedTuple):
    """Of each layer but the last, on held-out pieces: mean divergence in bits, and how often it names the answer."""

    divergence: list[float]
    agreement: list[float]
    pieces: int


@torch.no_grad()
def measure(base: Model, tuned: TunedLens | None, text: EncodedText, *, length: int) -> dict[str, Gain]:
    """How close each layer comes to the last one, through the plain or a tuned lens: for hidden and visible pieces."""
    depth = base.config.depth
    sums = {kind: torch.zeros(2, depth, dtype=torch.float64) for kind in KINDS}
    counts = dict.fromkeys(KINDS, 0)
    rows = epoch_rows(text, parts_of(text, length - 2), room=length - 2, weights={}, seed=0, epoch=0)
    on_device = DeviceText(text, 0, Template.of(base.tokenizer), base.device)
    for batch in measured_batches(on_device, rows, seed=0, batch_pieces=STEP_PIECES):
        for kind, states in states_of(base, batch).items():
            last = base.network.predict(states[-1]).float().log_softmax(-1)
            counts[kind] += len(last)
            for layer in range(depth):
                moved = states[layer] if tuned is None else tuned(layer, states[layer])
                here = base.network.predict(moved).float().log_softmax(-1)
                bits = F.kl_div(here, last, reduction="sum", log_target=True) / math.log(2)
                sums[kind][0, layer] += bits.cpu()
                sums[kind][1, layer] += (here.argmax(-1) == last.argmax(-1)).sum().cpu()
    gains = {}
    for kind in KINDS:
        divergence, agreement = ([round(x, 4) for x in row] for row in (sums[kind] / max(1, counts[kind])).tolist())
        gains[kind] = Gain(divergence, agreement, counts[kind])
    return gains


class Tuned(NamedTuple):
    """A lens that was trained, and its card."""

    lens: TunedLens
    card: Mapping[str, Any]


def fit(
    base: Model,
    documents: Documents | None = None,
    heldout: Documents | None = None,
    *,
    pieces: int = PIECES,
    seed: int = 0,
    keep: bool = True,
    out: Path | None = None,
    report: Report | None = None,
) -> Tuned:
    """Train a tuned lens for a model.

    documents: to learn from; heldout: to measure with; the bundled corpus unless told. keep: in the user's cache, for
    `read_lens`, or in the folder `out`. report: as Running.report; a progress bar unless told.
    """
    if base.network.masked_lm is None:
        raise NoHeadError(f'{base.key} has no masked-LM head to look through: load it with task="masked-lm".')
    if base.dtype.itemsize < 4:
        raise ValueError(f"{base.key} was loaded in {base.dtype}: load it in torch.float32 to train a lens.")
    is_bundled = documents is None and heldout is None
    if not is_bundled and not (documents and heldout):
        raise ValueError("Expected documents and heldout documents, some of each, or neither for the bundled corpus.")
    recipe = recipe_of(base, pieces=pieces, seed=seed)
    with torch.inference_mode(False), torch.enable_grad(), reporting(report, f"lens of {base.key}") as say:
        say(0.0, "Reading the text.")
        chosen = sample(corpus.read("train") if documents is None else documents, pieces, seed)
        unread = sample(corpus.read("heldout") if heldout is None else heldout, MEASURED * pieces, seed)
        name = file_name(base.key, "lens", base.fingerprint, repr(recipe), digest(chosen), digest(unread))
        folder = cache_folder() / "fits" / name
        with alone(folder, base.key):
            run = LensRun(base, recipe, folder, encoded(base, chosen))
            run.resume()
            finish(run, say)
            say(0.9, "Measuring.")
            lens = kept(run.maps)
            card = card_of(run, "assets/corpus" if is_bundled else "other documents", len(chosen)) | {
                "command": f"bortlab lens {base.key} --pieces {pieces} --seed {seed}"
                + ("" if is_bundled else " --corpus FOLDER"),
                "heldout": gains_of(base, lens, encoded(base, unread), length=recipe.length),
            }
            if keep:
                lenses.save(out or lenses.folder_of(base.key, base.revision), run.maps.half(), card)
            shutil.rmtree(folder, ignore_errors=True)
    return Tuned(lens, card)


def kept(maps: Translators) -> TunedLens:
    """The lens as its file holds it: rounded to float16."""
    weight, bias = (tensor.detach().half().to(tensor.dtype) for tensor in (maps.weight, maps.bias))
    return TunedLens(weight, bias)


def sample(documents: Documents, words: float, seed: int) -> list[Document | TextDocument]:
    """As many documents, drawn at random, as hold so many words; all of them where they hold fewer."""
    chosen, held = [], 0
    for index in np.random.default_rng(seed).permutation(len(documents)):
        if held >= words:
            break
        chosen.append(documents[index])
        held += sum(map(corpus.n_words, documents[index].sentences))
    return chosen


def encoded(base: Model, documents: Documents) -> EncodedText:
    """Documents as the model cuts them."""
    return encode_text([(document.source, document.sentences) for document in documents], [base.tokenizer])


def digest(documents: Documents) -> str:
    """What tells these documents from others."""
    return sha256(repr([(document.id, document.sentences) for document in documents]).encode()).hexdigest()


def card_of(run: LensRun, text: str, documents: int) -> dict[str, Any]:
    """What is known of a lens, but for what it is worth. text: what it learned from, in so many documents."""
    base = run.base
    return {
        "title": f"Tuned lens for {base.key}",
        "base": base.key,
        "source": base.source,
        "revision": base.revision,
        "family": base.family.name,
        "weights": weights_fingerprint(base.network),
        "layers": ["embeddings", *(use.name for use in uses(base.config)[:-1])],
        "parameters": sum(parameter.numel() for parameter in run.maps.parameters()),
        "corpus": {"name": text, "documents": documents},
        "recipe": asdict(run.recipe),
        "pieces_seen": run.seen,
        "seconds": round(run.seconds, 1),
        "device": str(run.device),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "licence": "Apache-2.0",
    }


def gains_of(base: Model, lens: TunedLens, text: EncodedText, *, length: int) -> dict[str, Any]:
    """How close the layers come to the last one, by lens and kind of piece, as a card says it."""
    return {
        name: {
            kind: {"divergence_bits": gain.divergence, "agreement": gain.agreement, "pieces": gain.pieces}
            for kind, gain in measure(base, tuned, text, length=length).items()
        }
        for name, tuned in (("plain", None), ("tuned", lens))
    }


def read_lens(model: Model) -> Tuned | None:
    """The lens of exactly this model, trained here or bundled, and its card; None if there is none."""
    like = Translators(model, torch.device("meta"))
    stored = lenses.read(model.key, model.revision, model.network, like=like)
    if stored is None:
        return None
    weight, bias = (stored.tensors[name].to(model.device, model.dtype) for name in ("weight", "bias"))
    return Tuned(TunedLens(weight, bias), stored.card)


# -- as a job ----------------------------------------------------------------------------------------------------------


def job(model: Model, *, pieces: int = PIECES, seed: int = 0) -> Job:
    """The job that trains a lens for a model and keeps it. ValueError for one that another process cannot load."""
    reference = ModelReference.of(model)
    return Job("fit-lens", "bortlab.training.lens:run", {"base": reference.to_json(), "pieces": pieces, "seed": seed})


def run(running: Running, *, base: Mapping[str, Any], pieces: int, seed: int) -> Mapping[str, Any]:
    """Train a lens in a process of its own."""
    give_way()
    reference = ModelReference.from_json(base)
    running.report(0.0, f"Loading {reference.key}.")
    model = reference.load(fastest_device())
    return {"heldout": fit(model, pieces=pieces, seed=seed, report=running.report).card["heldout"]}


def estimated_seconds(model: Model, pieces: int = PIECES) -> float:
    """How long a training may take here, from the time that a few pieces take at this moment."""
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
