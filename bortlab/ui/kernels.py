"""The parts of the Kernels page. Each view is a function of a model and the text; `VIEWS` names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from bortlab.analysis import attention, predict
from bortlab.analysis import kernels as analysis
from bortlab.analysis.kernels import Kernels
from bortlab.model import Model
from bortlab.system.numbers import percent
from bortlab.text import MASK
from bortlab.ui import opened, shared
from bortlab.ui.attention import heading
from bortlab.views import kernels as draw
from bortlab.views.escape import markdown, visible
from bortlab.views.view import View

USUAL = "convbert-mini"
"""What is offered where no chosen model has kernels."""

EXPLANATION = """
**Span-based dynamic convolution** (Jiang et al. 2020, arXiv 2008.02496, section 3.2). Many heads of BERT only look at
neighbours. ConvBERT lets a convolution do that: a **kernel** of nine **taps** weighs the token itself and four
neighbours to each side.

* A *fixed* convolution has one kernel for all tokens. *Dynamic* convolution (Wu et al. 2019, arXiv 1901.10430) makes it
  from the token: `softmax(W xᵢ)`, so "can" the verb and "can" the tin get the same one. *Span-based*: the kernel is
  `softmax(W (Q xᵢ ⊙ span(x)ᵢ))`, where the span is a separable convolution over the same nine tokens, so the
  neighbours have a say in the kernel.
* A block's width is split: half of the attention heads remain (`head_ratio`), the other half convolves values of its
  own. Both halves share the query, and one matrix joins them.
* Taps beyond the ends of the text fall on zeros: that weight is lost, and shown hatched or grey.
* *Token alone* sets the neighbours in the span to zero and leaves the rest. In layer 1 that kernel depends on the word
  and its position only; in later layers the token itself has taken in its neighbours.
* *Moved* is half the sum of absolute differences of two distributions: the share that lies elsewhere.
* A half's **length** is that of the vector that it adds; lengths do not add up, for the two may point apart. Leaving
  out a half is a crude question: the layers after it never saw such numbers.
