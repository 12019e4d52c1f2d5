"""ONNX Runtime: graphs in files, loaded to be run on the CPU."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bortlab.runtimes.runtime import missing_packages

if TYPE_CHECKING:
    import onnxruntime

missing = partial(missing_packages, "ONNX Runtime", "onnx", "onnx", "onnxruntime")
"""What has to be installed first, as a sentence; "" for nothing."""


def session(path: Path, *, threads: int) -> onnxruntime.InferenceSession:
    """An ONNX file, loaded to be run on the CPU by so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Like torch's threads here: while they wait they leave their core to others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
