"""What a runtime is: a program that runs networks, with the devices and precisions that it is used with here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from bortlab.runtimes.precision import DTYPES

Forward = Callable[[], Any]
"""One forward pass over the input that it was prepared for; its output can be made a tensor."""


class UnsupportedError(ValueError):
    """A combination that cannot be run; the message says why, and what can."""


def always_there() -> str:
    """Nothing is missing."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A program that runs networks.

    prepare(module, example): what to call for a forward pass over the example. explicit: attention probabilities are
    formed in memory. prepares_long: preparing takes seconds for each shape. missing(): what has to be installed before
    it can be used, as a sentence; "" for nothing.
    """

    title: str
    about: str
    prepare: Callable[[nn.Module, Tensor], Forward]
    explicit: bool = False
    prepares_long: bool = False
    devices: tuple[str, ...] = ("cpu", "cuda", "mps")
    dtypes: tuple[str, ...] = tuple(DTYPES)
    missing: Callable[[], str] = always_there

    def check(self, device: str, dtype: str) -> None:
        """Refuse a kind of device ("cpu", "cuda", "mps") and a precision that it is not used with, or its absence.

        Raises:
            UnsupportedError: with what can be used instead.
        """
        if device not in self.devices:
            raise UnsupportedError(f"{self.title} runs on {' and '.join(self.devices)} here, not on {device}.")
        if dtype not in self.dtypes:
            raise UnsupportedError(f"{self.title} runs in {' and '.join(self.dtypes)} here, not in {dtype}.")
        if reason := self.missing():
            raise UnsupportedError(reason)
