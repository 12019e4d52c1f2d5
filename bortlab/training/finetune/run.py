"""One fine-tuning, in a folder: it may be killed at any moment and goes on to the weights it would have reached."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.analysis.evaluation import main_measure, measure_of
from bortlab.data.labelled import LabelledData
from bortlab.model import Model, assemble
from bortlab.models import Network
from bortlab.nn import PROBLEM_TYPES
from bortlab.system.machine import memory_available
from bortlab.system.numbers import data_size
from bortlab.system.store import whole_file
from bortlab.training.finetune.items import Batch, collate, items_of, shuffled_batches
from bortlab.training.finetune.predicting import class_weights, predict
from bortlab.training.finetune.recipe import FinetuneRecipe
from bortlab.training.finetune.start import parameter_groups, starting_network

SAVE_EVERY_S = 30.0
"""Seconds between two checkpoints within an epoch."""
STATES = 5
"""Copies of the weights in memory: the network, its gradients, two moments, the best so far."""
COUNTERS = ("step", "epoch", "taken", "best_score", "best_epoch", "seconds", "curve")
MEASURED_WITH = 1_000
"""Examples of dev that an epoch is judged by."""


class NotEnoughMemoryError(RuntimeError):
    """A training that does not fit into memory; nothing was started."""


class FinetuneRun:
    """A fine-tuning of a model on labelled data. `train` is a generator, so that a caller decides how long it goes on.

    curve: a record an epoch: step, loss of the training examples, score on dev. The best weights by that score (the
    earliest of equals) are kept; `model` gives the model made of them.
    """

    def __init__(
        self,
        base: Model,
        data: LabelledData,
        recipe: FinetuneRecipe,
        *,
        folder: Path | None = None,
        device: str = "cpu",
    ) -> None:
        """folder: for checkpoints; None keeps none. Raises ValueError for splits without examples and for a length that
        the model cannot read."""
        for split in ("train", "dev"):
            if not data.splits[split]:
                raise ValueError(f"The data have no examples in {split}: there is nothing to learn from or choose by.")
        longest = base.config.max_position_embeddings
        if recipe.length > longest:
            raise ValueError(f"length: {base.key} reads up to {longest} pieces, got {recipe.length}.")
        check_memory(base, recipe)
        self.base, self.data, self.recipe = base, data, recipe
        self.folder, self.device = folder, torch.device(device)
        self.network = starting_network(base, data, recipe).to(self.device).train()
        self.items = items_of(data, data.train, base.tokenizer, length=recipe.length)
        self.epochs = recipe.epochs_for(len(self.items))
        self.steps = self.epochs * math.ceil(len(self.items) / recipe.batch)
        groups = parameter_groups(self.network, recipe)
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.rate, eps=1e-6, fused=True)
        self.weights = class_weights(data) if recipe.balanced else None
        self.step = self.epoch = self.taken = 0
        self.best_score, self.best_epoch, self.seconds = -math.inf, 0, 0.0
        self.best: dict[str, Tensor] = {}
        self.curve: list[dict[str, float]] = []
        self._losses: list[float] = []

    @property
    def recent_losses(self) -> list[float]:
        """The losses of the steps of this epoch so far."""
        return list(self._losses)

    @property
    def finished(self) -> bool:
        """Were all epochs read, or was there no better score for as many as the recipe's patience?"""
        return self.epoch >= self.epochs or self.epoch - self.best_epoch >= self.recipe.patience

    def train(self, tick: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Train to the end; a turn of the generator is one optimiser step. tick: called while dev is measured."""
        last_save = time.monotonic()
        while not self.finished:
            batches = shuffled_batches(self.items, self.recipe.batch, seed=self.recipe.seed, epoch=self.epoch)
            for numbers in batches[self.taken :]:
                started = time.perf_counter()
                self._take_step(numbers)
                self.taken, self.step = self.taken + 1, self.step + 1
                self.seconds += time.perf_counter() - started
                if time.monotonic() - last_save > SAVE_EVERY_S:
                    self.save()
                    last_save = time.monotonic()
                yield
            self._end_epoch(tick)
            self.save()
            last_save = time.monotonic()
            yield

    def _take_step(self, numbers: list[int]) -> None:
        recipe = self.recipe
        rate = recipe.rate_at(self.step, self.steps)
        part = math.ceil(len(numbers) / recipe.accumulate)
        parts = [numbers[start : start + part] for start in range(0, len(numbers), part)]
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # dropout draws from torch's own generator: the same in every run
            torch.manual_seed(recipe.seed * 1_000_003 + self.step)
            total = 0.0
            for chosen in parts:
                batch = collate([self.items[number] for number in chosen], self.base.tokenizer, self.device)
                with self._autocast():
                    loss = self._loss(batch) * (len(chosen) / len(numbers))
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.item()
        if not math.isfinite(total):
            raise FloatingPointError(
                f"The loss became {total} at step {self.step + 1} with rate {recipe.rate:g}: choose a lower rate. "
                f"Nothing of it was kept."
            )
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip, foreach=True)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._losses.append(total)

    def _autocast(self) -> Any:
        """bfloat16 on CUDA, float32 elsewhere."""
        return torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext()

    def _loss(self, batch: Batch) -> Tensor:
        weights = None if self.weights is None else self.weights.to(self.device)
        if weights is None or self.data.problem_type == PROBLEM_TYPES[0]:
            loss = self.network.solve(batch.ids, batch.mask, batch.type_ids, batch.targets).loss
            assert loss is not None  # there are targets
            return loss
        (name, targets), *_ = batch.targets.items()
        logits = self.network.solve(batch.ids, batch.mask, batch.type_ids).logits[name]
        if self.data.problem_type == PROBLEM_TYPES[2]:
            return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights)
        return F.cross_entropy(logits.flatten(0, -2), targets.flatten(), weight=weights)

    def _end_epoch(self, tick: Callable[[], None]) -> None:
        """Measure dev, keep the weights if they are the best, and begin the next epoch."""
        measure = measure_of(self.data)
        dev = self.data.dev[:MEASURED_WITH]
        predictions = predict(self.network, self.base.tokenizer, self.data, dev, length=self.recipe.length, tick=tick)
        figures = measure.figures(measure.outcomes(self.data, dev, predictions))
        self.epoch, self.taken = self.epoch + 1, 0
        loss = sum(self._losses) / max(1, len(self._losses))
        self.curve.append({"epoch": self.epoch, "step": self.step, "loss": loss, **figures})
        self._losses = []
        score = figures[main_measure(self.data)]
        if score > self.best_score:
            self.best_score, self.best_epoch = score, self.epoch
            self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write all that `resume` needs; the file is the old or the new one, whatever happens."""
        if self.folder is None:
            return
        state = {
            "recipe": asdict(self.recipe),
            "base": self.base.fingerprint,
            "counters": {name: getattr(self, name) for name in COUNTERS},
            "losses": self._losses,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
        }
        with whole_file(self.folder / "state.pt") as file:
            torch.save(state, file)

    def resume(self) -> bool:
        """Take up the run where it stopped; False if there is nothing to take up, ValueError for another run's."""
        path = None if self.folder is None else self.folder / "state.pt"
        if path is None or not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        if (state["recipe"], state["base"]) != (asdict(self.recipe), self.base.fingerprint):
            raise ValueError(f"{path} is of another recipe or model: give the same options, or another folder.")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self._losses = state["best"], state["losses"]
        for name, value in state["counters"].items():
            setattr(self, name, value)
        return True

    # -- the result ----------------------------------------------------------------------------------------------------

    def model(self, key: str) -> Model:
        """The model of the best weights so far, in eval mode on the CPU."""
        base = self.base
        network: Network = type(self.network)(self.network.config, self.data.task)
        network.load_state_dict(
            {name: tensor.cpu() for name, tensor in (self.best or self.network.state_dict()).items()}
        )
        heads = dict.fromkeys(network.tasks[self.data.task], "trained")
        return assemble(key, base.family, network, base.tokenizer, heads=heads, source="folder")


def check_memory(base: Model, recipe: FinetuneRecipe) -> None:
    """NotEnoughMemoryError where the weights, their gradients and moments, and a batch do not fit."""
    config, batch = base.config, math.ceil(recipe.batch / recipe.accumulate)
    widest = 8 * config.hidden_size + 3 * config.intermediate_size + 3 * config.heads * recipe.length
    activations = 4 * batch * recipe.length * config.depth * widest
    needed, free = STATES * 4 * base.n_parameters + activations, memory_available()
    if needed > free:
        raise NotEnoughMemoryError(
            f"Fine-tuning {base.key} needs about {data_size(needed)} of memory, and {data_size(free)} are free. "
            f"Nothing was started. Choose a smaller model or batch, a shorter length, or accumulate over more parts."
        )
