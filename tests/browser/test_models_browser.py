"""The Models page in a real Chromium: a model from a hub on 127.0.0.1, its size told first, and what it predicts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from bortlab.system.assets import CHECKPOINTS
from bortlab.ui.startup import minis
from tests.browser.conftest import Server, Visit, serving, watch
from tests.hub.server import FakeHub, running

pytestmark = pytest.mark.browser
REPOSITORY = "someone/tiny"


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeHub]:
    """A hub with the bundled ConvBERT under another name."""
    with running() as hub:
        hub.add(REPOSITORY, CHECKPOINTS / "convbert-mini", cardData={"license": "mit"})
        yield hub


@pytest.fixture(scope="module")
def lab_with_hub(fake: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A lab of its own, whose Hugging Face is that hub and whose cache is empty."""
    folder = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            patch.delenv(variable, raising=False)
        patch.setenv("HF_ENDPOINT", fake.endpoint)
        patch.setenv("HF_HUB_CACHE", str(folder / "cache"))
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        with serving(folder / "log.txt", "-m", "bortlab", "lab") as server:
            yield server


@pytest.fixture
def lab(lab_with_hub: Server, browser: Browser) -> Iterator[Visit]:
    """A visitor of that lab."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(60_000)
    visitor = Visit(lab_with_hub.url, context.new_page(), context)
    watch(visitor)
    yield visitor
    context.close()
    visitor.clean()


def test_a_model_is_downloaded_loaded_and_predicts(lab: Visit, fake: FakeHub) -> None:
    lab.open("models")
    expect(lab.page.get_by_role("button", name="Unload")).to_have_count(len(minis()))
    named = lab.page.get_by_label("or any repository or a folder", exact=True)
    named.fill(REPOSITORY)
    named.press("Enter")
    look_up = lab.page.get_by_role("button", name="Look it up")
    expect(look_up).to_be_visible()
    assert not fake.seen, "the hub was asked before the visitor said so"
    look_up.click()
    expect(lab.page.get_by_text("licence: mit")).to_be_visible()
    assert len(fake.seen) == 1

    fake.fail("model.safetensors", pace=0.01)  # slow enough to be seen
    lab.page.get_by_role("button", name="and load").click()
    lab.settled()
    expect(lab.page.get_by_text(f"{REPOSITORY}: ")).to_be_visible()
    lab.page.get_by_role("button", name="Cancel").click()
    expect(lab.page.get_by_text("The download was cancelled")).to_be_visible()
    fake.faults.clear()
    lab.page.get_by_role("button", name="Back").click()
    look_up.click()
    lab.page.get_by_role("button", name="and load").click()
    expect(lab.page.get_by_text("tiny is loaded.")).to_be_visible()
    expect(lab.page.get_by_role("button", name="Unload")).to_have_count(len(minis()) + 1)

    lab.page.get_by_role("button", name="Predict with it").click()
    expect(lab.charts).to_have_count(len(minis()) + 1)
    lab.settled()
    mine, tiny = (
        lab.page.get_by_label(f"{title}, blank 1") for title in ("ConvBERT mini", "tiny")
    )  # the same weights under two names
    said = [chart.first.get_attribute("aria-label") or "" for chart in (mine, tiny)]
    assert said[0].split("blank 1")[1] == said[1].split("blank 1")[1] != ""
