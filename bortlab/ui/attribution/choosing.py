"""What the visitor chooses: which models, which text, which number of their answer, and how it is attributed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import streamlit as st

from bortlab.analysis import attribution as analysis
from bortlab.model import Model
from bortlab.models import SPANS
from bortlab.text import MASK, word_spans
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import Selection, Settings
from bortlab.views.escape import markdown

STEPS = (20, 50, 100, 200, 500, 1000, 2000)
BASELINES = {"mask": "a blank", "pad": "padding", "zero": "zeros", "mean": "the mean of all words"}


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


def choose(keys: Sequence[str], text: str, second: str | None) -> Selection:
    """What is to be explained of which models; a model that has no such answer says so."""
    own = {key: opened.own_task(key) for key in keys}
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        answer = _answer(set(own.values()))
    title, task = ANSWERS[answer]
    models, lacking = _with_head(keys, own, task)
    if lacking:
        has = "has" if len(lacking) == 1 else "have"
        st.info(f"{shared.names(lacking)} {has} no trained head for {title}.")
    with row:
        settings = _settings(text, second, answer, models)
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    if answer in SPANS and second is None:
        st.info("The text is the question. Write the passage that answers it as the second text.")
        models = {}
    encodings = {key: model.encode(text, second) for key, model in models.items()}
    return Selection(models, encodings, text, second, settings)


def _with_head(keys: Sequence[str], own: Mapping[str, str | None], task: str) -> tuple[dict[str, Model], list[str]]:
    """The models that have a trained head for a task, or a masked-LM head of any kind; the titles of the others."""
    models, lacking = {}, []
    for key in keys:
        with shared.sentences():
            model = opened.load(key, task) if task in (own[key], "masked-lm") else None
            if model is None or (task != "masked-lm" and "random" in model.heads.values()):
                lacking.append(markdown(opened.title(key)))
            else:
                models[key] = model
    return models, lacking


def _answer(tasks: Collection[str | None]) -> str:
    """Which answer is explained, where a model has a trained head for more than words."""
    names = [name for name, answer in ANSWERS.items() if name == "word" or answer.task in tasks]
    if len(names) == 1:
        return names[0]
    return st.selectbox(
        "What is explained?",
        names,
        format_func=lambda name: ANSWERS[name].title,
        key="answer",
        bind="query-params",
        width=210,
        help="What a chosen model has a trained head for.",
    )


def _settings(text: str, second: str | None, answer: str, models: Mapping[str, Model]) -> Settings:
    word, against, blank, place = None, None, 0, None
    blanks = text.count(MASK) if answer == "word" else 0
    if blanks:
        word, against, blank = _blank(blanks)
    elif answer in SPANS:
        place = _place("At which word?", text, second or "", placeholder="the most likely one")
    elif answer != "word":
        place = _place("Of which word?", "", text) if answer == "label" else None
        word, against = _labels(list(dict.fromkeys(name for model in models.values() for name in model.config.labels)))
    with st.popover("Settings", icon=":material/settings:"):
        scale, baseline, by, steps, seed = _popover(has_scale=answer != "word" or bool(blanks))
    return Settings(answer, word, against, blank, place, scale, baseline, by, steps, seed)


def _popover(*, has_scale: bool) -> tuple[analysis.Scale, analysis.Baseline, analysis.By, int, int]:
    """Scale, baseline, units, steps of Integrated Gradients, and seed."""
    linked: Any = {"bind": "query-params"}
    scale = st.selectbox(
        "The answer as",
        ("log-probability", "probability", "logit"),
        key="scale",
        disabled=not has_scale,
        help="Logits before the softmax, or log-probabilities or probabilities after it.",
        **linked,
    )
    baseline = st.selectbox(
        "In place of a word",
        list(BASELINES),
        format_func=BASELINES.__getitem__,
        key="baseline",
        help="The baseline: the vector that replaces a word that is taken away.",
        **linked,
    )
    by = st.segmented_control("Between", ["words", "pieces"], default="words", key="by", required=True, **linked)
    steps = st.selectbox(
        "Steps of Integrated Gradients",
        STEPS,
        index=1,
        key="steps",
        help="More steps make the completeness error smaller.",
        **linked,
    )
    seed = st.number_input("Seed", 0, 9999, 0, key="seed", help="For the methods that draw random numbers.", **linked)
    return cast(analysis.Scale, scale), cast(analysis.Baseline, baseline), cast(analysis.By, by), int(steps), int(seed)


def _blank(blanks: int) -> tuple[str | None, str | None, int]:
    """A word in the blank, one to compare it with, and the number of the blank."""
    word = st.text_input(
        "Why this word?",
        key="why",
        bind="query-params",
        live="400ms",
        width=210,
        placeholder="its own first guess",
        help="Empty: each model's own first guess.",
    )
    against = st.text_input(
        "And not that one?",
        key="not",
        bind="query-params",
        live="400ms",
        width=210,
        placeholder="all the others",
        help="A second word makes it a contrast: why the first and not the second?",
    )
    blank = 0
    if blanks > 1:
        blank = st.selectbox("Blank", range(blanks), format_func=lambda n: f"Blank {n + 1}", key="blank", width=110)
    return (word or "").strip() or None, (against or "").strip() or None, int(blank or 0)


def _labels(names: Sequence[str]) -> tuple[str | None, str | None]:
    """A label, and one to compare it with."""
    choose: Any = partial(st.selectbox, options=names, index=None, bind="query-params", width=210)
    word = choose(
        "Why this label?",
        key="why-label",
        placeholder="its own first guess",
        help="None: each model's own first guess.",
    )
    against = choose(
        "And not that one?",
        key="not-label",
        placeholder="all the others",
        help="A second label makes it a contrast: why the first and not the second?",
    )
    return word, against


def _place(label: str, before: str, text: str, *, placeholder: str | None = None) -> int | None:
    """The number of a word of a text, counted on from the text before it; None where placeholder says what then."""
    words = [f"{n} {text[start:end]}" for n, (start, end) in enumerate(word_spans(text), 1)]
    key, default = ("edge", None) if placeholder else ("at", next(iter(words), None))
    word = st.session_state.get(key)
    if word and word not in words:  # the text has changed since: its word of that number
        number = int(word.split()[0])
        st.session_state[key] = words[number - 1] if number <= len(words) else default
    word = st.selectbox(
        label,
        words,
        index=None if placeholder else 0,
        key=key,
        bind="query-params",
        placeholder=placeholder,
        width=170,
    )
    return words.index(word) + len(word_spans(before)) if word else None
