"""Span-based dynamic convolution: kernels made from a span of the text, and their use.

Source: ConvBERT (Jiang et al. 2020, arXiv 2008.02496), section 3.2; published code `model/modeling.py`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.nn.linear import linear_map

WINDOW_LIMIT = 12
"""Up to this many positions (batch x seq) `by_window` beats `by_taps`, by up to 20 microseconds (`make bench`)."""


class SeparableConv(nn.Module):
    """A depthwise convolution over positions, then a pointwise one over features; the bias is added last.

    (batch, seq, hidden) -> (batch, seq, outputs). No activation. Zero padding keeps the length.
    """

    def __init__(self, hidden: int, outputs: int, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(hidden, hidden, width, groups=hidden, padding=width // 2, bias=False)
        self.pointwise = nn.Conv1d(hidden, outputs, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs, 1))  # (outputs, 1), as the checkpoints keep it

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, seq, hidden) -> (batch, seq, outputs)."""
        # A 1 x 1 convolution is a matrix product over features: said so, it needs no transposed copy of the output.
        return linear_map(self.spans(hidden), self.pointwise.weight[:, :, 0], self.bias[:, 0])

    def spans(self, hidden: Tensor) -> Tensor:
        """The depthwise half: (batch, seq, hidden) -> (batch, seq, hidden).

        Features lie beside each other, as the channels of a picture of one row in torch's "channels last" order: said
        so, the convolution needs no transposed copies, and takes a fifth of the time.
        """
        weight = self.depthwise.weight.unsqueeze(2)  # (hidden, 1, 1, width)
        row = hidden.transpose(1, 2).unsqueeze(2)  # (batch, hidden, 1, seq)
        spans = F.conv2d(row, weight, padding=(0, weight.shape[-1] // 2), groups=len(weight))
        return spans.squeeze(2).transpose(1, 2)


def dynamic_convolution(values: Tensor, kernels: Tensor) -> Tensor:
    """Convolve each position of each head with a kernel of its own, without materialising an unfolded copy.

    values: (batch, seq, heads, size). kernels: (batch, seq, heads, width), width odd.
    Returns (batch, seq, heads, size): out[i] = sum over taps j of kernels[i, j] * values[i + j - (width - 1) / 2],
    with zeros beyond both ends.
    """
    width = kernels.shape[-1]
    padded = F.pad(values, (0, 0, 0, 0, width // 2, width // 2))  # (batch, seq + width - 1, heads, size)
    short = values.shape[0] * values.shape[1] <= WINDOW_LIMIT
    return by_window(padded, kernels) if short else by_taps(padded, kernels)


def by_window(padded: Tensor, kernels: Tensor) -> Tensor:
    """One product a position, over a strided view of its neighbours: the least calls."""
    windows = padded.unfold(1, kernels.shape[-1], 1)  # (batch, seq, heads, size, width), a view
    return (windows @ kernels.unsqueeze(-1)).squeeze(-1)


def by_taps(padded: Tensor, kernels: Tensor) -> Tensor:
    """The whole text once for each tap, shifted by it: the least memory."""
    seq, width = kernels.shape[1], kernels.shape[-1]
    total = kernels[..., :1] * padded[:, :seq]
    for tap in range(1, width):
        total = torch.addcmul(total, kernels[..., tap : tap + 1], padded[:, tap : tap + seq])
    return total
