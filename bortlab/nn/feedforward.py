"""The feed-forward half of a block, plain or in groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.nn.linear import Linear


def gelu_tanh(x: Tensor) -> Tensor:
    """The tanh form of GELU ("gelu_new" in checkpoints), as one fused operation."""
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": gelu_tanh,
    "gelu_accurate": gelu_tanh,
    "gelu_fast": gelu_tanh,
    "gelu_python": F.gelu,
    "gelu_pytorch_tanh": gelu_tanh,
    "mish": F.mish,
    "relu": F.relu,
    "relu6": F.relu6,
    "silu": F.silu,
    "swish": F.silu,
    "tanh": torch.tanh,
}
"""Activations by the names that config.json uses; several names stand for one function."""


class GroupedLinear(nn.Module):
    """A linear map that is block diagonal: contiguous chunks of the input features are mapped apart.

    weight: (groups, inputs / groups, outputs / groups), used as it stands; bias: (outputs).
    Source: ConvBERT (Jiang et al. 2020), section 3.3, `GroupedLinearLayer` of the published code.
    """

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(groups, inputs // groups, outputs // groups))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as nn.Linear does, each group for itself."""
        bound = 1 / math.sqrt(self.weight.shape[1])
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        groups, width, _ = self.weight.shape
        chunks = x.reshape(-1, groups, width).transpose(0, 1)  # (groups, rows, inputs / groups)
        mapped = torch.bmm(chunks, self.weight).transpose(0, 1)  # (rows, groups, outputs / groups)
        return mapped.reshape(*x.shape[:-1], -1) + self.bias


def linear(inputs: int, outputs: int, groups: int = 1) -> nn.Module:
    """A linear map, in groups where there is more than one."""
    return Linear(inputs, outputs) if groups == 1 else GroupedLinear(inputs, outputs, groups)


class FeedForward(nn.Module):
    """expand, activation, contract: (batch, seq, hidden) -> (batch, seq, hidden)."""

    def __init__(self, *, hidden: int, intermediate: int, activation: str, groups: int = 1) -> None:
        super().__init__()
        self.expand = linear(hidden, intermediate, groups)
        self.contract = linear(intermediate, hidden, groups)
        self.activation = ACTIVATIONS[activation]

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, seq, hidden) -> (batch, seq, hidden)."""
        return self.contract(self.activation(self.expand(hidden)))  # type: ignore[no-any-return]