* Models whose blocks are self-attention alone have nothing to show here.
"""

Views = list[View]


def choose_one(keys: Sequence[str]) -> Model | None:
    """The model to look at, of the chosen ones that have kernels; of the others, a sentence."""
    models: dict[str, Model] = {}
    without = []
    for key in keys:
        with shared.sentences():
            model = opened.load(key)
            if analysis.has_kernels(model):
                models[key] = model
            else:
                without.append(f"**{markdown(opened.title(key))}**")
    if without:
        one = len(without) == 1
        said = (
            f"{shared.names(without)} {'has' if one else 'have'} no kernels: {'its' if one else 'their'} blocks are "
            "self-attention alone, and every head may look everywhere."
        )
        (st.caption if models else st.info)(said)
    if models:
        found = list(models)
        if len(found) == 1:
            return models[found[0]]
        names = {key: visible(opened.title(key)) for key in found}
        chosen = st.selectbox(
            "Model", found, format_func=names.__getitem__, key="convolution", bind="query-params", width=300
        )
        return models[chosen]
    if not keys:
        st.info("Choose a model in the sidebar.")

    def add() -> None:
        st.session_state["models"] = [*st.session_state.get("models", []), USUAL]

    st.button(f"Look at {opened.title(USUAL)}", on_click=add, type="primary")
    return None


# -- asking and choosing -----------------------------------------------------------------------------------------------


def _kernels(model: Model, text: str) -> Kernels:
    return shared.ask(model, ("kernels", text), lambda model: analysis.of(model.trace(text)))


def _layer(model: Model) -> int:
    return _number("Layer", "layer", model.config.depth)


def _head(model: Model) -> int:
    return _number("Head", "head", model.config.heads)


def _number(label: str, name: str, most: int) -> int:
    """A number from 1, in the link, as one from 0; a choice from before that is too large becomes the largest."""
    now = st.session_state.get(name)
    if isinstance(now, int) and now > most:
        st.session_state[name] = most
    return int(st.selectbox(label, range(1, most + 1), key=name, bind="query-params", width=110)) - 1


def _token(kernels: Kernels, name: str = "token") -> int:
    """One of the tokens, by its place."""
    texts = [f"{n + 1}  {visible(unit.text)}" for n, unit in enumerate(kernels.units)]
    own = kernels.own.nonzero().flatten().tolist()
    return _place("Token", name, texts, own[len(own) // 2])


def _place(label: str, name: str, texts: Sequence[str], first: int) -> int:
    """One of some tokens, in the link; `first` unless chosen."""
    now = st.session_state.get(name)
    if isinstance(now, int) and now >= len(texts):
        st.session_state[name] = len(texts) - 1
    chosen = st.selectbox(
        label, range(len(texts)), index=first, format_func=texts.__getitem__, key=name, bind="query-params", width=220
    )
    return int(chosen)


def _title(model: Model) -> str:
    return opened.title(model.key)


def _take_away(model: Model, text: str, views: Views, *, lines: str) -> None:
    table = shared.together([view.table.assign(view=view.title) for view in views], first=("view",))
    shared.take_away(
        table,
        name="kernels",
        views=views,
        python=(
            "import bortlab\nfrom bortlab.analysis import kernels as analysis\n"
            "from bortlab.views import kernels as draw\n"
            f"from bortlab.views.theme import Look\n\nmodel, look = {opened.python(model.key)}, "
            f"Look({shared.look().mode!r})\ncolour = look.family(model.family.name)\ntrace = model.trace({text!r})\n"
            f"{lines}view.show()\n"
        ),
    )


def _colour(model: Model) -> str:
    return shared.look().family(model.family.name)


# -- views -------------------------------------------------------------------------------------------------------------


def one_token(model: Model, text: str) -> None:
    """The kernel of a token over its neighbours, in each head of a layer."""
    heading(model)
    kernels = _kernels(model, text)
    with st.container(horizontal=True):
        layer, position = _layer(model), _token(kernels)
    alone = shared.ask(model, ("token only", text), lambda model: analysis.token_only(model, model.trace(text)))
    heads = kernels.weights.shape[1]
    word = kernels.units[position].text
    views: Views = []
    for start in range(0, heads, 2):
        for head, column in zip(range(start, min(start + 2, heads)), st.columns(2), strict=False):
            with column:
                st.markdown(f"**Convolution head {head + 1}**")
                view = draw.laid_over(
                    kernels.weights[layer, head, position], kernels.units, position, colour=_colour(model),
                    look=shared.look(), title=f"{_title(model)}, layer {layer + 1}, head {head + 1}, {word}",
                    other=("from the token alone", alone[layer, head, position]),
                )  # fmt: skip
                shared.picture(view, f"laid-{model.key}-{head}")
                views.append(view)
    found = analysis.statistics(kernels.weights[layer, :, position])
    moved = analysis.distance(kernels.weights[layer, :, position], alone[layer, :, position])
    st.markdown(
        f"In layer {layer + 1} the kernels of **{markdown(word)}** have {float(found.entropy.mean()):.1f} of "
        f"{_bits(kernels):.1f} bits and put {percent(float(found.own.mean()))} on the token itself; made from the "
        f"token alone (dotted), they would be moved by **{percent(float(moved.mean()))}**."
    )
    _take_away(
        model, text, views,
        lines=f"found = analysis.of(trace)\nview = draw.laid_over(found.weights[{layer}, 0, {position}], found.units, "
        f"{position}, colour=colour, look=look, title='kernel')\n",
    )  # fmt: skip


def _bits(kernels: Kernels) -> float:
    return float(attention.entropy(kernels.weights.new_full((len(kernels.taps),), 1 / len(kernels.taps))))


def whole_text(model: Model, text: str) -> None:
    """Tokens by taps, for every head of a layer and their mean."""
    heading(model)
    kernels = _kernels(model, text)
    layer = _layer(model)
    views: Views = []
    choices: list[int | None] = [*range(kernels.weights.shape[1]), None]
    for start in range(0, len(choices), 3):
        row = choices[start : start + 3]
        for head, column in zip(row, st.columns(len(row)), strict=True):
            with column:
                name = "all heads, mean" if head is None else f"head {head + 1}"
                st.markdown(f"**{name.capitalize()}**")
                view = draw.heat(
                    kernels, layer, head, colour=_colour(model), look=shared.look(),
                    title=f"{_title(model)}, layer {layer + 1}, {name}",
                )  # fmt: skip
                shared.picture(view, f"taps-{model.key}-{name}")
                views.append(view)
    st.markdown(_heads_said(kernels, layer))
    _take_away(
        model, text, views,
        lines=f"view = draw.heat(analysis.of(trace), {layer}, 0, colour=colour, look=look, title='kernels')\n",
    )  # fmt: skip


def _heads_said(kernels: Kernels, layer: int) -> str:
    """What each head of a layer prefers in this text, and whether it is the same for all tokens."""
    said = []
    for head, weights in enumerate(kernels.weights[layer][:, kernels.own]):
        mean = weights.mean(0)
        tap = kernels.taps[int(mean.argmax())]
        spread = float(analysis.distance(weights, mean).mean())
        where = "the token itself" if tap == 0 else f"the token {draw.tap_name(tap)}"
        same = "the same for every token" if spread < 0.01 else f"kernels differ from their mean by {percent(spread)}"
        said.append(f"* Head {head + 1} prefers {where} ({percent(float(mean.max()))}); {same}.")
    lost = float(kernels.beyond[layer].mean())
    return "\n".join([*said, f"* {percent(lost)} of the layer's kernels falls beyond the ends of the text."])


def the_block(model: Model, text: str) -> None:
    """Attention heads and convolution heads of a block in one picture."""
    heading(model)
    kernels = _kernels(model, text)
    found = shared.ask(model, ("attention", "Pieces", text, None), lambda m: attention.of_pieces(m.trace(text)))
    layer = _layer(model)
    view = draw.mixed_block(
        found, kernels, layer, colour=_colour(model), look=shared.look(),
        title=f"{_title(model)}, the mixed attention of layer {layer + 1}",
    )  # fmt: skip
    st.caption(
        "Rows look at columns. Above, attention may reach everywhere; below, a kernel reaches "
        f"{kernels.taps[-1]} tokens to each side."
    )
    shared.picture(view, f"block-{model.key}")
    st.markdown(f"{markdown(shared.sentence(view))}")
    _take_away(
        model, text, [view],
        lines="from bortlab.analysis import attention\n"
        f"view = draw.mixed_block(attention.of_pieces(trace), analysis.of(trace), {layer}, colour=colour, look=look, "
        "title='block')\n",
    )  # fmt: skip


def why_a_span(model: Model, text: str) -> None:
    """Edit a neighbour, and see the kernels of the words that stay."""
    heading(model)
    usual = _edited(text)
    second = st.text_input(
        "The same text with a neighbour changed", value=usual, key="edited", bind="query-params", live="300ms",
        help="Change a word and look at the others: their kernels change too, though they are the same words.",
    ) or usual  # fmt: skip
    second = second[: shared.LONGEST_TEXT]
    found = shared.ask(model, ("change", text, second), lambda model: analysis.change(model, text, second))
    if not found.pairs:
        st.info("The two texts share no token.")
        return
    look, colour = shared.look(), _colour(model)
    view = draw.changes(found, look=look, title=f"{_title(model)}, how kernels moved")
    st.markdown("**How much of each shared token's kernel moved**, by layer (mean over heads)")
    shared.picture(view, f"changes-{model.key}")
    span, alone = found.distances()
    st.markdown(
        f"In layer 1 a kernel from the span moved by **{percent(float(span[0].mean()))}**, one from the token alone by "
        f"**{percent(float(alone[0].mean()))}**, and a fixed kernel never moves. In all layers together: span "
        f"{percent(float(span.mean()))}, token alone {percent(float(alone.mean()))}."
    )
    with st.container(horizontal=True):
        layer, head = _layer(model), _head(model)
        texts = [f"{n + 1}  {visible(found.first.units[a].text)}" for n, (a, _) in enumerate(found.pairs)]
        pair = _place("Token", "pair", texts, int(span[0].mean(0).argmax()))
    a, b = found.pairs[pair]
    views: Views = [view]
    sides = ((found.first, a, "first text", found.alone[0]), (found.second, b, "second text", found.alone[1]))
    for number, ((kernels, place, name, only), column) in enumerate(zip(sides, st.columns(2), strict=True)):
        with column:
            st.markdown(f"**{name.capitalize()}**")
            one = draw.laid_over(
                kernels.weights[layer, head, place], kernels.units, place, colour=colour, look=look,
                title=f"{_title(model)}, layer {layer + 1}, head {head + 1}, {name}",
                other=("from the token alone", only[layer, head, place]),
            )  # fmt: skip
            shared.picture(one, f"side-{model.key}-{number}")
            views.append(one)
    st.markdown(
        f"This kernel of **{markdown(found.first.units[a].text)}** moved by "
        f"**{percent(float(span[layer, head, pair]))}**; made from the token alone (dotted) by "
        f"{percent(float(alone[layer, head, pair]))}."
    )
    with st.expander("For comparison: the fixed filters of the separable convolution"):
        filters = draw.fixed_filters(
            analysis.depthwise(model),
            layer,
            look=look,
            title=f"{_title(model)}, depthwise filters of layer {layer + 1}",
        )
        st.caption("They make the span, and are the same for every word of every text.")
        shared.picture(filters, f"filters-{model.key}")
    _take_away(
        model, text, views,
        lines=f"found = analysis.change(model, {text!r}, {second!r})\n"
        "view = draw.changes(found, look=look, title='how kernels moved')\n",
    )  # fmt: skip


def _edited(text: str) -> str:
    """The text with its first longer word changed: something to begin with."""
    words = [word for word in predict.words_of(text) if not word.is_mask and not word.is_mark]
    if not words:
        return f"The {text}"
    first = next((word for word in words if len(word.text) > 3), words[0])
    usual = ("London", "Rome") if first.text.istitle() else ("water", "city")
    other = usual[first.text == usual[0]]
    return text[: first.start] + other + text[first.end :]


def by_layer(model: Model, text: str) -> None:
    """Kernels in numbers, of this text and of many."""
    heading(model)
    look, colour = shared.look(), _colour(model)
    kernels = _kernels(model, text)
    own = analysis.statistics(kernels.weights[:, :, kernels.own])
    here = analysis.KernelStatistics(*(getattr(own, name).mean(-1) for name in analysis.MEASURES))
    st.markdown("**In this text**: means over its tokens")
    view = draw.measures(
        here, len(kernels.taps), colour=colour, look=look, title=f"{_title(model)}, kernels of this text"
    )
    shared.picture(view, f"measures-{model.key}")
    found = shared.ask(model, ("survey",), lambda model: analysis.survey(model, analysis.sample()))
    st.markdown(f"**Over {found.n_texts} sentences** of the held-out corpus: mean kernels, and how far single ones lie")
    many = draw.preferences(found, colour=colour, look=look, title=f"{_title(model)}, what kernels prefer")
    shared.picture(many, f"survey-{model.key}")
    st.markdown(_survey_said(found))
    _take_away(
        model, text, [view, many],
        lines="found = analysis.survey(model, analysis.sample())\n"
        "view = draw.preferences(found, colour=colour, look=look, title='what kernels prefer')\n",
    )  # fmt: skip


def _survey_said(found: analysis.Survey) -> str:
    layers = [n + 1 for n, row in enumerate(found.spread) if float(row.max()) < 0.01]
    live = [n + 1 for n, row in enumerate(found.spread) if float(row.max()) >= 0.01]
    parts = []
    if layers:
        names = shared.names([str(layer) for layer in layers])
        parts.append(
            f"In layer{'s' if len(layers) > 1 else ''} {names} every token has practically the same kernel: training "
            "made this convolution a fixed one, most often a plain shift."
        )
    if live:
        best = int(found.spread.mean(1).argmax())
        parts.append(
            f"Kernels are truly dynamic in layer{'s' if len(live) > 1 else ''} {shared.names([str(n) for n in live])}, "
            f"most in layer {best + 1}: {percent(float(found.spread[best].mean()))} from their mean."
        )
    return " ".join(parts)


def halves(model: Model, text: str) -> None:
    """What attention and convolution add, and what happens without either."""
    heading(model)
    look, colour = shared.look(), _colour(model)
    found = shared.ask(model, ("contributions", text), lambda model: analysis.contributions(model, model.trace(text)))
    st.markdown("**Who adds how much**: convolution's part of the two halves' lengths; blue is convolution")
    view = draw.halves(found, colour=colour, look=look, title=f"{_title(model)}, halves")
    shared.picture(view, f"halves-{model.key}")
    parts = found.convolution.mean(1) / (found.convolution + found.attention).mean(1)
    most = int(parts.argmax())
    st.markdown(
        f"Convolution adds most in layer **{most + 1}** ({percent(float(parts[most]))} of the two lengths), least in "
        f"layer **{int(parts.argmin()) + 1}** ({percent(float(parts.min()))})."
    )
    views: Views = [view]
    if model.heads.get("masked-lm") is None:
        st.info("This model was loaded without a masked-LM head, so it predicts nothing.")
    else:
        st.markdown("**What if …**: the prediction with something changed, and how much of it moved")
        chosen = st.multiselect(
            "In layers", range(1, model.config.depth + 1), default=list(range(1, model.config.depth + 1)),
            key=f"in-{model.key}", width="stretch",
        )  # fmt: skip
        layers = tuple(sorted(layer - 1 for layer in chosen))
        results = shared.ask(model, ("ablate", text, layers), lambda model: analysis.ablate(model, text, layers=layers))
        bars = draw.ablated(results, colour=colour, look=look, title=f"{_title(model)}, what if")
        shared.picture(bars, f"ablated-{model.key}")
        if MASK not in text:
            st.caption(f"There is no blank: the mean over all tokens. Write {markdown(MASK)} to see guesses.")
        if model.heads["masked-lm"] == "random":
            st.caption("This model's masked-LM head is random, so its guesses mean nothing.")
        views.append(bars)
    _take_away(
        model, text, views,
        lines=f"view = draw.ablated(analysis.ablate(model, {text!r}), colour=colour, "
        "look=look, title='what if')\n",
    )  # fmt: skip


VIEWS: dict[str, Callable[[Model, str], None]] = {
    "One token": one_token,
    "Whole text": whole_text,
    "The block": the_block,
    "Why a span?": why_a_span,
    "By layer": by_layer,
    "Two halves": halves,
}
