"""A network in a program's own form, and what such a program is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from bortlab.models import Network
from bortlab.runtimes.runtime import always_there


class Program(Protocol):
    """A network in a program's own form. Any number of threads may call it at once."""

    def encode(self, ids: Tensor, mask: Tensor, type_ids: Tensor) -> Tensor:
        """ids, mask and type ids (batch, seq), whole numbers -> last hidden states (batch, seq, hidden)."""

    def score(self, hidden: Tensor) -> dict[str, Tensor]:
        """Last hidden states (batch, seq, hidden) -> the heads' logits by our names, "pooled" of an encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """A program that networks can be run by.

    open(network, threads): the network in its form. exact: it computes in float32, so its answers are torch's up to
    rounding. missing(): what has to be installed before, as a sentence; "" for nothing.
    """

    title: str
    about: str
    open: Callable[[Network, int], Program]
    exact: bool = True
    missing: Callable[[], str] = always_there


@dataclass(frozen=True, slots=True)
class TorchProgram:
    """A network as torch runs it."""

    network: Network

    def encode(self, ids: Tensor, mask: Tensor, type_ids: Tensor) -> Tensor:
        """ids, mask and type ids (batch, seq) -> last hidden states (batch, seq, hidden)."""
        # Without padding no mask is needed, and fused attention has a faster path.
        visible = None if bool(mask.all()) else mask
        return self.network.encode(self.network.embed(ids), type_ids, visible).hidden

    def score(self, hidden: Tensor) -> dict[str, Tensor]:
        """Last hidden states (batch, seq, hidden) -> the heads' logits by our names."""
        if self.network.task != "encoder":
            return self.network.score(hidden)
        return {} if self.network.pooler is None else {"pooled": self.network.pooler(hidden)}
