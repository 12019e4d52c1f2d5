"""Does a runtime compute the same as torch in float32?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

TOLERANCES: Mapping[str, float] = {"float32": 1e-3, "bfloat16": 0.3, "float16": 0.1, "int8": 0.5}
"""The largest difference to torch in float32, as a share of the largest output, at which a runtime counts as right."""


class WrongOutputError(RuntimeError):
    """A runtime whose output is not torch's."""


def agreement(output: Any, expected: Tensor, *, dtype: str, title: str) -> float:
    """The largest difference between an output and the expected one, as a share of the largest expected value.

    dtype: the precision that the runtime was told to compute in. title: what the runtime is called in an error.

    Raises:
        WrongOutputError: if the output has another shape, is not finite, or differs by more than TOLERANCES allows.
    """
    actual = torch.as_tensor(output).to("cpu", torch.float32)
    if actual.shape != expected.shape or not bool(actual.isfinite().all()):
        raise WrongOutputError(f"{title} gave no finite output of the right shape.")
    difference = float((actual - expected).abs().max() / expected.abs().max())
    if difference > TOLERANCES[dtype]:
        raise WrongOutputError(
            f"{title} computes something else: its output differs by {difference:.1%} of the largest value; at most "
            f"{TOLERANCES[dtype]:.1%} was expected."
        )
    return difference
