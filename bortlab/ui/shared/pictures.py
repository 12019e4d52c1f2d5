"""Pictures on a page: side by side, each below its model's name, with what they say in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from bortlab import registry
from bortlab.model import Model
from bortlab.ui import opened
from bortlab.ui.shared import larger, recording
from bortlab.views.cards import model_heading
from bortlab.views.escape import markdown_sentence
from bortlab.views.theme import Look

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from bortlab.views.view import View  # plotly is slow to import; the pages with pictures have it already

T = TypeVar("T")


def look() -> Look:
    """The colours of the visitor's theme."""
    return Look("dark" if st.context.theme.type == "dark" else "light")


def grid(items: Sequence[T], columns: int, *, stretch: bool = True) -> Iterator[tuple[T, DeltaGenerator]]:
    """Each item with a column of its own, `columns` to a row.

    stretch: a row of fewer items fills the width; otherwise its columns are as wide as those of a full row, except that
    a single item always has the full width.
    """
    for start in range(0, len(items), columns):
        row = items[start : start + columns]
        yield from zip(row, st.columns(len(row) if stretch or len(items) == 1 else columns, gap="medium"), strict=False)


def heading(model: Model) -> None:
    """A model's name, and what is peculiar to its layers and heads."""
    layers, heads, blocks = model.config.depth, model.config.heads, model.config.n_blocks
    facts = [f"{layers} layers of {heads} attention heads"]
    if blocks < layers:
        facts.append(f"{'one block' if blocks == 1 else f'{blocks} blocks'}, used {layers} times")
    if heads < model.config.num_attention_heads:
        facts.append(f"{heads} of {model.config.num_attention_heads} heads remain, convolution does the rest")
    name_card(model, facts)


def name_card(model: Model, facts: Sequence[str], *, head: str | None = None) -> None:
    """A model's name, where its weights come from, and a line of facts. head: the provenance of a head, for a badge."""
    st.html(
        model_heading(
            opened.title(model.key),
            model.family.name,
            head=head,
            facts=facts,
            look=look(),
            adaptation=model.adaptation,
            here=model.source == registry.ADAPTED,
        )
    )


def colour(model: Model) -> str:
    """The colour of a model's family in the visitor's theme."""
    return look().family(model.family.name)


def picture(view: View, key: str, *, on_select: Callable[[], None] | None = None) -> None:
    """A view on the page, with what it says for people who cannot see it. on_select: what a click on a point does."""
    from bortlab.views.figures import CONFIG, enlarged
    from bortlab.views.view import Fragment

    recording.note_picture(view)
    if isinstance(view.picture, Fragment):
        st.html(view.picture.style + view.picture.body)
        return
    if isinstance(view.picture, str):
        st.iframe(view.picture, height=view.height, alt=view.alt)
        return
    config = CONFIG | {"toImageButtonOptions": {"format": (st.session_state.get("picture") or "PNG").lower()}}
    figure = enlarged(view.picture, larger.FACTOR) if larger.is_on() else view.picture
    chart = partial(st.plotly_chart, figure, theme=None, config=config, key=key, alt=view.alt)
    if on_select is None:
        chart()
    else:
        chart(on_select=on_select, selection_mode="points")


def drawing(view: View) -> None:
    """A view whose picture is an SVG drawing, as wide as there is room."""
    from bortlab.views.view import Fragment

    recording.note_picture(view)
    assert isinstance(view.picture, Fragment)
    st.image(view.picture.body, width="stretch", alt=view.alt)


def sentence(view: View) -> str:
    """In Markdown, what a view says in words, without its title."""
    words = view.alt.removeprefix(f"{view.title}: ")
    return markdown_sentence(words[:1].upper() + words[1:])
