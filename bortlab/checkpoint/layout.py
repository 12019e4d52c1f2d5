"""Tensors in the layout that Keras and Flax give them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bortlab.checkpoint.files import CheckpointError

DTYPES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
"""What weights may be stored as, little-endian."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file holds one tensor: where it stands in its network, its shape there, and the name of its type."""

    scopes: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Bytes of its numbers."""
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize

    @property
    def torch_shape(self) -> tuple[int, ...]:
        """Its shape in torch; nothing is allocated."""
        return tuple(_in_torch(self.scopes, torch.empty(self.shape, device="meta")).shape)

    def tensor(self, numbers: bytearray) -> Tensor:
        """The tensor that these bytes are, as torch lays it out."""
        flat = torch.frombuffer(numbers, dtype=DTYPES[self.dtype])
        return _in_torch(self.scopes, flat.reshape(self.shape)).contiguous()


def checked_layout(scopes: Sequence[str], shape: object, dtype: object) -> Layout:
    """What a file says of a tensor; CheckpointError if no tensor is like that."""
    sizes: list[Any] = list(shape) if isinstance(shape, list | tuple) else [None]
    name = "/".join(scopes)[:200]
    if dtype not in DTYPES:
        raise CheckpointError(f"{name} holds {str(dtype)[:50]!r}, expected {', '.join(DTYPES)}.")
    if not all(type(size) is int and 0 < size < 2**31 for size in sizes):
        raise CheckpointError(f"{name} has shape {str(shape)[:50]}: no tensor of a model has.")
    return Layout(tuple(scopes), tuple(sizes), str(dtype))


def _in_torch(scopes: tuple[str, ...], tensor: Tensor) -> Tensor:
    """Kernels have their axes in reverse; a depthwise one, (width, channels, 1), is (channels, 1, width) in torch."""
    kind = scopes[-1]
    if kind == "depthwise_kernel" and tensor.ndim == 3:
        return tensor.permute(1, 2, 0)
    if kind in ("kernel", "pointwise_kernel"):
        return tensor.permute(*reversed(range(tensor.ndim)))
    if scopes[-2:] == ("key_conv_attn_layer", "bias"):  # ConvBERT's separable convolution: a column in torch
        return tensor[..., None]
    return tensor
