"""The trainings of one split: each is done once, whichever rivals ask for it, and kept in a folder."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from bortlab.analysis.evaluation import Predictions, main_measure, measure_of
from bortlab.data.labelled import Example, LabelledData, LabelOf
from bortlab.model import Model
from bortlab.system.store import write
from bortlab.training.agora.pruning import Theta
from bortlab.training.agora.records import Candidate
from bortlab.training.finetune import FinetuneRecipe, FinetuneRun, predict


@dataclass(frozen=True, slots=True)
class Training:
    """What is kept of a training. search, test: its answers on E and H. epochs: of the best on E. seconds: of the
    processor."""

    search: tuple[LabelOf, ...]
    test: tuple[LabelOf, ...]
    epochs: int
    seconds: float


class Trainings:
    """Trains fresh starts of one encoder on one split, as `agora.Finetuner` does, but keeps answers instead of models.

    The answers on H are made with each training, so that over-fitting of E can be told round by round; their accuracy
    is computed by `test_figure` alone, after a rival has chosen. asked: (set, candidate) of each training that was
    asked for since `begin`, also where it was done before.
    """

    def __init__(self, base: Model, data: LabelledData, axes: Sequence[str], folder: Path, **changes: Any) -> None:
        self.base, self.data, self.axes, self.folder, self.changes = base, data, tuple(axes), folder, changes
        self.asked: list[tuple[Theta, Candidate]] = []
        self.seconds = 0.0

    def begin(self) -> None:
        """Forget what was asked for: another rival begins."""
        self.asked, self.seconds = [], 0.0

    def recipe(self, theta: Theta, **changes: Any) -> FinetuneRecipe:
        """The recipe of a set; its rate is a share of the default."""
        default = FinetuneRecipe.default(self.base.config, **{**self.changes, **changes})
        values: dict[str, Any] = dict(zip(self.axes, theta, strict=True))
        if "rate" in values:
            values["rate"] = default.rate * float(values["rate"])
        return replace(default, **values)

    def train(self, theta: Theta, examples: Sequence[Example], name: str = "", **changes: Any) -> Candidate:
        """Train on these examples and keep the epoch that is best on E. changes: of the recipe."""
        return self._asked(theta, self.recipe(theta, **changes), tuple(examples), refit=False)

    def refit(self, theta: Theta) -> Candidate:
        """Train on D and E together to the end: E, which is learned here, cannot choose the epoch."""
        return self._asked(theta, self.recipe(theta), (*self.data.train, *self.data.dev), refit=True)

    def search_figure(self, name: str) -> float:
        """How good a training is on E."""
        return figure(self.data, self.data.dev, self._read(name).search)

    def test_figure(self, name: str) -> float:
        """How good a training is on H."""
        return figure(self.data, self.data.test, self._read(name).test)

    # -- one training --------------------------------------------------------------------------------------------------

    def _asked(self, theta: Theta, recipe: FinetuneRecipe, examples: tuple[Example, ...], *, refit: bool) -> Candidate:
        name = self._name(recipe, examples, refit=refit)
        path = self.folder / f"{name}.json"
        if not path.is_file():
            training = self._trained(recipe, examples, refit=refit)
            write(path, json.dumps(asdict(training), ensure_ascii=False).encode())
        training = self._read(name)
        score = figure(self.data, self.data.dev, training.search)
        candidate = Candidate(name, score, training.search)
        self.asked.append((theta, candidate))
        self.seconds += training.seconds
        return candidate

    def _trained(self, recipe: FinetuneRecipe, examples: tuple[Example, ...], *, refit: bool) -> Training:
        started = time.process_time()
        judged = self.data.dev[:1] if refit else self.data.dev
        run = FinetuneRun(self.base, replace(self.data, train=examples, dev=judged), self._patient(recipe, examples))
        for _ in run.train():
            pass
        network = run.network if refit else run.model("candidate").network
        answers = [
            predict(network, self.base.tokenizer, self.data, split, length=recipe.length).labels
            for split in (self.data.dev, self.data.test)
        ]
        return Training(answers[0], answers[1], run.best_epoch, round(time.process_time() - started, 2))

    def _patient(self, recipe: FinetuneRecipe, examples: Sequence[Example]) -> FinetuneRecipe:
        """The recipe without an early end: every rival's trainings read their examples equally often."""
        return replace(recipe, patience=recipe.epochs_for(len(examples)) + 1)

    def _name(self, recipe: FinetuneRecipe, examples: tuple[Example, ...], *, refit: bool) -> str:
        content = json.dumps(
            [
                self.base.fingerprint,
                {field.name: getattr(recipe, field.name) for field in fields(recipe)},
                [[*example.content, example.label] for example in examples],
                [[*example.content, example.label] for example in (*self.data.dev, *self.data.test)],
                refit,
            ],
            ensure_ascii=False,
        )
        return hashlib.sha256(content.encode("utf-8", errors="surrogatepass")).hexdigest()[:20]

    def _read(self, name: str) -> Training:
        raw = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        return Training(tuple(raw["search"]), tuple(raw["test"]), raw["epochs"], raw["seconds"])


def figure(data: LabelledData, examples: Sequence[Example], labels: Sequence[LabelOf]) -> float:
    """The data's main measure of labels."""
    measure = measure_of(data)
    return float(measure.figures(measure.outcomes(data, examples, Predictions(tuple(labels))))[main_measure(data)])
