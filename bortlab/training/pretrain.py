"""Masked-LM pre-training of small models on the bundled corpus alone: `bortlab pretrain --family albert`.

One corpus, one budget of pieces, one recipe for every family, so that the minis are a fair experiment. A run lives in a
folder: tokenizer, an atomic checkpoint, and a learning curve. It may be killed at any moment (also with -9) and goes on
from its last checkpoint to the same weights that an uninterrupted run reaches. `--export` writes the mini.

The recipe: AdamW or Muon, linear warm-up, a constant rate, a linear decay over the last part (so that a later, larger
budget can go on from the end of the constant part), gradient clipping, a share of hidden pieces that falls during the
decay to the one that is measured. Late in a run, most batches are short sentences on their own, one piece hidden in
each: facts are learnt by heart by being asked for (`batches.recitals`). Positions start as sinusoids and the attention
as Trockman and Kolter 2023 (arXiv 2305.09828) propose: with BERT's own start a small model sits long where it knows
only how frequent words are.

Longer than a file should be: recipe, run and measurement are one state machine, whose resume has to be read as a whole.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from bortlab.data.corpus import read
from bortlab.models import FAMILIES, Family, Network
from bortlab.nn import MixedAttention, SelfAttention
from bortlab.system.settings import runs_folder
from bortlab.system.store import whole_file
from bortlab.text import Tokenizer
from bortlab.training.batches import (
    IGNORED,
    Batch,
    EncodedDocument,
    Pieces,
    encode_documents,
    epoch_batches,
    fill,
    hide,
    hide_one,
    in_batches,
    recital_batches,
)
from bortlab.training.vocabulary import train_tokenizer

RUNS = runs_folder()
OPTIONS = (
    "family", "pieces", "step_pieces", "length", "optimizer", "rate", "weight_decay", "mask_rate", "decay",
    "recite_from", "recite", "seed",
)  # fmt: skip
"""The fields of a recipe that the command line sets."""
COUNTERS = ("step", "seen", "epoch", "taken", "recitals", "recited", "seconds", "curve")
"""The fields of a run that say where it stands."""
OPTIMIZERS = ("muon", "adamw")
MEASURED_RATE = 0.15
"""Share of pieces hidden when a model is measured, whatever it was trained with."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run computes.

    pieces: budget, in pieces seen. step_pieces: pieces in one optimiser step. length: longest sequence.
    warmup: in pieces, so that a larger budget begins as a smaller one. decay: share of the budget. mask_rate: share of
    hidden pieces before the decay. recite: share of the batches that recite short sentences, from `recite_from` pieces
    to the decay (a model that recites before it can read learns to read half as fast).
    """

    family: str
    pieces: int = 20_000_000
    step_pieces: int = 2_048
    length: int = 64
    optimizer: str = "muon"
    rate: float = 4e-3
    weight_decay: float = 0.05
    warmup: int = 300_000
    decay: float = 0.3
    mask_rate: float = 0.3
    recite_from: int = 10_100_000
    recite: float = 0.6
    clip: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"Unknown optimizer {self.optimizer!r}. Known: {', '.join(OPTIMIZERS)}.")
        for name, low, high in (
            ("length", 3, 4096),
            ("step_pieces", 1, 10**9),
            ("decay", 0, 1),
            ("mask_rate", 0, 1),
            ("recite", 0, 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: expected {low} to {high}, got {getattr(self, name)}.")

    @property
    def decay_from(self) -> int:
        """Pieces seen when the decay begins."""
        return int(self.pieces * (1 - self.decay))

    def rate_at(self, seen: int) -> float:
        """Learning rate after `seen` pieces."""
        warm = min(1.0, (seen + self.step_pieces) / max(1, self.warmup))
        return self.rate * min(warm, self.left_at(seen))

    def mask_rate_at(self, seen: int) -> float:
        """Share of hidden pieces after `seen` pieces: constant, then falling to the measured share."""
        return MEASURED_RATE + (self.mask_rate - MEASURED_RATE) * self.left_at(seen)

    def recite_at(self, seen: int) -> float:
        """Share of recited batches after `seen` pieces: none, constant, then falling to a third."""
        return self.recite * (1 + 2 * self.left_at(seen)) / 3 if seen >= self.recite_from else 0.0

    def left_at(self, seen: int) -> float:
        """What is left of the decay after `seen` pieces, 1 before it."""
        return min(1.0, max(0.0, (self.pieces - seen) / (self.pieces * self.decay))) if self.decay else 1.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """Held-out quality, piece by piece.

    labels, right, losses: (predicted,): the hidden pieces, whether each was guessed first, and its loss.
    sources: (predicted,): the source of the document that each stands in.
    """

    labels: NDArray[np.int64]
    right: NDArray[np.bool_]
    losses: NDArray[np.float32]
    sources: NDArray[np.str_]

    @property
    def loss(self) -> float:
        """Mean loss of a hidden piece."""
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        """Share of hidden pieces guessed first."""
        return float(self.right.mean())

    @property
    def by_source(self) -> dict[str, float]:
        """Accuracy for each source."""
        return {str(source): float(self.right[self.sources == source].mean()) for source in np.unique(self.sources)}

    def by_frequency(self, counts: NDArray[np.int64]) -> dict[str, float]:
        """Accuracy for each thousand of pieces, most frequent first. counts: (vocab,), of the training documents."""
        rank = np.empty(len(counts), dtype=np.int64)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        bands = rank[self.labels] // 1000
        return {
            f"{1000 * band + 1:,} to {1000 * (band + 1):,}": float(self.right[bands == band].mean())
            for band in np.unique(bands)
        }


@torch.no_grad()
def starting_point(network: Network, generator: torch.Generator) -> Network:
    """BERT's random start, sinusoidal positions, and mimetic attention (Trockman and Kolter 2023, section 4).

    Query and key start near 0.7 I, value near 0.5 I and the output near -0.5 I, as trained attention looks like. Mixed
    attention, whose maps are narrower than the layer, keeps random ones; there a span starts as the word itself.
    """
    network.initialise(generator)
    positions = network.embeddings.positions.weight
    count, width = positions.shape
    angles = torch.arange(count)[:, None] / 10_000 ** (torch.arange(0, width, 2)[None] / width)
    positions[:, 0::2] = angles.sin() * network.config.initializer_range
    positions[:, 1::2] = angles.cos()[:, : width // 2] * network.config.initializer_range
    for module in network.modules():
        if isinstance(module, SelfAttention):
            hidden = torch.eye(module.query.in_features)
            for linear, share in ((module.query, 0.7), (module.key, 0.7), (module.value, 0.5), (module.output, -0.5)):
                linear.weight += share * hidden
        elif isinstance(module, MixedAttention):
            module.span.depthwise.weight[:, 0, module.width // 2] += 1.0
    return network


@torch.no_grad()
def know_frequencies(network: Network, counts: NDArray[np.int64]) -> None:
    """Start the head's bias at each piece's log frequency, which a run would else spend its first steps to learn."""
    assert network.masked_lm is not None
    network.masked_lm.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))


def piece_counts(documents: Sequence[EncodedDocument], vocab_size: int) -> NDArray[np.int64]:
    """How often each piece stands in the documents: (vocab,)."""
    pieces = np.concatenate([sentence for document in documents for sentence in document.sentences])
    return np.bincount(pieces, minlength=vocab_size)


class Optimizers:
    """AdamW for everything, or Muon for the matrices inside the encoder and AdamW for the rest."""

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        matrices: list[nn.Parameter] = []
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        tables = {f"embeddings.{table}.weight" for table in ("words", "positions", "types")}
        for name, parameter in network.named_parameters():
            if not parameter.requires_grad:
                continue
            if parameter.ndim == 1 or name.endswith("bias") or name in tables:
                plain.append(parameter)  # in tables, rows of rare words would shrink faster than they are taught
            elif recipe.optimizer == "muon" and parameter.ndim == 2 and not name.startswith("masked_lm."):
                matrices.append(parameter)
            else:
                decayed.append(parameter)
        groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), eps=1e-6, fused=True)
        ]
        if matrices:
            self.all.append(
                torch.optim.Muon(
                    matrices, lr=recipe.rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
                )
            )

    def step(self, rate: float) -> None:
        """Take a step at this learning rate, and forget the gradients."""
        for optimizer in self.all:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """The state of each optimiser."""
        return [optimizer.state_dict() for optimizer in self.all]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Take up saved states."""
        for optimizer, state in zip(self.all, states, strict=True):
            optimizer.load_state_dict(state)


