"""Networks run by torch: with fused attention, with eager attention, compiled."""

from __future__ import annotations

import shutil
import sys

import torch
from torch import Tensor, nn

from bortlab.runtimes.runtime import Forward, Prepare, Runtime


def _plain(module: nn.Module) -> Prepare:
    def prepare(example: Tensor) -> Forward:
        def forward() -> Tensor:
            with torch.inference_mode():
                return module(example)  # type: ignore[no-any-return]

        return forward

    return prepare


def _compiled(module: nn.Module) -> Prepare:
    def prepare(example: Tensor) -> Forward:
        compiled = torch.compile(module, dynamic=False)

        def forward() -> Tensor:
            with torch.no_grad():
                return compiled(example)  # type: ignore[no-any-return]

        return forward

    return prepare


def _missing_compiler() -> str:
    if sys.platform != "win32" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "torch.compile needs a C++ compiler, and there is none here: install g++ or clang."
    return ""


FUSED = Runtime(
    title="torch, fused attention",
    about="scaled_dot_product_attention: no probabilities in memory",
    open=_plain,
    engine="torch",
)
EAGER = Runtime(
    title="torch, eager attention",
    about="probabilities written to memory, as when they are looked at",
    open=_plain,
    explicit=True,
)
COMPILED = Runtime(
    title="torch.compile",
    about="compiled for each shape beforehand; compiling is not timed",
    open=_compiled,
    prepares_long=True,
    devices=("cpu", "cuda"),
    dtypes=("float32", "bfloat16", "float16"),
    missing=_missing_compiler,
)
