"""The Layers page in a real Chromium: tables that scroll by keyboard at any width, parts, links, hostile texts."""

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
HOSTILE = (
    "</script><script>alert(1)</script> [MASK]",
    "<img src=x onerror=alert(1)><svg onload=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "</table></style><style>*{display:none}</style>",
)


def table(lab: Visit, key: str) -> Locator:
    """A model's table."""
    return lab.page.get_by_role(
        "region", name=re.compile(f"^{re.escape(registry.find(key)[1].title)}(, plain lens|: cosine)")
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_model_is_there_and_follows_the_text_at_any_width(visit: Arrive, scheme: str) -> None:
    lab = visit(color_scheme=scheme).open("home")
    lab.page.get_by_test_id("stSidebarNavLink").filter(has_text="Layers").click()
    lab.settled()
    for key in minis():
        expect(table(lab, key)).to_be_visible()
    expect(lab.charts).to_have_count(1)
    lab.text.fill("The unbelievable city is a [MASK].")
    for key in minis():
        expect(table(lab, key).get_by_role("columnheader", name="city")).to_be_visible()
    for width in (1400, 390):
        lab.page.set_viewport_size({"width": width, "height": 900})
        lab.page.wait_for_function("w => innerWidth == w && document.documentElement.scrollWidth <= w", arg=width)
    ink = lab.page.evaluate("getComputedStyle(document.querySelector('.bl td')).color")
    assert (sum(map(int, re.findall(r"\d+", ink)[:3])) > 400) == (scheme == "dark")
    box = table(lab, minis()[0])
    lab.text.focus()
    for _ in range(20):
        lab.page.keyboard.press("Tab")
        if box.evaluate("e => e == document.activeElement"):
            break
    assert box.evaluate("e => getComputedStyle(e).outlineStyle") != "none"
    lab.page.keyboard.press("ArrowRight")
    lab.page.wait_for_function("() => document.querySelector('.bl-box').scrollLeft > 0")


def test_the_parts_and_their_links(visit: Arrive) -> None:
    lab = visit().open("layers", text="The dog is a tame animal.", models=minis()[:2])
    lab.pills("Surprise").filter(has_text="Surprise").click()
    grid = lab.page.get_by_role("region", name="How many bits each word costs each model")
    expect(grid.get_by_role("columnheader", name="tame")).to_be_visible()
    lab.settled().page.get_by_role("button", name="Link").click()
    link = lab.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    other = visit()
    other.page.goto(link)
    other.settled()
    again = other.page.get_by_role("region", name="How many bits each word costs each model")
    assert again.inner_text() == grid.inner_text()
    other.pills("Sentences").filter(has_text="Sentences").click()
    other.settled()
    expect(other.charts).to_have_count(3)  # a map each, and the means
    for key in minis()[:2]:
        expect(table(other, key).get_by_role("cell", name="1.00").first).to_be_visible()


@pytest.mark.parametrize("part", ["The lens", "Surprise", "Sentences"])
def test_a_hostile_text_brings_nothing_into_the_page(visit: Arrive, part: str) -> None:
    lab = visit()
    for text in HOSTILE:
        lab.open("layers", text=text, sentences=text, part=part, models=minis()[-1])
        expect(lab.page.locator(".bl-box").first).to_be_visible()
        assert lab.page.locator(".bl-box :is(script, img, svg, style)").count() == 0, text
        assert not lab.page.evaluate("document.querySelector('[onmouseover], [onerror], [onload]')"), text
