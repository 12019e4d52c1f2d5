"""One text through one model, with everything inside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from bortlab.nn.records import EncoderOutput, LayerTrace
from bortlab.text import Encoding


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
        pieces, positions = len(self.encoding), self.output.hidden.shape[1]
        if pieces != positions:
            raise ValueError(
                f"A trace needs one position per piece: the text has {pieces}, the output has {positions}."
            )
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
