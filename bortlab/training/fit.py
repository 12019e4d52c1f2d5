"""Fit a masked-LM head to a frozen encoder: `bortlab fit conv-bert-base`.

Some published encoders have no masked-LM head (ConvBERT was trained as a discriminator) or one that was never trained
(Bort's conversion left it random), so what they put in a blank is noise. Here the head's own parameters (a dense layer,
a norm and a bias; its decoder is the word table, which stays as it is) learn from the bundled corpus while the encoder
is frozen. That is quick: nothing is differentiated below the head.

The result is a new `Model` whose head is "fitted here", kept in the user's cache with a card; `bortlab.load` uses it
from then on. A fit may be killed at any moment and goes on from its last checkpoint to the same weights.

`--recover albert-mini` shows that it works: it forgets a trained head, fits a new one, and says how much of the
held-out accuracy comes back.

Longer than a file should be: heads and lenses share the lesson, its checkpoints and its job, which read best together.
"""

from __future__ import annotations

import copy
import itertools
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock, Timeout
from torch import Tensor, nn
from tqdm import tqdm

from bortlab.checkpoint import meta_network
from bortlab.data.corpus import ASSETS, Document, n_words, read
from bortlab.model import Model, NoHeadError, assemble
from bortlab.models import Network
from bortlab.registry import fitted
from bortlab.system.machine import cores
from bortlab.system.settings import cache_folder
from bortlab.system.store import file_name
from bortlab.training.batches import IGNORED, Batch, EncodedDocument, Pieces, encode_documents, epoch_batches, hide
from bortlab.training.pretrain import (
    Measurement,
    Optimizers,
    Recipe,
    atomic_save,
    autocast,
    hidden_pieces,
    know_frequencies,
    measure,
    piece_counts,
)
from bortlab.work.jobs import Job, Running
from bortlab.work.reference import ModelReference, fastest_device

PIECES = 1_000_000
"""The usual budget, in pieces seen: a minute or two for a mini on two cores."""
LENGTH = 64
"""Pieces of the longest sequence."""
MEASURED = 0.1
"""Words that are measured with, as a share of the budget: measuring more would take longer than fitting."""
SAVE_S = 5.0
"""Seconds between two checkpoints."""
STARTUP_S = 10.0
"""Seconds until a job has loaded torch, the model and the corpus."""

Report = Callable[..., None]
"""report(progress, message, **numbers): see jobs.Running.report."""


class FitBusyError(RuntimeError):
    """The same is being fitted by another process."""


def recipe_of(base: Model, *, pieces: int, seed: int) -> Recipe:
    """How the head of a model is trained.

    The wider a network, the more a step of Adam moves what comes out of it, so the rate falls with the width (Yang et
    al. 2022, arXiv 2203.03466, table 8). It decays from the start: there is no second budget to go on to.
    """
    return Recipe(
        family=base.family.name,
        pieces=pieces,
        length=min(LENGTH, base.config.max_position_embeddings),
        optimizer="adamw",
        rate=min(4e-3, 1.2 / base.config.hidden_size),
        weight_decay=0.0,
        warmup=pieces // 10,
        decay=1.0,
        recite=0.0,
        seed=seed,
    )


def sample(documents: Sequence[Document], words: float, seed: int) -> list[Document]:
    """As many documents, drawn at random, as hold so many words; all of them where they hold fewer."""
    chosen, held = [], 0
    for index in np.random.default_rng(seed).permutation(len(documents)):
        if held >= words:
            break
        chosen.append(documents[index])
        held += sum(map(n_words, documents[index].sentences))
    return chosen


def with_own_head(base: Model) -> Network:
    """A network that shares the model's encoder and has its own copy of the masked-LM head, the only part to learn."""
    network = meta_network(base.family, base.config, base.task)
    network.load_state_dict(base.network.state_dict(), assign=True)
    network.requires_grad_(False).eval()
    network.masked_lm = copy.deepcopy(network.masked_lm)
    assert network.masked_lm is not None
    network.masked_lm.requires_grad_(True)
    return network


