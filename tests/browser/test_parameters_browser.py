"""The Parameters page in a real browser: pictures, moving a size, links."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_every_picture_is_there(visit: Arrive, width: int, scheme: str) -> None:
    lab = visit(viewport={"width": width, "height": 900}, color_scheme=scheme).open("parameters")
    expect(lab.charts).to_have_count(5)
    expect(lab.page.get_by_role("img", name="Bort, drawn to scale")).to_be_visible()
    assert lab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert lab.page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


def test_moving_a_size_changes_the_counts_and_the_link(visit: Arrive) -> None:
    lab = visit().open("parameters")
    stored = lab.page.get_by_test_id("stMetric").filter(has_text="Stored")
    expect(stored).to_contain_text("11.7 M")
    groups = lab.page.get_by_label("Groups of layers", exact=True)
    groups.fill("12")
    groups.press("Enter")
    expect(stored).to_contain_text("89.7 M")
    lab.settled()
    assert "num_hidden_groups=12" in lab.page.url
    lab.page.get_by_role("button", name="Link").click()
    link = lab.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    other = visit()
    other.page.goto(link)
    other.settled()
    expect(other.page.get_by_test_id("stMetric").filter(has_text="Stored")).to_contain_text("89.7 M")


def test_another_start_and_an_impossible_size(visit: Arrive) -> None:
    lab = visit().open("parameters", **{"from": "conv-bert-base", "conv_kernel_size": "7"})
    expect(lab.page.get_by_label("Kernel taps (k)", exact=True)).to_have_value("7")
    lab.page.get_by_label("Width (H)", exact=True).fill("770")
    lab.page.get_by_label("Width (H)", exact=True).press("Enter")
    expect(lab.page.get_by_test_id("stAlert")).to_contain_text(
        "hidden_size (770) must be a multiple of twice the 6 heads"
    )
    expect(lab.page.get_by_text("Nearest values that fit: Width (H) 768 or 780")).to_be_visible()
    lab.page.get_by_role("button", name="Back to the published sizes").click()
    expect(lab.page.get_by_test_id("stAlert")).to_have_count(0)
    expect(lab.page.get_by_label("Width (H)", exact=True)).to_have_value("768")
    expect(lab.page.get_by_label("Kernel taps (k)", exact=True)).to_have_value("9")
