"""What a comparison found, in a folder: results.json, a folder for each model, and checkpoints while it runs.

results.json
    data        name, task, labels, counts, majority share of test
    plan        of the comparison
    entries     models and baselines: key, title, kind, parameters, bytes, runs (figures, predictions, curve, ...),
                figures (the mean of the runs, with intervals), ms (median time of a text, with its interval)
    differences of every entry and the best one, on the same examples
live.json       the training that runs: its losses and its epochs; gone at the end
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bortlab.analysis.evaluation import (
    Outcomes,
    Predictions,
    calibration,
    difference,
    intervals,
    main_measure,
    measure_of,
)
from bortlab.data.labelled import LabelledData
from bortlab.model import Model
from bortlab.registry import load_from, title
from bortlab.system.machine import cores
from bortlab.system.store import file_name, write
from bortlab.training.finetune.baselines import Baseline
from bortlab.training.finetune.comparison import FILE, LIVE
from bortlab.training.finetune.finetuning import finish
from bortlab.training.finetune.predicting import predict
from bortlab.training.finetune.run import FinetuneRun
from bortlab.training.finetune.speed import Contestant, milliseconds

FOLLOWED = 20
"""Steps between two records of a training that runs."""


class Results:
    """The results of a comparison, written after every part."""

    def __init__(self, folder: Path, data: LabelledData, plan: Mapping[str, Any]) -> None:
        self.folder, self.data, self.n_train = folder, data, len(data.train)
        self.examples = data.test or data.dev
        self.measure = measure_of(data)
        self._answer: dict[str, Contestant] = {}
        path = folder / FILE
        self.record: dict[str, Any] = {"data": about(data), "plan": dict(plan), "entries": {}}
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            if before["data"] == self.record["data"] and before["plan"] == json.loads(json.dumps(dict(plan))):
                self.record = before

    # -- parts -------------------------------------------------------------------------------------------------------

    def add_baseline(self, key: str, make: Callable[[], Baseline | None]) -> None:
        """Learn a baseline, measure it on test, and keep it."""
        baseline = make()
        if baseline is None:
            return
        self._answer[key] = Contestant(key, lambda example: baseline.predict([example]))
        entry = {
            "key": key,
            "title": baseline.title,
            "kind": "baseline",
            "parameters": baseline.n_parameters,
            "bytes": 8 * baseline.n_parameters,
            "runs": {"0": self._run(baseline.predict(self.examples))},
        }
        self.record["entries"][key] = entry | {"figures": self._figures(entry)}
        self.write()

    def has(self, key: str, name: str) -> bool:
        """Was this training of a model done?"""
        return name in self.record["entries"].get(key, {"runs": {}})["runs"]

    def run_folder(self, key: str, name: str) -> Path:
        """Where a training keeps its checkpoints, and its model once it is done."""
        return self.folder / "runs" / file_name(key, name)

    def follow(self, base: Model, name: str, run: FinetuneRun) -> None:
        """Tell now and then how a training goes."""
        if run.step % FOLLOWED == 0 or run.taken == 0:
            live = {"model": base.key, "name": name, "losses": run.recent_losses, "curve": run.curve}
            write(self.folder / LIVE, json.dumps(live).encode(), durable=False)

    def add_run(self, base: Model, name: str, run: FinetuneRun) -> None:
        """Measure a finished training on test, and keep its model and its numbers."""
        result = finish(run)
        folder = self.run_folder(base.key, name)
        result.save(folder / "model")
        (folder / "state.pt").unlink(missing_ok=True)
        entry = self.record["entries"].setdefault(
            base.key,
            {
                "key": base.key,
                "title": title(base.key),
                "kind": "model",
                "family": base.family.name,
                "parameters": result.model.n_parameters,
                "bytes": result.model.n_bytes,
                "runs": {},
            },
        )
        entry["runs"][name] = self._run(result.predictions) | {
            "examples": len(run.data.train),
            "seed": run.recipe.seed,
            "dev": run.best_score,
            "seconds": round(run.seconds, 2),
            "epochs": run.epoch,
            "best_epoch": run.best_epoch,
            "curve": run.curve,
            "recipe": asdict(run.recipe),
        }
        if len(run.data.train) == self.n_train:
            entry["figures"] = self._figures(entry)
        self.write()

    def keep_best(self, base: Model) -> None:
        """Keep the model of the seed that was best on dev, in models/; remove the others."""
        entry = self.record["entries"][base.key]
        whole = {name: run for name, run in entry["runs"].items() if run["examples"] == self.n_train}
        best = max(whole, key=lambda name: whole[name]["dev"])
        kept = self.folder / "models" / file_name(base.key)
        source = self.run_folder(base.key, best) / "model"
        if source.is_dir():
            shutil.rmtree(kept, ignore_errors=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, kept)
        for name in entry["runs"]:
            shutil.rmtree(self.run_folder(base.key, name), ignore_errors=True)
        entry |= {"best": best, "folder": str(kept.relative_to(self.folder))}
        model = load_from(kept, family=base.family.name, task=self.data.task)
        length = entry["runs"][best]["recipe"]["length"]
        self._answer[base.key] = Contestant(
            base.key, lambda example: predict(model.network, model.tokenizer, self.data, [example], length=length)
        )
        self.write()

    def finish(self) -> None:
        """Measure speed, compare all with the best, and write the whole."""
        entries = self.record["entries"]
        for key, time in milliseconds(list(self._answer.values()), self.examples).items():
            entries[key]["ms"] = asdict(time)
        self.record["cores"] = cores()
        self.record["differences"] = self._differences()
        (self.folder / LIVE).unlink(missing_ok=True)
        self.write()

    def write(self) -> None:
        """Write results.json, whole."""
        write(self.folder / FILE, json.dumps(self.record, ensure_ascii=False).encode("utf-8", errors="surrogatepass"))

    # -- numbers -----------------------------------------------------------------------------------------------------

    def _run(self, predictions: Predictions) -> dict[str, Any]:
        """What one set of predictions of test says."""
        outcomes = self.measure.outcomes(self.data, self.examples, predictions)
        confidence = predictions.confidence
        record: dict[str, Any] = {
            "figures": self.measure.figures(outcomes),
            "labels": list(predictions.labels),
            "confidence": None if confidence is None else confidence.round(4).tolist(),
        }
        if confidence is not None and self.data.problem_type == "single_label_classification":
            assert self.measure.right is not None
            record["calibration"] = asdict(calibration(confidence, self.measure.right(outcomes)))
        return record

    def _figures(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        return {name: asdict(figure) for name, figure in intervals(self.measure, self._outcomes(entry)).items()}

    def _outcomes(self, entry: Mapping[str, Any]) -> list[Outcomes]:
        """Of the runs that learned from all examples, the one that was kept first."""
        names = [n for n, run in entry["runs"].items() if run.get("examples", self.n_train) == self.n_train]
        names.sort(key=lambda name: name != entry.get("best"))
        return [
            self.measure.outcomes(
                self.data, self.examples, Predictions(tuple(map(_tuples, entry["runs"][n]["labels"])))
            )
            for n in names
        ]

    def _differences(self) -> dict[str, Any]:
        """Every entry's difference from the best one."""
        entries, name = self.record["entries"], main_measure(self.data)
        best = max(entries, key=lambda key: entries[key]["figures"][name]["value"])
        return {
            "best": best,
            "from_best": {
                key: asdict(gap) | {"significant": gap.significant}
                for key, entry in entries.items()
                if key != best
                for gap in [difference(self.measure, name, self._outcomes(entry), self._outcomes(entries[best]))]
            },
        }


def about(data: LabelledData) -> dict[str, Any]:
    """What results say of the data."""
    return {
        "name": data.name,
        "task": data.task,
        "problem_type": data.problem_type,
        "labels": list(data.labels),
        "examples": {split: len(examples) for split, examples in data.splits.items()},
        "measure": main_measure(data),
        "source": data.source,
        "licence": data.licence,
    }


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
