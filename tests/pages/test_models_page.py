"""The Models page: what is in memory, models opened from folders and from a hub on 127.0.0.1, and who may do what."""

from __future__ import annotations

import html
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants
from streamlit.testing.v1 import AppTest

from bortlab import hub, registry
from bortlab.analysis import learning
from bortlab.registry import Registry
from bortlab.system import settings
from bortlab.system.assets import CHECKPOINTS
from bortlab.ui import opened, startup
from bortlab.ui.startup import minis
from bortlab.views import learning as learning_view
from tests.hub.server import FakeHub, running
from tests.pages.visiting import bodies, check, sentences, visit

MINI = minis()[0]
REPOSITORY = "someone/tiny"


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing opened, no download, an empty registry; a download that a test leaves is stopped."""
    startup.warm_up()
    monkeypatch.setattr(opened, "_opened", {})
    monkeypatch.setattr(opened, "_download", None)
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())
    yield
    if (left := opened.download()) is not None:
        left.stop.set()
        assert left.over.wait(10)


@pytest.fixture(scope="module")
def published() -> Iterator[FakeHub]:
    """A hub with the bundled ConvBERT under another name."""
    with running() as found:
        yield found


@pytest.fixture
def fake(published: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """The hub without faults, and a cache of this test's own."""
    published.faults.clear()
    published.seen.clear()
    published.add(REPOSITORY, CHECKPOINTS / "convbert-mini", cardData={"license": "mit"})
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", published.endpoint)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    huggingface_hub.close_session()
    return published


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint of one's own."""
    return Path(shutil.copytree(CHECKPOINTS / MINI, tmp_path / "my <own> model"))


def name(at: AppTest, text: str) -> AppTest:
    return check(at.text_input(key="named").set_value(text).run())


def click(at: AppTest, key: str) -> AppTest:
    return check(at.button(key=key).click().run())


def buttons(at: AppTest) -> set[Any]:
    return {button.key for button in at.button}


def wait(at: AppTest, seconds: float = 60.0) -> AppTest:
    """Look again until the download is over."""
    running = opened.download()
    assert running is not None and running.over.wait(seconds)
    return check(at.run())


# -- in memory ---------------------------------------------------------------------------------------------------------


def cards(at: AppTest) -> list[str]:
    """The headings of the models."""
    return bodies(at)


def captions(at: AppTest) -> str:
    """The small print."""
    return html.unescape(" ".join(element.value for element in at.caption))


def test_what_is_loaded_is_told_and_can_be_unloaded() -> None:
    registry.load(MINI)
    at = visit("models")
    (card,) = cards(at)
    for said in (registry.find(MINI)[1].title, "came with the lab", "trained head", "MB", "used just now"):
        assert said in card + captions(at)
    click(at, f"unload-0-{MINI}")
    assert not registry.loaded() and not cards(at)


def test_a_model_in_use_stays() -> None:
    model = registry.load(MINI)
    with registry.loading.REGISTRY.in_use(model):
        at = visit("models")
        assert at.button(key=f"unload-0-{MINI}").disabled and "in use now" in cards(at)[0]
        assert registry.unload(MINI) == 0
    assert registry.unload(MINI) == 1
    with registry.loading.REGISTRY.in_use(model):  # not in the cache any more: nothing to keep
        assert not registry.loaded()


def test_a_budget_that_is_none_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.BUDGET.name, "lots")
    assert any(settings.BUDGET.name in said for said in sentences(visit("models")))


def test_every_checkpoint_is_in_the_table() -> None:
    at = visit("models")
    (shown,) = [table.value for table in at.dataframe if "key" in table.value]
    assert list(shown["key"]) == list(registry.checkpoints()["key"])
    assert set(shown.columns) >= {"family", "source", "size_mb", "licence", "masked_lm", "offline"}


# -- folders -----------------------------------------------------------------------------------------------------------


