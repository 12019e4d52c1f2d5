"""Folders of transformers 4's TensorFlow and Flax classes, the whole way: loaded, asked, run by engines, saved."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

import bortlab
from bortlab.runtimes.keras.backend import missing
from bortlab.training.vocabulary import train_tokenizer
from tests.checkpoint.test_old_files import ARCHIVE

TEXTS = ["a cat, a dog"] * 5
"""Few letters: the models in the archive know forty pieces."""


@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.parametrize("name", ["tf-albert-masked-lm", "tf-convbert-masked-lm", "flax-bert-masked-lm"])
def test_an_old_folder_answers_runs_elsewhere_and_is_saved_as_a_new_one(tmp_path: Path, name: str) -> None:
    zipfile.ZipFile(ARCHIVE).extractall(tmp_path)
    folder = tmp_path / name
    train_tokenizer("wordpiece", TEXTS, vocab_size=40).save(folder)
    model = bortlab.load_from(folder)
    assert model.heads == {"masked-lm": "trained"}
    assert model.fill_mask("a [MASK], a dog", top_k=3)
    encoding = model.encode("a [MASK], a cat")
    ids = torch.tensor([encoding.ids])
    expected = model.network(ids)
    for engine in ("onnx", "keras-jax"):
        if engine == "keras-jax" and missing("jax"):
            continue
        torch.testing.assert_close(model.on(engine).run(ids), expected, rtol=0, atol=1e-4)
    model.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "model.safetensors").exists()
    again = bortlab.load_from(tmp_path / "saved")
    torch.testing.assert_close(again.network(ids), expected)
