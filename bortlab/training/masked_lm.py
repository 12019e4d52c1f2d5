"""Masked-LM training of a network, from scratch or from weights that it has, with or without a teacher.

A run lives in a folder. It may be killed at any moment (also with -9) and goes on from its last checkpoint to the same
weights that an uninterrupted run reaches: every batch is a function of (seed, step). That holds for networks without
dropout, as all bundled ones are: it draws from torch's own generator.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bortlab.models import Network
from bortlab.system.store import whole_file
from bortlab.text import Tokenizer
from bortlab.training.encoded import EncodedText
from bortlab.training.hiding import IGNORED, DeviceText, Hidden, Rows, Template, hide
from bortlab.training.optimizers import Optimizers
from bortlab.training.packing import epoch_batches, epoch_rows, parts_of
from bortlab.training.teaching import Teacher

MEASURED_RATE = 0.15
"""Share of words hidden when a model is measured, whatever it was trained with."""
CHECK_EVERY = 50
"""Steps between two looks at the loss, each of which makes the device wait."""
SHORTEST = 3
"""Pieces of a row, template included, that are too few to learn from: one word."""
MOST_EMPTY = 1000
"""Epochs without a row, one after another, that say there will never be one; small weights make some by chance."""
CPU = torch.device("cpu")
COUNTERS = ("step", "seen", "epoch", "taken", "seconds", "curve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides what a run computes, beside the text and the start.

    pieces: budget, in pieces seen. step_pieces: pieces in one optimiser step. length: longest row, template included.
    warmup: in pieces. decay: share of the budget over which the rate falls to 0, at the end. hide: share of words
    hidden before the decay, during which it falls to MEASURED_RATE. teach: share of the loss that is the teacher's.
    weights: how often an epoch reads a document of a source (see `epoch_rows`).
    """

    pieces: int
    step_pieces: int = 16_384
    length: int = 128
    muon: bool = True
    rate: float = 6e-3
    weight_decay: float = 0.05
    warmup: int = 1_000_000
    decay: float = 0.5
    hide: float = 0.25
    teach: float = 0.7
    clip: float = 1.0
    seed: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)

    def left_at(self, seen: int) -> float:
        """What is left of the decay after `seen` pieces, 1 before it."""
        return min(1.0, max(0.0, (self.pieces - seen) / (self.pieces * self.decay))) if self.decay else 1.0

    def rate_at(self, seen: int) -> float:
        """Learning rate after `seen` pieces."""
        warm = min(1.0, (seen + self.step_pieces) / max(1, self.warmup))
        return self.rate * min(warm, self.left_at(seen))

    def hide_at(self, seen: int) -> float:
        """Share of hidden words after `seen` pieces."""
        return MEASURED_RATE + (self.hide - MEASURED_RATE) * self.left_at(seen)


