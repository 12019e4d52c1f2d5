"""Tiny models of every family and task, whose tokenizers were learned from a few sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bortlab.model import Model, assemble
from bortlab.models import FAMILIES, Config, Network
from bortlab.text import Tokenizer
from bortlab.training.vocabulary import train_tokenizer

SENTENCES = [
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The cat sat on the mat; a dog barked.",
] * 10


@pytest.fixture(scope="session")
def tokenizers() -> dict[str, Tokenizer]:
    return {family.name: train_tokenizer(family.tokenizer, SENTENCES, vocab_size=300) for family in FAMILIES.values()}


@pytest.fixture(scope="session")
def tiny_model(
    tokenizers: dict[str, Tokenizer], tiny_config: Callable[..., Config], build: Callable[..., Network]
) -> Callable[..., Model]:
    """tiny_model(family's name, task, **changes of the configuration): random numbers everywhere, a tokenizer."""

    def make(name: str, task: str = "masked-lm", **changes: Any) -> Model:
        family, tokenizer = FAMILIES[name], tokenizers[name]
        sizes = {"vocab_size": tokenizer.vocab_size, "max_position_embeddings": 48} | changes
        network = build(family, tiny_config(family, **sizes), task)
        heads = dict.fromkeys(network.tasks[task], "random")
        return assemble(f"{name}-tiny", family, network, tokenizer, heads=heads, source="random weights")

    return make
