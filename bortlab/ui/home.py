"""The parts of the Home page: the ways in, the three ideas, and every page; one screen of a laptop."""

from __future__ import annotations

import streamlit as st

from bortlab import lessons
from bortlab.models import FAMILIES
from bortlab.ui import shared
from bortlab.ui.contents import CONTENTS, title
from bortlab.ui.examples import DEFAULT_TEXT
from bortlab.ui.lessons import progress
from bortlab.views.cards import model_heading
from bortlab.views.escape import markdown
from bortlab.views.ideas import draw

TO_CHOOSE = {
    "parameters": "How large?",
    "latency": "How fast here?",
    "Fine_tune": "On my data?",
    "Search": "Which sizes?",
}
"""Pages that help to choose an encoder, as far as they are there, and what they are asked."""


def ways_in() -> None:
    """A lesson, a sentence, an encoder."""
    for (name, icon, way), column in shared.grid(WAYS, len(WAYS)):
        with column.container(border=True, height="stretch", gap="small"):
            st.markdown(f"{icon} **{name}**")
            way()


def _lesson() -> None:
    there = lessons.available()[0]
    minutes = sorted(lesson.header.minutes for lesson in there.values())
    st.caption(f"Guess first, then look: {len(there)} lessons of {minutes[0]} to {minutes[-1]} minutes.")
    last = progress.last()
    lesson = there[last] if last in there else next(iter(there.values()))
    label = "Go on with" if last in there else "Start with"
    if st.button(f"{label}: {markdown(lesson.title)}", key="start-lesson", type="primary"):
        st.switch_page("pages/Lessons.py", query_params=progress.address(lesson))


def _sentence() -> None:
    with st.form("sentence", border=False):
        text = st.text_input(
            "A sentence with a [MASK], the word to guess",
            value=DEFAULT_TEXT,
            key="first-sentence",
            max_chars=shared.LONGEST_TEXT,
        )
        if st.form_submit_button("What do the models guess?", key="try"):
            st.switch_page("pages/predict.py", query_params={"text": text or ""})


def _encoder() -> None:
    st.caption("Published and bundled models side by side.")
    with st.container(horizontal=True, gap="small"):
        for page, question in TO_CHOOSE.items():
            if page in CONTENTS and st.button(question, key=f"choose-{page}", icon=CONTENTS[page].icon):
                st.switch_page(f"pages/{page}.py")


WAYS = (
    ("Start a lesson", ":material/school:", _lesson),
    ("Try a sentence", ":material/edit:", _sentence),
    ("Pick an encoder", ":material/balance:", _encoder),
)
"""What a visitor may want: its title, its icon, and the way."""


def ideas() -> None:
    """A picture and a sentence for each family but the reference."""
    look = shared.look()
    ideas = [(family, draw(family.name, look)) for family in FAMILIES.values() if not family.reference]
    for (family, drawing), column in shared.grid(ideas, len(ideas)):
        with column.container(gap="xsmall"):
            st.html(model_heading(family.title, family.name, head=None, facts=[], look=look))
            if drawing is not None:
                shared.drawing(drawing)
            st.markdown(f":small[{family.idea} [Paper]({family.paper})]")


def pages() -> None:
    """Every page, by its name and, on pointing, its question."""
    with st.container(horizontal=True, gap="small"):
        for page, entry in CONTENTS.items():
            if page == "home":
                continue
            if st.button(title(page), key=f"open-{page}", type="tertiary", help=entry.question):
                st.switch_page(f"pages/{page}.py")
