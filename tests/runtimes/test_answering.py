"""The lab's answers by the fastest engine: torch's numbers, at once, and in spite of an engine that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bortlab.analysis.predict import score_words
from bortlab.model import Model, NoMaskError, Questions
from bortlab.models import FAMILIES
from bortlab.runtimes.engines import ENGINES, Engine
from bortlab.runtimes.engines.answering import Answering

Make = Callable[..., Model]
TEXT = "The capital of France is [MASK]."
EXACT = [name for name in ("torch-packed", "onnx") if not ENGINES[name].missing()]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path))


@pytest.fixture
def answering() -> Answering:
    return Answering(quiet_s=0.01)


def fill(model: Questions) -> list[float]:
    """The probabilities of the first three guesses."""
    return [guess.probability for guess in model.fill_mask(TEXT, top_k=3).blanks[0].candidates]


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_engine_answers_as_torch_does(
    tiny_model: Make, answering: Answering, monkeypatch: pytest.MonkeyPatch, family: str, engine: str
) -> None:
    monkeypatch.setenv("BORTLAB_ENGINE", engine)
    model = tiny_model(family)
    first = answering.answer(model, fill)
    assert first.value == fill(model)
    assert answering.wait(model) == engine
    later = answering.answer(model, fill)
    assert later.engine == engine
    assert later.value == pytest.approx(first.value, abs=1e-4)
    words = ["cat", "capital", "the"]
    (*scores,) = answering.answer(model, lambda asked: score_words(asked, TEXT, words)).value
    for score, expected in zip(scores, score_words(model, TEXT, words), strict=True):
        assert score.log_probability == pytest.approx(expected.log_probability, abs=1e-4 * len(score.pieces))
        assert score.pieces == expected.pieces


def test_the_first_question_does_not_wait_for_a_measurement(tiny_model: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_ENGINE", "torch-packed")
    patient = Answering(quiet_s=1000.0)
    assert patient.answer(tiny_model("bert"), fill).engine == "torch"


def test_an_engine_that_fails_leaves_the_answer_to_torch(
    tiny_model: Make, answering: Answering, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BORTLAB_ENGINE", "torch-packed")
    model = tiny_model("albert")
    assert answering.wait(model) == "torch-packed"

    class Broken:
        def encode(self, *parts: Any) -> Any:
            raise RuntimeError("illegal instruction")

    engine = model.on("torch-packed")
    assert isinstance(engine, Engine)
    model._engines["torch-packed", None] = replace(engine, program=Broken())
    with caplog.at_level(logging.WARNING, "bortlab"):
        answered = answering.answer(model, fill)
    assert (answered.engine, answered.value) == ("torch", fill(model))
    assert "torch-packed cannot answer for" in caplog.text
    assert answering.engine(model) == "torch"


def test_a_question_without_an_answer_is_not_the_engines_fault(
    tiny_model: Make, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BORTLAB_ENGINE", "torch-packed")
    model = tiny_model("bort")
    answering.wait(model)
    with pytest.raises(NoMaskError):
        answering.answer(model, lambda asked: asked.fill_mask("Nothing is hidden."))
    assert answering.engine(model) == "torch-packed"


@pytest.mark.parametrize("setting", ["onnx-int8", "abacus"])
def test_only_engines_that_compute_what_torch_does(
    tiny_model: Make, answering: Answering, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("BORTLAB_ENGINE", setting)
    assert answering.wait(tiny_model("bert")) == "torch"


def test_engines_hold_no_more_than_they_may(tiny_model: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_ENGINE", "torch-packed")
    models = [tiny_model("bert"), tiny_model("bort")]
    narrow = Answering(quiet_s=0.01, most_bytes=models[0].n_bytes)
    assert [narrow.wait(model) for model in models] == ["torch-packed", "torch"]
