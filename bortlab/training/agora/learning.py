"""Agora on fine-tuning: fresh starts of an encoder, a labeller's accuracy, and the sealed test set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bortlab.analysis.evaluation import intervals, main_measure, measure_of
from bortlab.analysis.intervals import Interval
from bortlab.data.labelled import Example, LabelledData
from bortlab.data.labelled.checks import errors
from bortlab.model import Model
from bortlab.registry import load, load_from
from bortlab.training.agora.assumptions import labeller_accuracy, unmet
from bortlab.training.agora.loop import AgoraPlan, AgoraResult, Labeller, search
from bortlab.training.agora.points import GENERATORS, new_point
from bortlab.training.agora.pruning import Theta
from bortlab.training.agora.records import Candidate, Log
from bortlab.training.finetune import BASELINES, FinetuneRecipe, FinetuneRun, frozen, predict
from bortlab.training.finetune.comparing import drawn

GRID: Mapping[str, tuple[Any, ...]] = {"rate": (0.5, 1.0, 2.0), "dropout": (0.0, 0.1), "batch": (8, 16), "seed": (0, 1)}
"""Axes of hyper-parameters; rates are shares of the model's default."""
SETS = 8
"""Sets that are drawn from a grid unless told."""
Follow = Callable[[str, FinetuneRun], None]
"""A training's name, and the training."""


def drawn_sets(grid: Mapping[str, Sequence[Any]] = GRID, *, n: int = SETS, seed: int = 0) -> tuple[Theta, ...]:
    """n different sets of a grid, by chance; all of them where it has no more."""
    every = list(product(*grid.values()))
    order = np.random.default_rng(seed).permutation(len(every))[:n]
    return tuple(every[place] for place in order)


class Finetuner:
    """Trains a fresh start of one encoder with a set of hyper-parameters, and scores it on E.

    axes: what the values of a set are, by the names of a `FinetuneRecipe`. folder: of checkpoints and models. follow:
    called with a training's name and run after each of its steps.
    """

    def __init__(
        self,
        base: Model,
        data: LabelledData,
        axes: Sequence[str],
        folder: Path,
        *,
        follow: Follow = lambda name, run: None,
        **changes: Any,
    ) -> None:
        known = {field.name for field in fields(FinetuneRecipe)}
        unknown = [axis for axis in axes if axis not in known]
        if unknown:
            raise ValueError(f"Unknown axis {unknown[0]!r} of the grid. Known: {', '.join(sorted(known))}.")
        self.base, self.data, self.axes, self.folder, self.changes = base, data, tuple(axes), folder, changes
        self.follow = follow
        self.best_epochs: dict[str, int] = {}

    def load(self, name: str) -> Model:
        """A model that was trained, by its name."""
        return load_from(self.folder / name / "model", family=self.base.family.name, task=self.data.task)

    @property
    def recipe_length(self) -> int:
        """Pieces of a text at most."""
        return FinetuneRecipe.default(self.base.config, **self.changes).length

    def recipe(self, theta: Theta) -> FinetuneRecipe:
        """The recipe of a set; its rate is a share of the default."""
        default = FinetuneRecipe.default(self.base.config, **self.changes)
        values: dict[str, Any] = dict(zip(self.axes, theta, strict=True))
        if "rate" in values:
            values["rate"] = default.rate * float(values["rate"])
        return replace(default, **values)

    def train(self, theta: Theta, examples: Sequence[Example], name: str) -> Candidate:
        """Train on these examples; the epoch is chosen on E, as the score is."""
        data = replace(self.data, train=tuple(examples))
        run = FinetuneRun(self.base, data, self.recipe(theta), folder=self.folder / name)
        run.resume()
        for _ in run.train():
            self.follow(name, run)
        self.best_epochs[name] = run.best_epoch
        model = run.model(name)
        predictions = predict(model.network, model.tokenizer, data, data.dev, length=run.recipe.length)
        model.save(self.folder / name / "model")
        (self.folder / name / "state.pt").unlink(missing_ok=True)
        measure = measure_of(data)
        score = measure.figures(measure.outcomes(data, data.dev, predictions))[main_measure(data)]
        return Candidate(name, score, predictions.labels)


