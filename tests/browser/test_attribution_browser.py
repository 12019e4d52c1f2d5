"""The Attribution page in a real Chromium: colours with signs, the keyboard, links, narrow screens, hostile texts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from bortlab.ui.startup import bundled
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]

TEXT = "Paris is the [MASK] of France."
COUNT = """() => Object.fromEntries(["img", "script", "iframe", "a[href]", "object", "form", "[onerror]", "[onload]"]
    .map(name => [name, document.querySelectorAll(name).length]))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_coloured_and_read_by_keyboard(visit: Arrive, scheme: str) -> None:
    lab = visit(color_scheme=scheme).open("attribution", text=TEXT)
    expect(lab.page.locator(".ba-words")).to_have_count(len(bundled()))
    word = lab.page.locator(".ba-words").first.locator("li", has_text="France")
    assert re.fullmatch(r"France: [+−][\d.e−-]+", word.get_attribute("aria-label") or "")
    expect(word.locator("small")).to_be_hidden()
    word.focus()
    expect(word.locator("small")).to_be_visible()
    lab.page.keyboard.press("Tab")
    assert lab.page.evaluate("document.activeElement.matches('.ba-words li')")
    styles = lab.page.evaluate(
        "[...document.querySelectorAll('.ba-more, .ba-less')]"
        ".map(e => e.className.includes('more') + getComputedStyle(e).borderBottomStyle)"
    )
    assert set(styles) <= {"truesolid", "falsedashed"} and "truesolid" in styles  # the sign, not by colour alone
    lab.page.get_by_text("Numbers below the words").click()
    expect(word.locator("small")).to_be_visible()


@pytest.mark.parametrize("view", ["Words", "Methods", "Layers", "Trust"])
def test_no_view_is_wider_than_a_telephone(visit: Arrive, view: str) -> None:
    lab = visit(viewport={"width": 390, "height": 800}).open("attribution", text=TEXT, view=view, models=bundled()[0])
    expect(lab.charts.first).to_be_visible()
    assert lab.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_link_opens_exactly_this_view(visit: Arrive) -> None:
    lab = visit().open("attribution", text=TEXT, models=bundled()[0], method="Feature Ablation", why="city")
    shown = lab.page.locator(".ba-words").first.inner_text()
    lab.page.get_by_role("button", name="Link").click()
    link = lab.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    assert "method=Feature+Ablation" in link and "why=city" in link
    other = visit()
    other.page.goto(link)
    other.settled()
    assert other.page.locator(".ba-words").first.inner_text() == shown


@pytest.mark.parametrize("text", [
    "</script><script>alert(1)</script> [MASK]", "<img src=x onerror=alert(1)> [MASK]",
    '" onmouseover="alert(1)" x=" [MASK]', "</style><style>*{display:none}</style> [MASK]",
])  # fmt: skip
def test_a_hostile_text_brings_nothing_into_the_page(visit: Arrive, text: str) -> None:
    key = bundled()[-1]
    lab = visit().open("attribution", text="some plain [MASK]", models=key)
    before = lab.page.evaluate(COUNT)
    lab.open("attribution", text=text, models=key)
    expect(lab.page.locator(".ba-words").first).to_be_visible()
    assert lab.page.evaluate(COUNT) == before
    assert lab.page.evaluate("!document.querySelector('[onmouseover]')")