@torch.no_grad()
def forgotten(model: Model, seed: int = 0) -> Model:
    """The model with a random masked-LM head in place of its own."""
    network = with_own_head(model)
    assert network.masked_lm is not None
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.masked_lm.named_parameters():
        if name == "dense.weight":
            drawn = torch.empty(parameter.shape).normal_(0.0, model.config.initializer_range, generator=generator)
            parameter.copy_(drawn)
        else:
            nn.init.constant_(parameter, float(name == "norm.weight"))
    return _assembled(model, network, "random")


class Lesson:
    """A module being fitted to a frozen model, in a folder. `train` is a generator: a caller decides how long it goes.

    learner: what learns; everything else about the model stays. A subclass says what is to become smaller.
    """

    def __init__(
        self, base: Model, learner: nn.Module, recipe: Recipe, documents: Sequence[EncodedDocument], folder: Path
    ) -> None:
        self.base, self.learner, self.recipe, self.documents = base, learner, recipe, documents
        self.path = folder / "state.pt"
        self.optimizers = Optimizers(learner, recipe)
        self.step = self.seen = 0
        self.seconds = 0.0

    def losses(self, batches: Sequence[Batch]) -> Iterator[Tensor]:
        """What training makes smaller, in parts: each is differentiated, and forgotten, before the next is made."""
        raise NotImplementedError

    def save(self) -> None:
        """Write everything that `resume` needs, atomically."""
        state = {key: getattr(self, key) for key in ("step", "seen", "seconds")}
        state |= {"learner": self.learner.state_dict(), "optimizers": self.optimizers.state_dict()}
        atomic_save(state, self.path)

    def resume(self) -> bool:
        """Take up the fit where it stopped; False if there is nothing to take up."""
        if not self.path.exists():
            return False
        state = torch.load(self.path, map_location=self.base.device, weights_only=True)
        self.learner.load_state_dict(state["learner"])
        self.optimizers.load_state_dict(state["optimizers"])
        self.step, self.seen, self.seconds = state["step"], state["seen"], state["seconds"]
        return True

    def train(self) -> Iterator[float]:
        """Train to the budget, yielding the mean loss of each step."""
        steps = itertools.islice(self._steps(), self.step, None)
        while self.seen < self.recipe.pieces:
            started = time.perf_counter()
            chosen = next(steps)
            loss = self._take_step(chosen)
            self.seen += sum(pieces.size for pieces in chosen)
            self.step += 1
            self.seconds += time.perf_counter() - started
            yield loss

    def _steps(self) -> Iterator[list[Pieces]]:
        """The batches of every step from the first on: a pure function of the recipe."""
        chosen: list[Pieces] = []
        for epoch in itertools.count():
            for pieces in epoch_batches(
                self.documents,
                length=self.recipe.length,
                batch_pieces=self.recipe.step_pieces // 4,
                cls=self.base.tokenizer.cls_id,
                sep=self.base.tokenizer.sep_id,
                seed=self.recipe.seed,
                epoch=epoch,
            ):
                chosen.append(pieces)
                if sum(pieces.size for pieces in chosen) >= 0.9 * self.recipe.step_pieces:
                    yield chosen
                    chosen = []

    def _take_step(self, chosen: Sequence[Pieces]) -> float:
        rate, mask = self.recipe.mask_rate_at(self.seen), self.base.tokenizer.mask_id
        hidden = [
            hide(pieces, rate=rate, mask=mask, seed=(self.recipe.seed, self.step, index))
            for index, pieces in enumerate(chosen)
        ]
        value = 0.0
        with autocast(self.base.device):
            for part in self.losses(hidden):
                part.backward()  # type: ignore[no-untyped-call]
                value += part.item()
        if not math.isfinite(value):
            raise FloatingPointError(f"The loss became {value} at step {self.step}: {self.base.key} is damaged.")
        self.optimizers.step(self.recipe.rate_at(self.seen))
        return value


