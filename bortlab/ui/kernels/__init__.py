"""The parts of the Kernels page. Each view is a function of a model and the text; `VIEWS` names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from bortlab.analysis import kernels as analysis
from bortlab.model import Model
from bortlab.ui import opened, shared
from bortlab.ui.kernels.of_many import by_layer, halves
from bortlab.ui.kernels.of_text import one_token, the_block, whole_text
from bortlab.ui.kernels.span import why_a_span
from bortlab.views.escape import markdown, visible

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
* Taps beyond the ends of the text fall on padding, which is zero: that weight is lost, and is hatched or grey.
* *Token alone* sets the neighbours in the span to zero and leaves the rest. In layer 1 that kernel depends on the word
  and its position only; in later layers the token itself has taken in its neighbours.
* *Moved* is half the sum of the absolute differences between two distributions (the total variation distance): the
  share of the weight that lies elsewhere.
* A half's **length** is that of the vector that it adds. Lengths do not add up, as the two may point in different
  directions. Leaving out a half is a crude question: the layers after it were never trained on such input.
* Models whose blocks are self-attention alone have nothing to show here.
"""

VIEWS: dict[str, Callable[[Model, str], None]] = {
    "One token": one_token,
    "Whole text": whole_text,
    "The block": the_block,
    "Why a span?": why_a_span,
    "By layer": by_layer,
    "Two halves": halves,
}


def choose_one(keys: Sequence[str], text: str) -> Model | None:
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
        has, its = ("has", "its") if len(without) == 1 else ("have", "their")
        sentence = (
            f"{shared.names(without)} {has} no kernels: {its} blocks are self-attention alone, and every head may look "
            "everywhere."
        )
        (st.caption if models else st.info)(sentence)
    if not models:
        _offer_usual(keys)
        return None
    model = models[_choose(list(models))]
    shared.left_out({model.key: model.encode(text)})
    return model


def _choose(keys: Sequence[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    titles = {key: visible(opened.title(key)) for key in keys}
    return st.selectbox(
        "Model", keys, format_func=titles.__getitem__, key="convolution", bind="query-params", width=300
    )


def _offer_usual(keys: Sequence[str]) -> None:
    """A button that adds a model with kernels to the chosen ones."""
    if not keys:
        st.info("Choose a model in the sidebar.")

    def add() -> None:
        st.session_state["models"] = [*st.session_state.get("models", []), USUAL]

    st.button(f"Look at {opened.title(USUAL)}", on_click=add, type="primary")
