"""A network run by some program: torch with fused or eager attention, compiled, with 8-bit weights, or an engine.

`RUNTIMES` is the registry: a name, and a function that opens a network with one input and one output, and then takes
an example of that input and returns what to call. Every engine of `Model.on` is one; torch's is called "fused" here.
None of them is trusted to compute the same as torch: `agreement` measures how far an output is from the expected one,
and `TOLERANCES` says how far it may be.

    from bortlab.runtimes import RUNTIMES, SingleOutput

    module = SingleOutput(model.network, "masked-lm").eval()
    forward = RUNTIMES["onnx"].open(module)(ids)  # ids: (batch, seq)
    logits = forward()  # (batch, seq, vocab)
"""

from __future__ import annotations

from collections.abc import Mapping

from bortlab.runtimes import pytorch
from bortlab.runtimes.agreement import TOLERANCES, WrongOutputError, agreement
from bortlab.runtimes.engines import ENGINES
from bortlab.runtimes.engines.timed import runtime_of
from bortlab.runtimes.module import SingleOutput
from bortlab.runtimes.precision import DTYPES, converted
from bortlab.runtimes.runtime import Forward, Runtime, UnsupportedError

RUNTIMES: Mapping[str, Runtime] = {
    "fused": pytorch.FUSED,
    "eager": pytorch.EAGER,
    "compile": pytorch.COMPILED,
    **{name: runtime_of(name, kind) for name, kind in ENGINES.items() if name != pytorch.FUSED.engine},
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
