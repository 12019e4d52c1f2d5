"""The published checkpoints give the numbers that transformers' own tests hold of them.

They run where the weights are on this machine; BORTLAB_GOLDEN_DOWNLOAD=1 downloads them (725 MB in all) with the same
code as the lab. Elsewhere they are skipped, and say why. Numbers: transformers' tests for ALBERT, ConvBERT and Bort.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from huggingface_hub import constants

import bortlab
from bortlab import hub, registry
from bortlab.registry import Registry

WANTED = "BORTLAB_GOLDEN_DOWNLOAD"

GOLDEN = {
    "albert-base-v2": (
        [0, 345, 232, 328, 740, 140, 1695, 69, 6078, 1588, 2],
        [0] + [1] * 10,
        slice(1, 4),
        [[-0.6513, 1.5035, -0.2766], [-0.6515, 1.5046, -0.2780], [-0.6512, 1.5049, -0.2784]],
    ),
    "conv-bert-base": (
        [1, 2, 3, 4, 5, 6],
        None,
        slice(0, 3),
        [[-0.0864, -0.4898, -0.3677], [0.1434, -0.2952, -0.7640], [-0.0112, -0.4432, -0.5432]],
    ),
    "bort": (
        [0, 18077, 4082, 7804, 8606, 6195, 2457, 3321, 11, 10489, 16, 269, 2579, 328, 2],
        None,
        slice(0, 3),
        [[-0.0349, 0.0436, -1.8654], [-0.6964, 0.0835, -1.7393], [-0.9819, 0.2956, -0.2868]],
    ),
}
"""Key -> ids, mask (0: not seen), and the corner of the last hidden states that is known, rows and columns alike."""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())
    yield


def loaded(key: str, monkeypatch: pytest.MonkeyPatch, **options: str) -> bortlab.Model:
    """A published model; the test is skipped where it is not to be had."""
    repository = registry.find(key)[1].source
    if os.environ.get(WANTED):
        for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):  # conftest.py switches the network off
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        try:
            return bortlab.load(key, download=True, **options)  # type: ignore[arg-type]
        except hub.HubError as error:
            pytest.skip(f"{repository} is not to be had: {error}")
    if hub.cached(repository) is None:
        pytest.skip(f"{repository} is not on this machine; {WANTED}=1 downloads it")
    return bortlab.load(key, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", GOLDEN)
def test_hidden_states_are_the_published_ones(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, mask, corner, expected = GOLDEN[key]
    model = loaded(key, monkeypatch, task="encoder")
    network = model.network
    with torch.inference_mode():
        words = network.embed(torch.tensor([ids]))
        hidden = network.encode(words, None, None if mask is None else torch.tensor([mask])).hidden
    assert hidden.shape == (1, len(ids), model.config.hidden_size)
    torch.testing.assert_close(hidden[0, corner, corner], torch.tensor(expected), atol=1e-4, rtol=0)
    assert len(model.revision) == 40


def test_albert_fills_the_blank_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded("albert-base-v2", monkeypatch)
    assert model.heads == {"masked-lm": "trained"}
    (blank,) = model.fill_mask("Paris is the [MASK] of France.", top_k=5).blanks
    assert [candidate.text.strip() for candidate in blank.candidates] == [
        "capital",
        "capitol",
        "comune",
        "arrondissement",
        "bastille",
    ]


@pytest.mark.parametrize("key", ["bort", "conv-bert-base"])
def test_published_heads_that_nobody_trained_say_so(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(key, monkeypatch).heads["masked-lm"] == "random"