def autocast(device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 where the device computes with it, float32 elsewhere."""
    able = (device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)) or (
        device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    )
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=able)


def hidden_pieces(network: Network, batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
    """Logits (predicted, vocab) and labels (predicted) of all hidden pieces of some batches.

    The word table is read once for all batches and the head runs once, on the hidden positions only; only the encoder
    runs batch by batch, since each has its own length.
    """
    device = network.embeddings.words.weight.device
    words = network.embed(torch.cat([batch.ids.flatten() for batch in batches]).to(device))
    states = []
    for batch, its_words in zip(batches, torch.split(words, [batch.ids.numel() for batch in batches]), strict=True):
        chosen = (batch.labels != IGNORED).to(device)
        states.append(network.encode(its_words.view(*batch.ids.shape, -1), keep_layers=True).hidden[chosen])
    labels = torch.cat([batch.labels[batch.labels != IGNORED] for batch in batches]).to(device)
    return network.predict(torch.cat(states)), labels


def atomic_save(state: object, path: Path) -> None:
    """torch.save that leaves either the old file or the new one, whatever happens."""
    with whole_file(path) as file:
        torch.save(state, file)


class Run:
    """A pre-training run in a folder. `train` is a generator, so that a caller decides how long it goes on."""

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        documents: Sequence[EncodedDocument],
        tokenizer: Tokenizer,
        device: str = "cpu",
    ) -> None:
        self.recipe, self.folder, self.tokenizer = recipe, folder, tokenizer
        self.documents, self.device = documents, torch.device(device)
        self.family: Family = FAMILIES[recipe.family]
        config = replace(self.family.mini, vocab_size=tokenizer.vocab_size, pad_token_id=tokenizer.pad_id)
        self.network = self.family.network(config)
        starting_point(self.network, torch.Generator().manual_seed(recipe.seed))
        self.counts = piece_counts(documents, config.vocab_size) + 1
        know_frequencies(self.network, self.counts)
        self.network.to(self.device).train()
        self.optimizers = Optimizers(self.network, recipe)
        self.step = self.seen = self.epoch = self.taken = self.recitals = self.recited = 0
        self.index = 0  # of the next batch within the step
        template = {"cls": tokenizer.cls_id, "sep": tokenizer.sep_id}
        self.shape = {"length": recipe.length, "batch_pieces": recipe.step_pieces // 4, "seed": recipe.seed} | template
        self.seconds = 0.0
        self.curve: list[dict[str, float]] = []

    # -- state ---------------------------------------------------------------------------------------------------------

    def save(self, name: str = "state.pt") -> None:
        """Write everything that `resume` needs, atomically."""
        counters = {key: getattr(self, key) for key in COUNTERS}
        state: dict[str, Any] = {"recipe": asdict(self.recipe), "counters": counters}
        state |= {"network": self.network.state_dict(), "optimizers": self.optimizers.state_dict()}
        atomic_save(state, self.folder / name)

    def resume(self) -> bool:
        """Take up the run where it stopped; False if there is nothing to take up.

        Another budget goes on from the end of the constant part, if the run had begun to decay.
        """
        old = None
        for name in ("state.pt", "constant.pt"):
            path = self.folder / name
            if not path.exists():
                continue
            state = torch.load(path, map_location=self.device, weights_only=True)
            old = Recipe(**state["recipe"])
            if replace(old, pieces=self.recipe.pieces, decay=self.recipe.decay) != self.recipe:
                raise ValueError(f"{path} is of another recipe: {old}. Give the same options, or another --folder.")
            constant = name == "constant.pt" or state["counters"]["seen"] <= old.decay_from
            if not constant and old != self.recipe:
                continue  # decayed for another budget
            self.network.load_state_dict(state["network"])
            self.optimizers.load_state_dict(state["optimizers"])
            for key, value in state["counters"].items():
                setattr(self, key, value)
            if constant and name == "state.pt" and self.seen >= self.recipe.decay_from:
                self.save("constant.pt")  # a smaller budget, whose decay begins here
            return True
        if old is not None:
            raise ValueError(
                f"The run in {self.folder} has decayed for {old.pieces:,} pieces (decay {old.decay:g}), and no "
                "constant.pt is there to take another budget from. Give the same --pieces and --decay, or another "
                "--folder."
            )
        return False

    # -- training ------------------------------------------------------------------------------------------------------

    def reading(self) -> Iterator[Pieces]:
        """All batches of documents from where the run stands, epoch after epoch."""
        while True:
            for batch in epoch_batches(self.documents, **self.shape, epoch=self.epoch)[self.taken :]:
                self.taken += 1
                yield batch
            self.epoch, self.taken = self.epoch + 1, 0

    def recital(self) -> Iterator[Pieces]:
        """All batches of recited sentences from where the run stands, recital after recital."""
        while batches := recital_batches(self.documents, **self.shape, epoch=self.recitals):
            for batch in batches[self.recited :]:
                self.recited += 1
                yield batch
            self.recitals, self.recited = self.recitals + 1, 0

    def batches(self) -> Iterator[Batch]:
        """The batches of the present step and of all later ones, with pieces hidden."""
        reading, recital = self.reading(), self.recital()
        while True:
            seed, mask = (self.recipe.seed, self.step, self.index), self.tokenizer.mask_id
            self.index += 1
            recite = np.random.default_rng((*seed, 0)).random() < self.recipe.recite_at(self.seen)
            if recite and (pieces := next(recital, None)) is not None:
                yield hide_one(pieces, counts=self.counts, mask=mask, seed=seed)
            else:
                yield hide(next(reading), rate=self.recipe.mask_rate_at(self.seen), mask=mask, seed=seed)

    def train(self) -> Iterator[float]:
        """Train to the budget, yielding the mean training loss of each step."""
        batches = self.batches()
        while self.seen < self.recipe.pieces:
            started = time.perf_counter()
            chosen: list[Batch] = []
            self.index = 0
            while sum(batch.ids.numel() for batch in chosen) < 0.9 * self.recipe.step_pieces:  # on average the whole
                chosen.append(next(batches))
            loss = self.take_step(chosen)
            crosses = self.seen < self.recipe.decay_from <= self.seen + sum(batch.ids.numel() for batch in chosen)
            self.seen += sum(batch.ids.numel() for batch in chosen)
            self.step += 1
            self.seconds += time.perf_counter() - started
            if crosses:
                self.save("constant.pt")
            yield loss

    def take_step(self, batches: Sequence[Batch]) -> float:
        """One optimiser step over some batches; returns the mean loss of a hidden piece."""
        with autocast(self.device):
            logits, labels = hidden_pieces(self.network, batches)
            loss = F.cross_entropy(logits.float(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(f"The loss became {value} at step {self.step}: lower --rate.")
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip).item()
        if not math.isfinite(norm):
            raise FloatingPointError(f"The gradient became {norm} at step {self.step}: lower --rate.")
        self.optimizers.step(self.recipe.rate_at(self.seen))
        return value


@torch.no_grad()
def measure(
    network: Network, documents: dict[str, Sequence[EncodedDocument]], tokenizer: Tokenizer, *, length: int
) -> Measurement:
    """Held-out loss and accuracy with 15 % of the pieces hidden, each document packed in order. Always the same pieces.

    documents: by source.
    """
    was_training, device = network.training, next(network.parameters()).device
    network.eval()
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    sources: list[str] = []
    for source, some in documents.items():
        sequences = [sequence for document in some for sequence in fill(document.sentences, length - 2)]
        rng = np.random.default_rng(0)
        batches = in_batches(sequences, batch_pieces=4096, cls=tokenizer.cls_id, sep=tokenizer.sep_id, rng=rng)
        for index, pieces in enumerate(batches):
            batch = hide(pieces, rate=MEASURED_RATE, mask=tokenizer.mask_id, seed=(0, index))
            with autocast(device):
                logits, labels = hidden_pieces(network, [batch])
            losses = F.cross_entropy(logits.float(), labels, reduction="none")
            found.append((labels.cpu(), (logits.argmax(-1) == labels).cpu(), losses.cpu()))
            sources.extend([source] * len(labels))
    network.train(was_training)
    labels, right, losses = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Measurement(labels.numpy(), right.numpy(), losses.numpy(), np.array(sources))


def prepare_tokenizer(family: Family, folder: Path) -> Tokenizer:
    """The run's tokenizer: read from its folder, or trained on the corpus and written there."""
    path = folder / "tokenizer"
    if not (path / "tokenizer.json").exists():
        texts = (sentence for document in read("train") for sentence in document.sentences)
        train_tokenizer(cast(Any, family.tokenizer), texts, vocab_size=family.mini.vocab_size).save(path)
    return Tokenizer.from_folder(path)


def heldout(tokenizer: Tokenizer) -> dict[str, Sequence[EncodedDocument]]:
    """The held-out documents by source."""
    documents = read("heldout")
    sources = sorted({document.source for document in documents})
    return {
        source: encode_documents([document for document in documents if document.source == source], tokenizer)
        for source in sources
    }


def train(recipe: Recipe, folder: Path, *, device: str, minutes: float = math.inf, every: int = 500_000) -> Run:
    """Run to the budget or for some minutes, measuring and saving every so many pieces, with a progress bar."""
    tokenizer = prepare_tokenizer(FAMILIES[recipe.family], folder)
    run = Run(recipe, folder, encode_documents(read("train"), tokenizer), tokenizer, device)
    run.resume()
    unseen = heldout(tokenizer)
    until = time.monotonic() + minutes * 60
    losses: list[float] = []  # since the last point of the curve
    with tqdm(total=recipe.pieces, initial=run.seen, unit="piece", unit_scale=True, desc=recipe.family) as bar:
        for loss in run.train():
            losses.append(loss)
            bar.update(run.seen - bar.n)
            stop = time.monotonic() > until
            measured = int(run.curve[-1]["pieces"]) if run.curve else 0
            if run.seen // every > measured // every or run.seen >= recipe.pieces or stop:
                found = measure(run.network, unseen, tokenizer, length=recipe.length)
                point = {"pieces": run.seen, "seconds": run.seconds, "train_loss": sum(losses) / len(losses)}
                point |= {"loss": found.loss, "accuracy": found.accuracy, **found.by_source}
                losses.clear()
                run.curve.append({name: round(value, 4) for name, value in point.items()})
                run.save()
                bar.set_postfix(loss=found.loss, accuracy=found.accuracy)
            if stop:
                break
    return run
