"""What the visitor chooses: the text, the models, the view, and numbers and places that the link holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import streamlit as st

from bortlab import registry
from bortlab.ui import history, opened, startup
from bortlab.ui.contents import CONTENTS
from bortlab.ui.examples import DEFAULT_TEXT
from bortlab.ui.shared.asking import sentences
from bortlab.ui.startup import bundled, minis
from bortlab.views.escape import markdown

T = TypeVar("T")

LONGEST_TEXT = 20_000
"""Characters of a text that are looked at; what a model reads is shorter still, and `left_out` says so."""


def introduce(page: str) -> None:
    """The question of a page of CONTENTS, and one sentence on what it shows."""
    startup.inside_the_frame()
    st.title(CONTENTS[page].question, anchor=False)
    st.markdown(CONTENTS[page].summary)


def choose_models() -> list[str]:
    """The models to compare, in the sidebar and in the link."""
    options = opened.choosable(bundled())
    for key in [key for key in dict.fromkeys(st.query_params.get_all("models")) if key and key not in options][:5]:
        _explain_missing(key)
    return st.sidebar.multiselect(
        "Models",
        options,
        default=minis(),
        key="models",
        bind="query-params",
        persist_state="session",
        help="The four minis were trained alike, on the same text. MiniLM is a real pre-trained encoder, adapted to "
        "fill blanks. The Models page opens others.",
    )


def _explain_missing(key: str) -> None:
    """Why a link's model is not among the options. A link never makes the lab load anything."""
    with sentences():
        if not registry.is_repository(key[:200]):
            key = registry.find(key[:200])[1].title
        st.info(f"{markdown(key)} is not loaded here; the link opens without it. The Models page can load it.")


def text_box() -> str:
    """The text, in a box that answers while one types, and in the link."""
    text = st.text_input(
        "Your text",
        value=DEFAULT_TEXT,
        key="text",
        bind="query-params",
        persist_state="session",
        live="300ms",
        placeholder="Write a sentence; [MASK] stands for a word to guess",
        help="Write [MASK] where a word is to be guessed. Several blanks are fine.",
    )
    text = text or ""
    if len(text) > LONGEST_TEXT:
        st.warning(f"The text has {len(text):,} characters; the first {LONGEST_TEXT:,} are used.")
    return text[:LONGEST_TEXT]


def second_text() -> str | None:
    """A second text, for tasks with pairs; None unless there is one."""
    with st.expander("Add a second text", expanded=bool(st.query_params.get("second"))):
        text = st.text_input(
            "Second text",
            key="second",
            bind="query-params",
            persist_state="session",
            live="300ms",
            placeholder="France is a country.",
            help="Some tasks ask about two texts at once. The template then joins them.",
        )
    return (text or "")[:LONGEST_TEXT] or None


def set_text(text: str) -> None:
    """Put a text into the box; for callbacks only."""
    st.session_state["text"] = text


def is_current(text: str) -> bool:
    """Is this still what the box holds? In a callback it may be older than what was typed since."""
    return (st.session_state.get("text") or "")[:LONGEST_TEXT] == text


def choose_view(views: Mapping[str, T]) -> T:
    """One of a page's views, in the link; the others are not computed."""
    names = list(views)
    if st.session_state.get("view", names[0]) not in names:
        del st.session_state["view"]  # another page's: it must not appear in this page's address
    chosen = st.segmented_control("View", names, default=names[0], key="view", bind="query-params", required=True)
    return views[chosen or names[0]]


def choose_number(label: str, name: str, most: int) -> int:
    """A number from 1 to `most`, in the link by this name, as an index from 0."""
    _keep_within(name, most)
    return int(st.selectbox(label, range(1, most + 1), key=name, bind="query-params", width=110)) - 1


def choose_place(label: str, name: str, texts: Sequence[str], first: int) -> int:
    """The index of one of these texts, in the link by this name; `first` unless chosen."""
    _keep_within(name, len(texts) - 1)
    labels = {place: f"{place + 1}  {text}" for place, text in enumerate(texts)}
    with labelled_anew(name, labels):
        chosen = st.selectbox(
            label,
            list(labels),
            index=first,
            format_func=labels.__getitem__,
            key=name,
            bind="query-params",
            width=220,
        )
    return int(chosen)


@contextmanager
def labelled_anew(name: str, labels: Mapping[Any, str]) -> Iterator[None]:
    """Around a box whose labels follow the text: what stays chosen is shown by its label of now.

    Left alone, the browser goes on to show the label that the choice had when it was made. name: the box's key.
    """
    remembered = f"label-{name}"
    value = st.session_state.get(name)
    before, label = st.session_state.get(remembered, (None, None))
    if value is not None and value == before and value in labels and labels[value] != label:
        history.note_address()
        st.session_state[name] = value
    yield
    value = st.session_state.get(name)
    st.session_state[remembered] = (value, labels.get(value))


def _keep_within(name: str, most: int) -> None:
    """A choice made when there was more to choose from becomes the last that there is."""
    value = st.session_state.get(name)
    if isinstance(value, int) and value > most:
        history.note_address()
        st.session_state[name] = most
