"""What stands on an encoder: the masked-LM head and the pooler."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bortlab.nn.feedforward import ACTIVATIONS
from bortlab.nn.linear import Linear, linear_map


class MaskedLMHead(nn.Module):
    """dense, activation, norm, then the word table as decoder (tied) and a bias per word.

    (..., hidden) -> (..., vocab). Source: BERT (Devlin et al. 2018), `get_masked_lm_output` of the published code.
    """

    def __init__(self, *, hidden: int, embed: int, vocab: int, activation: str, eps: float) -> None:
        super().__init__()
        self.dense = Linear(hidden, embed)
        self.norm = nn.LayerNorm(embed, eps=eps)
        self.bias = nn.Parameter(torch.zeros(vocab))
        self.activation = ACTIVATIONS[activation]

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        """hidden (..., hidden), words (vocab, embed): the word table -> logits (..., vocab)."""
        return linear_map(self.norm(self.activation(self.dense(hidden))), words, self.bias)


class Pooler(nn.Module):
    """dense and tanh on the first position: (batch, seq, hidden) -> (batch, hidden)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dense = Linear(hidden, hidden)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, seq, hidden) -> (batch, hidden)."""
        return torch.tanh(self.dense(hidden[:, 0]))
