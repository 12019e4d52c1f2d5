"""A network whose linear maps keep their weights as oneDNN wants them for this processor, once and for all.

`bortlab.nn.linear` multiplies by weights as they lie, and chooses its path anew in each call; that needs no memory and
is never stale. Weights packed beforehand save the laying out in every call, which counts for few rows, at the price of
a second copy. So packing belongs to an engine of frozen weights, not to the network: the network itself stays as it
is, with its gradients and traces.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.models import Network
from bortlab.nn import FeedForward, SelfAttention
from bortlab.nn.attention import Mixed, attend
from bortlab.nn.feedforward import gelu_tanh
from bortlab.nn.linear import HAS_ONEDNN, Linear

PAYS_UP_TO = 256
"""Rows (batch x seq) up to which packed weights win; beyond, the maps are as in the network."""
FUSED: Mapping[Callable[[Tensor], Tensor], tuple[str, str]] = {
    F.gelu: ("gelu", "none"),
    gelu_tanh: ("gelu", "tanh"),
    F.relu: ("relu", ""),
    torch.tanh: ("tanh", ""),
}
"""Activations that oneDNN computes while a product's numbers are still in the processor: its names for them."""


class PackedLinear(nn.Module):
    """A linear map with packed weights: (..., inputs) -> (..., outputs), an activation included where there is one.

    The weights are those of `linears`, side by side, so that maps of one input are one product.
    """

    def __init__(self, *linears: nn.Linear, activation: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.linears, self.activation = linears, activation
        weight = torch.cat([linear.weight for linear in linears]) if len(linears) > 1 else linears[0].weight
        self.bias = torch.cat([linear.bias for linear in linears])
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), None)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        if x.numel() // x.shape[-1] > PAYS_UP_TO:
            mapped = (
                torch.cat([linear(x) for linear in self.linears], -1) if len(self.linears) > 1 else self.linears[0](x)
            )
            return mapped if self.activation is None else self.activation(mapped)
        name, variant = ("none", "") if self.activation is None else FUSED[self.activation]
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, name, [], variant)  # type: ignore[no-any-return]


class PackedAttention(nn.Module):
    """Self-attention whose query, key and value are one product."""

    def __init__(self, attention: SelfAttention) -> None:
        super().__init__()
        self.heads = attention.heads
        self.projections = PackedLinear(attention.query, attention.key, attention.value)
        self.output = PackedLinear(attention.output)

    def forward(self, hidden: Tensor, mask: Tensor | None, *, explicit: bool = False) -> Mixed:
        """hidden (batch, seq, hidden) -> Mixed."""
        parts = self.projections(hidden).unflatten(-1, (3, self.heads, -1))  # (batch, seq, 3, heads, size)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (batch, heads, seq, size) each
        attended = attend(query, key, value, mask, explicit=explicit)
        return Mixed(self.output(attended.values.transpose(1, 2).flatten(2)), attended.probabilities, None)


class PackedFeedForward(nn.Module):
    """expand with its activation, and contract."""

    def __init__(self, feedforward: FeedForward) -> None:
        super().__init__()
        self.expand = PackedLinear(feedforward.expand, activation=feedforward.activation)  # type: ignore[arg-type]
        self.contract = PackedLinear(feedforward.contract)  # type: ignore[arg-type]

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, seq, hidden) -> (batch, seq, hidden)."""
        return self.contract(self.expand(hidden))  # type: ignore[no-any-return]


def packed(network: Network) -> Network:
    """The network with packed linear maps: another object with the same parameters, for answers without gradients.

    The tied decoder and grouped maps stay as they are. Where torch was built without oneDNN, all of it does.
    """
    twin = copy.deepcopy(network, {id(parameter): parameter for parameter in network.parameters()})
    if HAS_ONEDNN:
        _pack(twin)
    return twin


def _pack(module: nn.Module) -> None:
    for name, child in module.named_children():
        replacement = _replacement(child)
        if replacement is None:
            _pack(child)
        else:
            setattr(module, name, replacement)


def _replacement(module: nn.Module) -> nn.Module | None:
    if isinstance(module, SelfAttention):
        return PackedAttention(module)
    if isinstance(module, FeedForward) and isinstance(module.expand, Linear) and module.activation in FUSED:
        return PackedFeedForward(module)
    return PackedLinear(module) if type(module) is Linear else None
