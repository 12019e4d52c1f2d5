"""Several models on one data set, with the baselines beside them: how good, how sure, how fast, how large.

A comparison lives in a folder and may be killed at any moment; the same call goes on. Its results are written after
every part, so that a page can show what is there already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bortlab.analysis.flops import work
from bortlab.data.labelled import LabelledData
from bortlab.model import Model
from bortlab.models import Config
from bortlab.system.checks import check_whole
from bortlab.training.finetune.baselines import BASELINES, frozen
from bortlab.training.finetune.comparison import Comparison, read_comparison
from bortlab.training.finetune.recipe import FinetuneRecipe
from bortlab.training.finetune.results import Results
from bortlab.training.finetune.run import FinetuneRun, check_memory
from bortlab.work.reference import ModelReference

MOST_SEEDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPlan:
    """What is compared: models, each fine-tuned with so many seeds, and baselines.

    changes: of each model's default recipe, by name. frozen: is the encoder of the first model, as it is, a baseline
    too? examples: to learn from, drawn from train, 0 for all. sizes: of the training data, for learning curves with the
    first seed; () draws none.
    """

    models: tuple[ModelReference, ...]
    seeds: int = 1
    changes: Mapping[str, Any] = field(default_factory=dict)
    frozen: bool = True
    examples: int = 0
    sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_whole("seeds", self.seeds, 1, MOST_SEEDS)
        keys = [reference.key for reference in self.models]
        if len(set(keys)) < len(keys):
            raise ValueError("The same model was chosen twice: name each once.")

    def to_json(self) -> dict[str, Any]:
        """As texts and numbers."""
        return {**asdict(self), "models": [reference.to_json() for reference in self.models]}

    def trainings(self, n_train: int) -> tuple[int, ...]:
        """How many examples each training of a model learns from, in order: every seed, then the learning curve."""
        return (*[n_train] * self.seeds, *self.sizes)

    def recipe(self, config: Config, **changes: Any) -> FinetuneRecipe:
        """A model's recipe: its default with this plan's changes."""
        return FinetuneRecipe.default(config, **{**self.changes, **changes})

    def cost(self, config: Config, n_examples: int, *, pieces: int = 32) -> float:
        """The multiply-adds of the forward passes of a training at most. pieces: of a text."""
        recipe = self.recipe(config)
        return float(work(config, seq=min(pieces, recipe.length)).macs) * recipe.epochs_for(n_examples) * n_examples

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ComparisonPlan:
        """The plan that `to_json` wrote."""
        models = tuple(map(ModelReference.from_json, raw["models"]))
        return cls(**{**raw, "models": models, "sizes": tuple(raw["sizes"])})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is: 0 to 1, in one sentence."""

    share: float
    message: str


def compare(data: LabelledData, plan: ComparisonPlan, folder: Path) -> Iterator[Progress]:
    """Run a comparison; a turn is a step of training, or a baseline. At the end `folder`/results.json is whole.

    `folder`/models/NAME holds each model's seed that was best on dev, as a Hugging Face folder with a card. Raises what
    loading and `FinetuneRun` raise, before anything is trained where that can be known.
    """
    data = drawn(data, plan.examples)
    bases = [reference.load() for reference in plan.models]
    for base in bases:
        check_memory(base, plan.recipe(base.config))
    results, share = Results(folder, data, plan.to_json()), 0.0
    costs = {(base.key, n): plan.cost(base.config, n) for base in bases for n in (len(data.train), *plan.sizes)}
    total = sum(costs[base.key, n] for base in bases for n in plan.trainings(len(data.train)))
    yield Progress(0.0, "Learning the baselines.")
    for name, make in BASELINES.items():
        results.add_baseline(name, partial(make, data))
    if plan.frozen and bases:
        results.add_baseline(f"frozen {bases[0].key}", partial(frozen, data, bases[0]))
    for base in bases:
        for number, n in enumerate(plan.trainings(len(data.train))):
            part = costs[base.key, n] / total
            seed = number if number < plan.seeds else 0
            for done, message in _train(results, plan, base, replace(data, train=data.train[:n]), seed):
                yield Progress(0.97 * (share + done * part), message)
            share += part
        results.keep_best(base)
    yield Progress(0.97, "Measuring how fast each of them answers.")
    results.finish()


def compare_models(
    data: LabelledData,
    models: Sequence[str],
    *,
    folder: str | PathLike[str],
    seeds: int = 1,
    examples: int = 0,
    sizes: Sequence[int] = (),
    frozen: bool = True,
    **changes: Any,
) -> Comparison:
    """`compare` to its end, with a bar of progress: models by key or folder, changes of their recipes by name."""
    plan = ComparisonPlan(
        models=tuple(map(ModelReference.named, models)),
        seeds=seeds,
        changes=changes,
        frozen=frozen,
        examples=examples,
        sizes=tuple(sizes),
    )
    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}<{remaining} {desc}") as bar:
        for progress in compare(data, plan, Path(folder)):
            bar.update(round(100 * progress.share - bar.n, 2))
            bar.set_description_str(progress.message, refresh=False)
    comparison = read_comparison(Path(folder))
    assert comparison is not None  # just written
    return comparison


def drawn(data: LabelledData, n: int = 0) -> LabelledData:
    """The data with n examples of train, 0 for all, in an order of chance that is always the same."""
    order = np.random.default_rng(0).permutation(len(data.train))[: n or None]
    return replace(data, train=tuple(data.train[number] for number in order))


def _train(
    results: Results, plan: ComparisonPlan, base: Model, data: LabelledData, seed: int
) -> Iterator[tuple[float, str]]:
    """One training of a comparison, unless it was done before: how far it is, and a sentence."""
    name = f"{seed} of {len(data.train)}"
    if results.has(base.key, name):
        return
    run = FinetuneRun(base, data, plan.recipe(base.config, seed=seed), folder=results.run_folder(base.key, name))
    run.resume()
    for _ in run.train():
        best = f", best dev score so far {run.best_score:.3f}" if run.curve else ""
        of = "" if len(data.train) == results.n_train else f" on {len(data.train)} examples"
        epoch = min(run.epoch + 1, run.epochs)
        results.follow(base, name, run)
        yield run.step / run.steps, f"{base.key}{of}, seed {seed}: epoch {epoch} of {run.epochs}{best}."
    results.add_run(base, name, run)
