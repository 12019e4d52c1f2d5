"""Agora in a real Chromium: from a file of one's own by a click to the rounds of its run, and the slider of rounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]
WAIT_MS = 240_000
"""A run on a busy machine."""


def moods(folder: Path) -> Path:
    path = folder / "moods.csv"
    rows = [f"A {('good and happy', 'poor and sad')[n % 2]} day {n} for us,{('glad', 'sad')[n % 2]}" for n in range(40)]
    odd = [f"So so was this day {n} for us,{('glad', 'sad')[n % 2]}" for n in range(40)]  # there will be mistakes
    path.write_text("text,mood\n" + "\n".join([*rows, *odd]), encoding="utf-8")
    return path


def test_from_a_click_to_the_rounds_of_a_run_on_a_file_of_ones_own(visit: Arrive, tmp_path: Path) -> None:
    options = {"sets": "2", "epochs": "1", "generator": "swap", "labeller": "TF-IDF + linear"}
    lab = visit().open("Agora", view="On your data", **{"from": "a file of your own"}, **options)
    lab.page.locator("input[type=file]").set_input_files(moods(tmp_path))
    expect(lab.page.get_by_text("Does what Agora takes for granted hold here?")).to_be_visible()
    lab.settled()
    lab.page.get_by_role("button", name="Run Agora").press("Enter")
    expect(lab.page.get_by_text("The best model is right in", exact=False)).to_be_visible(timeout=WAIT_MS)
    lab.settled()
    lab.audit()
    assert "Agora round by round" in (lab.charts.first.get_attribute("aria-label") or "")
    with lab.page.expect_download() as download:
        lab.page.get_by_role("button", name="The best model").click()
    assert download.value.suggested_filename.startswith("agora-")
    lab.page.reload()
    lab.settled()
    lab.page.locator("input[type=file]").set_input_files(moods(tmp_path))
    expect(lab.page.get_by_text("The best model is right in", exact=False)).to_be_visible()
    lab.settled()
    lab.page.get_by_role("button", name="Delete it here").click()
    expect(lab.page.get_by_text("Bring a table with a column of texts")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_rounds_move_by_keyboard_and_the_page_fits(visit: Arrive, width: int, scheme: str) -> None:
    lab = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    lab.open("Agora", view="How it works")
    last = lab.page.get_by_text("Round 4 trains 1 set", exact=False).first
    expect(last).to_be_visible()
    lab.page.get_by_role("slider").press("ArrowLeft")
    expect(lab.page.get_by_text("Round 3 trains 2 sets", exact=False).first).to_be_visible()
    lab.settled()
    assert "round=3" in lab.page.url
    assert lab.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