def test_a_folder_is_opened_and_offered_by_the_other_pages(folder: Path) -> None:
    at = name(visit("models"), str(folder))
    click(at, "load")
    assert at.success and not at.error
    assert opened.keys() == [str(folder)]
    assert "a folder here" in captions(at)
    for page in ("predict", "tokens"):
        at = visit(page, models=str(folder))
        assert at.multiselect(key="models").value == [str(folder)]
        assert not at.error and "my &lt;own&gt; model" in "".join(cards(at))
        assert f"load_from({str(folder)!r})" in "".join(code.value for code in at.code)


def test_a_published_encoder_is_opened_and_works_on_every_page_that_needs_no_guesses(published_encoder: Path) -> None:
    at = click(name(visit("models"), str(published_encoder)), "load")
    assert at.success and not at.error
    (card,) = cards(at)
    assert "all-MiniLM-L6-v2" in card and "random head" in card
    for page in ("tokens", "attention", "attribution", "layers"):
        at = visit(page, models=str(published_encoder), text="The old film was [MASK], and nobody left.")
        assert at.multiselect(key="models").value == [str(published_encoder)] and not at.error, page
    at = visit("predict", models=str(published_encoder))
    assert "random head" in "".join(cards(at))


def test_it_leads_to_predict(folder: Path) -> None:
    at = click(name(visit("models"), str(folder)), "load")
    click(at, "predict")
    assert at.multiselect(key="models").value == [*minis(), str(folder)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("/nowhere/at/all", "is not a folder"),
        ("~nobody_at_all/x", "no path that can be opened"),
        ("/a\x00b", "no path that can be opened"),
        ("/" + "x" * 5000, "no path that can be opened"),
        ("http://example.org/model", "Unknown model"),
        ("brot", "Did you mean 'bort'"),
        ("../../etc", "config"),
    ],
)
def test_names_that_lead_nowhere_are_sentences(given: str, said: str) -> None:
    at = name(visit("models"), given)
    if "load" in buttons(at):
        click(at, "load")
    shown = sentences(at)
    assert any(said in text for text in shown), shown
    assert not any("went wrong" in text for text in shown)


@pytest.mark.parametrize(
    ("address", "told", "allowed"),
    [
        ("127.0.0.1", None, True),
        ("::1", None, True),
        ("localhost", None, True),
        ("0.0.0.0", None, False),
        ("", None, False),
        ("lab.example.org", None, False),
        ("0.0.0.0", "1", True),
        ("127.0.0.1", "0", False),
    ],
)
def test_folders_only_where_the_server_listens_to_this_machine_alone(
    address: str, told: str | None, allowed: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import streamlit as st

    option = st.get_option
    monkeypatch.setattr(st, "get_option", lambda key: address if key == "server.address" else option(key))
    monkeypatch.delenv(settings.FOLDERS.name, raising=False)
    if told is not None:
        monkeypatch.setenv(settings.FOLDERS.name, told)
    assert opened.folders_allowed() is allowed
    at = visit("models")
    assert ("folder" in at.text_input(key="named").label) is allowed
    name(at, str(folder))
    if "load" in buttons(at):
        click(at, "load")
    assert bool(at.success) is allowed
    assert bool(registry.loaded()) is allowed
    assert allowed or any(settings.FOLDERS.name in said for said in sentences(at))


# -- downloads ---------------------------------------------------------------------------------------------------------


def test_a_download_is_asked_for_and_ends_in_a_model(fake: FakeHub) -> None:
    at = name(visit("models"), REPOSITORY)
    assert not fake.seen, "the hub was asked before the visitor said so"
    click(at, "look-up")
    assert len(fake.seen) == 1
    told = " ".join(element.value for element in at.markdown)
    assert "mit" in told and fake.repositories[REPOSITORY].commit[:12] in told and "MB to download" in told
    assert "model.safetensors" in set(at.dataframe[0].value["File"])
    click(at, "download")
    wait(at)
    assert at.success and opened.keys() == [REPOSITORY]
    assert "licence: mit" in captions(at) and "Hugging Face, commit" in captions(at)
    at = visit("predict", models=REPOSITORY)
    assert at.multiselect(key="models").value == [REPOSITORY] and not at.error


def test_no_thanks(fake: FakeHub) -> None:
    at = click(click(name(visit("models"), REPOSITORY), "look-up"), "decline")
    assert "download" not in buttons(at) and opened.download() is None


def test_a_download_can_be_watched_and_cancelled(fake: FakeHub) -> None:
    fake.fail(r"model\.safetensors", pace=0.05)
    at = click(click(name(visit("models"), REPOSITORY), "look-up"), "download")
    assert at.button(key="cancel") and "look-up" not in buttons(at)
    other = name(visit("models"), "albert-base-v2")  # another visitor sees it too, and has to wait
    assert "cancel" in buttons(other) and "look-up" not in buttons(other)
    started = time.monotonic()
    click(at, "cancel")
    wait(at, 5)
    assert time.monotonic() - started < 5
    assert any("cancelled" in said for said in sentences(at)) and not at.error
    while unfinished := list(hub.cache_folder().rglob("*.incomplete")):  # its thread takes it away when it next looks
        assert time.monotonic() - started < 30, unfinished
        time.sleep(0.05)
    click(at, "back")
    assert "look-up" in buttons(at) or "download" in buttons(at)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"path": "/api/models", "status": 429, "headers": {"Retry-After": "7"}}, "in 7 seconds"),
        ({"path": "/api/models", "status": 500}, "has a server error"),
        ({"path": "/api/models", "status": 404}, "no repository"),
        ({"path": "/api/models", "status": 403}, "does not let us"),
        ({"path": "/api/models", "change": lambda content: b"<html>"}, "not the hub's"),
    ],
)
def test_a_hub_that_fails_is_a_sentence(fake: FakeHub, fault: dict[str, Any], said: str) -> None:
    fake.fail(**fault)
    at = click(name(visit("models"), REPOSITORY), "look-up")
    assert any(said in text for text in sentences(at)), sentences(at)


