"""BertViz's own views."""

from __future__ import annotations

import streamlit as st

from bortlab.analysis import heads as analysis
from bortlab.ui import opened, shared
from bortlab.ui.attention.heads import head_sentence
from bortlab.ui.attention.selection import LEVELS, Selection
from bortlab.views import bertviz
from bortlab.views.escape import visible


def bertviz_heads(selection: Selection) -> None:
    """BertViz's head view."""
    _bertviz(selection, "head")


def bertviz_model(selection: Selection) -> None:
    """BertViz's model view."""
    _bertviz(selection, "model")


def _bertviz(selection: Selection, kind: bertviz.Kind) -> None:
    if not selection.models:
        return
    keys = list(selection.models)
    titles = {key: visible(opened.title(key)) for key in keys}
    with st.container(horizontal=True):
        key = st.selectbox("Model", keys, format_func=titles.__getitem__, key="bertviz", bind="query-params", width=220)
        attention = selection.attention(key, LEVELS[1])
        layers, fit = len(attention.weights), bertviz.layers_that_fit(attention)
        room = f"A text of {len(attention.units)} pieces leaves room for {fit} layers at once."
        numbers = st.multiselect(
            "Layers",
            range(1, layers + 1),
            default=list(range(1, fit + 1)),
            max_selections=fit,
            width="stretch",
            key=f"layers-{key}-{fit}",
            help=room if fit < layers else None,
        )
    if not numbers:
        st.info("Choose a layer.")
        return
    chosen = [number - 1 for number in sorted(numbers)]
    shared.heading(selection.models[key])
    look, title = shared.look(), opened.title(key)
    if kind == "head":
        st.caption(
            "Point at a word to see its lines. Click a colour to switch a head off or on, double-click to isolate it."
        )
        view = bertviz.head_view(attention, look=look, title=title, layers=chosen)
    else:
        st.caption("Click a thumbnail to enlarge it.")
        view = bertviz.model_view(attention, look=look, title=title, layers=chosen)
    shared.picture(view, f"bertviz-{kind}")
    if attention.weights[0].numel() * len(chosen) > bertviz.MOST_LINES:
        st.caption(f"The strongest {bertviz.MOST_LINES:,} lines are drawn, an equal share for each head.")
    mean = head_sentence(analysis.statistics(attention), chosen[0], None, LEVELS[1])
    st.markdown(f"In layer {chosen[0] + 1}, on average over its heads: {mean}")
    pair = "" if selection.second is None else f", {selection.second!r}"
    shared.take_away(
        view.table,
        name=f"bertviz-{kind}",
        views=[view],
        python=(
            "import bortlab\nfrom bortlab.analysis import attention as analysis\nfrom bortlab.views import bertviz\n"
            f"from bortlab.views.theme import Look\n\nmodel = {opened.python(key)}\n"
            f"attention = analysis.of_pieces(model.trace({selection.text!r}{pair}))\n"
            f"bertviz.{kind}_view(attention, look=Look({look.mode!r}), title=model.key).show()\n"
        ),
    )
