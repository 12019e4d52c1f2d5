"""A lesson in a real Chromium: guessed by keyboard, kept over a reload and Back, on a telephone, and on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit, watch
from tests.lessons.test_lessons import LOCAL

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]
FIRST = LOCAL[0]


def test_a_pupil_guesses_by_keyboard_and_a_reload_keeps_it(visit: Arrive) -> None:
    lab = visit(viewport={"width": 390, "height": 844}).open("home")
    lab.page.get_by_role("button", name="Start with").click()
    expect(lab.page.get_by_role("heading", level=1, name=FIRST.title)).to_be_visible()
    lab.settled()
    expect(lab.charts).to_have_count(0)
    first = lab.page.get_by_role("radio").filter(visible=True).last
    first.focus()
    lab.page.keyboard.press("Space")
    lab.page.get_by_role("button", name="Check my guess").focus()
    lab.page.keyboard.press("Enter")
    expect(lab.page.get_by_text("You guessed")).to_be_visible()
    lab.settled()
    expect(lab.charts).to_have_count(2)
    lab.page.wait_for_function("() => document.documentElement.scrollWidth <= innerWidth")
    lab.page.reload()
    lab.settled()
    expect(lab.page.get_by_text("You guessed")).to_be_visible()
    lab.page.get_by_role("link", name="Go on with this").click()
    expect(lab.text).to_have_value(FIRST.header.text or "")
    lab.settled()
    lab.page.go_back()
    expect(lab.page.get_by_text("You guessed")).to_be_visible()


def test_the_browser_keeps_where_one_stood_until_it_is_told_to_forget(visit: Arrive) -> None:
    lab = visit().open("Lessons", lesson=FIRST.key)
    lab.page.get_by_role("button", name="Show the answer").click()
    lab.settled()
    lab.page.get_by_role("button", name="Next step").click()
    lab.page.wait_for_function("document.cookie.includes('step=2')")
    lab.page.close()

    lab.page = lab.context.new_page()
    watch(lab)
    lab.open("home")
    expect(lab.page.get_by_role("button", name=f"Go on with: {FIRST.title}")).to_be_visible()
    lab.open("Lessons")
    expect(lab.page.get_by_text(f"1 of {len(FIRST.questions)} guesses made")).to_be_visible()
    lab.page.get_by_role("button", name="Go on at step 2").click()
    expect(lab.page.get_by_role("heading", name=f"2. {FIRST.steps[1].title}")).to_be_visible()
    lab.settled()
    lab.page.get_by_role("button", name="Back", exact=True).click()
    expect(lab.charts).to_have_count(2)  # the guess of step 1 is there
    lab.settled()
    lab.page.get_by_role("button", name="All lessons").click()
    lab.page.get_by_role("button", name="Forget them").click()
    lab.page.wait_for_function("!document.cookie.includes('bortlab')")

    for anew in (lab.open("Lessons"), visit().open("Lessons")):  # the second has a browser of its own
        expect(anew.page.get_by_role("button", name="Start")).to_have_count(len(LOCAL))


def test_a_teacher_prints_a_sheet(visit: Arrive, tmp_path: Path) -> None:
    lab = visit().open("Lessons", lesson="bort", teacher="true")
    with lab.page.expect_download() as download:
        lab.page.get_by_role("button", name="Sheet with answers").click()
    path = tmp_path / "sheet.html"
    download.value.save_as(path)
    paper = lab.context.new_page()
    paper.set_content(path.read_text(encoding="utf-8"))
    paper.emulate_media(media="print")
    expect(paper.locator(".answer")).to_have_count(len(next(x for x in LOCAL if x.key == "bort").questions))
