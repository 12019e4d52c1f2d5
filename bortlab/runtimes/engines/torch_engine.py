"""torch itself: as the lab computes, and with weights packed for this processor."""

from __future__ import annotations

from bortlab.runtimes.engines.program import EngineKind, TorchProgram
from bortlab.runtimes.packed import packed

TORCH = EngineKind(
    title="torch", about="fused attention, as the lab computes", open=lambda network, threads: TorchProgram(network)
)
PACKED = EngineKind(
    title="torch, packed weights",
    about="weights laid out for this processor beforehand; twice the memory",
    open=lambda network, threads: TorchProgram(packed(network)),
)
