"""A random head on the Predict page: offered to be fitted, fitted by a real job, cancelled, failed, shown as fitted."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from bortlab import checkpoint, registry
from bortlab.model import HEADS_KEY, Model
from bortlab.models import FAMILIES
from bortlab.registry import Registry, fitted
from bortlab.system import assets, numbers
from bortlab.training import fit
from bortlab.training.vocabulary import train_tokenizer
from bortlab.work.jobs import Job
from tests.pages.visiting import bodies, check, visit

lab = partial(visit, "predict", models="bort-mini")
KEY = "bort-mini"


@pytest.fixture(autouse=True)
def random_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bundled model, tiny and with a random head; an empty cache."""
    family = FAMILIES["bort"]
    tokenizer = train_tokenizer(family.tokenizer, ["Paris is the capital of France.", "A cat sat."] * 9, vocab_size=300)
    config = replace(
        family.mini, vocab_size=tokenizer.vocab_size, hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32, extra={HEADS_KEY: {"masked-lm": "random"}},
    )  # fmt: skip
    network = family.network(config).initialise(torch.Generator().manual_seed(1))
    checkpoint.save(tmp_path / KEY, family, config, network, tokenizer)
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(assets, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())


@pytest.fixture
def short_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """short_job(seconds, **changes): let the page start a job that waits, and then fits with a tiny budget.

    changes: of the reference to the model.
    """
    whole = fit.job

    def make(seconds: float, **changes: Any) -> None:
        def job(model: Model) -> Job:
            asked = whole(model, pieces=2_000)
            added = {"checkpoints": str(tmp_path), "seconds": seconds, "base": asked.arguments["base"] | changes}
            return replace(
                asked, function="tests.jobs_work:fit_bundled_elsewhere", arguments={**asked.arguments, **added}
            )

        monkeypatch.setattr(fit, "job", job)

    return make


def the_job() -> Job:
    return fit.job(registry.load(KEY))


def said(at: AppTest) -> str:
    return " ".join(element.value for kind in ("caption", "info", "error") for element in getattr(at, kind))


def html(at: AppTest) -> str:
    return " ".join(bodies(at))


def button(at: AppTest, label: str) -> Any:
    return next(button for button in at.button if button.label == label)


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def test_a_random_head_is_fitted_by_a_click_and_the_badge_says_so(short_job: Any) -> None:
    short_job(0.0)
    at = lab()
    assert "random head" in html(at) and "It takes about" in said(at)
    button(at, "Fit this head here").click()
    check(at.run())
    assert the_job().wait(300).state == "done", the_job().log()
    check(at.run())  # what the fragment asks for when it sees that the job has ended
    assert "head fitted here" in html(at) and "random head" not in html(at)
    assert "Fit this head here" not in labels(at) and "of held-out pieces right" in said(at)
    card = fitted.card_of(KEY, "main")
    assert card is not None and card["base"] == KEY


def test_progress_is_shown_after_a_reload_and_cancel_stops_it(short_job: Any) -> None:
    short_job(300.0)
    at = lab()
    button(at, "Fit this head here").click()
    check(at.run())
    job = the_job()
    while job.status().progress == 0:  # type: ignore[union-attr]
        time.sleep(0.05)
    at = lab()  # another visit
    bar = at.get("progress")[0].proto
    assert bar.value == 25 and "7 of 28 pieces read" in bar.text and "About 3 minutes left" in bar.text
    button(at, "Cancel").click()
    check(at.run())
    status = job.status()
    assert status is not None and status.state == "cancelled"
    assert "Resume fitting this head" in labels(at) and "last checkpoint" in said(at)


def test_a_job_that_fails_says_why_and_can_be_started_again(short_job: Any) -> None:
    short_job(0.0, fingerprint="0" * 16)
    at = lab()
    button(at, "Fit this head here").click()
    check(at.run())
    assert the_job().wait(300).state == "failed"
    check(at.run())
    assert "has changed" in said(at) and "random head" in html(at) and "Resume fitting this head" in labels(at)


def test_a_trained_head_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = registry.load(KEY)
    trained = replace(model, heads={"masked-lm": "trained"})
    monkeypatch.setattr(registry, "lease", lambda key, options: nullcontext(trained))
    at = lab()
    assert "Fit this head here" not in labels(at) and "trained head" in html(at)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "about 10 seconds"), (44, "about 40 seconds"), (100, "about 2 minutes"), (7200, "about 2.0 hours")],
)
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert numbers.duration(seconds) == words