class Fit(Lesson):
    """A masked-LM head being fitted."""

    def __init__(self, base: Model, recipe: Recipe, documents: Sequence[EncodedDocument], folder: Path) -> None:
        self.network = with_own_head(base)
        assert self.network.masked_lm is not None
        if base.heads["masked-lm"] == "random":
            know_frequencies(self.network, piece_counts(documents, base.config.vocab_size) + 1)
        super().__init__(base, self.network.masked_lm, recipe, documents, folder)

    def losses(self, batches: Sequence[Batch]) -> Iterator[Tensor]:
        """Cross-entropy of the hidden pieces; no graph is built below the head, for it is frozen."""
        logits, labels = hidden_pieces(self.network, batches)
        yield F.cross_entropy(logits.float(), labels)


class Fitted(NamedTuple):
    """A model with the head that was fitted, and the head's card."""

    model: Model
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
) -> Fitted:
    """Train the masked-LM head of a model on its frozen encoder, starting from the head that it has.

    keep: in the user's cache, for `bortlab.load`. report: as Running.report; a progress bar unless told. The rest is
    as in `fit_head`.
    """
    if "masked-lm" not in base.heads:
        raise NoHeadError(f'{base.key} has no masked-LM head for task "{base.task}": load it with task="masked-lm".')
    recipe = recipe_of(base, pieces=pieces, seed=seed)
    with learned(Fit, base, recipe, documents, heldout, to="fit its head", measured=MEASURED, report=report) as done:
        run, unseen, corpus = done
        model = _assembled(base, run.network, fitted.PROVENANCE)
        card = card_of(run, corpus) | {
            "title": f"Masked-LM head for {base.key}, fitted here",
            "from": base.heads["masked-lm"],
            "command": f"bortlab fit {base.key} --pieces {pieces} --seed {seed}",
            "heldout": {
                "before": _said(measure(base.network, unseen, base.tokenizer, length=recipe.length)),
                "after": _said(measure(model.network, unseen, base.tokenizer, length=recipe.length)),
            },
        }
        if keep:
            assert model.network.masked_lm is not None
            fitted.save(base.key, base.revision, model.network.masked_lm, card)
    return Fitted(model, card)


# -- parts of a fit ----------------------------------------------------------------------------------------------------


L = TypeVar("L", bound="Lesson")


def fit_head(
    model: Model,
    documents: Sequence[Document] | None = None,
    heldout: Sequence[Document] | None = None,
    *,
    pieces: int = PIECES,
    seed: int = 0,
) -> Model:
    """Train the masked-LM head on top of a frozen encoder; a new Model whose head is "fitted here".

    It is kept in the user's cache with its card, and `bortlab.load` uses it from then on in place of a random one.
    Interrupted, the same call goes on from its last checkpoint.

    Args:
        documents: to learn from; heldout: to measure with. The bundled corpus unless told.
        pieces: budget, in pieces seen.
    """
    return fit(model, documents, heldout, pieces=pieces, seed=seed).model


class Learned(NamedTuple, Generic[L]):
    """A lesson at its end, what to measure it with, by source, and the name of its corpus."""

    run: L
    unseen: dict[str, Sequence[EncodedDocument]]
    corpus: str


