"""Adapting a model to a text: what learns and from what, the training as it goes, and before beside after."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import streamlit as st

from bortlab import registry
from bortlab.data.own_text import BUNDLED, n_words, read_texts
from bortlab.model import FilledMask, Model
from bortlab.registry import Options
from bortlab.system.numbers import duration, short_count
from bortlab.system.settings import cache_folder
from bortlab.system.store import write
from bortlab.text import MASK
from bortlab.training import adapt as adapting
from bortlab.training.adapt import Plan
from bortlab.training.adaptable import TOP, measure_speed
from bortlab.ui import opened, shared
from bortlab.ui.examples import EXAMPLES
from bortlab.ui.job_panel import Labels, job_panel
from bortlab.ui.startup import bundled
from bortlab.views import adapt as view
from bortlab.views import predict as draw
from bortlab.views.escape import markdown
from bortlab.work import jobs
from bortlab.work.jobs import Job
from bortlab.work.reference import can_be_loaded_again

OPEN, MODEL, ADAPTED = "adapt", "adapt-model", "adapted"
"""Keys of the session: whether the section is open, the model to adapt, and the adapted one to look at."""
BUDGETS = (50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 20_000_000)
SOURCES = {"bundled": "Bundled corpus", "own": "A file of your own"}
PARTS = {"all": "All weights", TOP: "Upper layers", "head": "Head alone"}
ENDINGS = ["txt", "jsonl", "csv", "tsv"]
LARGEST_MB = 50
CUT = 8192
OFTEN = 20
"""Readings of a text beyond which it is learned by heart rather than learned from."""
SENTENCES = 6
"""Sentences that are compared at once."""
INTERRUPTED = 3
"""Interrupted trainings that are offered again."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is learned from. path, column: None for the bundled corpus. words, documents: to learn from."""

    path: str | None
    column: str | None
    name: str
    words: int
    documents: int


# -- beneath a model's guesses -----------------------------------------------------------------------------------------


def about_head(model: Model) -> None:
    """What an adapted model is worth, and an offer to adapt one whose guesses mean nothing."""
    adaptation = model.adaptation
    if model.heads.get("masked-lm") == "random":
        if can_be_loaded_again(model):
            _offer(model.key, "Its masked-LM head was never trained: these words are noise.", "Adapt it to a text")
    elif adaptation is not None and adaptation.accuracy is not None:
        if adaptation.is_weak:
            _offer(adaptation.base, f"{view.worth(adaptation)} {view.advice(adaptation)}", "Train it again, and more")
        else:
            st.caption(view.worth(adaptation))


def _offer(key: str, why: str, label: str) -> None:
    def open_section() -> None:
        st.session_state[OPEN] = True
        st.session_state[MODEL] = key

    st.caption(f":material/warning: {markdown(why)}")
    st.button(label, key=f"adapt-{key}", icon=":material/school:", on_click=open_section)


# -- the section -------------------------------------------------------------------------------------------------------


def section(keys: Sequence[str]) -> None:
    """Adapt one of these models to a text; computed only while it is open."""
    box = st.expander("Adapt a model to a text", key=OPEN, bind="query-params", icon=":material/school:")
    with box:
        if not box.open:
            return
        st.markdown(
            "Train a model further to fill the blanks of a text. It becomes a new model beside the old one: its "
            "weights, and with them its attention and its kernels, are then no longer those that were published."
        )
        started: Job | None = None
        with shared.sentences():
            started = _form(keys)
        with shared.sentences():
            _others(started)
        with shared.sentences():
            _results(started)


