"""Engines as runtimes: what `Model.on` opens, to be timed beside the other ways to run a network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bortlab.runtimes.engines.program import EngineKind, Program
from bortlab.runtimes.module import SingleOutput
from bortlab.runtimes.runtime import Forward, Prepare, Runtime


@dataclass(frozen=True, slots=True)
class Opened:
    """A network in a program, ready for examples. output: the one that is computed, "encoder" or "masked-lm"."""

    program: Program
    output: str

    def __call__(self, ids: Tensor) -> Forward:
        """ids (batch, seq) -> the forward pass over them: (batch, seq, hidden) or (batch, seq, vocab)."""
        mask, type_ids = torch.ones_like(ids), torch.zeros_like(ids)

        def forward() -> Tensor:
            with torch.inference_mode():
                hidden = self.program.encode(ids, mask, type_ids)
                return hidden if self.output == "encoder" else self.program.score(hidden)[self.output]

        return forward


def runtime_of(name: str, kind: EngineKind) -> Runtime:
    """An engine as a runtime of whole numbers (batch, seq), in float32 on the CPU."""

    def opened(module: nn.Module) -> Prepare:
        assert isinstance(module, SingleOutput)
        with torch.inference_mode(False), torch.no_grad():
            return Opened(kind.open(module.network, torch.get_num_threads()), module.output)

    return Runtime(
        title=kind.title,
        about=kind.about,
        open=opened,
        prepares_long=name == "keras-jax",
        engine=name,
        exact=kind.exact,
        devices=("cpu",),
        dtypes=("float32",),
        missing=kind.missing,
    )
