"""A network whose linear maps keep their weights as oneDNN wants them for this processor.

`bortlab.nn.linear` multiplies by weights as they lie, and chooses its path anew in each call; that needs no memory.
Weights packed beforehand save the laying out in every call, at the price of a second copy of every block's maps. So
packing belongs to an engine of frozen weights, not to the network: the network stays as it is, with its gradients and
traces. What follows a product is computed with it (bias, activation), maps of one input are one product, and long
texts are attended to head by head.

Packed weights are made anew when a weight has changed, and each part falls back to the original where a gradient is
asked for, or where this processor is no faster by them (`bortlab.nn.products`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.models import Network
from bortlab.nn import FeedForward, MixedAttention, SelfAttention
from bortlab.nn.attention import Mixed, attend
from bortlab.nn.convolution import SeparableConv, dynamic_convolution
from bortlab.nn.feedforward import GroupedLinear, gelu_tanh
from bortlab.nn.linear import Linear, suits_onednn
from bortlab.nn.products import onednn_product, products_here

LONG = 256
"""Pieces from which attention is computed head by head (`make bench`)."""
FUSED: Mapping[Callable[[Tensor], Tensor] | None, tuple[str, str]] = {
    None: ("none", ""),
    F.gelu: ("gelu", "none"),
    gelu_tanh: ("gelu", "tanh"),
    F.relu: ("relu", ""),
    torch.tanh: ("tanh", ""),
}
"""Activations that oneDNN computes while a product's numbers are still in the processor: its names for them."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """Packed weights, the bias, and the state of what they were made from."""

    weight: Tensor
    bias: Tensor
    state: tuple[tuple[int, int], ...]