@contextmanager
def learned(
    lesson: Callable[[Model, Recipe, Sequence[EncodedDocument], Path], L],
    base: Model,
    recipe: Recipe,
    documents: Sequence[Document] | None,
    heldout: Sequence[Document] | None,
    *,
    to: str,
    measured: float,
    kind: Sequence[str] = (),
    report: Report | None = None,
) -> Iterator[Learned[L]]:
    """Learn a lesson to its end, or the rest of it; its checkpoints go when the block has done with it.

    documents, heldout: the bundled corpus unless told. to: what it is for, in an error's words. measured: held-out
    words by pieces of the budget. kind: of the folder, beside the base's key.
    """
    if base.dtype.itemsize < 4:
        raise ValueError(f"{base.key} was loaded in {base.dtype}: load it in torch.float32 to {to}.")
    bundled = documents is None and heldout is None
    if not bundled and not (documents and heldout):
        raise ValueError("Expected documents and heldout documents, some of each, or neither for the bundled corpus.")
    name = file_name(base.key, *kind, base.fingerprint, repr(recipe), digest(documents, heldout))
    folder = cache_folder() / "fits" / name
    folder.mkdir(parents=True, exist_ok=True)
    with alone(base, folder), torch.inference_mode(False), torch.enable_grad(), bar(base, report) as say:
        say(0.0, "Reading the corpus.")
        pieces, seed = recipe.pieces, recipe.seed
        corpus = sample(read("train") if documents is None else documents, pieces, seed)
        unseen = by_source(base, read("heldout") if heldout is None else heldout, measured * pieces, seed)
        run = lesson(base, recipe, encode_documents(corpus, base.tokenizer), folder)
        run.resume()
        to_the_end(run, say)
        say(1.0, "Measuring.")
        yield Learned(run, unseen, corpus_name(bundled))
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def alone(base: Model, folder: Path) -> Iterator[None]:
    """No other process fits this very thing meanwhile: both would write one checkpoint."""
    try:
        lock = FileLock(folder / "fit.lock").acquire(timeout=0)
    except Timeout:
        raise FitBusyError(f"The same is being fitted to {base.key} by another process: wait for it.") from None
    with lock:
        yield


@contextmanager
def bar(base: Model, report: Report | None) -> Iterator[Report]:
    """Where progress goes: to `report`, or to a bar."""
    if report is not None:
        yield report
        return
    with tqdm(total=100, desc=f"fitting {base.key}", bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}") as bar:

        def show(progress: float, message: str, **numbers: Any) -> None:
            bar.set_postfix_str(message, refresh=False)
            bar.update(round(100 * progress, 1) - bar.n)

        yield show


def to_the_end(run: Lesson, say: Report) -> None:
    """Train to the budget, with checkpoints."""
    saved = time.monotonic()
    for loss in run.train():
        left = run.seconds * (run.recipe.pieces / run.seen - 1)
        share = min(1.0, run.seen / run.recipe.pieces)
        say(0.9 * share, f"{run.seen:,} of {run.recipe.pieces:,} pieces read.", loss=loss, seconds_left=max(0.0, left))
        if time.monotonic() - saved > SAVE_S or share == 1.0:
            run.save()
            saved = time.monotonic()


def by_source(
    base: Model, documents: Sequence[Document], words: float, seed: int
) -> dict[str, Sequence[EncodedDocument]]:
    """A sample of documents, encoded, by source."""
    chosen = sorted(sample(documents, words, seed), key=lambda document: document.source)
    return {
        source: encode_documents(list(some), base.tokenizer)
        for source, some in itertools.groupby(chosen, key=lambda document: document.source)
    }


def _assembled(base: Model, network: Network, provenance: str) -> Model:
    heads = {**base.heads, "masked-lm": provenance}
    return assemble(
        base.key, base.family, network, base.tokenizer, heads=heads, source=base.source, revision=base.revision
    )


def digest(*corpora: Sequence[Document] | None) -> str:
    """What a fit learns from and is measured with."""
    if corpora == (None, None):
        return sha256((ASSETS / "manifest.json").read_bytes()).hexdigest()
    return sha256(repr([[(d.id, d.count, d.sentences) for d in some or ()] for some in corpora]).encode()).hexdigest()


def _said(found: Measurement) -> dict[str, float]:
    return {
        "loss": round(found.loss, 4),
        "masked_accuracy": round(found.accuracy, 4),
        "hidden_pieces": len(found.labels),
    }


