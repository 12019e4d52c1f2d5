"""One encoder block: attention and feed-forward, each with a residual and a norm after it (post-LN)."""

from __future__ import annotations

from torch import Tensor, nn

from bortlab.nn.attention import MixedAttention, SelfAttention
from bortlab.nn.feedforward import FeedForward
from bortlab.nn.records import LayerTrace


class Block(nn.Module):
    """A post-norm transformer block whose attention may be any module that returns `Mixed`.

    Source: Vaswani et al. 2017, section 3.1; the same arithmetic in BERT, ALBERT, Bort and ConvBERT.
    """

    def __init__(
        self,
        *,
        attention: SelfAttention | MixedAttention,
        feedforward: FeedForward,
        hidden: int,
        eps: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.attention_norm = nn.LayerNorm(hidden, eps=eps)
        self.feedforward = feedforward
        self.feedforward_norm = nn.LayerNorm(hidden, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor | None, *, explicit: bool = False) -> LayerTrace:
        """hidden (batch, seq, hidden) -> LayerTrace; explicit=True makes its attention probabilities readable."""
        mixed = self.attention(hidden, mask, explicit=explicit)
        return LayerTrace(self.finish(hidden, mixed.context), mixed.attention, mixed.kernels)

    def finish(self, hidden: Tensor, context: Tensor) -> Tensor:
        """What follows attention: its input and its context, both (batch, seq, hidden) -> the block's output."""
        hidden = self.attention_norm(hidden + self.dropout(context))
        return self.feedforward_norm(hidden + self.dropout(self.feedforward(hidden)))  # type: ignore[no-any-return]
