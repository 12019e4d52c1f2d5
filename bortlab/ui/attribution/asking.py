"""What the visitor asks: which models, which text, which number of their answer, and how it is shared out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, cast

import streamlit as st

from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import METHODS, Attribution, Target, WholeText, work
from bortlab.model import Model
from bortlab.models import SPANS
from bortlab.text import MASK, Encoding, word_spans
from bortlab.ui import opened, shared
from bortlab.views.escape import markdown
from bortlab.work.jobs import Job

LONGEST_S = 10.0
"""What takes longer than this, by a guess, is a job."""
STEPS = (20, 50, 100, 200, 500, 1000, 2000)
BASELINES = {
    "mask": "a blank", "pad": "padding", "zero": "zeros", "mean": "the mean of all words"
}  # fmt: skip
SCALES = {"log-probability": "log-probability", "probability": "probability", "logit": "logit"}


class Answer(NamedTuple):
    """Something that models answer: its name on the page, and the task whose head says it."""

    title: str
    task: str


ANSWERS = {
    "word": Answer("a word in the blank", "masked-lm"),
    "class": Answer("a class of the text", "sequence-classification"),
    "label": Answer("the label of a word", "token-classification"),
    "start": Answer("where an answer starts", "question-answering"),
    "end": Answer("where an answer ends", "question-answering"),
}


class LaterError(Exception):
    """Something that takes too long to wait for; a job can do it."""

    def __init__(self, job: Job, model: Model) -> None:
        super().__init__(f"{model.key}: {job.name}")
        self.job, self.model = job, model


@dataclass(frozen=True, slots=True)
class Settings:
    """What all views share: which number is explained, and how.

    answer: one of ANSWERS. word, against: what is said in the blank, or the labels' names; None: the model's own first
    guess, all others. at: the number of the word that a label or an edge belongs to, None: the likeliest.
    """

    answer: str
    word: str | None
    against: str | None
    blank: int
    at: int | None
    scale: analysis.Scale
    baseline: analysis.Baseline
    by: analysis.By
    steps: int
    seed: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What the visitor wants to know: a text through some models."""

    models: Mapping[str, Model]
    text: str
    second: str | None
    settings: Settings

    def encoding(self, key: str) -> Encoding:
        """The text as a model cuts it."""
        return self.models[key].encode(self.text, self.second)

    def target(self, key: str) -> Target | WholeText:
        """The number that is explained: of a word in the blank, of the text where it has none, or of another head."""
        chosen, encoding, model = self.settings, self.encoding(key), self.models[key]
        if chosen.answer == "word" and not encoding.mask_positions:
            return WholeText()
        said = (chosen.answer, chosen.word, chosen.against, chosen.blank, chosen.at)
        found = shared.ask(
            model, ("attribution target", self.text, self.second, *said),
            partial(_target, encoding=encoding, chosen=chosen),
        )  # fmt: skip
        numbers = chosen.answer == "class" and model.config.regresses  # these have no probabilities
        return replace(found, scale="logit" if numbers else chosen.scale)

    def python(self, key: str) -> str:
        """The expression of the target in a notebook."""
        chosen, target = self.settings, self.target(key)
        if isinstance(target, WholeText):
            return "attribution.WholeText()"
        scale = f"scale={target.scale!r}"
        if chosen.answer in SPANS:
            return f"attribution.span(model, {chosen.answer!r}, {target.option}, encoding=encoding, {scale})"
        said = "" if chosen.word is None else f", {chosen.word!r}"
        said += "" if chosen.against is None else f", against={chosen.against!r}"
        if chosen.answer == "word":
            said += f", blank={chosen.blank}" if chosen.blank else ""
            return f"attribution.token(model, encoding{said}, {scale})"
        place = "" if target.position is None else f", position={target.position}"
        return f"attribution.label(model{said}, encoding=encoding{place}, {scale})"

    def steps(self, method: str) -> int:
        """The visitor's, for Integrated Gradients; each other method has its own."""
        return self.settings.steps if method == "integrated-gradients" else METHODS[method].steps

    def takes_long(self, key: str, method: str, *, checked: bool = False, layers: bool = False) -> bool:
        """May a method take longer than one waits: alone, with what tests it, or in all layers?"""
        encoding, target, model = self.encoding(key), self.target(key), self.models[key]
        units = work.units_asked(encoding, self.settings.by, layers=layers)
        cost = work.passes_of_check if checked else work.passes
        pieces = len(analysis.varied(encoding)) if isinstance(target, WholeText) else 0
        runs = sum(work.share_of(model, layer) for layer in _layers(model)) if layers else 1
        question = ("seconds a pass", len(encoding))
        each = shared.ask(model, question, lambda model: work.seconds_a_pass(model, encoding))
        return runs * each * cost(method, units, self.steps(method), pieces) > LONGEST_S

    def job(self, key: str, methods: Sequence[str], *, checks: bool, layers: Sequence[int] = ()) -> Job:
        """Several methods as a job."""
        chosen = self.settings
        return work.job(
            self.models[key], self.text, self.second, self.target(key), methods=methods, baseline=chosen.baseline,
            by=chosen.by, steps={"integrated-gradients": chosen.steps}, seed=chosen.seed, checks=checks, layers=layers,
        )  # fmt: skip

    def attribution(self, key: str, method: str) -> Attribution:
        """By one method, of one model."""
        if self.takes_long(key, method):
            return self._waited(key, method, [None])[0]
        return self._attribution(key, method)

    def by_layer(self, key: str, method: str) -> list[Attribution]:
        """By one method, of one model, to what enters each layer, and what leaves the last."""
        layers = _layers(self.models[key])
        if self.takes_long(key, method, layers=True):
            return self._waited(key, method, layers)
        return [self._attribution(key, method, layer) for layer in layers]

    def _waited(self, key: str, method: str, layers: Sequence[int | None]) -> list[Attribution]:
        """What a job has found; LaterError until it has found all of it."""
        wanted = [layer for layer in layers if layer is not None]
        job = self.job(key, [method], checks=False, layers=wanted)
        done, names = work.result(job, self.models[key]), [work.named(method, layer) for layer in layers]
        if not all(name in done for name in names):
            raise LaterError(job, self.models[key])
        return [done[name].attribution for name in names]

    def _attribution(self, key: str, method: str, layer: int | None = None) -> Attribution:
        target, encoding, chosen, steps = self.target(key), self.encoding(key), self.settings, self.steps(method)
        question = (
            "attribution", self.text, self.second, target, method, chosen.baseline, chosen.by, steps, chosen.seed,
            layer,
        )  # fmt: skip
        return shared.ask(
            self.models[key], question,
            lambda model: analysis.attribute(
                model, encoding, target, method=method, baseline=chosen.baseline, by=chosen.by, steps=steps,
                seed=chosen.seed, layer=layer,
            ),
        )  # fmt: skip