def card_of(run: Lesson, corpus: str) -> dict[str, Any]:
    """What is known of anything fitted, but for its title and what it was measured to be worth."""
    base = run.base
    return {
        "base": base.key,
        "source": base.source,
        "revision": base.revision,
        "family": base.family.name,
        "encoder": base.encoder_fingerprint,
        "parameters": sum(parameter.numel() for parameter in run.learner.parameters()),
        "corpus": {"name": corpus, "documents": len(run.documents)},
        "recipe": asdict(run.recipe),
        "pieces_seen": run.seen,
        "seconds": round(run.seconds, 1),
        "device": str(base.device),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "licence": "Apache-2.0",
    }


def corpus_name(bundled: bool) -> str:
    """What a card calls the documents."""
    return "assets/corpus" if bundled else "documents of one's own"


# -- as a job ----------------------------------------------------------------------------------------------------------


def job(model: Model, *, pieces: int = PIECES, seed: int = 0) -> Job:
    """The job that fits the head of a model and keeps it; equal for the same model, however it was loaded.

    ValueError for a model that another process cannot load: one of random weights, or made by hand.
    """
    reference = ModelReference.of_encoder(model)
    return Job("fit-head", "bortlab.training.fit:run", {"base": reference.to_json(), "pieces": pieces, "seed": seed})


def run(running: Running, *, base: Mapping[str, Any], pieces: int, seed: int) -> Mapping[str, Any]:
    """Fit a head in a process of its own."""
    give_way()
    reference = ModelReference.from_json(base)
    running.report(0.0, f"Loading {reference.key}.")
    model = reference.load(fastest_device())
    _, card = fit(model, pieces=pieces, seed=seed, report=running.report)
    return {"before": card["heldout"]["before"], "after": card["heldout"]["after"]}


def give_way() -> None:
    """Use all processors, but leave them to the lab whenever the lab wants them."""
    if hasattr(os, "nice"):
        os.nice(5)
    torch.set_num_threads(cores())


def estimated_seconds(model: Model, pieces: int = PIECES) -> float:
    """How long a fit may take here, from the time that one batch takes now."""
    rows = 2
    length = min(LENGTH, model.config.max_position_embeddings)
    ids = torch.zeros(rows, length, dtype=torch.long, device=model.device)
    labels = torch.full((rows, length), IGNORED).index_fill(1, torch.arange(0, length, 5), 0)  # a fifth is hidden
    network, times = model.network, []
    with torch.inference_mode(), autocast(model.device):
        for _ in range(2):
            started = time.perf_counter()
            hidden_pieces(network, [Batch(ids, labels)])
            times.append(time.perf_counter() - started)
    faster = cores() / torch.get_num_threads() if model.device.type == "cpu" else 1.0
    return STARTUP_S + min(times) * (1 + 2 * MEASURED) * pieces / ids.numel() / faster


# -- the command -------------------------------------------------------------------------------------------------------


class Recovery(NamedTuple):
    """Held-out masked accuracy with the head that a model was trained with, with a random one, and with a new one."""

    trained: float
    random: float
    fitted: float

    @property
    def share(self) -> float:
        """How much of the accuracy came back."""
        return self.fitted / self.trained


def recover(
    model: Model,
    documents: Sequence[Document] | None = None,
    heldout: Sequence[Document] | None = None,
    *,
    pieces: int = PIECES,
    seed: int = 0,
    report: Report | None = None,
) -> Recovery:
    """Forget a trained head, fit a new one, and measure all three on the same held-out pieces. Nothing is kept."""
    _, card = fit(forgotten(model, seed), documents, heldout, pieces=pieces, seed=seed, keep=False, report=report)
    unseen = by_source(model, read("heldout") if heldout is None else heldout, MEASURED * pieces, seed)
    trained = measure(model.network, unseen, model.tokenizer, length=card["recipe"]["length"])
    return Recovery(trained.accuracy, *(card["heldout"][when]["masked_accuracy"] for when in ("before", "after")))
