"""Precisions in which a network can be run, and a copy of a network in one of them."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping

import torch
from torch import nn

from bortlab.nn.linear import Linear

DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "int8": torch.float32,
}
"""Precisions, and the type of the tensors. int8: the linear maps' weights have 8 bits; activations stay in float32."""


def converted(module: nn.Module, device: str, dtype: str) -> nn.Module:
    """The module on a device, in one of DTYPES. The original is never changed; on the CPU in float32 it is returned."""
    if dtype == "int8":
        return _dynamic_int8(module)
    if dtype != "float32" or device != "cpu":
        module = copy.deepcopy(module).to(device=device, dtype=DTYPES[dtype])
    return module


def _dynamic_int8(module: nn.Module) -> nn.Module:
    """A copy whose linear maps keep 8-bit weights and round their input for each product."""
    from torch.ao.quantization import quantize_dynamic

    module = copy.deepcopy(module)
    for part in module.modules():
        if isinstance(part, Linear):
            part.__class__ = nn.Linear  # type: ignore[assignment]  # torch converts its own class and no subclass
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch moves it to a package of its own
        return quantize_dynamic(module, {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-any-return, no-untyped-call]
