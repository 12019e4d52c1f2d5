"""The linear map behind every matrix product with weights, on the fastest path that fits.

torch multiplies float32 matrices on the CPU by MKL, which leaves half of the arithmetic of some processors unused;
torch's own oneDNN does not, and is slower on others. `bortlab.nn.products` measures which it is here. On an AMD EPYC
(Zen 5, one thread, weights not in its cache) a map from 768 to 3072 features takes, for so many rows,

                                 2      16     128
    torch, MKL (F.linear)     1.00    1.00    1.00
    oneDNN                    0.60    0.59    0.44
    oneDNN, packed weights    0.34    0.42    0.39

of the time. Weights packed beforehand would bring the rest, for twice the memory and a copy to keep true; as they are,
they need neither, and the path can be chosen anew in each call. The way back through frozen weights, which
attributions take some fifty times for a text, is such a product too, and as much faster.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.forward_ad import unpack_dual

from bortlab.nn.products import HAS_ONEDNN, onednn_pays, onednn_product

WORTHWHILE = 2**22
"""Multiply-adds from which oneDNN wins. Below, its calls cost more than they save; and each new number of rows costs
it about a millisecond, once, to generate code."""


def linear_map(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x (..., inputs), weight (outputs, inputs), bias (outputs) -> (..., outputs): F.linear, up to rounding.

    oneDNN's product has no derivative of its own. It is for float32 on the CPU with gradients off, or with a gradient
    for x alone, as where weights are frozen, and for processors on which it is faster; all else is F.linear's.
    `torch.backends.mkldnn.flags(enabled=False)` leaves everything to F.linear.
    """
    if (
        x.numel() * weight.shape[0] >= WORTHWHILE
        and suits_onednn(x, weight, bias)
        and onednn_pays(x.numel() // x.shape[-1])
    ):
        if not torch.is_grad_enabled():
            return onednn_product(x, weight, bias)
        if x.requires_grad and not weight.requires_grad and (bias is None or not bias.requires_grad):
            return _Frozen.apply(x, weight, bias)  # type: ignore[no-any-return, no-untyped-call]
    return F.linear(x, weight, bias)


class _Frozen(torch.autograd.Function):
    """oneDNN's product with a gradient for x alone, and one for that gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return onednn_product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return linear_map(grads[0], weight.t(), None), None, None


def suits_onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether oneDNN has a product for these: float32 on the CPU, not switched off, and nothing differentiates them."""
    return (
        HAS_ONEDNN
        and torch._C._get_mkldnn_enabled()  # what torch.backends.mkldnn.flags sets
        and x.dtype == weight.dtype == torch.float32
        and (bias is None or bias.dtype == torch.float32)
        and x.is_cpu
        and weight.is_cpu
        and unpack_dual(x).tangent is None  # type: ignore[no-untyped-call]  # forward differentiation
        and (not torch.is_grad_enabled() or torch._C._functorch.maybe_current_level() is None)  # grad, vmap
        and not torch.compiler.is_compiling()  # nor should an exported graph hold an operation of torch's own
    )


class Linear(nn.Linear):
    """nn.Linear with a bias, by `linear_map`."""

    def reset_parameters(self) -> None:
        """Draw what nn.Linear starts with; on the meta device nothing, which takes half of a network's layout."""
        if not self.weight.is_meta:
            super().reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return linear_map(x, self.weight, self.bias)
