"""How far a visitor has come: in the session, in the address for a reload and a link, and in the browser for later.

The address holds `lesson`, `step` (from 1), and one `guess` for each question that was answered: its number in the
lesson, a colon, and the guess. `GAVE_UP` stands for a visitor who wanted to see the answer without guessing.
"""

from __future__ import annotations

import re

import streamlit as st

from bortlab.lessons import Lesson, Question
from bortlab.ui.lessons import browser
from bortlab.ui.lessons.browser import LONGEST_GUESS, Guesses, Progress

GAVE_UP = "?"
_NOT_BEGUN = Progress(step=1, guesses={}, turn=0)
_FORGOTTEN = "lessons forgotten"


def _session() -> dict[str, Progress]:
    """By the lesson's key: what the browser had kept when the visitor came, and what came since.

    Guesses of the address the visitor came with count before those that the browser had kept.
    """
    kept: dict[str, Progress] | None = st.session_state.get("lessons")
    if kept is None:
        kept = st.session_state["lessons"] = browser.read()
        key, guesses = st.query_params.get("lesson"), browser.guesses_of(st.query_params.get_all("guess"))
        if key in kept and guesses:
            kept[key] = kept[key]._replace(guesses=guesses)
    return kept


def of(lesson: Lesson) -> Progress:
    """How far the visitor has come in a lesson."""
    kept = _session().get(lesson.key)
    if kept is None and st.query_params.get("lesson") == lesson.key:
        kept = _NOT_BEGUN._replace(guesses=browser.guesses_of(st.query_params.get_all("guess")))
    kept = kept or _NOT_BEGUN
    numbers = {question.number for question in lesson.questions}
    guesses = {number: text for number, text in kept.guesses.items() if number in numbers}
    return kept._replace(step=min(max(1, kept.step), len(lesson.steps)), guesses=guesses)


def guesses(lesson: Lesson) -> Guesses:
    """The visitor's guesses by the question's number."""
    return of(lesson).guesses


def step(lesson: Lesson) -> int:
    """The present step, from 1, as the address says."""
    written = st.query_params.get("step", "1")
    return min(max(1, int(written)), len(lesson.steps)) if re.fullmatch("[0-9]{1,4}", written) else 1


def go_to(lesson: Lesson, number: int) -> None:
    """Open a step; for callbacks."""
    _note(lesson, number, guesses(lesson))


def guess(lesson: Lesson, question: Question, text: str | None) -> None:
    """Note a guess, or take it back with None; for callbacks."""
    made = {number: kept for number, kept in guesses(lesson).items() if number != question.number}
    if text:
        made[question.number] = text[:LONGEST_GUESS]
    _note(lesson, step(lesson), made)


def open_lesson(lesson: Lesson) -> None:
    """Open a lesson where the visitor left it; for callbacks."""
    query: dict[str, str | list[str]] = dict(st.query_params.to_dict())
    st.query_params.from_dict(query | address(lesson))


def close() -> None:
    """Back to the list; for callbacks. What was guessed stays."""
    teacher = st.query_params.get("teacher")
    st.query_params.from_dict({} if teacher is None else {"teacher": teacher})


def last() -> str | None:
    """The key of the lesson that was open last."""
    kept = _session()
    return max(kept, key=lambda key: kept[key].turn, default=None)


def address(lesson: Lesson) -> dict[str, str | list[str]]:
    """The query of a lesson where the visitor left it."""
    return _query(lesson, of(lesson))


def _query(lesson: Lesson, progress: Progress) -> dict[str, str | list[str]]:
    return {"lesson": lesson.key, "step": str(progress.step), "guess": browser.written(progress.guesses)}


def _note(lesson: Lesson, number: int, made: Guesses) -> None:
    kept = _session()
    turn = 1 + max((progress.turn for progress in kept.values()), default=0)
    kept[lesson.key] = Progress(number, made, turn)
    query: dict[str, str | list[str]] = dict(st.query_params.to_dict())
    st.query_params.from_dict(query | _query(lesson, kept[lesson.key]))


# -- in the browser ----------------------------------------------------------------------------------------------------


def has_any() -> bool:
    """Is there anything that the visitor could want to be forgotten?"""
    return bool(_session())


def forget() -> None:
    """Begin anew in all lessons; for callbacks. The browser is told by `keep`."""
    st.session_state["lessons"] = {}
    st.session_state[_FORGOTTEN] = True


def keep(lesson: Lesson | None) -> None:
    """At the end of the page, tell the browser what there is to forget, and to keep of the open lesson."""
    if st.session_state.pop(_FORGOTTEN, False):
        browser.forget()
    if lesson is not None and lesson.key in _session():
        browser.keep(lesson.key, of(lesson))
