"""A network as compilers and exporters want it: one input, one output."""

from __future__ import annotations

from torch import Tensor, nn

from bortlab.models import Network


class SingleOutput(nn.Module):
    """ids (batch, seq) -> hidden states (batch, seq, hidden), or masked-LM logits (batch, seq, vocab).

    output: "encoder" or "masked-lm". explicit: attention probabilities are formed in every layer, as when they are
    looked at; otherwise torch's fused kernel is used.
    """

    def __init__(self, network: Network, output: str, *, explicit: bool = False) -> None:
        super().__init__()
        self.network, self.output, self.explicit = network, output, explicit

    def forward(self, ids: Tensor) -> Tensor:
        """One forward pass over texts without padding."""
        words = self.network.embed(ids)
        if self.explicit:
            hidden = self.network.embeddings(words, None)
            for layer in self.network.steps(hidden, explicit=True):
                hidden = layer.hidden
        else:
            hidden = self.network.encode(words).hidden
        return self.network.predict(hidden) if self.output == "masked-lm" else hidden
