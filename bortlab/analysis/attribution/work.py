"""Long attributions as jobs: many methods or layers of one text, with all that tells how far to trust them."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any, Self

import torch

from bortlab.analysis.attribution import METHODS, Assessment, Attribution, Baseline, By, Question, Target, WholeText
from bortlab.analysis.attribution.problem import units_of
from bortlab.model import Model
from bortlab.system.machine import cores
from bortlab.system.store import write
from bortlab.work.jobs import Job, Running
from bortlab.work.reference import ModelReference

RESULT = "attributions.json"
REPORT_S = 0.2
"""Seconds between two reports of progress."""

Part = tuple[str, int | None]
"""A method, and the layer that it attributes to; None: the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a job has to do, as a record that goes through JSON; equal for equal work.

    layers: attribute to the states that enter these instead of to the words; `assessed` is False then, as only
    attributions to the words can be tested.
    """

    model: ModelReference
    text: str
    pair: str | None
    target: Target | WholeText
    methods: tuple[str, ...]
    baseline: Baseline
    by: By
    steps: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    assessed: bool = True
    layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.layers and self.assessed:
            raise ValueError("assessed: expected False for layers, as only attributions to the words can be tested.")

    @classmethod
    def of(cls, question: Question, methods: Sequence[str], *, assessed: bool, layers: Sequence[int] = ()) -> Self:
        """Answer a question by several methods. ValueError for a model that another process cannot load."""
        return cls(
            model=ModelReference.of(question.model),
            text=question.encoding.text,
            pair=question.encoding.pair,
            target=question.target,
            methods=tuple(methods),
            baseline=question.baseline,
            by=question.by,
            steps=dict(question.steps),
            seed=question.seed,
            assessed=assessed,
            layers=tuple(layers),
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The record that `to_json` wrote."""
        target = WholeText() if data["target"] is None else Target(**data["target"])
        sequences = {name: tuple(data[name]) for name in ("methods", "layers")}
        return cls(**{**data, **sequences, "model": ModelReference.from_json(data["model"]), "target": target})

    def to_json(self) -> dict[str, Any]:
        """As texts, numbers and lists."""
        target = None if isinstance(self.target, WholeText) else asdict(self.target)
        sequences = {"methods": list(self.methods), "layers": list(self.layers)}
        return {**asdict(self), **sequences, "model": self.model.to_json(), "target": target}

    def question(self, model: Model) -> Question:
        """The question, to the model that was loaded again."""
        encoding = model.encode(self.text, self.pair)
        return Question(model, encoding, self.target, self.baseline, self.by, self.steps, self.seed)

    @property
    def parts(self) -> list[Part]:
        """All attributions, in the order of the work."""
        return [(method, layer) for method in self.methods for layer in self.layers or (None,)]


def job(question: Question, methods: Sequence[str], *, assessed: bool = True, layers: Sequence[int] = ()) -> Job:
    """The job that answers a question by several methods; equal for equal questions. Errors as in `Assignment.of`."""
    assignment = Assignment.of(question, methods, assessed=assessed, layers=layers)
    return Job("attribution", "bortlab.analysis.attribution.work:run", {"assignment": assignment.to_json()})


def run(running: Running, *, assignment: Mapping[str, Any]) -> Mapping[str, Any]:
    """Attribute in a process of its own; what is done is kept after each part, and resumed from."""
    if hasattr(os, "nice"):
        os.nice(5)
    torch.set_num_threads(cores())
    task = Assignment.from_json(assignment)
    running.report(0.0, f"Loading {task.model.key}.")
    question = task.question(task.model.load())
    path = running.folder / RESULT
    entries: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    for part, progress in _progress(running, question, task):
        name = named(*part)
        if name not in entries:
            progress.begin()
            entries[name] = _entry(_answer(question, part, task.assessed, progress))
            write(path, json.dumps(entries).encode())
    return {"attributions": len(entries)}


def _answer(question: Question, part: Part, assessed: bool, progress: _Progress) -> Assessment:
    """One part of the work."""
    method, layer = part
    attribution = question.attribute(method, layer=layer, watch=progress)
    if not assessed:
        return Assessment(attribution)
    return question.assess(attribution, question.curves(attribution, watch=progress), watch=progress)


class _Progress:
    """Counts the passes of one part of a job, and reports how far the job is."""

    def __init__(self, running: Running, title: str, start: float, share: float, passes: float, each: float) -> None:
        """start, share: where the part begins, and how much of the job it is. passes: that it takes. each: of a row."""
        self.running, self.title, self.start, self.share = running, title, start, share
        self.passes, self.each, self.done, self.reported = passes, each, 0.0, -math.inf

    def begin(self) -> None:
        """Report that the part begins."""
        self.running.report(self.start, f"{self.title}.")

    def __call__(self, rows: int) -> None:
        """Count a pass of so many rows; one there and back is worth three."""
        self.done += rows * self.each * (3 if torch.is_grad_enabled() else 1)
        if time.monotonic() - self.reported > REPORT_S:
            self.reported = time.monotonic()
            progress = self.start + self.share * min(1.0, self.done / self.passes)
            self.running.report(progress, f"{self.title}: {self.done:,.0f} passes.")


def _progress(running: Running, question: Question, task: Assignment) -> list[tuple[Part, _Progress]]:
    """Each part of the work, with what reports its progress."""
    parts = task.parts
    costs = [
        question.passes(method, assessed=task.assessed, layers=() if layer is None else (layer,))
        for method, layer in parts
    ]
    total, starts = sum(costs), [0.0, *accumulate(costs)]
    result = []
    for (method, layer), passes, start in zip(parts, costs, starts, strict=False):
        title = f"{METHODS[method].title}{_where(question, layer)}"
        each = question.passes_of_a_row(layer)
        result.append(((method, layer), _Progress(running, title, start / total, passes / total, passes, each)))
    return result


def _where(question: Question, layer: int | None) -> str:
    if layer is None:
        return ""
    return f" into layer {layer + 1}" if layer < question.model.config.depth else " out of the last layer"


def named(method: str, layer: int | None = None) -> str:
    """What a job calls its attribution by a method, to a layer or to the words."""
    return method if layer is None else f"{method}, layer {layer}"


def _entry(assessment: Assessment) -> dict[str, Any]:
    """An assessment as JSON, without what the question knows."""
    attribution = assessment.attribution
    numbers = {name: getattr(assessment, name) for name in Assessment.__slots__ if name != "attribution"}
    return {
        "numbers": {name: None if number is None or math.isnan(number) else number for name, number in numbers.items()},
        "values": attribution.values.tolist(),
        "value": attribution.value,
        "without": attribution.without,
        "method": attribution.method,
        "kept": attribution.kept,
        "steps": attribution.steps,
        "seed": attribution.seed,
    }


def result(job: Job, question: Question) -> dict[str, Assessment]:
    """What the job of a question has answered so far, by what `named` calls it."""
    try:
        entries = json.loads((job.folder / "work" / RESULT).read_bytes())
    except (OSError, ValueError):
        return {}
    units, _ = units_of(question.encoding, question.by)
    return {
        name: Assessment(
            Attribution(
                method=entry["method"],
                target=question.target,
                units=units,
                kept=tuple(entry["kept"]),
                values=torch.tensor(entry["values"], dtype=torch.float64),
                value=entry["value"],
                without=entry["without"],
                steps=entry["steps"],
                seed=entry["seed"],
            ),
            **entry["numbers"],
        )
        for name, entry in entries.items()
    }
