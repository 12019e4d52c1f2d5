"""OpenVINO on the CPU, in float32, from the graphs that ONNX Runtime gets too."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bortlab.models import Network
from bortlab.runtimes.engines.program import EngineKind
from bortlab.runtimes.network import HIDDEN, encoder_model, heads_model
from bortlab.runtimes.outputs import INPUTS
from bortlab.runtimes.runtime import missing_packages

if TYPE_CHECKING:
    from onnx import ModelProto


class _Compiled:
    """A graph that OpenVINO compiled. Each thread has a request of its own: a request is for one thread at a time."""

    def __init__(self, graph: ModelProto, threads: int) -> None:
        import openvino

        core = openvino.Core()
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the processor has it
            "PERFORMANCE_HINT": "LATENCY",
        }
        self.model = core.compile_model(core.read_model(graph.SerializeToString()), "CPU", options)
        self.names = [output.name for output in graph.graph.output]  # OpenVINO keeps their order, and not their names
        self._local = threading.local()

    def run(self, feed: dict[str, Any]) -> dict[str, Tensor]:
        """Outputs by name, in memory of their own."""
        if not hasattr(self._local, "request"):
            self._local.request = self.model.create_infer_request()
        values = self._local.request.infer(feed, share_inputs=True)
        return {name: torch.from_numpy(values[place].copy()) for place, name in enumerate(self.names)}


class OpenVinoProgram:
    """A network as two compiled graphs: its body, and its heads."""

    def __init__(self, network: Network, threads: int) -> None:
        heads = heads_model(network)
        self.body = _Compiled(encoder_model(network), threads)
        self.heads = None if heads is None else _Compiled(heads, threads)

    def encode(self, ids: Tensor, mask: Tensor, type_ids: Tensor) -> Tensor:
        """ids, mask and type ids (batch, seq) -> last hidden states (batch, seq, hidden)."""
        given = zip(INPUTS, (ids, mask, type_ids), strict=True)
        return self.body.run({name: part.to(torch.int64).contiguous().numpy() for name, part in given})[HIDDEN]

    def score(self, hidden: Tensor) -> dict[str, Tensor]:
        """Last hidden states (batch, seq, hidden) -> the heads' logits by our names."""
        return {} if self.heads is None else self.heads.run({HIDDEN: hidden.contiguous().numpy()})


OPENVINO = EngineKind(
    title="OpenVINO",
    about="float32, compiled for this processor",
    open=OpenVinoProgram,
    missing=partial(missing_packages, "OpenVINO", "openvino", "onnx", "openvino"),
)
