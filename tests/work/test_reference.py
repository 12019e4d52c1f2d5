"""References to models: what a job gets, and what it loads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import bortlab
from bortlab.registry import Options, Registry
from bortlab.system import settings
from bortlab.work.reference import ChangedModelError, ModelReference, can_be_loaded_again


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that was fitted on this machine counts, and every test loads anew."""
    monkeypatch.setenv(settings.CACHE.name, str(tmp_path / "cache"))
    monkeypatch.setattr("bortlab.registry.loading.REGISTRY", Registry())
    yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An ALBERT with random weights, saved."""
    bortlab.load("albert-mini", weights="random", seed=4).save(tmp_path / "albert")
    return tmp_path / "albert"


def again(reference: ModelReference) -> ModelReference:
    """A reference after a way through JSON."""
    return ModelReference.from_json(json.loads(json.dumps(reference.to_json())))


def test_a_folder_is_loaded_again_as_it_was(folder: Path) -> None:
    model = bortlab.load_from(folder, family="albert", task="encoder", dtype="float64")
    reference = again(ModelReference.of(model))
    assert reference == ModelReference.of(model) and reference.is_folder
    assert reference.load() is model
    assert model.dtype == torch.float64 and model.task == "encoder"


def test_a_key_is_loaded_again_and_random_weights_by_their_seed() -> None:
    model = bortlab.load("bort-mini")
    assert again(ModelReference.of(model)).load() is model
    random = ModelReference(key="bort", options=Options(weights="random", seed=3))
    assert again(random).load() is bortlab.load("bort", weights="random", seed=3)


def test_a_name_is_a_folder_where_there_is_one(folder: Path) -> None:
    assert ModelReference.named(folder).is_folder and not ModelReference.named("bort-mini").is_folder
    assert ModelReference.named(folder).load() is bortlab.load_from(folder)


def test_what_has_changed_is_refused(folder: Path) -> None:
    reference = ModelReference.of(bortlab.load_from(folder))
    bortlab.load("albert-mini", weights="random", seed=5).save(folder)
    with pytest.raises(ChangedModelError, match=f"expected weights {reference.fingerprint}, got"):
        reference.load()


@pytest.mark.parametrize("source", ["random weights", "made by hand"])
def test_what_no_job_can_load_is_refused(source: str) -> None:
    model = replace(bortlab.load("bert-mini"), source=source)
    assert not can_be_loaded_again(model)
    with pytest.raises(ValueError, match="cannot be loaded by a job"):
        ModelReference.of(model)
