"""What a runtime is: a program that runs networks, with the devices and precisions that it is used with here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from bortlab.runtimes.precision import DTYPES

Forward = Callable[[], Any]
"""One forward pass over the input that it was prepared for; its output can be made a tensor."""
Prepare = Callable[[Tensor], Forward]
"""A network in a program's hands: takes an example of its input, and gives the forward pass over it."""


class UnsupportedError(ValueError):
    """A combination that cannot be run; the message says why, and what can."""


def always_there() -> str:
    """Nothing is missing."""
    return ""


def missing_packages(title: str, extra: str, *packages: str) -> str:
    """A sentence with the line that installs what is missing, "" for nothing. extra: of bortlab, that has them all."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return (
        f"{title} is not installed here: pip install {' '.join(missing)} (or bortlab[{extra}], which has all of it), "
        f"then start Python again."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A program that runs networks.

    open(module)(example): what to call for a forward pass over the example; what is opened once is for any number of
    examples. explicit: attention probabilities are formed in memory. prepares_long: preparing takes seconds for each
    shape. engine: its name for `Model.on`, "" for what is no engine. exact: it rounds as the precision says, and no
    coarser. missing(): what has to be installed before it can be used, as a sentence; "" for nothing.
    """

    title: str
    about: str
    open: Callable[[nn.Module], Prepare]
    explicit: bool = False
    prepares_long: bool = False
    engine: str = ""
    exact: bool = True
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