def test_a_download_that_fails_is_a_sentence_and_can_be_tried_again(fake: FakeHub) -> None:
    at = click(name(visit("models"), REPOSITORY), "look-up")
    fake.fail(r"model\.safetensors", change=lambda content: content[:-1] + b"!")
    wait(click(at, "download"))
    assert any("checksum" in text for text in sentences(at)) and not registry.loaded()
    fake.faults.clear()
    click(click(at, "back"), "look-up")
    wait(click(at, "download"))
    assert at.success


def test_a_published_bort_needs_its_family_said(fake: FakeHub) -> None:
    pytest.importorskip("transformers")
    fake.add("someone/bort", CHECKPOINTS / "bort-mini")
    at = name(visit("models"), "someone/bort")
    check(at.selectbox(key="family").set_value("bert").run())
    wait(click(click(at, "look-up"), "download"))
    assert any("family" in text for text in sentences(at)), sentences(at)
    click(at, "back")
    check(at.selectbox(key="family").set_value("bort").run())
    click(at, "load")
    assert at.success


def test_a_link_loads_nothing(fake: FakeHub) -> None:
    at = visit("predict", models=[REPOSITORY, "albert-base-v2", "/etc"])
    assert not fake.seen and {resident.key for resident in registry.loaded()} <= set(minis())
    assert sum("Models page" in said for said in sentences(at)) == 2
    check(visit("models", model="albert-base-v2"))
    assert not fake.seen


def test_how_the_bundled_models_learned_is_drawn_and_told() -> None:
    at = visit("models", curve=learning_view.title_of("loss"))
    check(at)
    assert at.selectbox(key="curve").value == "loss"
    best, *_ = learning.ranked([curve for curve in learning.bundled_curves() if curve.from_scratch], "loss", -1)
    assert f"In the end {best.title} ({best.loss[-1]:.2f})" in html.unescape(
        "".join(part.value for part in at.markdown)
    ).replace("\u2060", "")
    check(at.selectbox(key="curve").set_value("standard-ebooks").run())
    assert len(at.dataframe[-1].value) == len(learning.frame(learning.bundled_curves()))
