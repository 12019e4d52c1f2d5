"""The Lessons page: guess, see, go on, come back; what a link says; a teacher's view; lessons of one's own."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from bortlab import lessons
from bortlab.system import settings
from bortlab.ui.lessons import browser, progress
from bortlab.ui.lessons.browser import Progress
from bortlab.views.theme import Look
from tests.lessons.test_lessons import HEADER, LOCAL
from tests.pages.visiting import bodies, charts, check, elements, sentences, visit

FIRST = LOCAL[0]
ANSWER = lessons.answer(FIRST.questions[0], FIRST, lessons.of_registry(Look("light")))


def click(at: AppTest, label: str) -> AppTest:
    return check(next(button for button in at.button if html.unescape(button.label) == label).click().run())


def verdict(at: AppTest) -> str:
    return " ".join(e.value for kind in (at.success, at.info) for e in kind)


def test_from_the_list_to_the_end_of_the_first_lesson() -> None:
    at = visit("Lessons")
    assert len([body for body in bodies(at) if "Lesson" in body]) == len(LOCAL)
    click(at, "Start")
    assert at.title[0].value == FIRST.title and not charts(at)
    for number, step in enumerate(FIRST.steps, 1):
        assert at.header[0].value == f"{number}. {step.title}"
        while shown := [button for button in at.button if button.label == "Show the answer"]:
            check(shown[0].click().run())
        assert not any(e.value.startswith("Guess, and") for e in at.caption)
        if number < len(FIRST.steps):
            click(at, "Next step")
    assert len(at.query_params["guess"]) == len(FIRST.questions)
    click(at, f"Next lesson: {LOCAL[1].title}")
    assert at.title[0].value == LOCAL[1].title
    click(at, "All lessons")
    assert at.title[0].value == "What can I learn here?" and "lesson" not in at.query_params
    on = f"Go on at step {len(FIRST.steps)}"
    cards = [button.label for button in at.button if button.label in ("Start", on)]
    assert cards == [on] + ["Start"] * (len(LOCAL) - 1)
    click(at, on)
    assert at.header[0].value.startswith(f"{len(FIRST.steps)}. ")  # where it was left


def kept_by_the_browser(at: AppTest) -> list[dict[str, Any]]:
    """What the page lets the browser keep and forget."""
    components = [e.proto for e in elements(at._tree) if e.type == "bidi_component"]
    return [json.loads(proto.json) for proto in components if proto.component_name == "bortlab.lessons"]


def test_the_browser_keeps_a_step_and_guesses_until_the_visitor_has_them_forgotten() -> None:
    at = visit("Lessons", lesson=FIRST.key)
    assert not kept_by_the_browser(at)  # looking at a lesson leaves nothing behind
    click(at, "Show the answer")
    click(at, "Next step")
    (kept,) = kept_by_the_browser(at)
    name, _, value = kept["cookies"][0].partition("=")
    assert browser.of_cookies({name: value}) == {FIRST.key: Progress(2, {1: progress.GAVE_UP}, turn=2)}
    click(at, "All lessons")
    click(at, "Forget them")
    assert kept_by_the_browser(at) == [{"forget": True, "cookies": []}]
    assert not [button for button in at.button if button.label.startswith(("Go on", "Forget"))]
    click(at, "Start")
    assert at.header[0].value.startswith("1. ") and not charts(at) and not kept_by_the_browser(at)


texts = st.text(min_size=1, max_size=browser.LONGEST_GUESS)


@given(
    key=st.text(min_size=1, max_size=30),
    step=st.integers(1, 999_999),
    guesses=st.dictionaries(st.integers(0, 9999), texts),
    turn=st.integers(1, 999_999),
)
def test_a_cookie_gives_back_what_was_kept(key: str, step: int, guesses: dict[int, str], turn: int) -> None:
    whole = browser.cookie(key, Progress(step, guesses, turn))
    name, _, value = whole.partition("=")
    assert re.fullmatch(r"[\w.~%-]+", name, re.ASCII) and re.fullmatch(r"[\w.*~%=&+-]+", value, re.ASCII)  # RFC 6265
    ((lesson, kept),) = browser.of_cookies({name: value}).items()
    assert (lesson, kept.step, kept.turn) == (key, step, turn)
    assert kept.guesses in (guesses, {})
    assert kept.guesses == guesses or sum(len(quote(text)) + 20 for text in guesses.values()) > browser.MOST_BYTES


@given(st.dictionaries(st.text().map(browser.PREFIX.__add__), st.text()))
def test_any_cookie_is_survived(cookies: dict[str, str]) -> None:
    for kept in browser.of_cookies(cookies).values():
        assert 0 <= kept.step < 10**6 and all(0 < len(text) <= 80 for text in kept.guesses.values())


def test_what_stands_below_a_question_waits_for_the_guess() -> None:
    at = visit("Lessons", lesson=FIRST.key)
    assert not charts(at)
    click(at, "Check my guess")  # nothing chosen
    assert not charts(at) and not at.success and at.radio
    at.radio[0].set_value(ANSWER.right)
    click(at, "Check my guess")
    assert charts(at) and ANSWER.right in verdict(at) and at.success
    click(at, "Guess again")
    at.radio[0].set_value(ANSWER.others[0][0])
    click(at, "Check my guess")
    assert not at.success and ANSWER.right in verdict(at)


def test_a_number_and_a_word_can_be_guessed() -> None:
    at = visit("Lessons", lesson=FIRST.key, step="2")
    at.slider[0].set_value(0)
    click(at, "Check my guess")
    assert "You guessed 0" in verdict(at)
    at = visit("Lessons", lesson=FIRST.key, step="4")
    at.text_input[0].set_value(" HOT ")
    click(at, "Check my guess")
    assert "You guessed HOT" in verdict(at)


def test_a_link_keeps_step_and_guesses() -> None:
    wrong = ANSWER.others[0][0]
    at = visit("Lessons", lesson=FIRST.key, step="1", guess=[f"1:{wrong}", "99:x", "nonsense", "2:"])
    assert f"You guessed {wrong}" in verdict(at)
    assert charts(at) and at.query_params["lesson"] == FIRST.key
    click(at, "Next step")
    assert at.query_params["step"] == "2" and at.query_params["guess"] == f"1:{wrong}"


@pytest.mark.parametrize("step", ["0", "-1", "99999999999999999999", "x", "²", ""])
def test_any_step_in_a_link_is_survived(step: str) -> None:
    assert visit("Lessons", lesson=FIRST.key, step=step).title[0].value == FIRST.title


def test_foreign_text_in_a_link_is_text() -> None:
    foreign = "![](http://x/y.png) :red[x] <b>"
    at = visit("Lessons", lesson=foreign)
    assert any("There is no lesson" in said for said in sentences(at))
    visit("Lessons", lesson=FIRST.key, guess=[f"1:{foreign}"])


def test_a_teacher_sees_everything_at_once() -> None:
    at = visit("Lessons", lesson=FIRST.key, teacher="true")
    assert len(at.header) == len(FIRST.steps)
    assert not [button for button in at.button if button.label == "Check my guess"]
    assert len(at.info) == len(FIRST.questions)
    assert any(f"lesson={FIRST.key}&step={len(FIRST.steps)}" in code.value for code in at.code)


@pytest.mark.parametrize("lesson", LOCAL, ids=lambda lesson: lesson.key)
def test_every_lesson_runs_for_a_teacher(lesson: lessons.Lesson) -> None:
    at = visit("Lessons", lesson=lesson.key, teacher="true")
    assert not at.error and not at.warning, sentences(at)
    assert len(at.header) == len(lesson.steps)


def test_a_lesson_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.md").write_text(f"{HEADER}\n## S\n\n```view\nshow: guesses\nmodels: [bert-base-uncased]\n```\n")
    (tmp_path / "broken.md").write_text("nothing")
    monkeypatch.setenv(settings.LESSONS.name, str(tmp_path))
    at = visit("Lessons")
    assert len(at.warning) == 1 and "broken" in at.warning[0].value
    at = visit("Lessons", lesson="own")
    assert at.title[0].value == "A"
    assert "is not loaded" in at.error[0].value  # no download because of a lesson
