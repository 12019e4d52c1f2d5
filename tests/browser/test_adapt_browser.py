"""Adapting as visitors do it: a file chosen, a training begun and cancelled, an adapted model compared and used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import bortlab
from bortlab import registry
from bortlab.training.adapt import adapt
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
TEXTS = [
    f"The {thing} in the old garden is {colour} again, and it was good."
    for thing in ("robin", "wren", "lark", "crow", "trout", "carp", "oak", "elm")
    for colour in ("red", "grey", "green", "brown")
]


@pytest.fixture
def adapted(own_folder: Callable[..., Path]) -> Iterator[str]:
    """The key of a tiny model that was adapted on this machine."""
    base = bortlab.load_from(own_folder("bert", "masked-lm"))
    model = adapt(base, TEXTS, pieces=1_000, name="garden.txt", report=lambda *words, **numbers: None)
    yield model.key
    registry.remove_adapted(model.key)


def test_a_training_on_a_file_is_timed_begun_watched_and_cancelled(visit: Callable[..., Visit], tmp_path: Path) -> None:
    file = tmp_path / "garden.txt"
    file.write_text("\n".join(TEXTS))
    lab = visit().open("predict", models=["bert-mini"], text="Rain fell on the [MASK].")
    page = lab.page
    page.get_by_text("Adapt a model to a text").click()
    lab.settled()
    expect(page.get_by_text("It takes about")).to_be_visible()
    page.get_by_test_id("stButtonGroup").filter(has_text="A file of your own").get_by_text("A file of your own").click()
    lab.settled()
    expect(page.get_by_role("button", name="Start adapting")).to_have_count(0)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("garden.txt: ")).to_be_visible()
    expect(page.get_by_text("would be read about 1345 times")).to_be_visible()
    page.get_by_role("slider", name="Pieces to read").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("would be read about 672 times")).to_be_visible()  # half as often: the page has heard it
    lab.settled()
    button = page.get_by_role("button", name="Start adapting")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Adapting BERT mini to garden.txt")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Resume adapting")).to_be_visible()
    assert "adapt=true" in page.url


def test_before_stands_beside_after_and_the_adapted_model_goes_to_every_page(
    visit: Callable[..., Visit], adapted: str
) -> None:
    lab = visit().open("predict", models=["bert-mini"], adapt="true", text="The robin is [MASK].")
    page = lab.page
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible()
    expect(page.get_by_text("of the held-out pieces right").first).to_be_visible()
    expect(page.get_by_text("The robin is [MASK].", exact=True).last).to_be_visible()
    page.get_by_role("button", name="Use it on every page").click()
    lab.settled()
    badge: Any = page.get_by_text("adapted here from")
    expect(badge.first).to_be_visible()
    lab.open("attention", models=[adapted])
    expect(page.get_by_text("adapted here from")).to_be_visible()
