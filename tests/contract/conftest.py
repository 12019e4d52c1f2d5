"""What the tests of folders share."""

from __future__ import annotations

import pytest
import transformers

from bortlab import registry
from bortlab.registry import Registry
from bortlab.text import Tokenizer, TokenizerKind
from bortlab.training.vocabulary import train_tokenizer
from tests.contract.folders import KINDS, TEXTS


@pytest.fixture(scope="session")
def tokenizers() -> dict[TokenizerKind, Tokenizer]:
    """A small tokenizer of every kind."""
    return {kind: train_tokenizer(kind, TEXTS, vocab_size=300) for kind in KINDS}


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model in memory, and a quiet transformers."""
    transformers.logging.set_verbosity_error()
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())
