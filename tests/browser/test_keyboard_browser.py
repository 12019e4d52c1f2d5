"""Without a mouse: the way through a page with Tab, and one picture on the whole screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]

MOST_STOPS = 120
"""More than any page has; a focus that is still on its way then goes round in a circle."""
PREPARE = """() => {
    const still = document.createElement("style");
    still.textContent = "* { transition: none !important }";
    document.head.append(still);
    const look = part => { const s = getComputedStyle(part);
        return [s.outlineStyle, s.outlineColor, s.boxShadow, s.borderColor, s.backgroundColor, s.opacity].join("|"); };
    window.around = element => {  // a control's frame may lie around what has the focus
        const parts = [];
        for (let part = element; part && parts.length < 7; part = part.parentElement) parts.push(look(part));
        return parts.join(" ");
    };
    const all = document.querySelectorAll("a, button, input, textarea, select, summary, iframe, [tabindex]");
    window.resting = new Map([...all].map(element => [element, around(element)]));
    window.stops = new Map();
}"""
STOP = """() => {
    const e = document.activeElement;
    if (e == document.body) return null;
    const again = stops.has(e);
    stops.set(e, true);
    const texts = ids => ids.split(" ").map(id => document.getElementById(id)?.innerText || "").join("");
    const name = (e.getAttribute("aria-label") || texts(e.getAttribute("aria-labelledby") || "") || e.innerText
        || [...(e.labels || [])].map(l => l.innerText || l.getAttribute("aria-label")).join("") || e.title).trim();
    return {again, name, html: e.outerHTML.slice(0, 150)};
}"""
SEEN = """() => {
    const e = document.activeElement;
    if (e.tagName == "MAIN") return true;  // the page as a whole, where Chromium stops to let it be scrolled
    if (e.tagName != "IFRAME") return resting.get(e) != around(e);
    const inner = e.contentDocument?.activeElement;  // what has the focus lies in the frame
    return !inner || e.contentWindow.getComputedStyle(inner).outlineStyle != "none";
}"""
"""Does what has the focus look otherwise than before? A frame of another origin cannot be asked from here."""


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("attention", {"models": ["bert-mini", "albert-mini"], "view": "BertViz heads"}),
        ("attribution", {"models": ["albert-mini"]}),
        ("Lessons", {"lesson": "masked-word", "step": "2"}),
    ],
)
def test_tab_goes_through_a_page_and_what_it_reaches_has_a_name_and_is_seen(
    visit: Arrive, page: str, query: dict[str, object]
) -> None:
    lab = visit().open(page, **query)
    lab.page.evaluate(PREPARE)
    names: list[str] = []
    while len(names) < MOST_STOPS:
        lab.page.keyboard.press("Tab")
        stop = lab.page.evaluate(STOP)
        if stop is None:
            break
        assert not stop["again"], f"Tab goes in a circle: {stop['html']}"
        assert stop["name"], f"no name: {stop['html']}"
        names.append(stop["name"])
        lab.page.wait_for_function(SEEN, timeout=5000)
    assert 25 < len(names) < MOST_STOPS, names


def test_one_picture_fills_the_screen_by_keyboard_and_escape_leaves(visit: Arrive) -> None:
    lab = visit(viewport={"width": 1400, "height": 900}).open("attention", models=["bert-mini"])
    chart = lab.charts.first
    usual = chart.bounding_box()
    button = chart.get_by_role("button", name="Fullscreen")
    button.focus()
    lab.page.wait_for_function("getComputedStyle(document.activeElement.closest('.modebar')).opacity == 1")
    lab.page.keyboard.press("Enter")
    lab.page.wait_for_function(
        "(() => { const b = document.querySelector('[data-testid=stPlotlyChart]').getBoundingClientRect();"
        " return b.width > 0.95 * innerWidth && b.height > 0.85 * innerHeight; })()"
    )
    lab.page.keyboard.press("Escape")
    lab.page.wait_for_function(
        "h => document.querySelector('[data-testid=stPlotlyChart]').getBoundingClientRect().height == h",
        arg=usual and usual["height"],
    )
