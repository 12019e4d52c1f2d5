"""Which lesson: the list of all of them, and the visitor's way back to it."""

from __future__ import annotations

import streamlit as st

from bortlab import lessons as library
from bortlab.lessons import Lesson
from bortlab.ui import shared, startup
from bortlab.ui.lessons import progress
from bortlab.views.escape import html, markdown

COLUMNS = 4


def choose() -> Lesson | None:
    """The lesson that the link names, None for the list of all."""
    startup.inside_the_frame()
    lessons, errors = library.available()
    for error in errors:
        st.warning(markdown(str(error)), icon=":material/menu_book:")
    key = st.query_params.get("lesson")
    if key is not None and key not in lessons:
        st.info(f"There is no lesson {markdown(key[:60])}. These are here.")
        return None
    return lessons[key] if key is not None else None


def overview() -> None:
    """Every lesson as a card, and what is kept of them."""
    lessons, _ = library.available()
    for (number, lesson), column in shared.grid(list(enumerate(lessons.values(), 1)), COLUMNS, stretch=False):
        with column.container(border=True, gap="xxsmall", height="stretch"):
            _card(number, lesson)
    if progress.has_any():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("This browser keeps your steps and guesses for half a year.", width="content")
            st.button(
                "Forget them", key="forget-lessons", type="tertiary", icon=":material/delete:", on_click=progress.forget
            )


def _card(number: int, lesson: Lesson) -> None:
    reached = progress.of(lesson)
    guesses, questions = len(reached.guesses), len(lesson.questions)
    st.html(f'<div style="font-size:.85rem;opacity:.8">Lesson {number} · {lesson.header.minutes} minutes</div>')
    st.html(f'<h2 style="font-size:1.15rem;line-height:1.3;padding:0;margin:0">{html(lesson.title)}</h2>')
    st.markdown(lesson.header.question)
    with st.container(height="stretch", vertical_alignment="bottom", border=False, gap="xsmall"):
        if guesses:
            st.progress(guesses / max(1, questions), text=f"{guesses} of {questions} guesses made")
        st.button(
            f"Go on at step {reached.step}" if reached.has_begun else "Start",
            key=f"open-{lesson.key}",
            type="primary" if number == 1 and not reached.has_begun else "secondary",
            on_click=progress.open_lesson,
            args=(lesson,),
            help=f"Opens {markdown(lesson.title)}",
        )
