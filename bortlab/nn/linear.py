"""The linear map behind every matrix product with weights, on the fastest path that fits.

torch multiplies float32 matrices on the CPU by MKL, which leaves half of the arithmetic of a processor that is not
Intel's unused; torch's own oneDNN does not. On an AMD EPYC (Zen 5, one thread, weights not in its cache) a map from 768
to 3072 features takes, for so many rows,

                                 2      16     128
    torch, MKL (F.linear)     1.00    1.00    1.00
    oneDNN                    0.60    0.59    0.44
    oneDNN, packed weights    0.34    0.42    0.39

of the time. Weights packed beforehand would bring the rest, for twice the memory and a copy to keep true; as they are,
they need neither, and the path can be chosen anew in each call.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.forward_ad import unpack_dual

WORTHWHILE = 2**22
"""Multiply-adds from which oneDNN wins. Below, its calls cost more than they save; and each new number of rows costs
it about a millisecond, once, to generate code."""

HAS_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")  # not in every build of torch


def linear_map(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x (..., inputs), weight (outputs, inputs), bias (outputs) -> (..., outputs): F.linear, up to rounding.

    oneDNN's product has no derivative, so it is for float32 on the CPU with gradients off; all else is F.linear's.
    `torch.backends.mkldnn.flags(enabled=False)` leaves everything to F.linear.
    """
    if x.numel() * weight.shape[0] >= WORTHWHILE and _suits_onednn(x, weight, bias):
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "none")  # type: ignore[no-any-return]
    return F.linear(x, weight, bias)


def _suits_onednn(x: Tensor, weight: Tensor, bias: Tensor) -> bool:
    return (
        HAS_ONEDNN
        and torch._C._get_mkldnn_enabled()  # what torch.backends.mkldnn.flags sets
        and x.dtype == weight.dtype == bias.dtype == torch.float32
        and x.is_cpu
        and weight.is_cpu
        and not torch.is_grad_enabled()
        and unpack_dual(x).tangent is None  # type: ignore[no-untyped-call]  # forward differentiation
        and not torch.compiler.is_compiling()  # nor should an exported graph hold an operation of torch's own
    )


class Linear(nn.Linear):
    """nn.Linear with a bias, by `linear_map`."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return linear_map(x, self.weight, self.bias)
