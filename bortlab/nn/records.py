"""What a forward pass leaves behind: the records that encoder layers return.

Axis words, the same everywhere in bortlab: batch, seq, query, key, heads, width (taps of a convolution kernel),
hidden, embed, vocab, layers. A "layer" is one *executed* step of the encoder: ALBERT's one block used twelve times
makes twelve records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """What one executed layer did.

    hidden: (batch, seq, hidden), after the layer's last norm; the input of the next layer.
    attention: (batch, heads, query, key), after the softmax and before dropout, rows sum to 1; None on the fused path,
        which never forms the probabilities and whose records the encoder never keeps.
    kernels: (batch, heads, seq, width), after the softmax, rows sum to 1; None for layers without dynamic convolution.
    """

    hidden: Tensor
    attention: Tensor | None
    kernels: Tensor | None


@dataclass(frozen=True, slots=True)
class EncoderOutput:
    """What an encoder did.

    embeddings: (batch, seq, hidden), what enters the first layer.
    hidden: (batch, seq, hidden), what leaves the last one.
    layers: one LayerTrace per executed layer, in order; () unless the caller asked to keep them.
    """

    embeddings: Tensor
    hidden: Tensor
    layers: tuple[LayerTrace, ...]


@dataclass(frozen=True, slots=True)
class TaskOutput:
    """What the heads of a task say, by name, and what that lacks of the labels, where labels were given.

    logits: "masked-lm" and "token-classification" (batch, seq, classes); "sentence-order" (batch, 2);
    "sequence-classification" (batch, classes); "multiple-choice" (batch, choices); "start" and "end" (batch, seq) of
    "question-answering". losses: one for each. loss: what training makes smaller: their sum, of spans their mean.
    """

    logits: Mapping[str, Tensor]
    losses: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def loss(self) -> Tensor | None:
        """The losses as one number; None without labels."""
        if not self.losses:
            return None
        return torch.stack(list(self.losses.values())).sum() / (2 if "start" in self.losses else 1)
