"""Adapting on the pages: offered where a head is noise, timed at first, run by a real job, compared, deleted."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from bortlab import checkpoint, registry
from bortlab.model import ADAPTED_KEY, HEADS_KEY, Adaptation, Model
from bortlab.models import FAMILIES
from bortlab.registry import Registry
from bortlab.system import assets, settings
from bortlab.training import adapt
from bortlab.training.vocabulary import train_tokenizer
from bortlab.work import jobs
from bortlab.work.jobs import Job
from tests.pages.visiting import bodies, check, visit

KEY = "bort-mini"
SENTENCES = [
    f"The {thing} in the garden is {colour}, and it was good."
    for thing in ("robin", "oak", "elm", "carp")
    for colour in ("red", "grey", "green", "brown", "pale", "dark")
]
lab = partial(visit, "predict", models=KEY)
opened = partial(lab, adapt="true")


@pytest.fixture(autouse=True)
def random_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bundled model, tiny and with a random head; an empty cache."""
    write_model(tmp_path, {HEADS_KEY: {"masked-lm": "random"}})
    monkeypatch.setenv(settings.CACHE.name, str(tmp_path / "cache"))
    monkeypatch.setattr(assets, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())


def write_model(folder: Path, provenance: dict[str, Any]) -> None:
    family = FAMILIES["bort"]
    tokenizer = train_tokenizer(family.tokenizer, SENTENCES, vocab_size=300)
    config = replace(
        family.mini,
        vocab_size=tokenizer.vocab_size,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        extra=provenance,
    )
    network = family.network(config).initialise(torch.Generator().manual_seed(1))
    checkpoint.save(folder / KEY, family, config, network, tokenizer)


@pytest.fixture
def short_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """short_job(seconds, **changes): let the page start a job that waits, and then reads little.

    changes: of the reference to the model.
    """
    whole = adapt.job

    def make(seconds: float, **changes: Any) -> None:
        def job(model: Model, plan: adapt.Plan, **text: Any) -> Job:
            planned = whole(model, replace(plan, pieces=2_000), **text)
            more = {"checkpoints": str(tmp_path), "seconds": seconds, "base": planned.arguments["base"] | changes}
            return replace(planned, function="tests.jobs_work:adapt_elsewhere", arguments={**planned.arguments, **more})

        monkeypatch.setattr(adapt, "job", job)
        monkeypatch.setattr(adapt, "FUNCTION", "tests.jobs_work:adapt_elsewhere")

    return make


def texts(at: AppTest) -> str:
    kinds = ("caption", "info", "error", "warning", "markdown", "success")
    return plain(" ".join(element.value for kind in kinds for element in getattr(at, kind)))


def plain(markdown: str) -> str:
    """Without the marks that keep foreign text from being markup."""
    return unescape(markdown).replace("\u2060", "")


def html(at: AppTest) -> str:
    return " ".join(bodies(at))


def button(at: AppTest, label: str) -> Any:
    return next(button for button in at.button if button.label == label)


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def upload(at: AppTest, name: str, content: str) -> AppTest:
    """Choose a file of one's own."""
    check(at.segmented_control(key="adapt-text").set_value("own").run())
    return check(at.file_uploader[0].set_value((name, content.encode(), "text/plain")).run())


def the_job() -> Job:
    return jobs.listed()[0][0]


def test_nothing_is_computed_while_the_section_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bortlab.ui.adapt.measure_speed", None)
    at = lab()
    assert "Start adapting" not in labels(at) and "not.callable" not in texts(at)


def test_a_random_head_is_called_noise_and_a_click_opens_the_section() -> None:
    at = lab()
    assert "random head" in html(at) and "never trained" in texts(at)
    check(button(at, "Adapt it to a text").click().run())
    assert "Start adapting" in labels(at) and at.selectbox(key="adapt-model").value == KEY
    assert "It takes about" in texts(at) and "words in" in texts(at)