@dataclass(frozen=True, slots=True)
class AgoraReport:
    """result: of the search. test: the figure of the best model on H, read once, with its interval. labeller: the
    accuracy of S on E with its Wilson interval; warnings: what of the paper's assumptions does not hold here."""

    result: AgoraResult
    test: Interval
    labeller: Interval
    warnings: tuple[str, ...]


def labeller_named(name: str, data: LabelledData) -> Labeller:
    """ "words": TF-IDF with a linear model on D; "frozen KEY": a linear model on the vectors of that encoder as it is,
    of D; else the folder of a fine-tuned classifier.

    Raises ValueError for a model of other classes, or D without words.
    """
    if name == "words" or name.startswith("frozen "):
        baseline = BASELINES["words"](data) if name == "words" else frozen(data, load(name.removeprefix("frozen ")))
        if baseline is None:
            raise ValueError("The texts have no words for a labeller to learn from: name a fine-tuned model's folder.")
        return lambda examples: baseline.predict(examples).labels
    model = load_from(name, task=data.task)
    if set(model.config.labels) != set(data.labels):
        raise ValueError(
            f"The labeller knows the classes {', '.join(model.config.labels)}, expected {', '.join(data.labels)}."
        )
    own = replace(data, labels=model.config.labels)
    length = min(FinetuneRecipe.default(model.config).length, model.config.max_position_embeddings)
    return lambda examples: predict(model.network, model.tokenizer, own, examples, length=length).labels


def scarce(data: LabelledData, *, learn: int = 0, search: int = 0) -> LabelledData:
    """The data with so many examples of D and of E, 0 for all, drawn by a chance that is always the same."""
    data = drawn(data, learn)
    order = np.random.default_rng(1).permutation(len(data.dev))[: search or None]
    return replace(data, dev=tuple(data.dev[number] for number in order))


def agora(
    base: Model | str,
    labeller: Labeller,
    data: LabelledData,
    *,
    folder: Path,
    grid: Mapping[str, Sequence[Any]] = GRID,
    n_sets: int = SETS,
    generator: str = "masked-lm",
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    follow: Follow = lambda name, run: None,
    **changes: Any,
) -> AgoraReport:
    """Fine-tune with Agora: our interpretation, see `loop`. D is train, E dev, and H test, which is read once.

    labeller: S, from examples to labels; a fine-tuned model's `predict` will do. options: of AgoraPlan. follow: see
    `Finetuner`. changes: of every recipe. The same call resumes a run that was killed. Raises ValueError for data
    from which nothing can be learned.
    """
    base = load(base) if isinstance(base, str) else base
    if generator not in GENERATORS:
        raise ValueError(f"Unknown generator {generator!r}. Known: {', '.join(GENERATORS)}.")
    if data.problem_type != "single_label_classification":
        raise ValueError("Agora here is for tasks of one class a text.")
    wrong = next(errors(data), None)
    if wrong is not None:
        raise ValueError(wrong.sentence)
    plan = AgoraPlan(theta=drawn_sets(grid, n=n_sets, seed=seed), seed=seed, **(options or {}))
    learner = Finetuner(base, data, tuple(grid), folder, follow=follow, **changes)
    make = partial(_point, GENERATORS[generator], base)
    result = search(plan, data, learner, labeller, make, Log(folder / "log.jsonl"))
    accuracy = labeller_accuracy(labeller, data.dev)
    return AgoraReport(result, sealed_test(learner, result.best.name), accuracy, unmet(accuracy, data))


def _point(generator: Any, base: Model, mistake: Example, rng: Any, taken: set[tuple[str, ...]]) -> Any:
    return new_point(mistake, generator, rng, base, taken)


def sealed_test(learner: Finetuner, name: str) -> Interval:
    """The figure of a model on H: the only time that its labels are read."""
    model, data = learner.load(name), learner.data
    predictions = predict(model.network, model.tokenizer, data, data.test, length=learner.recipe_length)
    measure = measure_of(data)
    return intervals(measure, [measure.outcomes(data, data.test, predictions)])[main_measure(data)]
