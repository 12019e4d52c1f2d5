"""An epoch of fine-tuning beside transformers' Trainer: the same data, weights, batch size, precision and schedule.

The Trainer is used as its documentation does: random order, each batch padded to its longest text. Beside it stands
`group_by_length`, which pads less, but whose order makes an epoch teach a mini much less, as the dev accuracies show:
it is no peer. Each turn is another seed; only training is timed; after it all are measured on the same dev examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import bortlab
from bortlab.data.labelled import Example, LabelledData, labelled
from bortlab.model import Model
from bortlab.registry import unload
from bortlab.training.finetune import FinetuneRecipe, FinetuneRun
from bortlab.training.finetune.predicting import predict
from tests.bench import How, Row, ratio

BAR = 0.8
"""Our time by the Trainer's, at most."""
TASKS = {32: "supersense", 128: "book-genre"}
"""By the longest length: texts that have about that many pieces."""
EXAMPLES = {"bert-mini": {32: 1_000, 128: 500}, "albert-base-v2": {32: 96, 128: 48}}
"""To learn from. ALBERT-base has random weights: an epoch of it teaches nothing, so that only its time is told."""


@dataclass(frozen=True)
class Trial:
    """What both sides get: data, a model and its folder, a recipe."""

    data: LabelledData
    model: Model
    folder: str
    recipe: FinetuneRecipe

    def accuracy(self, says: Sequence[str]) -> float:
        """Share of dev whose label is right."""
        return mean(label == example.label for label, example in zip(says, self.data.dev, strict=True))


Prepared = tuple[Callable[[], object], Callable[[], float]]
"""Train, and measure on dev."""


def ours(trial: Trial) -> Prepared:
    """Our epoch."""
    run = FinetuneRun(trial.model, trial.data, trial.recipe)

    def train() -> None:
        steps = run.train()
        for _ in range(run.steps):
            next(steps)

    def measured() -> float:
        found = predict(run.network, trial.model.tokenizer, trial.data, trial.data.dev, length=trial.recipe.length)
        return trial.accuracy([str(label) for label in found.labels])

    return train, measured


def theirs(trial: Trial, order: str) -> Prepared:
    """The Trainer's epoch."""
    import transformers

    recipe, data = trial.recipe, trial.data
    tokenizer = transformers.AutoTokenizer.from_pretrained(trial.folder)
    names = {"num_labels": len(data.labels), "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    transformers.set_seed(recipe.seed)
    network = transformers.AutoModelForSequenceClassification.from_pretrained(trial.folder, **names)

    def encoded(examples: Sequence[Example]) -> list[dict[str, Any]]:
        return [
            {
                **tokenizer(example.text, truncation=True, max_length=recipe.length),
                "label": data.labels.index(str(example.label)),
            }
            for example in examples
        ]

    arguments = transformers.TrainingArguments(
        output_dir=str(Path(trial.folder) / "trainer"),
        num_train_epochs=1,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.rate,
        weight_decay=recipe.weight_decay,
        warmup_steps=recipe.warmup,
        max_grad_norm=recipe.clip,
        seed=recipe.seed,
        train_sampling_strategy=order,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
    )
    trainer = transformers.Trainer(
        network,
        arguments,
        data_collator=transformers.DataCollatorWithPadding(tokenizer),
        train_dataset=encoded(data.train),
        processing_class=tokenizer,
    )

    def measured() -> float:
        logits = trainer.predict(encoded(data.dev)).predictions
        return trial.accuracy([data.labels[number] for number in np.argmax(logits, axis=-1)])

    return trainer.train, measured


def bench_finetune(how: How) -> Iterator[Row]:
    """Milliseconds of an epoch of training."""
    makers: dict[str, Callable[[Trial], Prepared]] = {
        "ours": ours,
        "Trainer": lambda trial: theirs(trial, "random"),
        "Trainer, by length": lambda trial: theirs(trial, "group_by_length"),
    }
    for key, examples in EXAMPLES.items():
        learns = key.endswith("-mini")
        with TemporaryDirectory() as folder:
            model = bortlab.load(key) if learns else bortlab.load(key, weights="random", seed=0)
            model.save(folder)
            for length, n in examples.items():
                data = labelled(TASKS[length])
                data = replace(
                    data, train=data.train[: n // 4 if how.quick else n], dev=data.dev[: 500 if learns else 8]
                )
                recipe = FinetuneRecipe.default(
                    model.config, epochs=1, length=length, head_rate=1.0, rate=5e-4 if learns else 5e-5
                )
                ms: dict[str, list[float]] = {name: [] for name in makers}
                scores: dict[str, list[float]] = {name: [] for name in makers}
                names = list(makers)
                for seed in range(2 if how.quick else 3):
                    trial = Trial(data, model, folder, replace(recipe, seed=seed))
                    for name in names[seed:] + names[:seed]:
                        train, measured = makers[name](trial)
                        start = how.clock()
                        train()
                        ms[name].append(1e3 * (how.clock() - start))
                        scores[name].append(measured())
                notes = (f"dev accuracy after the epoch: {told(scores)}",) if learns else ()
                title = f"{key}, {length} pieces, {len(data.train)} examples"
                yield Row("an epoch of fine-tuning", title, ms, "Trainer", ratio(ms, "ours", "Trainer"), BAR, notes)
            unload(model.key)


def told(scores: dict[str, list[float]]) -> str:
    """Everyone's mean over the seeds, with its spread."""
    return ", ".join(f"{name} {mean(values):.3f} ± {stdev(values):.3f}" for name, values in scores.items())
