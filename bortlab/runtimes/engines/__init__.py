"""A model's network run by other programs, behind the same questions: what `model.on(name)` opens.

An engine is a line in ENGINES: what it is, what it needs, and a function that takes a network and gives a `Program`, in
the two steps of the network itself: `encode` and `score`. Another program is a module here and a line there; a contract
test holds each to torch for every family and task.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from bortlab.model import Model
from bortlab.runtimes.engines import keras_engine, onnx_engine, openvino_engine, torch_engine
from bortlab.runtimes.engines.engine import Engine
from bortlab.runtimes.engines.program import EngineKind, Program
from bortlab.runtimes.runtime import UnsupportedError
from bortlab.system.checks import check_whole

ENGINES: Mapping[str, EngineKind] = {
    "torch": torch_engine.TORCH,
    "torch-packed": torch_engine.PACKED,
    "onnx": onnx_engine.FLOAT32,
    "onnx-int8": onnx_engine.INT8,
    "openvino": openvino_engine.OPENVINO,
    **keras_engine.KINDS,
}
"""The programs that run a model's network, by the name that `Model.on` takes."""

__all__ = ["ENGINES", "Engine", "EngineKind", "Program", "open_engine", "with_program"]


def open_engine(model: Model, name: str, threads: int | None = None) -> Engine:
    """A model's network in another program; `Model.on` keeps what this makes.

    threads: that the program may use; None: as many as torch has now. Raises UnsupportedError, a ValueError, for a name
    that is none of ENGINES, a package that is missing, and a model that is not in float32 on the CPU.
    """
    if name not in ENGINES:
        raise UnsupportedError(f"Unknown engine {name!r}. Known: {', '.join(ENGINES)}.")
    kind = ENGINES[name]
    if reason := kind.missing():
        raise UnsupportedError(reason)
    if name != "torch" and (model.device.type != "cpu" or model.dtype != torch.float32):
        raise UnsupportedError(
            f"{kind.title} starts from float32 weights on the CPU here, and {model.key} is loaded as {model.dtype} on "
            f'{model.device}. Load it with dtype="float32" and without device.'
        )
    if threads is not None:
        check_whole("threads", threads, 1, 1024)
    with torch.inference_mode(False), torch.no_grad():
        program = kind.open(model.network, threads or torch.get_num_threads())
    return with_program(model, name, program)


def with_program(model: Model, name: str, program: Program) -> Engine:
    """The engine of that name, from a program that has the model's network already."""
    return Engine(
        key=model.key,
        family=model.family,
        config=model.config,
        tokenizer=model.tokenizer,
        task=model.task,
        device=model.device,
        name=name,
        kind=ENGINES[name],
        program=program,
        network=model.network,
    )