def test_an_own_file_is_learned_from_and_before_stands_beside_after(short_job: Any) -> None:
    short_job(0.0)
    at = upload(opened(), "garden.txt", "\n".join(SENTENCES * 3))
    assert "garden.txt: " in texts(at) and "stays on the machine" in texts(at)
    check(button(at, "Start adapting").click().run())
    job = the_job()
    assert job.wait(300).state == "done", job.log()
    check(at.run())  # what the fragment asks for when it sees that the job has ended
    (key,) = registry.adapted_keys()
    assert key.startswith("bort-mini-on-garden-") and "Start adapting" not in labels(at)
    assert "of the held-out pieces right" in texts(at) and "adapted here from bort-mini, 2." in html(at)
    charts = [chart.proto.alt for chart in at.get("plotly_chart") if "Paris" in chart.proto.alt]
    assert charts[-2].startswith("Bort mini: ") and charts[-1].startswith("Bort mini on garden.txt: ")
    check(at.text_area(key="adapt-sentences").set_value("A [MASK] is red.\nno blank\n").run())
    assert any("A [MASK] is red." in chart.proto.alt for chart in at.get("plotly_chart"))
    check(button(at, "Use it on every page").click().run())
    assert at.multiselect(key="models").value == [KEY, key]
    for page in ("attention", "layers", "models"):
        assert "adapted here from bort-mini" in html(visit(page, models=[key]))
    check(button(at, "Delete it").click().run())
    assert not registry.adapted_keys() and "Start adapting" in labels(at)


def test_progress_and_curve_are_shown_after_a_reload_and_cancel_stops_it(short_job: Any) -> None:
    short_job(300.0)
    at = opened()
    check(button(at, "Start adapting").click().run())
    job = the_job()
    while job.status().progress == 0:  # type: ignore[union-attr]
        time.sleep(0.05)
    at = opened()  # another visit
    bar = at.get("progress")[0].proto
    assert bar.value == 25 and "500 of 2,000 pieces read. About 3 minutes left" in plain(bar.text)
    assert any("7.0% after 500 pieces" in chart.proto.alt for chart in at.get("plotly_chart"))
    started = time.monotonic()
    check(button(at, "Cancel").click().run())
    assert time.monotonic() - started < 60
    status = job.status()
    assert status is not None and status.state == "cancelled"
    assert "Resume adapting" in labels(at) and "last checkpoint" in texts(at)


def test_a_job_that_fails_says_why_and_can_be_started_again(short_job: Any) -> None:
    short_job(0.0, fingerprint="0" * 16)
    at = opened()
    check(button(at, "Start adapting").click().run())
    assert the_job().wait(300).state == "failed"
    check(at.run())
    assert "has changed" in texts(at) and "random head" in html(at) and "Resume adapting" in labels(at)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("short.txt", "Ten words are too few to learn anything from them.", "has 10 words"),
        ("stars.csv", "stars,review\n3,good", "no column 'text'. It has 'stars', 'review'"),
        ("binary.txt", "%PDF\0\0", "is a binary file"),
        ("lines.jsonl", "no JSON", "no JSON"),
    ],
)
def test_a_file_that_cannot_be_learned_from_is_a_sentence(name: str, content: str, sentence: str) -> None:
    at = upload(opened(), name, content)
    assert sentence in texts(at) and name.split(".")[0] in texts(at)
    assert "Start adapting" not in labels(at)


def test_a_weak_model_is_warned_of_and_more_is_offered(tmp_path: Path) -> None:
    weak = Adaptation(base=KEY, pieces=500_000, trained="head", accuracy=0.069, before=0.0, frequency=0.065)
    write_model(tmp_path, {HEADS_KEY: {"masked-lm": "adapted"}, ADAPTED_KEY: weak.to_json()})
    at = lab()
    assert "⚠ adapted from bort-mini, 500 k pieces, head alone: 6.9% of held-out" in html(at)
    assert "hardly better than guessing by frequency" in texts(at) and "train the upper layers too" in texts(at)
    check(button(at, "Train it again, and more").click().run())
    assert "Start adapting" in labels(at)
    check(at.segmented_control(key="adapt-part").set_value("head").run())
    assert "stays weak" in texts(at) and "Start adapting" in labels(at)
    check(at.segmented_control(key="adapt-part").set_value("top:").run())
    assert at.number_input(key="adapt-layers").max == 1 and "Start adapting" in labels(at)


def test_a_good_one_says_what_it_is_worth(tmp_path: Path) -> None:
    good = Adaptation(base=KEY, pieces=2_000_000, accuracy=0.29, before=0.31, frequency=0.065)
    write_model(tmp_path, {HEADS_KEY: {"masked-lm": "adapted"}, ADAPTED_KEY: good.to_json()})
    at = lab()
    assert "✓ adapted from bort-mini, 2.0 M pieces: 29% of held-out pieces right" in html(at)
    assert "down from 31%; always guessing the commonest piece gives 6.5%" in texts(at)
    assert "Adapt it to a text" not in labels(at)