def _layers(model: Model) -> range:
    """Every executed layer, and the end of the last."""
    return range(model.config.depth + 1)


def _target(model: Model, encoding: Encoding, chosen: Settings) -> Target:
    """The option that is explained, as a logit."""
    if chosen.answer == "word":
        return analysis.token(model, encoding, chosen.word, against=chosen.against, blank=chosen.blank, scale="logit")
    pieces = [n for n, word in enumerate(encoding.words) if word == chosen.at] if chosen.at is not None else []
    if chosen.at is not None and not pieces:
        raise ValueError(f"{model.key} does not read as far as this word, or reads nothing there. Choose another one.")
    if chosen.answer in SPANS:
        edge = None if not pieces else pieces[0] if chosen.answer == "start" else pieces[-1]
        return analysis.span(model, chosen.answer, edge, encoding=encoding)
    if chosen.answer == "label" and not pieces:
        raise ValueError("There is no word whose label could be explained. Write some.")
    position = pieces[0] if chosen.answer == "label" else None  # taggers are trained on first pieces
    return analysis.label(model, chosen.word, encoding=encoding, position=position, against=chosen.against)


# -- the visitor's choices ---------------------------------------------------------------------------------------------


def look_at(keys: Sequence[str], text: str, second: str | None) -> Asked:
    """The models that can be asked; one that cannot says why in its place."""
    own = {key: opened.own_task(key) for key in keys}
    models: dict[str, Model] = {}
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        answer = _answer(set(own.values()))
    title, task = ANSWERS[answer]
    lacking = []
    for key in keys:
        with shared.sentences():
            model = opened.load(key, task) if task in (own[key], "masked-lm") else None
            if model is None or (task != "masked-lm" and "random" in model.heads.values()):
                lacking.append(markdown(opened.title(key)))
            else:
                models[key] = model
    if lacking:
        has = "has" if len(lacking) == 1 else "have"
        st.info(f"{shared.names(lacking)} {has} no trained head that tells {title}.")
    with row:
        settings = _settings(text, second, answer, models)
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    if answer in SPANS and second is None:
        st.info("The text is the question. Write the passage that answers it as the second text.")
        models = {}
    return Asked(models, text, second, settings)


