"""How far a visitor has come: in the session, and in the address, where a reload and a link find it again.

The address holds `lesson`, `step` (from 1), and one `guess` for each question that was answered: its number in the
lesson, a colon, and the guess. `GAVE_UP` stands for a visitor who wanted to see the answer without guessing.
"""

from __future__ import annotations

import streamlit as st

from bortlab.lessons import Lesson, Question

GAVE_UP = "?"
LONGEST_GUESS = 80
Guesses = dict[int, str]


def _session() -> dict[str, dict[str, object]]:
    """Per lesson: the step, and the guesses by the number of their question."""
    kept: dict[str, dict[str, object]] = st.session_state.setdefault("lessons", {})
    return kept


def guesses(lesson: Lesson) -> Guesses:
    """The visitor's guesses by the question's number: of this session, else those of the address."""
    kept = _session().get(lesson.key, {}).get("guesses")
    if isinstance(kept, dict):
        return kept
    return _of_address(lesson) if st.query_params.get("lesson") == lesson.key else {}


def _of_address(lesson: Lesson) -> Guesses:
    numbers = {question.number for question in lesson.questions}
    found: Guesses = {}
    for value in st.query_params.get_all("guess"):
        number, _, guess = value.partition(":")
        if number.isdecimal() and int(number[:4]) in numbers and guess:
            found[int(number[:4])] = guess[:LONGEST_GUESS]
    return found


def step(lesson: Lesson) -> int:
    """The present step, from 1, as the address says."""
    written = st.query_params.get("step", "1")
    return min(max(1, int(written[:4])), len(lesson.steps)) if written.isdecimal() else 1


def go_to(lesson: Lesson, number: int) -> None:
    """Open a step; for callbacks."""
    _keep(lesson, number, guesses(lesson))


def guess(lesson: Lesson, question: Question, text: str | None) -> None:
    """Note a guess, or take it back with None; for callbacks."""
    made = {number: kept for number, kept in guesses(lesson).items() if number != question.number}
    if text:
        made[question.number] = text[:LONGEST_GUESS]
    _keep(lesson, step(lesson), made)


def open_lesson(lesson: Lesson) -> None:
    """Open a lesson where the visitor left it; for callbacks."""
    query: dict[str, str | list[str]] = dict(st.query_params.to_dict())
    st.query_params.from_dict(query | address(lesson))


def close() -> None:
    """Back to the list; for callbacks. What was guessed stays in the session."""
    teacher = st.query_params.get("teacher")
    st.query_params.from_dict({} if teacher is None else {"teacher": teacher})


def last() -> str | None:
    """The key of the lesson that was open last in this session."""
    return next(reversed(_session()), None)


def address(lesson: Lesson) -> dict[str, str | list[str]]:
    """The query of a lesson where the visitor left it."""
    kept = _session().get(lesson.key, {})
    number, made = kept.get("step"), kept.get("guesses")
    return _written(lesson, number if isinstance(number, int) else 1, made if isinstance(made, dict) else {})


def _written(lesson: Lesson, number: int, made: Guesses) -> dict[str, str | list[str]]:
    guesses = [f"{question}:{text}" for question, text in sorted(made.items())]
    return {"lesson": lesson.key, "step": str(number), "guess": guesses}


def _keep(lesson: Lesson, number: int, made: Guesses) -> None:
    _session().pop(lesson.key, None)  # the lesson that was open last comes last
    _session()[lesson.key] = {"step": number, "guesses": made}
    query: dict[str, str | list[str]] = dict(st.query_params.to_dict())
    st.query_params.from_dict(query | _written(lesson, number, made))
