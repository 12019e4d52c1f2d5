"""Networks run by ONNX Runtime: exported by torch for one shape, with the weights packed for this processor."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import torch
from torch import Tensor, nn

from bortlab.nn import convolution
from bortlab.runtimes.runtime import Forward, Runtime

if TYPE_CHECKING:
    import onnxruntime

OPSET = 17


def export(module: nn.Module, example: Tensor, path: Path) -> None:
    """Write a module with one input "x" and one output "y" as an ONNX file, for the example's shape."""
    # ONNX knows neither oneDNN's product nor torch's strided windows: both have a path beside them that it knows.
    one_dnn_off = torch.backends.mkldnn.flags(enabled=False)
    windows_off = mock.patch.object(convolution, "WINDOW_LIMIT", 0)
    with torch.no_grad(), one_dnn_off, windows_off, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["x"],
            output_names=["y"],
        )


def session(path: Path, *, threads: int) -> onnxruntime.InferenceSession:
    """An ONNX file, loaded to be run on the CPU by so many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Like torch's threads here: while they wait they leave their core to others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _prepare(module: nn.Module, example: Tensor) -> Forward:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.onnx")
        export(module, example, path)
        loaded = session(path, threads=torch.get_num_threads())
    feed = {"x": example.numpy()}
    return lambda: loaded.run(None, feed)[0]


def _missing_packages() -> str:
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    return f"ONNX Runtime is not installed here: pip install {' '.join(missing)}, then try again." if missing else ""


ONNX = Runtime(
    title="ONNX Runtime",
    about="exported for each shape beforehand, with packed weights",
    prepare=_prepare,
    prepares_long=True,
    devices=("cpu",),
    dtypes=("float32",),
    missing=_missing_packages,
)
