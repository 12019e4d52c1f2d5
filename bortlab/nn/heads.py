"""What stands on an encoder: the masked-LM head, the pooler, and what turns vectors into scores of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.nn.feedforward import ACTIVATIONS
from bortlab.nn.linear import Linear, linear_map


class MaskedLMHead(nn.Module):
    """dense, activation, norm, then a decoder, the word table or one of its own, and a bias per word.

    (..., hidden) -> (..., vocab). Source: BERT (Devlin et al. 2018), `get_masked_lm_output` of the published code,
    where the decoder is the word table: tied.
    """

    def __init__(self, *, hidden: int, embed: int, vocab: int, activation: str, eps: float, tied: bool = True) -> None:
        super().__init__()
        self.dense = Linear(hidden, embed)
        self.norm = nn.LayerNorm(embed, eps=eps)
        self.own_decoder = None if tied else nn.Parameter(torch.zeros(vocab, embed))
        self.bias = nn.Parameter(torch.zeros(vocab))
        self.activation = ACTIVATIONS[activation]

    def decoder(self, words: Tensor) -> Tensor:
        """The decoder (vocab, embed), given the word table."""
        return words if self.own_decoder is None else self.own_decoder

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        """hidden (..., hidden), words (vocab, embed): the word table -> logits (..., vocab)."""
        return linear_map(self.norm(self.activation(self.dense(hidden))), self.decoder(words), self.bias)


class Pooler(nn.Module):
    """dense and tanh on the first position: (batch, seq, hidden) -> (batch, hidden)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dense = Linear(hidden, hidden)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, seq, hidden) -> (batch, hidden)."""
        return torch.tanh(self.dense(hidden[:, 0]))


class Classifier(Linear):
    """Dropout and a linear map: (..., hidden) -> (..., outputs). Its tensors are those of the linear map."""

    def __init__(self, hidden: int, outputs: int, *, dropout: float = 0.0) -> None:
        super().__init__(hidden, outputs)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """(..., hidden) -> (..., outputs)."""
        return super().forward(F.dropout(x, self.dropout, self.training))


class FirstClassifier(nn.Module):
    """The first position, then dropout, dense, activation, dropout and a linear map: (batch, seq, hidden) -> scores.

    What RoBERTa and ConvBERT have in place of BERT's pooler and classifier; the activation need not be tanh.
    """

    def __init__(self, hidden: int, outputs: int, *, activation: str, dropout: float) -> None:
        super().__init__()
        self.dense = Classifier(hidden, hidden, dropout=dropout)
        self.out = Classifier(hidden, outputs, dropout=dropout)
        self.activation = ACTIVATIONS[activation]

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, seq, hidden) -> (batch, outputs)."""
        return self.out(self.activation(self.dense(hidden[:, 0])))  # type: ignore[no-any-return]


SUMMARIES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "last": lambda hidden: hidden[:, -1],  # of the batch: a padded row's is padding
    "first": lambda hidden: hidden[:, 0],
    "mean": lambda hidden: hidden.mean(1),  # padding too
}
"""(batch, seq, hidden) -> (batch, hidden), by the name that config.json uses."""


class SummaryClassifier(nn.Module):
    """One vector for a sequence, a projection and an activation where asked for, and a linear map.

    Source: `ConvBertSequenceSummary` and the multiple-choice classifier of transformers' code.
    """

    def __init__(
        self,
        hidden: int,
        outputs: int,
        *,
        summary: str = "last",
        projects: bool = False,
        activation: str | None = None,
        dropouts: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """dropouts: before the projection, and after the activation."""
        super().__init__()
        first, last = dropouts
        self.kind = summary
        self.summary = Classifier(hidden, hidden, dropout=first) if projects else nn.Dropout(first)
        self.activation = ACTIVATIONS[activation] if activation else nn.Identity()
        self.out = Classifier(hidden, outputs, dropout=last)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, seq, hidden) -> (batch, outputs)."""
        return self.out(self.activation(self.summary(SUMMARIES[self.kind](hidden))))  # type: ignore[no-any-return]
