"""A module that learns on top of a frozen model, such as a tuned lens: training, checkpoints, and its card.

A lesson may be killed at any moment and goes on from its last checkpoint to the same weights.
"""

from __future__ import annotations

import itertools
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from tqdm import tqdm

from bortlab.data.corpus import ASSETS, Document, n_words, read
from bortlab.model import Model
from bortlab.system.machine import cores
from bortlab.system.settings import cache_folder
from bortlab.system.store import file_name
from bortlab.training.batches import Batch, EncodedDocument, Pieces, encode_documents, epoch_batches, hide
from bortlab.training.pretrain import (
    Optimizers,
    Recipe,
    atomic_save,
    autocast,
)

LENGTH = 64
"""Pieces of the longest sequence."""
SAVE_S = 5.0
"""Seconds between two checkpoints."""
STARTUP_S = 10.0
"""Seconds until a job has loaded torch, the model and the corpus."""

Report = Callable[..., None]
"""report(progress, message, **numbers): see jobs.Running.report."""


class FitBusyError(RuntimeError):
    """The same is being fitted by another process."""


def recipe_of(base: Model, *, pieces: int, seed: int) -> Recipe:
    """How a module on a model is trained.

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


L = TypeVar("L", bound="Lesson")


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


def digest(*corpora: Sequence[Document] | None) -> str:
    """What a fit learns from and is measured with."""
    if corpora == (None, None):
        return sha256((ASSETS / "manifest.json").read_bytes()).hexdigest()
    return sha256(repr([[(d.id, d.count, d.sentences) for d in some or ()] for some in corpora]).encode()).hexdigest()


def card_of(run: Lesson, corpus: str) -> dict[str, Any]:
    """What is known of anything fitted, but for its title and what it was measured to be worth."""
    base = run.base
    return {
        "base": base.key,
        "source": base.source,
        "revision": base.revision,
        "family": base.family.name,
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


def give_way() -> None:
    """Use all processors, but leave them to the lab whenever the lab wants them."""
    if hasattr(os, "nice"):
        os.nice(5)
    torch.set_num_threads(cores())
