"""What an engine is: a program that runs a network, with the questions that one asks a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from bortlab.model import Questions
from bortlab.models import Network
from bortlab.runtimes.comparison import Agreement, compare
from bortlab.runtimes.engines.program import EngineKind, Program, TorchProgram


@dataclass(frozen=True, eq=False, repr=False)
class Engine(Questions):
    """A model's network run by another program. Made by `model.on(name)`; asked as the model itself is."""

    name: str
    kind: EngineKind
    program: Program
    network: Network

    def encode_ids(self, ids: Tensor, mask: Tensor | None = None, type_ids: Tensor | None = None) -> Tensor:
        """ids, mask (0 where a piece is padding), type ids (batch, seq) -> last hidden states (batch, seq, hidden)."""
        mask = torch.ones_like(ids) if mask is None else mask
        type_ids = torch.zeros_like(ids) if type_ids is None else type_ids
        return self.program.encode(ids, mask, type_ids)

    def score(self, hidden: Tensor) -> dict[str, Tensor]:
        """Last hidden states (batch, seq, hidden) -> logits by name, as `Network.score`; of an encoder "pooled"."""
        return self.program.score(hidden)

    @cached_property
    def agreement(self) -> Agreement:
        """How its answers compare with torch's on a few sentences (`comparison.TEXTS`), measured when first asked."""
        return compare(self, replace(self, program=TorchProgram(self.network)).outputs, self.outputs)

    def __repr__(self) -> str:
        return f"Engine({self.key!r} by {self.kind.title}: {self.kind.about})"
