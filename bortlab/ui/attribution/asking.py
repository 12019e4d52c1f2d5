"""Asking the models: one question a model and picture, answered at once, or by a job where that is a lot of work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import Attribution, Curves, Question, Target, WholeText, work
from bortlab.analysis.attribution.assessing import Assessment
from bortlab.model import Model
from bortlab.models import SPANS
from bortlab.text import Encoding
from bortlab.ui import shared
from bortlab.ui.patience import is_long
from bortlab.work.jobs import Job

T = TypeVar("T")


class LaterError(Exception):
    """Too much work to wait for; a job can do it."""

    def __init__(self, job: Job, question: Question) -> None:
        super().__init__(f"{question.model.key}: {job.name}")
        self.job, self.question = job, question


@dataclass(frozen=True, slots=True)
class Settings:
    """What all models share: which number is explained, and how.

    answer: one of ANSWERS. word, against: the words in the blank, or the labels' names; None: the model's own first
    guess, all others. place: the number of the word that a label or an edge belongs to, None: the most likely one.
    """

    answer: str
    word: str | None
    against: str | None
    blank: int
    place: int | None
    scale: analysis.Scale
    baseline: analysis.Baseline
    by: analysis.By
    steps: int
    seed: int

    @property
    def option(self) -> tuple[str, str | None, str | None, int, int | None]:
        """What names the option that is explained, whatever the scale."""
        return self.answer, self.word, self.against, self.blank, self.place


@dataclass(frozen=True, slots=True)
class Selection:
    """What the visitor wants to know: a text through some models, each of which has tokenised it once."""

    models: Mapping[str, Model]
    encodings: Mapping[str, Encoding]
    text: str
    second: str | None
    settings: Settings

    def question(self, key: str) -> Question:
        """The question to a model, to be built once for a picture: finding its target may run the model.

        ValueError for words that the model cannot be asked about.
        """
        model, encoding, settings = self.models[key], self.encodings[key], self.settings
        return Question(
            model,
            encoding,
            self._target(model, encoding),
            settings.baseline,
            settings.by,
            {"integrated-gradients": settings.steps},
            settings.seed,
        )

    def _target(self, model: Model, encoding: Encoding) -> Target | WholeText:
        """A word in the blank, the text as a whole where it has none, or an option of another head."""
        settings = self.settings
        if settings.answer == "word" and not encoding.mask_positions:
            return WholeText()
        target = shared.ask(
            model,
            ("attribution target", self.text, self.second, settings.option),
            partial(_option, encoding=encoding, settings=settings),
        )
        is_number = settings.answer == "class" and model.config.regresses  # which has no probability
        return replace(target, scale="logit" if is_number else settings.scale)

    def python(self, target: Target | WholeText) -> str:
        """The expression of a target in a notebook."""
        settings = self.settings
        if isinstance(target, WholeText):
            return "attribution.WholeText()"
        scale = f"scale={target.scale!r}"
        if settings.answer in SPANS:
            return f"attribution.span(model, {settings.answer!r}, {target.option}, encoding=encoding, {scale})"
        option = "" if settings.word is None else f", {settings.word!r}"
        option += "" if settings.against is None else f", against={settings.against!r}"
        if settings.answer == "word":
            option += f", blank={settings.blank}" if settings.blank else ""
            return f"attribution.token(model, encoding{option}, {scale})"
        position = "" if target.position is None else f", position={target.position}"
        return f"attribution.label(model{option}, encoding=encoding{position}, {scale})"


def _option(model: Model, encoding: Encoding, settings: Settings) -> Target:
    """The option that is explained, as a logit."""
    word, against, place = settings.word, settings.against, settings.place
    if settings.answer == "word":
        return analysis.token(model, encoding, word, against=against, blank=settings.blank, scale="logit")
    pieces = [n for n, number in enumerate(encoding.words) if number == place] if place is not None else []
    if place is not None and not pieces:
        raise ValueError(f"{model.key} does not read as far as this word, or has no piece for it. Choose another one.")
    if settings.answer in SPANS:
        edge = None if not pieces else pieces[0] if settings.answer == "start" else pieces[-1]
        return analysis.span(model, settings.answer, edge, encoding=encoding)
    if settings.answer == "label" and not pieces:
        raise ValueError("There is no word whose label could be explained. Write some.")
    position = pieces[0] if settings.answer == "label" else None  # taggers are trained on first pieces
    return analysis.label(model, word, encoding=encoding, position=position, against=against)


def ask(question: Question, what: str, compute: Callable[[Question], T], *more: object) -> T:
    """Let a worker compute something of a question. what, more: its name and what else it depends on."""
    encoding = question.encoding
    key = (
        what,
        encoding.text,
        encoding.pair,
        question.target,
        question.baseline,
        question.by,
        tuple(question.steps.items()),
        question.seed,
        *more,
    )
    return shared.ask(question.model, key, lambda _: compute(question))


def attribution(question: Question, method: str) -> Attribution:
    """By one method; LaterError until a job has done what is long."""
    if is_long(question.multiply_adds(method)):
        return _from_job(question, method, [None])[0]
    return _attribution(question, method)


def by_layer(question: Question, method: str) -> list[Attribution]:
    """By one method, to what enters each layer, and what leaves the last; LaterError as in `attribution`."""
    if is_long(question.multiply_adds(method, layers=question.layers)):
        return _from_job(question, method, question.layers)
    return [_attribution(question, method, layer) for layer in question.layers]


def curves(question: Question, attribution: Attribution) -> Curves:
    """The answer while words go, or come back, in the order of an attribution."""
    return ask(question, "attribution curves", lambda q: q.curves(attribution), attribution.method)


def assessment(question: Question, attribution: Attribution, curves: Curves) -> Assessment:
    """All tests of an attribution; curves: its own."""
    return ask(question, "attribution tests", lambda q: q.assess(attribution, curves), attribution.method)


def _attribution(question: Question, method: str, layer: int | None = None) -> Attribution:
    return ask(question, "attribution", lambda q: q.attribute(method, layer=layer), method, layer)


def _from_job(question: Question, method: str, layers: Sequence[int | None]) -> list[Attribution]:
    """What a job has found; LaterError until it has found all of it."""
    job = work.job(question, [method], assessed=False, layers=[layer for layer in layers if layer is not None])
    results, names = work.result(job, question), [work.named(method, layer) for layer in layers]
    if not all(name in results for name in names):
        raise LaterError(job, question)
    return [results[name].attribution for name in names]