def _form(keys: Sequence[str]) -> Job | None:
    """What is to be trained, how long that takes, and the job; None while something is missing."""
    key = _choose_model(keys)
    if key is None:
        st.info("Choose a model in the sidebar, or open one on the Models page.")
        return None
    with opened.lease(key) as model:
        if not can_be_loaded_again(model):
            st.info(f"{markdown(opened.title(key))} cannot be adapted here: it has random weights.")
            return None
        source = _choose_text()
        train = _choose_part(model)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            pieces = st.select_slider(
                "Pieces to read", BUDGETS, 500_000, format_func=short_count, key="adapt-pieces", width=420
            )
            vocabulary = _choose_vocabulary(model)
        if source is None:
            return None
        _warn_of_repetition(source, pieces)
        with st.spinner("Timing a few steps …"):
            speed = shared.ask(model, ("speed of adapting", train), lambda model: measure_speed(model, train))
        plan = Plan(pieces=pieces, train=train, vocabulary=vocabulary)
        job = adapting.job(model, plan, text=source.path, column=source.column, name=source.name)
        _panel(job, model.family.name, note=f"It takes {duration(speed.seconds(pieces))} here, in the background.")
    return job


def _choose_model(keys: Sequence[str]) -> str | None:
    keys = list(keys)
    chosen = st.session_state.get(MODEL)
    if chosen not in keys and chosen in opened.choosable(bundled()):
        keys = [*keys, chosen]  # the base of an adapted model, which need not be among the chosen
    if not keys:
        return None
    if chosen not in keys:
        st.session_state[MODEL] = keys[0]
    return st.selectbox("Model", keys, format_func=opened.title, key=MODEL, width=420)


def _choose_text() -> Source | None:
    """What is learned from; None until there is a file."""
    chosen = st.segmented_control(
        "Text", list(SOURCES), format_func=SOURCES.__getitem__, default="bundled", key="adapt-text", required=True
    )
    if chosen != "own":
        words, documents = _count(None, None)
        st.caption(f"WordNet in sentences and the World English Bible: {words:,} words in {documents:,} documents.")
        return Source(None, None, BUNDLED, words, documents)
    file = st.file_uploader(
        f"A text in UTF-8, up to {LARGEST_MB} MB: .txt, .jsonl or .csv",
        type=ENDINGS,
        max_upload_size=LARGEST_MB,
        key="adapt-file",
        help="A .txt holds a text on each line, or paragraphs with empty lines between them.",
    )
    st.caption(
        "Your file stays on the machine that runs this lab for 30 days, so that a training can be resumed. Everybody "
        "who uses this lab can use the adapted model."
    )
    if file is None:
        return None
    column = None
    if not file.name.endswith("txt"):
        column = st.text_input("Column, or field, that holds the text", "text", key="adapt-column", width=300) or None
    path = _kept(file.name, file.getvalue())
    words, documents = _count(str(path), column)
    st.caption(f"{markdown(file.name)}: {words:,} words in {documents:,} documents to learn from.")
    return Source(str(path), column, file.name, words, documents)


def _kept(name: str, content: bytes) -> Path:
    """The file on this machine, in a folder by its content, so that the same file is the same job; old ones go."""
    folder = cache_folder() / "texts"
    path = folder / sha256(content).hexdigest()[:16] / re.sub(r"[^\w.-]", "-", name)[-80:]
    if not path.exists():
        for old in folder.glob("*"):
            if time.time() - old.stat().st_mtime > jobs.KEPT_S:
                shutil.rmtree(old, ignore_errors=True)
        write(path, content)
    return path


@st.cache_data(max_entries=8, show_spinner="Reading the text …")
def _count(path: str | None, column: str | None) -> tuple[int, int]:
    """Words and documents to learn from."""
    text = read_texts(path, column=column)
    return n_words(text.train), len(text.train)


def _choose_part(model: Model) -> str:
    """What learns: "all", "top:N" or "head"."""
    config = model.config
    parts = list(PARTS) if config.n_blocks == config.depth > 1 else ["all", "head"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "What learns", parts, format_func=PARTS.__getitem__, default="all", key="adapt-part", required=True
        )
        count = 2
        if chosen == TOP:
            count = int(st.number_input("Layers", 1, config.depth - 1, min(2, config.depth - 1), key="adapt-layers"))
    if chosen == "head":
        st.warning(
            "A head on a frozen encoder stays weak: hardly better than guessing by frequency. Try it to compare."
        )
    elif config.n_blocks < config.depth:
        st.caption("Its layers share one block, so that upper layers cannot be trained apart.")
    return f"{TOP}{count}" if chosen == TOP else chosen or "all"


