"""Attention and Kernels in a real Chromium that reaches nothing but the lab: BertViz, hover, heads, links, keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import torch
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect

from bortlab.analysis.attention import Attention, Unit
from bortlab.views import bertviz
from bortlab.views.theme import Look
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]
EVIL = "</script><img src=x onerror=alert(1)> <s> treats [MASK]"


def offline(lab: Visit) -> Visit:
    """Cut off everything but the lab itself."""

    def block(route: Route) -> None:
        own = urlsplit(route.request.url).netloc == urlsplit(lab.url).netloc
        route.continue_() if own else route.abort()

    lab.context.route(re.compile("^https?:"), block)
    return lab


def bertviz_of(lab: Visit) -> FrameLocator:
    frame = lab.page.frame_locator('iframe[data-testid="stIFrame"]')
    expect(frame.locator("html[data-drawn=yes]")).to_be_attached()
    return frame


def hover_text(page: Page, chart: int, x: float, y: float) -> str:
    """What a chart says with the pointer at this share of its first plot."""
    plot = page.get_by_test_id("stPlotlyChart").nth(chart).locator(".nsewdrag").first
    box = plot.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    label = page.get_by_test_id("stPlotlyChart").nth(chart).locator(".hoverlayer .hovertext").first
    expect(label).to_be_visible()
    return label.text_content() or ""


def test_bertvizs_head_view_shows_a_hostile_text_and_answers_the_pointer(visit: Arrive) -> None:
    lab = offline(visit()).open("attention", view="BertViz heads", text=EVIL, models="bert-mini")
    frame = bertviz_of(lab)
    lines = frame.locator("#attention line")
    assert lines.count() > 50
    assert frame.locator("img, iframe, a").count() == 0
    said = frame.locator("#left text").all_text_contents()
    assert "<" in said and "script" in said
    frame.locator("#left text", has_text="[MASK]").hover()
    expect(frame.locator("#attention line[visibility=visible]").first).to_be_attached()
    visible = frame.locator("#attention line[visibility=visible]")
    assert {line.get_attribute("left-token-index") for line in visible.all()} == {str(said.index("[MASK]"))}
    boxes = frame.locator("#vis > svg > g").last.locator("rect")
    assert boxes.count() == 4
    boxes.nth(0).dispatch_event("click")
    expect(frame.locator('.headAttention[head-index="0"] line').first).to_have_attribute("stroke-opacity", "0")
    frame.locator("#layer").select_option("3")
    expect(frame.locator("#attention line").first).to_be_attached()


def test_bertvizs_model_view_in_the_dark_enlarges_a_head(visit: Arrive) -> None:
    lab = offline(visit(color_scheme="dark")).open("attention", view="BertViz model", models="convbert-mini")
    frame = bertviz_of(lab)
    assert frame.locator(".attn_background").count() == 12  # 6 layers of 2 heads
    frame.locator(".attn_background + g + rect, .attn_background ~ rect").last.click()
    expect(frame.get_by_text("Layer 6, Head 2")).to_be_visible()
    ink = frame.locator("svg text").first.evaluate("e => getComputedStyle(e).fill")
    assert sum(map(int, re.findall(r"\d+", ink)[:3])) > 400


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """BertViz of 12 layers, 12 heads and 128 pieces, as files."""
    weights = torch.randn(12, 12, 128, 128, generator=torch.Generator().manual_seed(0)).mul(2).softmax(-1)
    found = Attention(weights, tuple(Unit(f"piece{n}", ("piece", n), 0) for n in range(128)))
    folder, look = tmp_path_factory.mktemp("bertviz"), Look("light")
    files = {}
    for kind, view in (
        ("head", bertviz.head_view(found, look=look, title="large")),
        ("model", bertviz.model_view(found, look=look, title="large")),
    ):
        files[kind] = folder / f"{kind}.html"
        files[kind].write_text(str(view.picture), encoding="utf-8")
    yield files


@pytest.mark.parametrize("kind", ["head", "model"])
def test_twelve_by_twelve_heads_of_128_pieces_are_drawn(kind: str, large: dict[str, Path], browser: Browser) -> None:
    """`make bench` measures how soon; what takes time is the number of lines."""
    assert large[kind].stat().st_size <= 2_000_000
    page = browser.new_page()
    page.goto(large[kind].as_uri())
    page.wait_for_selector("html[data-drawn=yes]", state="attached")
    assert 1000 < page.locator("line").count() <= bertviz.MOST_LINES
    page.close()


def test_a_heat_map_names_both_words_under_the_pointer_and_special_tokens_literally(visit: Arrive) -> None:
    lab = offline(visit()).open("attention", text="<s> a <mask>", models="bort-mini", between="Pieces")
    said = hover_text(lab.page, 0, 0.02, 0.02)
    assert "<s> → <s>" in said and "%" in said
    labels = lab.charts.first.locator(".xtick text").all_text_contents()
    assert labels[0] == "<s>" and labels[-1] == "</s>"


def test_heads_are_switched_by_keyboard_and_the_link_follows(visit: Arrive) -> None:
    lab = offline(visit()).open("attention", models="bert-mini", text="the doctor treats a patient")
    lab.page.get_by_role("combobox", name="Layer").click()
    lab.page.keyboard.press("ArrowDown")
    lab.page.keyboard.press("Enter")
    lab.settled()
    expect(
        lab.page.get_by_role("img", name=re.compile("layer 2, head 1"))
        .or_(lab.page.locator('[aria-label*="layer 2, head 1"]'))
        .first
    ).to_be_attached()
    lab.page.wait_for_url(re.compile("layer=2"))
    lab.page.get_by_role("button", name="Link").click()
    link = lab.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    other = offline(visit())
    other.page.goto(link)
    other.settled()
    expect(other.page.locator('[aria-label*="layer 2, head 1"]').first).to_be_attached()


def test_a_click_on_a_thumbnail_opens_its_head(visit: Arrive) -> None:
    lab = offline(visit()).open("attention", view="All heads", models="bert-mini", text="the doctor treats a patient")
    plot = lab.charts.first.locator(".nsewdrag").first
    box = plot.bounding_box()
    assert box
    lab.page.mouse.click(box["x"] + box["width"] * 0.40, box["y"] + box["height"] * 0.43)  # column 2 of 4, row 3 of 6
    expect(lab.page.locator('[aria-label*="layer 3, head 2"]').first).to_be_attached()


def test_an_edited_neighbour_changes_the_words_kernel(visit: Arrive) -> None:
    lab = offline(visit()).open("kernels", view="Why a span?", models="convbert-mini", text="the big dog barks loudly")
    lab.page.get_by_role("textbox", name="The same text with a neighbour changed").fill("the big cat barks loudly")
    lab.page.wait_for_url(re.compile("edited=the"))
    lab.settled()
    expect(lab.page.get_by_text(re.compile("In layer 1, .* of a kernel made from the span moved"))).to_be_visible()
    assert lab.charts.count() >= 3


@pytest.mark.parametrize(
    ("address", "label", "words"),
    [
        ({"page": "kernels", "view": "Why a span?"}, "Token", ("5  loudly", "6  [SEP]", "6  here")),
        ({"page": "layers"}, "Look closely at", ("the first word", "1. the", "1. a")),
    ],
    ids=["kernels", "layers"],
)
def test_a_box_of_words_shows_those_of_the_text_that_is_there(
    visit: Arrive, address: dict[str, str], label: str, words: tuple[str, str, str]
) -> None:
    """And the link holds both: the text that was typed last, and the word at the place that was chosen."""
    first, chosen, after = words
    lab = offline(visit()).open(**address, models="convbert-mini", text="the big dog barks loudly")
    box = lab.page.get_by_role("combobox", name=label)
    box.scroll_into_view_if_needed()  # its list closes when the page scrolls
    lab.settled()
    expect(box).to_have_value(first)
    box.click()
    lab.page.get_by_role("option", name=" ".join(chosen.split()), exact=True).click()
    expect(box).to_have_value(chosen)
    lab.settled()
    lab.text.fill("a small cat sleeps here")
    expect(box).to_have_value(after)
    lab.settled()
    link = parse_qs(urlsplit(lab.page.url).query)
    assert link["text"] == ["a small cat sleeps here"] and link[{"Token": "pair"}.get(label, "word")] == [after]


@pytest.mark.parametrize("page", ["attention", "kernels"])
def test_a_phone_has_it_all_without_scrolling_sideways(visit: Arrive, page: str) -> None:
    lab = offline(visit(viewport={"width": 390, "height": 800})).open(page)
    wide = lab.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth")
    assert wide <= 0
