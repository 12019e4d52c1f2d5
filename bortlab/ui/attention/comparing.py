"""Views of differences: between two models, and between a text and itself with a word hidden."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from bortlab.analysis import attention as analysis
from bortlab.analysis import predict as words
from bortlab.analysis.attention import Compared
from bortlab.system.numbers import percent
from bortlab.ui import opened, shared
from bortlab.ui.attention.selection import (
    LEVELS,
    HeadChoice,
    Selection,
    choose_heads,
    choose_layer,
    heads_of_model,
    side_by_side,
    take_away,
)
from bortlab.views import attention as draw
from bortlab.views.escape import markdown, visible
from bortlab.views.view import View

MASKABLE = 200
"""Words that can be chosen to be hidden."""


def compare(selection: Selection) -> None:
    """Two models, or one model with a word hidden, and the difference."""
    if not selection.models:
        return
    with st.container(horizontal=True):
        kind = st.segmented_control(
            "Compare",
            ("Two models", "A word hidden"),
            default="Two models",
            key="compare",
            bind="query-params",
            required=True,
        )
        layer, heads = choose_layer(selection), choose_heads(selection)
    if kind == "A word hidden":
        _word_hidden(selection, layer, heads)
    elif len(selection.models) < 2:
        st.info("Choose at least two models in the sidebar.")
    else:
        _two_models(selection, layer, heads)


def _two_models(selection: Selection, layer: int, heads: Sequence[int]) -> None:
    keys = list(selection.models)
    titles = {key: visible(opened.title(key)) for key in keys}
    with st.container(horizontal=True):
        first, second = (
            st.selectbox(
                label, keys, index=place, format_func=titles.__getitem__, key=name, bind="query-params", width=220
            )
            for place, (label, name) in enumerate((("First", "first"), ("Second", "other")))
        )
    look = shared.look()
    pair = [(key, heads_of_model(selection, key, layer, heads)) for key in (first, second)]
    attentions = [selection.attention(key, LEVELS[0]) for key in (first, second)]
    matrices = [choice.matrix(attention) for (_, choice), attention in zip(pair, attentions, strict=True)]
    compared = analysis.compare((attentions[0], matrices[0]), (attentions[1], matrices[1]))
    largest = max((float(matrix.max()) for matrix in (compared.first, compared.second) if matrix.numel()), default=0.0)
    sides = ((compared.first, compared.first_units), (compared.second, compared.second_units))
    for number, (((key, choice), (matrix, units)), column) in enumerate(
        shared.grid(list(zip(pair, sides, strict=True)), 2)
    ):
        with column:
            model = selection.models[key]
            shared.heading(model)
            heat = draw.heat(matrix, units, colour=shared.colour(model), look=look, title=choice.title, largest=largest)
            shared.picture(heat, f"one-of-two-{number}")
    title = f"{pair[1][1].title}, minus {pair[0][1].title}"
    view = draw.difference(compared, look=look, title=title, names=("first", "second"))
    st.markdown(
        f"**Second minus first**: blue where {markdown(titles[second])} looks more, orange where "
        f"{markdown(titles[first])} does. {shared.sentence(view)}"
    )
    shared.picture(view, "difference")
    take_away(
        selection,
        {second: [view]},
        name="difference",
        lines=lambda key: (
            f"other = {opened.python(first)}\n"
            f"other_trace = other.trace({_texts(selection.text, selection.second)})\n"
            "a, b = analysis.of_words(other_trace), analysis.of_words(trace)\n"
            f"compared = analysis.compare((a, {_mean('a', pair[0][1])}), (b, {_mean('b', pair[1][1])}))\n"
            "view = draw.difference(compared, look=look, title='difference', names=('first', 'second'))\n"
        ),
    )


def _mean(name: str, choice: HeadChoice) -> str:
    return f"{name}.mean({choice.layer}, {choice.heads})"


def _texts(text: str, second: str | None) -> str:
    """The arguments of `Model.trace`."""
    return f"{text!r}" if second is None else f"{text!r}, {second!r}"


def _word_hidden(selection: Selection, layer: int, heads: Sequence[int]) -> None:
    every_word = words.words_of(selection.text)
    choices = [word for word in every_word if not word.is_mask][:MASKABLE]
    if not choices:
        st.info("There is no word to hide: write a sentence.")
        return
    longer = next((number for number, word in enumerate(choices) if len(word.text) > 3), 0)
    word = choices[shared.choose_place("Hide", "hide", [visible(word.text) for word in choices], longer)]
    hidden = words.blank_out(selection.text, word)
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        before, after = selection.attention(key, LEVELS[0]), selection.attention(key, LEVELS[0], hidden)
        choice = heads_of_model(selection, key, layer, heads)
        compared = analysis.compare((before, choice.matrix(before)), (after, choice.matrix(after)))
        title = f"{choice.title}, with {word.text} hidden"
        view = draw.difference(compared, look=look, title=title, names=("before", "hidden"))
        shared.picture(view, f"hidden-{key}")
        st.markdown(hiding_sentence(compared, every_word.index(word)))
        yield view

    def lines(key: str) -> str:
        choice = heads_of_model(selection, key, layer, heads)
        return (
            f"a, b = analysis.of_words(trace), analysis.of_words(model.trace({_texts(hidden, selection.second)}))\n"
            f"compared = analysis.compare((a, {_mean('a', choice)}), (b, {_mean('b', choice)}))\n"
            "view = draw.difference(compared, look=look, title='hidden', names=('before', 'hidden'))\n"
        )

    take_away(selection, side_by_side(selection, show), name="hidden-word", lines=lines)


def hiding_sentence(compared: Compared, word: int) -> str:
    """In Markdown, how much attention moved, and whether the hidden word, by its number, is looked at more or less."""
    if not compared.first_units:
        return "The two texts share no word."
    moved = float(compared.difference.abs().sum(-1).mean()) / 2
    sentence = f"On average **{percent(moved)}** of a word's attention moved."
    place = next((n for n, unit in enumerate(compared.first_units) if unit.key == ("word", word)), None)
    if place is None:
        return sentence
    points = round(100 * float(compared.difference[:, place].mean()), 1)
    if not points:
        return f"{sentence} The hidden word is looked at as much as before."
    return f"{sentence} The hidden word is looked at **{abs(points):.1f} points** {'more' if points > 0 else 'less'}."