class PackedProduct:
    """(..., inputs) -> (..., outputs) by packed weights, an activation included where there is one.

    read() gives weight (outputs, inputs) and bias (outputs), and sources are the parameters that it reads: when one of
    them was written to, or lies elsewhere, the weights are packed again.
    """

    def __init__(
        self,
        read: Callable[[], tuple[Tensor, Tensor]],
        sources: Sequence[Tensor],
        activation: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._read, self._sources = read, tuple(sources)
        self._activation, self._variant = FUSED[activation]
        self._copy = self._pack()

    def __call__(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs), without gradients."""
        held = self._copy
        if held.state != self._state():
            held = self._copy = self._pack()
        return onednn_product(x, held.weight, held.bias, self._activation, self._variant)

    def _state(self) -> tuple[tuple[int, int], ...]:
        # Tensors made in inference mode keep no count of changes, and allow none outside of it.
        return tuple((source.data_ptr(), 0 if source.is_inference() else source._version) for source in self._sources)

    def _pack(self) -> _Copy:
        state = self._state()  # first: what is written in the meantime is noticed by the next call
        with torch.no_grad():
            weight, bias = self._read()
            packed_weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), None)
            return _Copy(packed_weight, bias.detach().clone(), state)


def product(*linears: nn.Linear, activation: Callable[[Tensor], Tensor] | None = None) -> PackedProduct:
    """The maps side by side as one product, and an activation of all that comes out."""

    def read() -> tuple[Tensor, Tensor]:
        return torch.cat([linear.weight for linear in linears]), torch.cat([linear.bias for linear in linears])

    return PackedProduct(read, [part for linear in linears for part in (linear.weight, linear.bias)], activation)


class Packed(nn.Module):
    """A part of a network by packed weights; `original` where they would lose, or lose a gradient."""

    def __init__(self, original: nn.Module, weight: Tensor, most_rows: float) -> None:
        """weight: one of the original's: its type and place say whether oneDNN can be used. most_rows: of an input."""
        super().__init__()
        self._held = original, weight  # in a tuple: no second module of the same parameters
        self.most_rows = most_rows

    @property
    def original(self) -> Any:
        """The part as it was."""
        return self._held[0]

    def suits(self, x: Tensor) -> bool:
        """Whether packed weights are for this input (..., inputs)."""
        few = x.numel() <= self.most_rows * x.shape[-1]
        return few and not torch.is_grad_enabled() and suits_onednn(x, self._held[1], None)


class PackedLinear(Packed):
    """One linear map: (..., inputs) -> (..., outputs)."""

    def __init__(self, linear: nn.Linear, most_rows: float) -> None:
        super().__init__(linear, linear.weight, most_rows)
        self.product = product(linear)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return self.product(x) if self.suits(x) else self.original(x)


class PackedAttention(Packed):
    """Self-attention whose query, key and value are one product."""

    def __init__(self, attention: SelfAttention, most_rows: float) -> None:
        super().__init__(attention, attention.query.weight, most_rows)
        self.heads = attention.heads
        self.projections = product(attention.query, attention.key, attention.value)
        self.output = product(attention.output)

    def forward(self, hidden: Tensor, mask: Tensor | None, *, explicit: bool = False) -> Mixed:
        """hidden (batch, seq, hidden) -> Mixed."""
        if explicit or not self.suits(hidden):
            return self.original(hidden, mask, explicit=explicit)  # type: ignore[no-any-return]
        batch, seq, _ = hidden.shape
        parts = self.projections(hidden).view(batch, seq, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # (batch, heads, seq, size) each
        values = attend_fast(query, key, value, mask)
        return Mixed(self.output(values.transpose(1, 2).flatten(2)), None, None)


class PackedMixedAttention(Packed):
    """ConvBERT's mixed attention: what is read off the hidden states is one product."""

    def __init__(self, attention: MixedAttention, most_rows: float) -> None:
        super().__init__(attention, attention.query.weight, most_rows)
        self.heads, self.width = attention.heads, attention.width
        self.projections = product(attention.query, attention.key, attention.value, attention.convolved)
        self.pointwise = pointwise(attention.span)
        self.kernel, self.output = product(attention.kernel), product(attention.output)

    def forward(self, hidden: Tensor, mask: Tensor | None, *, explicit: bool = False) -> Mixed:
        """hidden (batch, seq, hidden) -> Mixed."""
        if explicit or not self.suits(hidden):
            return self.original(hidden, mask, explicit=explicit)  # type: ignore[no-any-return]
        batch, seq, _ = hidden.shape
        projected = self.projections(hidden)  # (batch, seq, 4 x half)
        span = self.pointwise(self.original.span.spans(hidden))  # (batch, seq, half)
        scores = self.kernel(projected[..., : span.shape[-1]] * span)
        kernels = softmax_of_few(scores.view(batch, seq, self.heads, self.width))
        parts = projected.view(batch, seq, 4, self.heads, -1)
        query, key, value = parts[:, :, :3].permute(2, 0, 3, 1, 4)  # (batch, heads, seq, size) each
        convolved = dynamic_convolution(parts[:, :, 3], kernels)  # (batch, seq, heads, size)
        both = torch.cat([attend_fast(query, key, value, mask).transpose(1, 2), convolved], 2)
        return Mixed(self.output(both.flatten(2)), None, kernels.transpose(1, 2))


def pointwise(span: SeparableConv) -> PackedProduct:
    """The second half of a separable convolution."""
    weight, bias = span.pointwise.weight, span.bias
    return PackedProduct(lambda: (weight[:, :, 0], bias[:, 0]), [weight, bias])


class PackedFeedForward(Packed):
    """expand with its activation, and contract: for each group, as no group's numbers enter another's."""

    def __init__(self, feedforward: FeedForward, most_rows: float) -> None:
        super().__init__(feedforward, feedforward.expand.weight, most_rows)  # type: ignore[arg-type]
        expand = group_products(feedforward.expand, feedforward.activation)
        self.groups = list(zip(expand, group_products(feedforward.contract), strict=True))

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, seq, hidden) -> (batch, seq, hidden)."""
        if not self.suits(hidden):
            return self.original(hidden)  # type: ignore[no-any-return]
        if len(self.groups) == 1:
            expand, contract = self.groups[0]
            return contract(expand(hidden))
        parts = zip(self.groups, hidden.chunk(len(self.groups), -1), strict=True)
        return torch.cat([contract(expand(part.contiguous())) for (expand, contract), part in parts], -1)


def group_products(linear: nn.Module, activation: Callable[[Tensor], Tensor] | None = None) -> list[PackedProduct]:
    """A linear map as a product for each of its groups."""
    if not isinstance(linear, GroupedLinear):
        return [product(linear, activation=activation)]  # type: ignore[arg-type]
    weight, bias = linear.weight, linear.bias  # (groups, inputs / groups, outputs / groups), (outputs)
    n = len(weight)
    return [
        PackedProduct(lambda group=group: (weight[group].t(), bias.chunk(n)[group]), [weight, bias], activation)  # type: ignore[misc]
        for group in range(n)
    ]


def attend_fast(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Attention over (batch, heads, seq, size) without a record: the same numbers as `attend`, by the faster way.

    torch's fused attention multiplies by MKL. For a long text without padding oneDNN's products, a head at a time so
    that its scores stay in the cache, are faster.
    """
    batch, heads, seq, size = query.shape
    if mask is not None or seq < LONG:
        return attend(query, key, value, mask).values
    queries = (query * size**-0.5).contiguous().flatten(0, 1)  # (batch x heads, seq, size)
    keys, values = key.contiguous().flatten(0, 1), value.transpose(-1, -2).contiguous().flatten(0, 1)
    attended = torch.empty_like(queries)
    for n in range(batch * heads):
        scores = onednn_product(queries[n], keys[n], None)  # (query, key)
        attended[n] = onednn_product(torch.softmax(scores, -1, out=scores), values[n], None)
    return attended.view(batch, heads, seq, size)


def softmax_of_few(scores: Tensor) -> Tensor:
    """Softmax over a short last axis, in three passes over all scores: torch's own takes each short row by itself."""
    weights = (scores - scores.amax(-1, keepdim=True)).exp_()
    return weights.div_(weights.sum(-1, keepdim=True))


def packed(network: Network) -> Network:
    """The network with packed linear maps: another object with the same parameters, for answers without gradients.

    The tied decoder stays as it is. All of it does where packing does not pay, as in a torch without oneDNN.
    """
    twin = copy.deepcopy(network, {id(parameter): parameter for parameter in network.parameters()})
    if most_rows := products_here().packing_pays_up_to:
        _pack(twin, most_rows)
    return twin


def _pack(module: nn.Module, most_rows: float) -> None:
    for name, child in module.named_children():
        replacement = _replacement(child, most_rows)
        if replacement is None:
            _pack(child, most_rows)
        else:
            setattr(module, name, replacement)


def _replacement(module: nn.Module, most_rows: float) -> nn.Module | None:
    if isinstance(module, SelfAttention):
        return PackedAttention(module, most_rows)
    if isinstance(module, MixedAttention):
        return PackedMixedAttention(module, most_rows)
    if isinstance(module, FeedForward) and module.activation in FUSED:
        return PackedFeedForward(module, most_rows)
    return PackedLinear(module, most_rows) if type(module) is Linear else None
