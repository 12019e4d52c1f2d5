"""The Tokens page in a real Chromium: rows that stay aligned at any width, links, keyboard, hostile texts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from bortlab import registry
from bortlab.ui.startup import minis
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]

TEXT = "Unbelievable internationalization: the naïve café 😀 of שלום [MASK]."
ALIGNED = """() => {
    const lists = [...document.querySelectorAll('.bt-strip ol')];
    const places = lists.map(list => [...list.children].map(e => e.getBoundingClientRect()));
    const names = [...document.querySelectorAll('.bt-names p')].map(e => e.getBoundingClientRect().top);
    const wrong = [];
    places.forEach((row, k) => row.forEach((box, n) => {
        const first = places[0][n];
        if (Math.abs(box.left - first.left) > 1 || Math.abs(box.width - first.width) > 1) wrong.push(['column', k, n]);
        if (Math.abs(box.top - first.top - k * (places[1][0].top - places[0][0].top)) > 1) wrong.push(['line', k, n]);
        if (!names.some(top => Math.abs(top - box.top) < 4)) wrong.push(['name', k, n]);
    }));
    const chips = [...document.querySelectorAll('.bt-strip .bt-p')].filter(e => e.scrollWidth > e.clientWidth + 2);
    const box = document.querySelector('.bt-box');
    return {wrong, clipped: chips.map(e => e.innerText), wide: box.scrollWidth - box.clientWidth,
            lines: new Set(places[0].map(b => b.top)).size}
}"""
HOSTILE = (
    "</script><script>alert(1)</script> [MASK]",
    "<img src=x onerror=alert(1)><svg onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe><a href=javascript:alert(1)>x</a>",
    '" onmouseover="alert(1)" x="',
    "</style><style>*{display:none}</style> --n:1;background:url(http://x/y)",
)
COUNT = """() => Object.fromEntries(["img", "script", "iframe", "a[href]", "object", "form", "[onerror]", "[onload]"]
    .map(name => [name, document.querySelectorAll(name).length]))"""


def row(lab: Visit, key: str) -> Locator:
    """A model's list of pieces."""
    return lab.page.get_by_role("list", name=re.compile(f"^{re.escape(registry.find(key)[1].title)}: "))


def test_every_models_row_is_there_and_follows_the_text(visit: Arrive) -> None:
    lab = visit().open("home")
    lab.page.get_by_test_id("stSidebarNavLink").filter(has_text="Tokens").click()
    lab.settled()
    for key in minis():
        expect(row(lab, key)).to_be_visible()
    lab.text.fill("the unbelievable city")
    expect(
        lab.page.get_by_role("list", name="The text").get_by_role("listitem").filter(has_text="city")
    ).to_be_visible()
    lab.settled()
    for key in minis():
        said = re.sub(r"\s", "", row(lab, key).inner_text()).lower().replace("␣", "")
        assert "theunbelievablecity" in said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rows_are_aligned_at_any_width(visit: Arrive, scheme: str) -> None:
    lab = visit(color_scheme=scheme).open("tokens", text=TEXT, second="It isn't.")
    lines = []
    for width in (1400, 800, 390):
        lab.page.set_viewport_size({"width": width, "height": 900})
        lab.page.wait_for_function("w => innerWidth == w && document.documentElement.scrollWidth <= w", arg=width)
        lab.page.wait_for_timeout(300)
        found = lab.page.evaluate(ALIGNED)
        assert not found["wrong"] and not found["clipped"], found
        assert found["wide"] <= 1 or width == 390
        lines.append(found["lines"])
    assert lines[0] < lines[2]
    ink = lab.page.evaluate("getComputedStyle(document.querySelector('.bt-text li')).color")
    assert (sum(map(int, re.findall(r"\d+", ink)[:3])) > 400) == (scheme == "dark")


def test_a_link_opens_exactly_this_view(visit: Arrive) -> None:
    key = minis()[-1]
    lab = visit().open("tokens", text="A & b [MASK]?", second="naïve + x", models=key)
    lab.page.get_by_role("button", name="Link").click()
    link = lab.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    assert link.startswith(f"{lab.url}/tokens?")
    other = visit()
    other.page.goto(link)
    other.settled()
    expect(other.text).to_have_value("A & b [MASK]?")
    expect(other.page.get_by_label("Second text", exact=True)).to_have_value("naïve + x")
    expect(row(other, key)).to_be_visible()
    assert other.page.locator(".bt-strip ol").count() == 2
    assert row(other, key).inner_text() == row(lab, key).inner_text()


def test_the_keyboard_scrolls_a_long_text(visit: Arrive) -> None:
    lab = visit().open("tokens", text="In the beginning God created the heavens and the earth. " * 30)
    box = lab.page.get_by_role("region", name="The pieces of each model")
    expect(box).to_be_visible()
    for _ in range(40):
        lab.page.keyboard.press("Tab")
        if box.evaluate("e => e == document.activeElement"):
            break
    assert box.evaluate("e => e == document.activeElement"), "Tab does not reach the pieces"
    assert box.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    lab.page.keyboard.press("End")
    lab.page.wait_for_function("() => document.querySelector('.bt-box').scrollTop > 100")
    assert box.evaluate("e => e.clientHeight") < 800


def test_a_hostile_text_brings_nothing_into_the_page(visit: Arrive) -> None:
    lab = visit().open("tokens", text="some plain words", second="plain")
    before = lab.page.evaluate(COUNT)
    for text in HOSTILE:
        lab.open("tokens", text=text, second=text)
        expect(lab.text).to_have_value(text)
        expect(row(lab, minis()[0])).to_be_visible()
        assert lab.page.evaluate(COUNT) == before, text
        assert lab.page.evaluate("!document.querySelector('[onmouseover]')"), text
