"""ONNX Runtime, in float32 and with 8-bit weights, from graphs that are written in memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bortlab.models import Network
from bortlab.runtimes.engines.program import EngineKind
from bortlab.runtimes.export import write_model
from bortlab.runtimes.graph import Precision
from bortlab.runtimes.network import HIDDEN, encoder_model, heads_model
from bortlab.runtimes.onnx import missing, session
from bortlab.runtimes.outputs import INPUTS

if TYPE_CHECKING:
    import onnxruntime
    from onnx import ModelProto


class OnnxProgram:
    """A network as two ONNX Runtime sessions: its body, and its heads."""

    def __init__(self, network: Network, threads: int, *, precision: Precision = "float32") -> None:
        heads = heads_model(network, precision=precision)
        self.body = _loaded(encoder_model(network, precision=precision), threads)
        self.heads = None if heads is None else _loaded(heads, threads)
        self.names = [] if self.heads is None else [entry.name for entry in self.heads.get_outputs()]

    def encode(self, ids: Tensor, mask: Tensor, type_ids: Tensor) -> Tensor:
        """ids, mask and type ids (batch, seq) -> last hidden states (batch, seq, hidden)."""
        given = zip(INPUTS, (ids, mask, type_ids), strict=True)
        (hidden,) = self.body.run([HIDDEN], {name: part.to(torch.int64).numpy() for name, part in given})
        return torch.from_numpy(hidden)

    def score(self, hidden: Tensor) -> dict[str, Tensor]:
        """Last hidden states (batch, seq, hidden) -> the heads' logits by our names."""
        if self.heads is None:
            return {}
        values = self.heads.run(self.names, {HIDDEN: hidden.numpy()})
        return {name: torch.from_numpy(value) for name, value in zip(self.names, values, strict=True)}


def _loaded(graph: ModelProto, threads: int) -> onnxruntime.InferenceSession:
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        write_model(graph, path)
        return session(path, threads=threads)


FLOAT32 = EngineKind(title="ONNX Runtime", about="float32, weights packed", open=OnnxProgram, missing=missing)
INT8 = EngineKind(
    title="ONNX Runtime, int8",
    about="weights in 8 bits, what enters a product rounded in each call",
    open=partial(OnnxProgram, precision="int8"),
    exact=False,
    missing=missing,
)