def _choose_vocabulary(model: Model) -> int | None:
    tokenizer = model.tokenizer
    if tokenizer.kind != "wordpiece" or tokenizer.vocab_size <= CUT:
        return None
    cut = st.toggle(
        f"Cut the vocabulary to {CUT:,} pieces",
        key="adapt-cut",
        help=f"To those that the text uses most, of {tokenizer.vocab_size:,}: a smaller and faster model.",
    )
    return CUT if cut else None


def _warn_of_repetition(source: Source, pieces: int) -> None:
    readings = pieces / (1.3 * source.words)
    if readings > OFTEN:
        st.warning(
            f"The text would be read about {readings:.0f} times, and learned by heart. Take fewer pieces, or more text."
        )


def _panel(job: Job, family: str, *, note: str = "") -> None:
    """The job of adapting a model, with the curve of what it has learned so far."""
    base, name = opened.title(job.arguments["base"]["key"]), job.arguments["name"]
    labels = Labels(
        doing=f"Adapting {markdown(base)} to {markdown(name)}",
        start="Start adapting",
        resume="Resume adapting",
        note=note,
        help="The model stays as it is; the adapted one is a new model.",
        icon=":material/school:",
    )
    job_panel(job, labels, results=_curve_of(job, family, f"{base} on {name}"))


def _curve_of(job: Job, family: str, title: str) -> Callable[[], None]:
    def draw_curve() -> None:
        status = job.status()
        points = [] if status is None or status.state == "done" else status.numbers.get("curve", [])
        if status is not None and len(points) > 1:
            frequency = float(status.numbers.get("frequency", 0.0))
            curve = view.learning_curve(points, frequency=frequency, title=title, family=family, look=shared.look())
            shared.picture(curve, f"curve-{job.folder.name}")
            st.caption(shared.sentence(curve))

    return draw_curve


def _others(started: Job | None) -> None:
    """Trainings that run, or were interrupted, beside the one of the form."""
    listed = [(job, status) for job, status in jobs.listed() if job.function == adapting.FUNCTION and job != started]
    running = [job for job, status in listed if status.alive]
    interrupted = [job for job, status in listed if status.state in ("cancelled", "failed")][:INTERRUPTED]
    for job in running:
        _panel(job, job.arguments["base"]["options"]["family"])
    if interrupted:
        with st.expander(f"Interrupted: {len(interrupted)}"):
            for job in interrupted:
                st.markdown(
                    f"**{markdown(opened.title(job.arguments['base']['key']))}** on {markdown(job.arguments['name'])}"
                )
                _panel(job, job.arguments["base"]["options"]["family"])


# -- before and after --------------------------------------------------------------------------------------------------


def _results(started: Job | None) -> None:
    """The models that were adapted here: what they are worth, their curves, and the visitor's sentences."""
    keys = registry.adapted_keys()
    if not keys:
        return
    status = started.status() if started is not None else None
    just_made = status.numbers.get("key") if status is not None and status.state == "done" else None
    if just_made in keys and st.session_state.get("adapted-last") != just_made:
        st.session_state["adapted-last"] = st.session_state[ADAPTED] = just_made
    if st.session_state.get(ADAPTED) not in keys:
        st.session_state.pop(ADAPTED, None)
    st.header("Before and after", anchor=False)
    key = st.selectbox("Adapted here", keys, format_func=opened.title, key=ADAPTED, width=420)
    card = registry.adapted_card(key)
    with opened.lease(key) as after:
        adaptation = after.adaptation
        if adaptation is not None:
            st.markdown(markdown(f"{view.worth(adaptation)} {view.advice(adaptation)}".strip()))
        _kept_curve(key, card, after.family.name)
        _actions(key)
        with shared.sentences(), _base(card) as before:
            _compare(before, after)


