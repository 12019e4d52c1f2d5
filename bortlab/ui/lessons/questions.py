"""A question: guess first, then the answer as the models give it now."""

from __future__ import annotations

import streamlit as st

from bortlab import lessons as library
from bortlab.lessons import Answer, Context, Lesson, Question
from bortlab.ui.lessons import progress
from bortlab.ui.lessons.browser import LONGEST_GUESS
from bortlab.views.escape import markdown


def ask(lesson: Lesson, question: Question, context: Context, *, reveal: bool) -> None:
    """The question, and a place to guess; once guessed, or where all is revealed, what is right."""
    guess = progress.guesses(lesson).get(question.number)
    if guess is None and not reveal:
        _form(lesson, question, context)
        return
    with st.container(border=True, gap="small"):
        st.markdown(f"**{question.ask}**")
        answer = library.answer(question, lesson, context)
        _verdict(question, answer, guess)
        st.markdown(_computed(question, answer))
        if question.because:
            st.markdown(question.because)
        if guess is not None:
            st.button(
                "Guess again",
                key=f"again-{lesson.key}-{question.number}",
                type="tertiary",
                icon=":material/replay:",
                on_click=progress.guess,
                args=(lesson, question, None),
            )


def _form(lesson: Lesson, question: Question, context: Context) -> None:
    key = f"guess-{lesson.key}-{question.number}"
    given_up = f"given-up-{lesson.key}-{question.number}"

    def check() -> None:
        value = st.session_state.get(key)
        if st.session_state.get(given_up):
            value = progress.GAVE_UP
        progress.guess(lesson, question, None if value is None else str(value).strip())

    with st.form(f"form-{key}", border=True):
        st.markdown(f"**Guess first.** {question.ask}")
        _field(question, context, key)
        with st.container(horizontal=True):
            st.form_submit_button("Check my guess", type="primary", on_click=check, key=f"check-{key}")
            st.form_submit_button("Show the answer", on_click=check, key=given_up)


def _field(question: Question, context: Context, key: str) -> None:
    if question.kind == "choice":
        options = library.labels(question, context)
        st.radio("Your guess", options, index=None, format_func=markdown, key=key, label_visibility="collapsed")
    elif question.kind == "number":
        low, high = int(question.low), int(question.high)
        st.slider("Your guess", low, high, (low + high) // 2, key=key)
    else:
        st.text_input("Your guess", key=key, placeholder="one word", max_chars=LONGEST_GUESS, width=280)


def _verdict(question: Question, answer: Answer, guess: str | None) -> None:
    right = f"**{markdown(answer.right)}**"
    if not answer.is_clear:
        st.warning(f"Too close to call with these models: {right} by a hair.", icon=":material/balance:")
        return
    right += "" if answer.right.endswith((".", "?", "!")) else "."  # an answer may be a sentence
    if guess is None or guess == progress.GAVE_UP:
        st.info(f"It is {right}", icon=":material/lightbulb:")
    elif library.is_right(question, answer, guess):
        st.success(f"You guessed {markdown(guess)}. Right: it is {right}", icon=":material/check:")
    else:
        st.info(f"You guessed {markdown(guess)}. It is {right}", icon=":material/lightbulb:")


def _computed(question: Question, answer: Answer) -> str:
    """The numbers behind the answer, in Markdown."""
    if question.kind == "number":
        return f"Right is anything within {question.within:g} of it." if question.within >= 1 else ""
    scores = "; ".join(
        f"{markdown(label)} **{markdown(answer.measure.written(value))}**" for label, value in answer.scores
    )
    return f"Computed just now: {scores}."
