"""The parts of the Home page."""

from __future__ import annotations

import streamlit as st

from bortlab import registry
from bortlab.models import FAMILIES
from bortlab.ui import shared
from bortlab.ui.contents import CONTENTS
from bortlab.ui.examples import EXAMPLES
from bortlab.ui.startup import bundled
from bortlab.views.cards import model_heading
from bortlab.views.escape import markdown
from bortlab.views.ideas import draw

COLUMNS = 3


def ideas() -> None:
    """A picture and a sentence for each family but the reference."""
    look = shared.look()
    ideas = [(family, draw(family.name, look)) for family in FAMILIES.values() if not family.reference]
    for (family, drawing), column in shared.grid(ideas, len(ideas)):
        with column:
            st.html(model_heading(family.title, family.name, head=None, facts=[], look=look))
            if drawing is not None:
                shared.drawing(drawing)
            st.markdown(f"{family.idea} [Paper]({family.paper})")


def what_to_try() -> None:
    """Sentences that lead to the Predict page."""
    st.subheader("Try one", anchor=False)
    st.markdown("Each opens the Predict page with all models side by side.")
    with st.container(horizontal=True):
        for number, example in enumerate(EXAMPLES):
            if st.button(markdown(example), key=f"try-{number}"):
                st.switch_page("pages/predict.py", query_params={"text": example})


def questions() -> None:
    """Every page, by the question that it answers."""
    st.subheader("Look inside", anchor=False)
    st.markdown("Each page answers one question.")
    entries = [(name, entry) for name, entry in CONTENTS.items() if name != "home"]
    for (page, entry), column in shared.grid(entries, COLUMNS, stretch=False):
        with column.container(border=True, gap="xxsmall", height="stretch"):
            if st.button(f"**{page.capitalize()}**", key=f"open-{page}", icon=entry.icon, type="tertiary"):
                st.switch_page(f"pages/{page}.py")
            st.caption(entry.question)


def models() -> None:
    """What is on this machine, with its size."""
    table = registry.checkpoints()
    here = table[table["key"].isin(bundled())]
    st.subheader("On this machine", anchor=False)
    st.markdown(
        "Four minis, trained alike: same text, same number of pieces, same teacher, so that comparing them is a fair "
        "experiment. MiniLM is a real pre-trained encoder, adapted here to fill blanks; it taught the minis."
    )
    st.dataframe(
        here[["title", "parameters", "size_mb", "licence"]],
        hide_index=True,
        width="content",
        column_config={
            "title": "Model",
            "parameters": st.column_config.NumberColumn("Parameters", format="localized"),
            "size_mb": st.column_config.NumberColumn("Memory (float32)", format="%.1f MB"),
            "licence": "Licence",
        },
        alt="The bundled models and their sizes",
    )
