"""Views of heads: one of them, all of them as thumbnails, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import streamlit as st

from bortlab.analysis import heads as analysis
from bortlab.analysis.heads import HeadStatistics
from bortlab.models import Config
from bortlab.system.numbers import percent
from bortlab.ui import opened, shared
from bortlab.ui.attention.selection import (
    LEVELS,
    Selection,
    choose_heads,
    choose_layer,
    choose_level,
    choose_unit,
    heads_of_model,
    same_unit,
    side_by_side,
    take_away,
)
from bortlab.views import attention as draw
from bortlab.views import heads as draw_heads
from bortlab.views.escape import markdown
from bortlab.views.view import View

OF_HEADS = "from bortlab.analysis import heads\nfrom bortlab.views import heads as draw_heads\n"
"""What the Python lines of views of many heads import too."""


def one_head(selection: Selection) -> None:
    """The heat map of a head, or the mean of several, and what one word looks at."""
    if not selection.models:
        return
    with st.container(horizontal=True):
        level, layer, heads = choose_level(), choose_layer(selection), choose_heads(selection)
        first = selection.attention(selection.first, level)
        place = choose_unit(first, "From", "from")
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        attention = selection.attention(key, level)
        colour = shared.colour(selection.models[key])
        choice = heads_of_model(selection, key, layer, heads)
        matrix = choice.matrix(attention)
        view = draw.heat(matrix, attention.units, colour=colour, look=look, title=choice.title)
        shared.picture(view, f"heat-{key}")
        st.markdown(head_sentence(analysis.statistics(attention), choice.layer, choice.heads, level))
        yield view
        own = same_unit(first, place, attention)
        if own is not None:
            word = attention.units[own].text
            bars = draw.from_one(
                matrix, attention.units, own, colour=colour, look=look, title=f"{choice.title}, from {word}"
            )
            with st.expander(f"From {markdown(word)}", expanded=len(attention.units) <= 20):
                shared.picture(bars, f"from-{key}")

    def lines(key: str) -> str:
        choice = heads_of_model(selection, key, layer, heads)
        return (
            f"attention = {_make(level)}\nmatrix = attention.mean({choice.layer}, {choice.heads})\n"
            f"view = draw.heat(matrix, attention.units, colour=colour, look=look, title={choice.title!r})\n"
        )

    take_away(selection, side_by_side(selection, show), name="attention", lines=lines)


def _make(level: str) -> str:
    return f"analysis.{'of_words' if level == LEVELS[0] else 'of_pieces'}(trace)"


def head_sentence(statistics: HeadStatistics, layer: int, heads: Sequence[int] | None, level: str) -> str:
    """In Markdown, where a head, or the mean of several, puts most of its attention."""
    chosen = slice(None) if heads is None else list(heads)
    unit = "word" if level == LEVELS[0] else "piece"
    places = {
        "template": "to the template",
        "previous": f"to the previous {unit}",
        "following": f"to the next {unit}",
        "itself": f"to the {unit} itself",
    }
    shares = {name: float(getattr(statistics, name)[layer][chosen].mean()) for name in places}
    largest = max(shares, key=shares.__getitem__)
    entropy, distance = (float(values[layer][chosen].mean()) for values in (statistics.entropy, statistics.distance))
    return (
        f"**{percent(shares[largest])}** goes {places[largest]}; entropy {entropy:.1f} bits, mean distance "
        f"{distance:.1f}."
    )


def all_heads(selection: Selection) -> None:
    """Thumbnails of every head; a click opens one."""
    if not selection.models:
        return
    level = choose_level()
    st.caption("Rows look at columns. A click on a head opens it. Shades are square roots of the weights.")

    def show(key: str) -> Iterable[View]:
        model, heads = selection.models[key], selection.heads(key, level)
        view = draw_heads.thumbnails(
            selection.attention(key, level),
            heads,
            colour=shared.colour(model),
            look=shared.look(),
            title=f"{opened.title(key)}, all heads",
            rows=row_names(model.config),
        )
        shared.picture(view, f"grid-{key}", on_select=_open_head(key))
        st.markdown(draw_heads.groups(heads))
        yield view

    take_away(
        selection,
        side_by_side(selection, show),
        name="all-heads",
        imports=OF_HEADS,
        lines=lambda key: (
            f"attention = {_make(level)}\n"
            "view = draw_heads.thumbnails(attention, heads.of(attention), colour=colour, look=look, title=model.key)\n"
        ),
    )


def _open_head(key: str) -> Callable[[], None]:
    """What a click on a thumbnail of this model does."""

    def callback() -> None:
        points = (st.session_state.get(f"grid-{key}") or {}).get("selection", {}).get("points", [])
        if points:
            layer, head = points[0]["customdata"]
            st.session_state["layer"], st.session_state["heads"] = int(layer) + 1, [int(head) + 1]
            st.session_state["view"] = "One head"

    return callback


def row_names(config: Config) -> list[str]:
    """What each layer is called: which use of a block it is, where layers share blocks."""
    uses = config.blocks
    if config.n_blocks == len(uses):
        return [f"layer {layer}" for layer in range(1, len(uses) + 1)]
    several = config.n_blocks > 1
    return [
        f"use {uses[: layer + 1].count(block)}" + (f" of block {block + 1}" if several else "")
        for layer, block in enumerate(uses)
    ]


def what_heads_do(selection: Selection) -> None:
    """Numbers of every head, how alike they are, and groups of them."""
    if not selection.models:
        return
    level = choose_level()
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        heads = selection.heads(key, level)
        colour, title = shared.colour(selection.models[key]), opened.title(key)
        st.markdown(draw_heads.groups(heads))
        view = draw_heads.measures(heads, colour=colour, look=look, title=f"{title}, what its heads do")
        shared.picture(view, f"measures-{key}")
        st.markdown("**How similar heads are**: the fainter a square, the more alike are its two heads.")
        alike = draw_heads.likeness(heads, colour=colour, look=look, title=f"{title}, how similar its heads are")
        shared.picture(alike, f"alike-{key}")
        st.markdown(
            "**Groups**: each point is a head, by layer and number; those close together look at the text alike."
        )
        shared.picture(draw_heads.head_map(heads, look=look, title=f"{title}, its heads as points"), f"map-{key}")
        yield view
        yield alike

    take_away(
        selection,
        side_by_side(selection, show),
        name="heads",
        imports=OF_HEADS,
        lines=lambda key: (
            f"attention = {_make(level)}\n"
            "view = draw_heads.measures(heads.of(attention), colour=colour, look=look, title=model.key)\n"
        ),
    )
