"""What a forward pass leaves behind: the records that encoder layers return.

Axis words, the same everywhere in bortlab: batch, seq, query, key, heads, width (taps of a convolution kernel),
hidden, embed, vocab, layers. A "layer" is one *executed* step of the encoder: ALBERT's one block used twelve times
makes twelve records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from bortlab.tokenization import Encoding


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


@dataclass(frozen=True)
class Trace:
    """One text through one model, with everything inside it.

    `layers[i]` holds the live tensors of the graph (batch 1), so one `torch.autograd.grad` gives the gradients of all
    layers; `attention`, `kernels` and `hidden` are detached, stacked and unbatched, for reading.
    """

    encoding: Encoding
    output: EncoderOutput
    logits: Tensor  # (1, seq, vocab)

    def __post_init__(self) -> None:
        pieces, seen = len(self.encoding), self.output.hidden.shape[1]
        if pieces != seen:
            raise ValueError(f"A trace needs one position per piece: the text has {pieces}, the model saw {seen}.")
        if not self.output.layers:
            raise ValueError("A trace needs the layers' records: encode with keep_layers=True.")

    @property
    def layers(self) -> tuple[LayerTrace, ...]:
        """The records of the executed layers, in order, with the graph's own tensors."""
        return self.output.layers

    @cached_property
    def attention(self) -> Tensor:
        """(layers, heads, query, key): attention probabilities, detached."""
        kept = [layer.attention[0].detach() for layer in self.layers if layer.attention is not None]
        return torch.stack(kept)

    @cached_property
    def kernels(self) -> Tensor | None:
        """(layers, heads, seq, width): dynamic convolution kernels, detached; None for models without convolution."""
        kept = [layer.kernels[0].detach() for layer in self.layers if layer.kernels is not None]
        return torch.stack(kept) if kept else None

    @cached_property
    def hidden(self) -> Tensor:
        """(layers + 1, seq, hidden): the embeddings and each layer's output, detached."""
        return torch.stack([self.output.embeddings[0].detach(), *(layer.hidden[0].detach() for layer in self.layers)])

    def detach(self) -> Trace:
        """A copy without the graph, safe to keep in a cache and to share between threads."""
        layers = tuple(
            LayerTrace(*(None if t is None else t.detach() for t in (layer.hidden, layer.attention, layer.kernels)))  # type: ignore[arg-type]
            for layer in self.layers
        )
        output = EncoderOutput(self.output.embeddings.detach(), self.output.hidden.detach(), layers)
        return replace(self, output=output, logits=self.logits.detach())
