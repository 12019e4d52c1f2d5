"""Why a kernel is made from a span: the same words beside another neighbour."""

from __future__ import annotations

import streamlit as st
from torch import Tensor

from bortlab.analysis import kernels as analysis
from bortlab.analysis import predict
from bortlab.analysis.kernels import Change
from bortlab.model import Model
from bortlab.system.numbers import percent
from bortlab.ui import history, shared
from bortlab.ui.kernels.choosing import Views, beside_the_token_alone, choose_head, choose_layer, take_away, title
from bortlab.views import kernel_numbers
from bortlab.views import kernels as draw
from bortlab.views.escape import markdown, visible


def why_a_span(model: Model, text: str) -> None:
    """Edit a neighbour, and see the kernels of the words that stay."""
    shared.heading(model)
    second = _edited_text(text)
    change = shared.ask(model, ("change", text, second), lambda model: analysis.change(model, text, second))
    if not change.pairs:
        st.info("The two texts share no token.")
        return
    view = draw.changes(change, look=shared.look(), title=title(model, "how kernels moved"))
    st.markdown("**How much of each shared token's kernel moved**, by layer (mean over heads)")
    shared.picture(view, f"changes-{model.key}")
    span, alone = change.distances()
    st.markdown(moved_sentence(span, alone))
    with st.container(horizontal=True):
        layer, head = choose_layer(model), choose_head(model)
        words = [visible(change.first.units[place].text) for place, _ in change.pairs]
        pair = shared.choose_place("Token", "pair", words, int(span[0].mean(0).argmax()))
    views = [view, *_both_kernels(model, change, layer, head, pair)]
    st.markdown(
        f"**{percent(float(span[layer, head, pair]))}** of this kernel of **{markdown(words[pair])}** moved; of the "
        f"one made from the token alone (dotted), {percent(float(alone[layer, head, pair]))}."
    )
    with st.expander("For comparison: the fixed filters of the separable convolution"):
        filters = kernel_numbers.fixed_filters(
            analysis.depthwise(model),
            layer,
            look=shared.look(),
            title=title(model, f"depthwise filters of layer {layer + 1}"),
        )
        st.caption("They make the span, and are the same for every word of every text.")
        shared.picture(filters, f"filters-{model.key}")
    take_away(
        model,
        text,
        views,
        lines=f"change = analysis.change(model, {text!r}, {second!r})\n"
        "view = draw.changes(change, look=look, title='how kernels moved')\n"
        "view.show()\n",
    )


def _edited_text(text: str) -> str:
    """The second text; what it is to begin with where the visitor wrote none."""
    usual = with_another_word(text)
    if st.session_state.get("edited", usual) == st.session_state.get("usual-edited") != usual:
        history.note_address()
        st.session_state["edited"] = usual  # nobody has edited it: it follows the text
    st.session_state["usual-edited"] = usual
    second = st.text_input(
        "The same text with a neighbour changed",
        value=usual,
        key="edited",
        bind="query-params",
        live="300ms",
        help="Change a word and look at the others: their kernels change too, though they are the same words.",
    )
    return (second or usual)[: shared.LONGEST_TEXT]


def _both_kernels(model: Model, change: Change, layer: int, head: int, pair: int) -> Views:
    """The kernel of a shared token in both texts, side by side."""
    views: Views = []
    sides = zip(
        ("first text", "second text"), (change.first, change.second), change.alone, change.pairs[pair], strict=True
    )
    for number, ((name, kernels, alone, place), column) in enumerate(shared.grid(list(sides), 2)):
        with column:
            st.markdown(f"**{name.capitalize()}**")
            which = title(model, f"layer {layer + 1}", f"head {head + 1}", name)
            view = beside_the_token_alone(model, kernels, alone, (layer, head, place), name=which)
            shared.picture(view, f"side-{model.key}-{number}")
            views.append(view)
    return views


def moved_sentence(span: Tensor, alone: Tensor) -> str:
    """In Markdown, how far kernels moved in layer 1 and in all. span, alone: (layers, heads, pairs), as `distances`."""
    return (
        f"In layer 1, **{percent(float(span[0].mean()))}** of a kernel made from the span moved, and "
        f"**{percent(float(alone[0].mean()))}** of one made from the token alone; a fixed kernel never moves. Over all "
        f"layers: {percent(float(span.mean()))} with the span, {percent(float(alone.mean()))} with the token alone."
    )


def with_another_word(text: str) -> str:
    """The text with its first longer word changed: something to begin with."""
    words = [word for word in predict.words_of(text) if not word.is_mask and not word.is_mark]
    if not words:
        return f"The {text}"
    first = next((word for word in words if len(word.text) > 3), words[0])
    other, instead = ("London", "Rome") if first.text.istitle() else ("water", "city")
    return text[: first.start] + (instead if first.text == other else other) + text[first.end :]
