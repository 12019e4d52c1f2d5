"""Self-attention, and ConvBERT's mixed attention in which convolution takes the place of half the heads.

Both return a `Mixed` record. `explicit=True` forms the probabilities, to be looked at; otherwise torch's fused kernel
is used. A test holds both equal. `mask` is (batch, 1, 1, key), True where a key is a real piece, or None if all are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.nn.convolution import SeparableConv, dynamic_convolution
from bortlab.nn.linear import Linear


@dataclass(frozen=True, slots=True)
class Mixed:
    """What attention made: context (batch, seq, hidden), attention and kernels as in LayerTrace."""

    context: Tensor
    attention: Tensor | None
    kernels: Tensor | None


@dataclass(frozen=True, slots=True)
class Attended:
    """values (batch, heads, query, size) and, on the explicit path, probabilities (batch, heads, query, key)."""

    values: Tensor
    probabilities: Tensor | None


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, *, dropout: float = 0.0, explicit: bool = False
) -> Attended:
    """Scaled dot-product attention over (batch, heads, seq, size) tensors (Vaswani et al. 2017, section 3.2.1)."""
    if not explicit:
        return Attended(F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout), None)
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])  # (batch, heads, query, key)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    probabilities = scores.softmax(-1)
    return Attended(F.dropout(probabilities, dropout) @ value if dropout else probabilities @ value, probabilities)


class SelfAttention(nn.Module):
    """Multi-head self-attention with its output projection; norm and residual belong to the block."""

    def __init__(self, *, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = Linear(hidden, hidden)
        self.key = Linear(hidden, hidden)
        self.value = Linear(hidden, hidden)
        self.output = Linear(hidden, hidden)

    def forward(self, hidden: Tensor, mask: Tensor | None, *, explicit: bool = False) -> Mixed:
        """hidden (batch, seq, hidden) -> Mixed."""
        query, key, value = (
            project(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (batch, heads, seq, size)
            for project in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        attended = attend(query, key, value, mask, dropout=dropout, explicit=explicit)
        context = self.output(attended.values.transpose(1, 2).flatten(2))  # (batch, seq, hidden)
        return Mixed(context, attended.probabilities, None)


class MixedAttention(nn.Module):
    """ConvBERT's mixed attention: half of the width is self-attention, half is span-based dynamic convolution.

    Both halves share the query. The kernel of a position is softmax(W (query * span)), where span is a separable
    convolution over the neighbours, so that the same word gets another kernel in another span. As in the published
    code, padding is hidden from attention but not from the convolution: a padded batch and a single text differ.

    Source: ConvBERT (Jiang et al. 2020), section 3.3 and figure 3c.
    """

    def __init__(self, *, hidden: int, heads: int, width: int, dropout: float) -> None:
        """heads: attention heads that remain, each of size hidden / heads / 2; width: taps of a kernel, odd."""
        super().__init__()
        self.heads, self.width, self.dropout = heads, width, dropout
        half = hidden // 2
        self.query = Linear(hidden, half)
        self.key = Linear(hidden, half)
        self.value = Linear(hidden, half)
        self.span = SeparableConv(hidden, half, width)
        self.kernel = Linear(half, heads * width)
        self.convolved = Linear(hidden, half)  # the values of the convolution; a projection of its own
        self.output = Linear(hidden, hidden)

    def forward(self, hidden: Tensor, mask: Tensor | None, *, explicit: bool = False) -> Mixed:
        """hidden (batch, seq, hidden) -> Mixed."""
        query = self.query(hidden)  # (batch, seq, half), shared by both halves
        attended = self.attend(query, hidden, mask, explicit=explicit)
        kernels = self.kernels(query, self.span(hidden)).transpose(1, 2)  # as recorded, so that it has a gradient
        context = self.join(attended.values, self.convolve(hidden, kernels.transpose(1, 2)))
        return Mixed(context, attended.probabilities, kernels)

    def attend(self, query: Tensor, hidden: Tensor, mask: Tensor | None, *, explicit: bool = False) -> Attended:
        """The half that attends: query (batch, seq, half) -> values (batch, heads, seq, size)."""
        q, k, v = (
            t.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (batch, heads, seq, size)
            for t in (query, self.key(hidden), self.value(hidden))
        )
        return attend(q, k, v, mask, dropout=self.dropout if self.training else 0.0, explicit=explicit)

    def kernels(self, query: Tensor, span: Tensor) -> Tensor:
        """query and span (batch, seq, half) -> kernels (batch, seq, heads, width)."""
        return self.kernel(query * span).unflatten(-1, (self.heads, -1)).softmax(-1)  # type: ignore[no-any-return]

    def convolve(self, hidden: Tensor, kernels: Tensor) -> Tensor:
        """The half that convolves: (batch, seq, heads, size)."""
        return dynamic_convolution(self.convolved(hidden).unflatten(-1, (self.heads, -1)), kernels)

    def join(self, attended: Tensor, convolved: Tensor) -> Tensor:
        """Both halves (batch, heads, seq, size) and (batch, seq, heads, size) -> context (batch, seq, hidden)."""
        # Attention heads first, convolution heads second: the order of the published weights.
        both = torch.cat([attended.transpose(1, 2), convolved], dim=2)  # (batch, seq, 2 heads, size)
        return self.output(both.flatten(2))  # type: ignore[no-any-return]
