"""Kernels of one text: of a token, of all tokens, and beside the attention of the same block."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from bortlab.analysis import attention
from bortlab.analysis import kernels as analysis
from bortlab.analysis.kernels import Kernels
from bortlab.model import Model
from bortlab.system.numbers import percent
from bortlab.ui import shared
from bortlab.ui.kernels.choosing import (
    Views,
    beside_the_token_alone,
    choose_layer,
    choose_token,
    kernels_of,
    take_away,
    title,
)
from bortlab.views import kernels as draw
from bortlab.views.escape import markdown

FIXED = 0.01
"""A head whose kernels differ by less from their mean has practically the same kernel for every token."""


def one_token(model: Model, text: str) -> None:
    """The kernel of a token over its neighbours, in each head of a layer."""
    shared.heading(model)
    kernels = kernels_of(model, text)
    with st.container(horizontal=True):
        layer, place = choose_layer(model), choose_token(kernels)
    alone = shared.ask(model, ("token only", text), lambda model: analysis.token_only(model, model.trace(text)))
    word = kernels.units[place].text
    views: Views = []
    for head, column in shared.grid(range(kernels.weights.shape[1]), 2, stretch=False):
        with column:
            st.markdown(f"**Convolution head {head + 1}**")
            name = title(model, f"layer {layer + 1}", f"head {head + 1}", word)
            view = beside_the_token_alone(model, kernels, alone, (layer, head, place), name=name)
            shared.picture(view, f"laid-{model.key}-{head}")
            views.append(view)
    own = kernels.weights[layer, :, place]
    numbers = analysis.statistics(own)
    moved = float(analysis.distance(own, alone[layer, :, place]).mean())
    st.markdown(
        f"In layer {layer + 1} the kernels of **{markdown(word)}** have an entropy of "
        f"{float(numbers.entropy.mean()):.1f} of at most {math.log2(len(kernels.taps)):.1f} bits and put "
        f"{percent(float(numbers.own.mean()))} on the token itself. Made from the token alone (dotted), "
        f"**{percent(moved)}** of their weight would lie elsewhere."
    )
    take_away(
        model,
        text,
        views,
        lines="kernels, alone = analysis.of(trace), analysis.token_only(model, trace)\n"
        "for head in range(kernels.weights.shape[1]):\n"
        f"    kernel, other = kernels.weights[{layer}, head, {place}], alone[{layer}, head, {place}]\n"
        f"    draw.laid_over(\n        kernel, kernels.units, {place}, colour=colour, look=look,\n"
        "        title=f'head {head + 1}', other=('from the token alone', other),\n    ).show()\n",
    )


def whole_text(model: Model, text: str) -> None:
    """Tokens by taps, for every head of a layer and their mean."""
    shared.heading(model)
    kernels = kernels_of(model, text)
    layer = choose_layer(model)
    views: Views = []
    heads: list[int | None] = [*range(kernels.weights.shape[1]), None]
    for head, column in shared.grid(heads, 3):
        with column:
            name = "all heads, mean" if head is None else f"head {head + 1}"
            st.markdown(f"**{name.capitalize()}**")
            view = draw.heat(
                kernels,
                layer,
                head,
                colour=shared.colour(model),
                look=shared.look(),
                title=title(model, f"layer {layer + 1}", name),
            )
            shared.picture(view, f"taps-{model.key}-{name}")
            views.append(view)
    st.markdown(preferred_taps(kernels, layer))
    take_away(
        model,
        text,
        views,
        lines="kernels = analysis.of(trace)\n"
        "for head in [*range(kernels.weights.shape[1]), None]:  # None: the mean of all\n"
        f"    draw.heat(kernels, {layer}, head, colour=colour, look=look, title=f'head {{head}}').show()\n",
    )


def preferred_taps(kernels: Kernels, layer: int) -> str:
    """In Markdown, what each head of a layer prefers in this text, and whether it is the same for all tokens."""
    lines = []
    for head, weights in enumerate(kernels.weights[layer][:, kernels.own]):
        mean = weights.mean(0)
        spread = float(analysis.distance(weights, mean).mean())
        alike = "its kernel is nearly the same for every token"
        if spread >= FIXED:
            alike = f"its kernels differ from their mean by {percent(spread)}"
        lines.append(f"* Head {head + 1} {_preferred(mean.tolist(), kernels.taps)}; {alike}.")
    lost = float(kernels.beyond[layer].mean())
    return "\n".join([*lines, f"* {percent(lost)} of the layer's weight falls beyond the ends of the text."])


def _preferred(mean: Sequence[float], taps: Sequence[int]) -> str:
    """Where a mean kernel has its largest weight, which several taps may share."""
    most = percent(max(mean))
    places = [
        "the token itself" if tap == 0 else f"the token {draw.tap_name(tap)}"
        for tap, weight in zip(taps, mean, strict=True)
        if percent(weight) == most
    ]
    if len(places) == len(taps) > 1:
        return f"weighs all {len(taps)} taps alike ({most} each)"
    return f"prefers {shared.names(places)} ({most}{' each' if len(places) > 1 else ''})"


def the_block(model: Model, text: str) -> None:
    """Attention heads and convolution heads of a block in one picture."""
    shared.heading(model)
    kernels = kernels_of(model, text)
    question = ("attention", "Pieces", text, None)
    weights = shared.ask(model, question, lambda model: attention.of_pieces(model.trace(text)))
    layer = choose_layer(model)
    view = draw.mixed_block(
        weights,
        kernels,
        layer,
        colour=shared.colour(model),
        look=shared.look(),
        title=title(model, f"the mixed attention of layer {layer + 1}"),
    )
    st.caption(
        "Rows look at columns. Above, attention may reach everywhere; below, a kernel reaches "
        f"{kernels.taps[-1]} tokens to each side."
    )
    shared.picture(view, f"block-{model.key}")
    st.markdown(shared.sentence(view))
    take_away(
        model,
        text,
        [view],
        imports="from bortlab.analysis import attention\n",
        lines=f"weights = attention.of_pieces(trace)\n"
        f"view = draw.mixed_block(weights, analysis.of(trace), {layer}, colour=colour, look=look, title='block')\n"
        "view.show()\n",
    )