def autocast(device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 on CUDA, float32 elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


class Run:
    """A training in a folder, on rows of text with words hidden. A caller of `train` decides how long it goes on.

    learner: the module that learns; a subclass says what is to become smaller.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        learner: nn.Module,
        text: EncodedText,
        tokenizer: Tokenizer,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        self.recipe, self.folder, self.device = recipe, folder, torch.device(device)
        self.learner = learner.to(self.device).train()
        self.text, self.room = text, recipe.length - 2
        self.parts = parts_of(text, self.room)
        self.tokenizer = tokenizer
        self.on_device = DeviceText(text, 0, Template.of(tokenizer), self.device)
        self.optimizers = Optimizers(learner, muon=recipe.muon, weight_decay=recipe.weight_decay)
        self.generator = torch.Generator(self.device)
        self.step = self.seen = self.epoch = self.taken = 0
        self.seconds = 0.0
        self.curve: list[dict[str, float]] = []

    def losses(self, rows: Rows, hidden: Hidden) -> Iterator[Tensor]:
        """What training makes smaller, in parts: each is differentiated, and forgotten, before the next is made."""
        raise NotImplementedError

    def save(self, name: str = "state.pt") -> None:
        """Write everything that `resume` needs; the file is the old or the new one, whatever happens.

        Raises FloatingPointError rather than write weights that are not finite.
        """
        self.check_finite()
        state = {
            "recipe": asdict(self.recipe),
            "counters": {key: getattr(self, key) for key in COUNTERS},
            "learner": self.learner.state_dict(),
            "optimizers": self.optimizers.state_dict(),
        }
        with whole_file(self.folder / name, alone=True) as file:
            torch.save(state, file)

    def check_finite(self) -> None:
        """FloatingPointError where a weight is not a finite number."""
        if not all(bool(parameter.isfinite().all()) for parameter in self.learner.parameters()):
            raise FloatingPointError(f"The weights are not finite after step {self.step}: lower the rate.")

    def resume(self, name: str = "state.pt") -> bool:
        """Take up the run where it stopped; False if there is nothing to take up, ValueError for another recipe's."""
        path = self.folder / name
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise ValueError(
                f"{path} is of another recipe: {state['recipe']}. Give the same options, or another folder."
            )
        self.learner.load_state_dict(state["learner"])
        self.optimizers.load_state_dict(state["optimizers"])
        for key, value in state["counters"].items():
            setattr(self, key, value)
        return True

    def batches(self) -> Iterator[Rows]:
        """Batches of rows from where the run stands, epoch after epoch."""
        empty = 0  # epochs in a row
        while empty < MOST_EMPTY:
            seed = self.recipe.seed
            rows = epoch_rows(
                self.text, self.parts, room=self.room, weights=self.recipe.weights, seed=seed, epoch=self.epoch
            )
            starts = self.text.cuttings[0].starts
            lengths = starts[rows[:, 1]] - starts[rows[:, 0]] + 2
            rows, lengths = rows[lengths > SHORTEST], lengths[lengths > SHORTEST]
            empty = 0 if len(rows) else empty + 1
            rng = np.random.default_rng((seed, self.epoch, 1))
            order = epoch_batches(lengths, batch_pieces=self.recipe.step_pieces, rng=rng)
            on_device = torch.from_numpy(rows).to(self.device)
            widest = np.stack([cut.starts[rows[:, 1]] - cut.starts[rows[:, 0]] for cut in self.text.cuttings])
            for numbers in order[self.taken :]:
                self.taken += 1
                widths = widest[:, numbers].max(1).tolist()
                yield Rows(on_device[torch.from_numpy(numbers).to(self.device)], tuple(widths))
            self.epoch, self.taken = self.epoch + 1, 0
        raise ValueError(f"There is nothing to learn from: no row of the text has more than {SHORTEST} pieces.")

    def train(self) -> Iterator[None]:
        """Train to the budget; a turn of the generator is one optimiser step."""
        batches = self.batches()
        recent: Tensor | None = None
        while self.seen < self.recipe.pieces:
            started = time.perf_counter()
            rows = next(batches)
            self.generator.manual_seed(self.recipe.seed * 1_000_003 + self.step)
            recent = self.take_step(rows)
            self.seen += len(rows.chunks) * (rows.widths[0] + 2)
            self.step += 1
            if self.step % CHECK_EVERY == 0 and not math.isfinite(recent.item()):
                raise FloatingPointError(f"The loss became {recent.item()} at step {self.step}: lower the rate.")
            self.seconds += time.perf_counter() - started
            yield

    def take_step(self, rows: Rows) -> Tensor:
        """One optimiser step over rows of one width; the loss, all parts together."""
        rate, total = self.recipe.hide_at(self.seen), torch.zeros((), device=self.device)
        with autocast(self.device):
            hidden = hide(self.on_device, rows.chunks, rows.widths[0], rate=rate, generator=self.generator)
            for loss in self.losses(rows, hidden):
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
        nn.utils.clip_grad_norm_(self.learner.parameters(), self.recipe.clip, foreach=True)
        self.optimizers.step(self.recipe.rate_at(self.seen))
        return total


class MaskedLMRun(Run):
    """A network that learns to fill blanks."""

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        network: Network,
        text: EncodedText,
        tokenizer: Tokenizer,
        *,
        teacher: Callable[[DeviceText], Teacher] | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(recipe, folder, network, text, tokenizer, device=device)
        self.network = network
        self.teacher = None if teacher is None else teacher(self.on_device)

    def losses(self, rows: Rows, hidden: Hidden) -> Iterator[Tensor]:
        """The mean loss of a hidden piece."""
        yield self.loss(rows, hidden)

    def loss(self, rows: Rows, hidden: Hidden) -> Tensor:
        """Cross-entropy of the hidden pieces, mixed with that of the teacher's distribution where it speaks."""
        logs = hidden_logits(self.network, hidden).float().log_softmax(-1)  # (batch, hidden, vocab)
        there = hidden.labels != IGNORED
        own = F.nll_loss(logs.flatten(0, 1), hidden.labels.flatten(), ignore_index=IGNORED, reduction="none")
        losses = own.view_as(there)
        if self.teacher is not None:
            probabilities, ids, speaks = self.teacher.distributions(rows, hidden)
            taught = -(probabilities * _at(logs, ids)).sum(-1)
            share = self.recipe.teach * speaks
            losses = (1 - share) * losses + share * taught
        return (losses * there).sum() / there.sum()


def _at(logs: Tensor, ids: Tensor | None) -> Tensor:
    """The values (batch, hidden, words) of all pieces, of some (words,), or of some at each place, as `logs`."""
    if ids is None:
        return logs
    return logs[..., ids] if ids.ndim == 1 else logs.gather(-1, ids)


def hidden_logits(network: Network, hidden: Hidden) -> Tensor:
    """Masked-LM logits of the hidden places alone: (batch, hidden, vocab)."""
    states = network.encode(network.embed(hidden.ids)).hidden
    return network.predict(states.gather(1, hidden.places[..., None].expand(-1, -1, states.shape[-1])))


@dataclass(frozen=True, slots=True)
class Heldout:
    """Quality on held-out text, by source and over all: mean loss of a hidden piece, and share guessed first."""

    loss: float
    accuracy: float
    by_source: dict[str, float]
    n_hidden: int


def measure(network: Network, text: EncodedText, template: Template, *, length: int = 128, limit: int = 0) -> Heldout:
    """Quality with MEASURED_RATE of the words hidden; always the same words on one kind of device.

    limit: batches of each source to measure with, 0: all.
    """
    was_training, device = network.training, network.embeddings.words.weight.device
    network.eval()
    held = measure_logits(partial(hidden_logits, network), text, template, device, length=length, limit=limit)
    network.train(was_training)
    return held


@torch.no_grad()
def measure_logits(
    logits_of: Callable[[Hidden], Tensor],
    text: EncodedText,
    template: Template,
    device: torch.device = CPU,
    *,
    length: int = 128,
    limit: int = 0,
) -> Heldout:
    """As `measure`, of anything that gives logits (batch, hidden, vocab) for the hidden places of a batch."""
    on_device = DeviceText(text, 0, template, device)
    parts = parts_of(text, length - 2)
    totals: dict[str, Totals] = {}
    for number, name in enumerate(text.names):
        some = parts.of_source(number)
        if len(some.starts):
            rows = epoch_rows(text, some, room=length - 2, weights={}, seed=0, epoch=0)
            totals[name] = _measure_rows(logits_of, on_device, rows, number, limit)
    n_hidden = sum(source.n_hidden for source in totals.values())
    return Heldout(
        loss=sum(source.loss for source in totals.values()) / max(1, n_hidden),
        accuracy=sum(source.right for source in totals.values()) / max(1, n_hidden),
        by_source={name: source.right / source.n_hidden for name, source in totals.items() if source.n_hidden},
        n_hidden=n_hidden,
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the hidden pieces of a source: their number, their losses, and how many were guessed first."""

    n_hidden: int
    loss: float
    right: int


def _measure_rows(
    logits_of: Callable[[Hidden], Tensor], text: DeviceText, rows: NDArray[np.int64], seed: int, limit: int
) -> Totals:
    """The totals of some rows. seed: of the order and of what is hidden."""
    counts = torch.zeros(3, dtype=torch.float64, device=text.device)
    for hidden in measured_batches(text, rows, seed=seed, limit=limit):
        with autocast(text.device):
            logits = logits_of(hidden).float()
        there = hidden.labels != IGNORED
        losses = F.cross_entropy(logits.flatten(0, 1), hidden.labels.flatten(), ignore_index=IGNORED, reduction="sum")
        right = ((logits.argmax(-1) == hidden.labels) & there).sum()
        counts += torch.stack([there.sum(), losses, right])
    return Totals(int(counts[0]), float(counts[1]), int(counts[2]))


def measured_batches(
    text: DeviceText, rows: NDArray[np.int64], *, seed: int, limit: int = 0, batch_pieces: int = 8192
) -> Iterator[Hidden]:
    """Rows with MEASURED_RATE of their words hidden, in batches: the same words every time on one kind of device."""
    chunks = torch.from_numpy(rows).to(text.device)
    lengths = text.rows(chunks)[1].cpu().numpy() + 2
    chunks, lengths = chunks[lengths > SHORTEST], lengths[lengths > SHORTEST]
    order = epoch_batches(lengths, batch_pieces=batch_pieces, rng=np.random.default_rng(seed))
    for index, numbers in enumerate(order[: limit or None]):
        generator = torch.Generator(text.device).manual_seed(1000 * seed + index)
        some = chunks[torch.from_numpy(numbers).to(text.device)]
        yield hide(text, some, int(lengths[numbers[0]]) - 2, rate=MEASURED_RATE, generator=generator)
