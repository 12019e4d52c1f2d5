"""How the bundled models learned: their learning curves, on the Models page."""

from __future__ import annotations

import streamlit as st

from bortlab.analysis.learning import KINDS, bundled_curves, frame
from bortlab.ui import shared
from bortlab.views import learning as view
from bortlab.views.escape import markdown

MEASURES = ("accuracy", "loss", *KINDS)
NOTE = (
    "Measured on text that they never learned from, 15% of the words hidden, some of it at each point. BERT mini, "
    "ConvBERT mini and MiniLM cut text alike; ALBERT mini and Bort mini have pieces of their own, so their figures are "
    "not quite of the same task. MiniLM (dashed) had been pre-trained elsewhere before its curve begins."
)


def curves() -> None:
    """The learning curves of the bundled models, by the measure that is chosen."""
    st.header("How the bundled models learned", anchor=False)
    with shared.sentences():
        learned = bundled_curves()
        measure = st.selectbox("Show", MEASURES, format_func=view.title_of, key="curve", bind="query-params", width=290)
        shared.picture(view.learning_curves(learned, measure=measure, look=shared.look()), "learning-curves")
        st.caption(NOTE)
        findings = view.sentences(learned, measure)
        if findings:
            st.markdown(markdown(" ".join(findings)))
        shared.take_away(
            frame(learned),
            name="learning-curves",
            python="from bortlab.analysis import learning\nfrom bortlab.views import learning as views\n\n"
            "curves = learning.bundled_curves()\n"
            f"views.learning_curves(curves, measure={measure!r}).show()\n"
            "print(learning.frame(curves))\n",
            says={},
        )