def _kept_curve(key: str, card: Mapping[str, Any], family: str) -> None:
    try:
        points = json.loads((registry.adapted_folder(key) / "curve.json").read_bytes())
        frequency = float(card["heldout"]["by_frequency"]["masked_accuracy"])
        curve = view.learning_curve(
            points, frequency=frequency, title=opened.title(key), family=family, look=shared.look()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return  # a folder that somebody changed
    shared.picture(curve, f"kept-curve-{key}")


def _actions(key: str) -> None:
    """Take the model to the other pages, and where it lies."""

    def use() -> None:
        chosen = st.session_state.get("models") or []
        st.session_state["models"] = list(dict.fromkeys([*chosen, key]))

    with st.container(horizontal=True):
        st.button("Use it on every page", key="adapted-use", icon=":material/add:", on_click=use)
        if opened.folders_allowed():
            st.button("Delete it", key="adapted-delete", icon=":material/delete:", on_click=_delete, args=[key])
        with st.popover("As Python", icon=":material/code:"):
            st.code(f"import bortlab\n\nmodel = bortlab.load({key!r})\nmodel.save('folder')  # for transformers")


def _delete(key: str) -> None:
    """Delete an adapted model, and what is known of its job, so that it can be made again."""
    registry.unload(key)
    registry.remove_adapted(key)
    for job, status in jobs.listed():
        if job.function == adapting.FUNCTION and status.state == "done" and status.numbers.get("key") == key:
            shutil.rmtree(job.folder, ignore_errors=True)


def _base(card: Mapping[str, Any]) -> AbstractContextManager[Model]:
    """The model that an adapted one was, leased."""
    base, options = card["base"], Options(family=card["family"])
    if base["source"] == "folder":
        return registry.lease_from(base["key"], options)
    return registry.lease(base["key"], options)


def _compare(before: Model, after: Model) -> None:
    """The visitor's sentences, filled by both, side by side."""
    usual = [st.session_state.get("text") or "", *(example for example in EXAMPLES if MASK in example)]
    text = st.text_area(
        f"Your sentences, one a line, with {MASK}",
        "\n".join(dict.fromkeys(sentence for sentence in usual[:3] if MASK in sentence)),
        key="adapt-sentences",
        height=110,
    )
    sentences = [line.strip() for line in (text or "").splitlines() if MASK in line]
    if not sentences:
        st.info(f"Write a sentence with {markdown(MASK)} where a word is to be guessed.")
    if len(sentences) > SENTENCES:
        st.warning(f"The first {SENTENCES} sentences are compared.")
    for side, model in zip(st.columns(2, gap="medium"), (before, after), strict=True):
        with side:
            shared.name_card(model, [], head=model.heads["masked-lm"])
    for number, sentence in enumerate(sentences[:SENTENCES]):
        st.markdown(f"**{markdown(sentence)}**")
        filled = [_filled(model, sentence) for model in (before, after)]
        largest = max(guesses.blanks[0].candidates[0].probability for guesses in filled)
        sides = zip(st.columns(2, gap="medium"), ("Before", "After"), (before, after), filled, strict=True)
        for side, when, model, guesses in sides:
            bars = draw.candidate_bars(
                guesses.blanks[0],
                title=f"{opened.title(model.key)}: {sentence}",
                family=model.family.name,
                largest=largest,
                look=shared.look(),
            )
            with side:
                st.caption(when)
                shared.picture(bars, f"before-after-{number}-{model.key}")


def _filled(model: Model, sentence: str) -> FilledMask:
    return shared.answer(model, ("fill_mask", sentence, 5), lambda asked: asked.fill_mask(sentence, top_k=5)).value
