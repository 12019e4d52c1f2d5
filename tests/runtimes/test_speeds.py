"""The choice of an engine: only those that compute what torch does, measured once, and never what an answer is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bortlab.model import Model
from bortlab.models import FAMILIES
from bortlab.runtimes import UnsupportedError
from bortlab.runtimes.engines import ENGINES, speeds
from bortlab.runtimes.engines.speeds import CANDIDATES, EngineSpeeds, engine_speeds, fastest_engine

Make = Callable[..., Model]
INSTALLED = {name for name in CANDIDATES if not ENGINES[name].missing()}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path))
    monkeypatch.delenv("BORTLAB_ENGINE", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("ms", "fastest"),
    [
        ({"torch": 10.0}, "torch"),
        ({"torch": 10.0, "torch-packed": 9.5}, "torch"),
        ({"torch": 10.0, "torch-packed": 8.0, "onnx": 4.0}, "onnx"),
        ({"torch": 10.0, "torch-packed": 6.0, "onnx": 12.0}, "torch-packed"),
        ({"torch": 10.0, "torch-packed": 6.0, "onnx": 5.5}, "torch-packed"),
        ({"onnx": 8.5, "torch": 10.0, "torch-packed": 9.2}, "onnx"),
    ],
)
def test_another_engine_than_torch_has_to_pay(ms: dict[str, float], fastest: str) -> None:
    assert EngineSpeeds(16, ms, {}).fastest == fastest


def test_a_busy_machine_decides_nothing() -> None:
    assert EngineSpeeds(16, {"torch": 10.0, "torch-packed": 6.0, "onnx": 1.0}, {}, steady=False).fastest == "torch"


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("task", ["masked-lm", "multiple-choice"])
def test_all_exact_engines_take_part(tiny_model: Make, name: str, task: str) -> None:
    measured = engine_speeds(tiny_model(name, task), 9)
    assert set(measured.ms) == set(measured.differences) == INSTALLED
    assert max(measured.differences.values()) < 1e-4
    assert measured.differences["torch"] == 0
    assert min(measured.ms.values()) > 0


def test_measured_once_for_a_model_and_a_length(
    tiny_model: Make, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    calls: list[int] = []

    def counted(model: Model, pieces: int) -> EngineSpeeds:
        calls.append(pieces)
        return EngineSpeeds(pieces, {"torch": 2.0, "onnx": 1.0}, {"torch": 0.0, "onnx": 1e-5}, steady=pieces != 7)

    monkeypatch.setattr(speeds, "measure", counted)
    model = tiny_model("bert")
    first = engine_speeds(model, 5)
    assert engine_speeds(model, 5) == first
    assert engine_speeds(tiny_model("bert"), 5) == first  # another object of the same weights
    assert calls == [5]
    engine_speeds(model, 6)
    engine_speeds(replace(model, digest=lambda: "other weights"), 5)
    assert calls == [5, 6, 5]
    for path in own_cache.rglob("*.json"):
        path.write_bytes(path.read_bytes()[:20])
    engine_speeds(model, 5)
    assert calls == [5, 6, 5, 5]  # a damaged file is measured anew
    assert [engine_speeds(model, 7).fastest for _ in range(2)] == ["torch", "torch"]
    assert calls[-2:] == [7, 7]  # and what a busy machine gave


def test_an_engine_that_computes_something_else_takes_no_part(
    tiny_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    int8 = ENGINES["onnx-int8"]
    if int8.missing():
        pytest.skip("ONNX Runtime is not installed")
    monkeypatch.setattr(speeds, "CANDIDATES", ("torch", "onnx-int8"))
    measured = engine_speeds(tiny_model("bert"), 9)
    assert measured.differences["onnx-int8"] > 1e-4
    assert list(measured.ms) == ["torch"]
    assert measured.fastest == "torch"


def test_the_setting_decides_without_a_measurement(tiny_model: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: Any) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr(speeds, "measure", never)
    model = tiny_model("albert")
    monkeypatch.setenv("BORTLAB_ENGINE", "torch-packed")
    assert fastest_engine(model) == "torch-packed"
    monkeypatch.setenv("BORTLAB_ENGINE", "abacus")
    with pytest.raises(UnsupportedError, match=r"BORTLAB_ENGINE: unknown engine 'abacus'. Known: torch, "):
        fastest_engine(model)


def test_the_choice_can_be_opened_and_answers_as_torch(tiny_model: Make) -> None:
    model = tiny_model("convbert")
    text = "The capital of France is [MASK]."
    engine = model.on(fastest_engine(model, 12))
    (mine,), (theirs,) = engine.fill_mask(text).blanks, model.fill_mask(text).blanks
    assert [guess.id for guess in mine.candidates] == [guess.id for guess in theirs.candidates]
    for guess, other in zip(mine.candidates, theirs.candidates, strict=True):
        assert guess.probability == pytest.approx(other.probability, abs=1e-4)


def test_a_length_that_is_not_read(tiny_model: Make) -> None:
    with pytest.raises(ValueError, match="pieces"):
        fastest_engine(tiny_model("bert"), 49)
