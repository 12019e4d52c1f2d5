"""Fine-tune one model on labelled data, and say how good it became."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from bortlab.analysis.evaluation import NAMES, Predictions, intervals, measure_of
from bortlab.analysis.intervals import Interval
from bortlab.data.labelled import LabelledData, Source, labelled
from bortlab.model import Model
from bortlab.registry import load
from bortlab.system.store import write
from bortlab.training.finetune.predicting import predict
from bortlab.training.finetune.recipe import FinetuneRecipe
from bortlab.training.finetune.run import FinetuneRun


@dataclass(frozen=True, slots=True, eq=False)
class Finetuned:
    """A fine-tuned model.

    model: as every other model: `classify`, `tag`, `answer` or `choose` by its task. predictions: of the test examples.
    figures: of them, with intervals. dev_score: of the epoch that was kept. curve: a record an epoch.
    """

    model: Model
    base: str
    data: LabelledData
    recipe: FinetuneRecipe
    predictions: Predictions
    figures: Mapping[str, Interval]
    dev_score: float
    curve: tuple[Mapping[str, float], ...]
    seconds: float

    def save(self, folder: str | PathLike[str]) -> None:
        """Write a Hugging Face folder with a card: `bortlab.load_from` and transformers read it."""
        path = Path(folder).expanduser()
        self.model.save(path)
        write(path / "card.json", json.dumps(self.card(), indent=2).encode())
        write(path / "README.md", page(self.card()).encode())

    def card(self) -> dict[str, Any]:
        """What is known of the model, as JSON."""
        data = self.data
        return {
            "title": self.model.key,
            "base": self.base,
            "family": self.model.family.name,
            "parameters": self.model.n_parameters,
            "task": data.task,
            "labels": list(data.labels),
            "data": {
                "name": data.name,
                "source": data.source,
                "licence": data.licence,
                "examples": {split: len(examples) for split, examples in data.splits.items()},
            },
            "recipe": asdict(self.recipe),
            "seconds": round(self.seconds, 1),
            "test": {name: [round(n, 4) for n in (i.value, i.low, i.high)] for name, i in self.figures.items()},
            "dev_score": round(self.dev_score, 4),
            "curve": [dict(record) for record in self.curve],
        }

    def __str__(self) -> str:
        lines = [f"{self.model.key} on {self.data.title}: {len(self.data.test):,} test examples"]
        for name, value in self.figures.items():
            lines.append(f"  {NAMES[name]:<22} {value.value:.3f}  [{value.low:.3f}, {value.high:.3f}]")
        return "\n".join(lines)


def finetune(
    base: Model | str,
    data: LabelledData | Source,
    *,
    recipe: FinetuneRecipe | None = None,
    folder: str | PathLike[str] | None = None,
    device: str = "cpu",
    on_step: Callable[[FinetuneRun], None] = lambda run: None,
) -> Finetuned:
    """Train a copy of a model's encoder with a fresh head on labelled data; the model itself stays as it is.

    base: a loaded model, or a key of `bortlab.load`. data: labelled data, the name of a bundled task, or whatever
    `bortlab.data.labelled.read` reads: a file, a data frame, (texts, labels). recipe: the model's default unless given.
    folder: for checkpoints; the same call resumes a run that was killed. on_step: called after every step.
    Raises ValueError for data that cannot be learned from, NotEnoughMemoryError, and FloatingPointError for a loss that
    is not finite.
    """
    base = load(base) if isinstance(base, str) else base
    data = labelled(data)
    recipe = recipe or FinetuneRecipe.default(base.config)
    run = FinetuneRun(base, data, recipe, folder=None if folder is None else Path(folder), device=device)
    run.resume()
    for _ in run.train():
        on_step(run)
    return finish(run)


def finish(run: FinetuneRun) -> Finetuned:
    """The model of a run's best weights, measured on test."""
    data, recipe = run.data, run.recipe
    model = run.model(f"{run.base.key} on {data.name}")
    examples = data.test or data.dev
    predictions = predict(model.network, model.tokenizer, data, examples, length=recipe.length)
    measure = measure_of(data)
    return Finetuned(
        model=model,
        base=run.base.key,
        data=data,
        recipe=recipe,
        predictions=predictions,
        figures=intervals(measure, [measure.outcomes(data, examples, predictions)]),
        dev_score=run.best_score,
        curve=tuple(run.curve),
        seconds=run.seconds,
    )


def page(card: Mapping[str, Any]) -> str:
    """The card as a page."""
    data, recipe = card["data"], card["recipe"]
    examples = ", ".join(f"{count:,} {split}" for split, count in data["examples"].items())
    figures = "\n".join(
        f"| {NAMES[name]} | {value:.3f} | {low:.3f} to {high:.3f} |"
        for name, (value, low, high) in card["test"].items()
    )
    labels = f"Labels: {', '.join(card['labels'])}. " if card["labels"] else ""
    origin = " ".join(
        filter(None, (data["source"], f"Licence of the data: {data['licence']}." * bool(data["licence"])))
    )
    return f"""# {card["title"]}

{card["base"]} ({card["parameters"]:,} parameters), fine-tuned for {card["task"]} on {data["name"]} ({examples}).
{labels}{origin}

| on test | | 95% interval |
|---|---|---|
{figures}

The intervals are a bootstrap over the test examples; another seed or another sample of training data would vary too.
AdamW, rate {recipe["rate"]:g}, batches of {recipe["batch"]}, up to {recipe["length"]} pieces of a text, seed
{recipe["seed"]}; {len(card["curve"])} epochs in {card["seconds"]:.0f} seconds, the best by dev (score
{card["dev_score"]:.3f}) kept. `card.json` has every number.

```python
import bortlab
model = bortlab.load_from("PATH OF THIS FOLDER", family="{card["family"]}", task="{card["task"]}")
```

transformers reads the folder too.
"""