def _answer(tasks: Collection[str | None]) -> str:
    """Which answer is explained, where a model has a trained head for more than words."""
    names = [name for name, answer in ANSWERS.items() if name == "word" or answer.task in tasks]
    if len(names) == 1:
        return names[0]
    return st.selectbox(
        "What is explained?", names, format_func=lambda name: ANSWERS[name].title, key="answer", bind="query-params",
        width=210, help="What a chosen model has a trained head for.",
    )  # fmt: skip


def _settings(text: str, second: str | None, answer: str, models: Mapping[str, Model]) -> Settings:
    word, against, blank, at = None, None, 0, None
    blanks = text.count(MASK) if answer == "word" else 0
    if blanks:
        word, against, blank = _blank(blanks)
    elif answer in SPANS:
        at = _place("At which word?", text, second or "", placeholder="the likeliest")
    elif answer != "word":
        at = _place("Of which word?", "", text) if answer == "label" else None
        word, against = _labels(list(dict.fromkeys(name for model in models.values() for name in model.config.labels)))
    with st.popover("Settings", icon=":material/settings:"):
        scale = st.selectbox(
            "The answer as", list(SCALES), key="scale", bind="query-params", disabled=answer == "word" and not blanks,
            help="Logits before the softmax, or log-probabilities or probabilities after it.",
        )  # fmt: skip
        baseline = st.selectbox(
            "In place of a word", list(BASELINES), format_func=BASELINES.__getitem__,
            key="baseline", bind="query-params", help="The baseline: the vector where a word is missing.",
        )  # fmt: skip
        by = st.segmented_control(
            "Between", ["words", "pieces"], default="words", key="by", bind="query-params", required=True
        )
        steps = st.selectbox(
            "Steps of Integrated Gradients", STEPS, index=1, key="steps", bind="query-params",
            help="More steps, less error.",
        )  # fmt: skip
        seed = st.number_input(
            "Seed", 0, 9999, 0, key="seed", bind="query-params", help="For the methods that draw random numbers."
        )
    return Settings(
        answer, word, against, blank, at, cast(analysis.Scale, scale), cast(analysis.Baseline, baseline),
        cast(analysis.By, by), int(steps), int(seed),
    )  # fmt: skip


def _blank(blanks: int) -> tuple[str | None, str | None, int]:
    """A word, another one, and the number of the blank."""
    word = st.text_input(
        "Why this word?", key="why", bind="query-params", live="400ms", width=210,
        placeholder="its own first guess", help="Empty: each model's own first guess.",
    )  # fmt: skip
    against = st.text_input(
        "And not that one?", key="not", bind="query-params", live="400ms", width=210,
        placeholder="all the others", help="A second word makes it a contrast: why the one and not the other?",
    )  # fmt: skip
    blank = 0
    if blanks > 1:
        blank = st.selectbox("Blank", range(blanks), format_func=lambda n: f"Blank {n + 1}", key="blank", width=110)
    return (word or "").strip() or None, (against or "").strip() or None, int(blank or 0)


def _labels(names: Sequence[str]) -> tuple[str | None, str | None]:
    """A label and another one."""
    choose: Any = partial(st.selectbox, options=names, index=None, bind="query-params", width=210)
    word = choose(
        "Why this label?", key="why-label", placeholder="its own first guess",
        help="None: each model's own first guess.",
    )  # fmt: skip
    against = choose(
        "And not that one?", key="not-label", placeholder="all the others",
        help="A second label makes it a contrast: why the one and not the other?",
    )  # fmt: skip
    return word, against


def _place(label: str, before: str, text: str, *, placeholder: str | None = None) -> int | None:
    """A word of a text, by its number, which counts on from the text before; None: placeholder says what then."""
    words = [f"{n} {text[start:end]}" for n, (start, end) in enumerate(word_spans(text), 1)]
    key, usual = ("edge", None) if placeholder else ("at", next(iter(words), None))
    chosen = st.session_state.get(key)
    if chosen and chosen not in words:  # the text has changed since: its word of that number
        number = int(chosen.split()[0])
        st.session_state[key] = words[number - 1] if number <= len(words) else usual
    chosen = st.selectbox(
        label, words, index=None if placeholder else 0, key=key, bind="query-params", placeholder=placeholder,
        width=170,
    )  # fmt: skip
    return words.index(chosen) + len(word_spans(before)) if chosen else None
