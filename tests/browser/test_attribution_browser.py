"""The Attribution page in a real Chromium: colours with signs, the keyboard, links, narrow screens, hostile texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from bortlab.ui.startup import minis
from tests.browser.conftest import Server, Visit, serving

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]

TEXT = "Paris is the [MASK] of France."
HOSTILE = (
    "</script><script>alert(1)</script> [MASK]",
    "<img src=x onerror=alert(1)> [MASK]",
    '" onmouseover="alert(1)" x=" [MASK]',
    "</style><style>*{display:none}</style> [MASK]",
)
COUNT = """() => Object.fromEntries(["img", "script", "iframe", "a[href]", "object", "form", "[onerror]", "[onload]"]
    .map(name => [name, document.querySelectorAll(name).length]))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_coloured_and_read_by_keyboard(visit: Arrive, scheme: str) -> None:
    lab = visit(color_scheme=scheme).open("attribution", text=TEXT)
    expect(lab.page.locator(".ba-words")).to_have_count(len(minis()))
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
    lab = visit(viewport={"width": 390, "height": 800}).open("attribution", text=TEXT, view=view, models=minis()[0])
    expect(lab.charts.first).to_be_visible()
    assert lab.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_link_opens_exactly_this_view(visit: Arrive) -> None:
    lab = visit().open("attribution", text=TEXT, models=minis()[0], method="Feature Ablation", why="city")
    shown = lab.page.locator(".ba-words").first.inner_text()
    lab.page.get_by_role("button", name="Link").click()
    link = lab.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    assert "method=Feature+Ablation" in link and "why=city" in link
    other = visit()
    other.page.goto(link)
    other.settled()
    assert other.page.locator(".ba-words").first.inner_text() == shown


def test_a_hostile_text_brings_nothing_into_the_page(visit: Arrive) -> None:
    key = minis()[-1]
    lab = visit().open("attribution", text="some plain [MASK]", models=key)
    before = lab.page.evaluate(COUNT)
    for text in HOSTILE:
        lab.open("attribution", text=text, models=key)
        expect(lab.page.locator(".ba-words").first).to_be_visible()
        assert lab.page.evaluate(COUNT) == before, text
        assert lab.page.evaluate("!document.querySelector('[onmouseover]')"), text


@pytest.fixture(scope="module")
def lab_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A lab where a model can be opened without others seeing it."""
    with serving(tmp_path_factory.mktemp("lab") / "log.txt", "-m", "bortlab", "lab") as server:
        yield server


def test_a_class_of_ones_own_is_explained(
    visit: Arrive, lab_of_its_own: Server, own_folder: Callable[..., Path]
) -> None:
    folder = own_folder("bert", "sequence-classification", labels=("sad", "glad"))
    lab = visit(lab_of_its_own.url).open("models")
    named = lab.page.get_by_label("or any repository or a folder", exact=True)
    named.fill(str(folder))
    named.press("Enter")
    lab.page.get_by_role("button", name="Load", exact=True).click()
    expect(lab.page.get_by_text("is loaded. Every page")).to_be_visible()

    lab.open("attribution", text="A fine day.", models=minis()[0])
    expect(lab.page.get_by_label("What is explained?")).to_have_count(0)
    lab.open("attribution", text="A fine day.", models=[str(folder), minis()[0]])

    def choose(label: str, option: str) -> None:
        lab.page.get_by_role("combobox", name=label).click()
        lab.page.get_by_role("option", name=option, exact=True).click()
        lab.settled()

    choose("What is explained?", "a class of the text")
    expect(lab.page.get_by_text("has no trained head for a class of the text")).to_have_count(1)
    expect(lab.page.locator(".ba-words")).to_have_count(1)
    choose("Why this label?", "sad")
    expect(lab.page.get_by_text('log-probability of "sad"')).to_be_visible()
    lab.settled()  # the heading comes before the words below it
    word = lab.page.locator(".ba-words li", has_text="fine")
    number = word.get_attribute("aria-label") or ""
    assert re.fullmatch(r"fine: [+−][\d.e−-]+", number)

    lab.page.get_by_role("button", name="Link").click()
    link = lab.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    other = visit(lab_of_its_own.url)
    other.page.goto(link)
    other.settled()
    expect(other.page.locator(".ba-words li", has_text="fine")).to_have_attribute("aria-label", number)
    other.text.fill("A fine long day.")
    expect(other.page.locator(".ba-words li", has_text="long")).to_be_visible()
    expect(other.page.get_by_text('log-probability of "sad"')).to_be_visible()
