"""Views of what heat maps do not show: all layers together, and the queries and keys behind the weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from bortlab.analysis import attention as analysis
from bortlab.analysis import flow
from bortlab.analysis.attention import QueryKey, Unit
from bortlab.model import Model
from bortlab.system.numbers import fixed, percent
from bortlab.text import Encoding
from bortlab.ui import opened, shared
from bortlab.ui.attention.selection import (
    LEVELS,
    Selection,
    choose_head,
    choose_layer,
    choose_unit,
    heads_of_model,
    same_unit,
    side_by_side,
    take_away,
)
from bortlab.views import attention as draw
from bortlab.views.escape import markdown
from bortlab.views.prose import names, which
from bortlab.views.view import View


def through_layers(selection: Selection) -> None:
    """Rollout and flow to one word."""
    if not selection.models:
        return
    first = selection.attention(selection.first, LEVELS[0])
    place = choose_unit(first, "To the end, at", "at")
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        model, attention = selection.models[key], selection.attention(key, LEVELS[0])
        own = same_unit(first, place, attention)
        if own is None:
            st.info("This model did not read that far.")
            return
        flows = None
        if attention.weights.shape[0] * len(attention.units) ** 2 <= flow.FLOW_EDGES:
            question = ("flow", selection.text, selection.second, own)
            flows = shared.ask(model, question, lambda _: flow.flow(attention, own))
        else:
            st.caption("The text is too long for flow here; rollout is shown.")
        word, colour, title = attention.units[own].text, shared.colour(model), opened.title(key)
        view = draw.through(attention, own, flows, colour=colour, look=look, title=f"{title}, what is in {word}")
        shared.picture(view, f"through-{key}")
        if model.config.heads < model.config.num_attention_heads:
            st.caption("Only the attention half counts here; what the convolution mixes in is left out.")
        rollout = flow.rollout(attention)[-1]
        rows = draw.heat(rollout, attention.units, colour=colour, look=look, title=f"{title}, rollout")
        with st.expander("Rollout of all words"):
            shared.picture(rows, f"rollout-{key}")
        st.markdown(
            f"By rollout **{percent(float(rollout[own, own]))}** of what stands at **{markdown(word)}** at the end "
            "came from itself."
        )
        yield view
        yield rows

    def lines(key: str) -> str:
        own = same_unit(first, place, selection.attention(key, LEVELS[0]))
        return (
            f"attention = analysis.of_words(trace)\nflows = flow.flow(attention, {own})\n"
            f"view = draw.through(attention, {own}, flows, colour=colour, look=look, title=model.key)\n"
        )

    take_away(
        selection,
        side_by_side(selection, show),
        name="rollout",
        imports="from bortlab.analysis import flow\n",
        lines=lines,
    )


def query_and_key(selection: Selection) -> None:
    """Why a piece looks where it looks, feature by feature."""
    if not selection.models:
        return
    with st.container(horizontal=True):
        layer, head = choose_layer(selection), choose_head(selection)
        first = selection.attention(selection.first, LEVELS[0])
        place = choose_unit(first, "Query of", "query")
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        model, attention = selection.models[key], selection.attention(key, LEVELS[0])
        own = same_unit(first, place, attention)
        if own is None:
            st.info("This model did not read that far.")
            return
        choice = heads_of_model(selection, key, layer, [head])
        own_head = choice.heads[0] if choice.heads else 0
        record = shared.ask(
            model,
            ("query and key", selection.text, selection.second, choice.layer, own_head, own),
            lambda model: _of_first_piece(model, selection, choice.layer, own_head, attention.units[own]),
        )
        view = draw.query_key(record, colour=shared.colour(model), look=look, title=choice.title)
        shared.picture(view, f"query-{key}")
        st.markdown(query_sentence(record))
        yield view

    def lines(key: str) -> str:
        choice, attention = heads_of_model(selection, key, layer, [head]), selection.attention(key, LEVELS[0])
        unit = attention.units[same_unit(first, place, attention) or 0]
        position = _first_piece(selection.models[key].encode(selection.text, selection.second), unit)
        return (
            f"record = analysis.query_key(model, trace, {choice.layer}, {(choice.heads or [0])[0]}, {position})\n"
            "view = draw.query_key(record, colour=colour, look=look, title=model.key)\n"
        )

    take_away(selection, side_by_side(selection, show), name="query-and-key", lines=lines)


def _of_first_piece(model: Model, selection: Selection, layer: int, head: int, unit: Unit) -> QueryKey:
    """The query of a word's first piece."""
    trace = model.trace(selection.text, selection.second)
    return analysis.query_key(model, trace, layer, head, _first_piece(trace.encoding, unit))


def _first_piece(encoding: Encoding, unit: Unit) -> int:
    """The position of a word's first piece."""
    units, members = analysis.word_units(encoding)
    return int(members[[own.key for own in units].index(unit.key)].argmax())


def query_sentence(record: QueryKey) -> str:
    """In Markdown, what the query looks at most, and how many features agree."""
    best, most = int(record.weights.argmax()), percent(float(record.weights.max()))
    alike = [n for n, weight in enumerate(record.weights.tolist()) if percent(weight) == most]
    looker = _bold(record.units, record.position)
    if len(alike) == len(record.units) > 1:
        return f"{looker} looks at all {len(alike)} pieces alike ({most} each)."
    if len(alike) > 1:
        return f"{looker} looks most at {names([_bold(record.units, n) for n in alike], most=3)} ({most} each)."
    helpful = int((record.products[best] > 0).sum())
    return (
        f"{looker} looks most at {_bold(record.units, best)} ({most}): score {fixed(float(record.scores[best]), 2)}, "
        f"{helpful} of {len(record.query)} features raise it."
    )


def _bold(units: Sequence[Unit], index: int) -> str:
    """A piece in bold, and which one it is of equals."""
    return f"**{markdown(units[index].text)}**{which([unit.text for unit in units], index)}"
