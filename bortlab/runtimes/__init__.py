"""A network run by some program: torch with fused or eager attention, compiled, with 8-bit weights, or ONNX Runtime.

`RUNTIMES` is the registry: a name, and a function that takes a network with one input and one output and an example of
that input, and returns what to call. Another program is a module here and a line there. None of them is trusted to
compute the same as torch: `agreement` measures how far an output is from the expected one, and `TOLERANCES` says how
far it may be.

    from bortlab.runtimes import RUNTIMES, SingleOutput

    module = SingleOutput(model.network, "masked-lm").eval()
    forward = RUNTIMES["onnx"].prepare(module, ids)  # ids: (batch, seq)
    logits = forward()  # (batch, seq, vocab)
"""

from __future__ import annotations

from collections.abc import Mapping

from bortlab.runtimes import onnx, pytorch
from bortlab.runtimes.agreement import TOLERANCES, WrongOutputError, agreement
from bortlab.runtimes.module import SingleOutput
from bortlab.runtimes.precision import DTYPES, converted
from bortlab.runtimes.runtime import Forward, Runtime, UnsupportedError

RUNTIMES: Mapping[str, Runtime] = {
    "fused": pytorch.FUSED,
    "eager": pytorch.EAGER,
    "compile": pytorch.COMPILED,
    "onnx": onnx.ONNX,
}
"""The programs that run networks, by name."""

__all__ = [
    "DTYPES",
    "RUNTIMES",
    "TOLERANCES",
    "Forward",
    "Runtime",
    "SingleOutput",
    "UnsupportedError",
    "WrongOutputError",
    "agreement",
    "converted",
]
