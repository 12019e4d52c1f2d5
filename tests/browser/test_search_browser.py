"""The Search page in a real browser: pictures, clicking a candidate, another space, what cannot be searched."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_answer_and_the_pictures_are_there(visit: Arrive, width: int, scheme: str) -> None:
    lab = visit(viewport={"width": width, "height": 900}, color_scheme=scheme).open("Search")
    expect(lab.page.get_by_text("300 candidates", exact=False).first).to_be_visible()
    for picture in ("Parameters and operations of one text", "Parameters and error", "Operations and milliseconds"):
        expect(lab.page.get_by_label(picture, exact=False).first).to_be_attached()
    expect(lab.page.get_by_role("img", name="drawn to scale").first).to_be_visible()
    assert lab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_click_on_a_point_opens_the_candidate(visit: Arrive) -> None:
    lab = visit().open("Search")
    candidate = lab.page.get_by_role("combobox", name="Candidate (D-A-H-I)")
    before = candidate.input_value()
    points = lab.charts.first.locator(".scatterlayer .trace .points path")
    points.first.click(force=True)
    lab.settled()
    expect(candidate).not_to_have_value(before)
    assert f"candidate={candidate.input_value()}" in lab.page.url


def test_another_space_and_a_stride_beyond_it_by_keyboard(visit: Arrive) -> None:
    lab = visit().open("Search", space="minis", candidate="4-8-1024-768")
    expect(lab.page.get_by_text("24 candidates", exact=False).first).to_be_visible()
    stride = lab.page.get_by_label("Stride (ε)", exact=True)
    stride.fill("99")
    stride.press("Enter")
    expect(lab.page.get_by_test_id("stAlert")).to_contain_text("from 1 to the 24 candidates of the space, got 99")
    stride.fill("6")
    stride.press("Enter")
    expect(lab.page.get_by_test_id("stAlert")).to_have_count(0)
    expect(lab.page.get_by_text("one of every 6 is looked at", exact=False)).to_be_visible()
    lab.settled()
    assert "space=minis" in lab.page.url and "stride=6" in lab.page.url
    expect(lab.page.get_by_role("button", name="Train 4 candidates")).to_be_enabled()
