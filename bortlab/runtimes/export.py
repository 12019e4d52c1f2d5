"""A model as files that run without torch, held to torch on texts before anybody gets them.

from bortlab.runtimes.export import export

exported = export(model, "folder", precision="int8", texts=["A text of yours."])
print(exported.agreement)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch
from torch import Tensor

from bortlab.checkpoint import CheckpointError, config_document
from bortlab.model import Model
from bortlab.models import Network
from bortlab.runtimes.comparison import Agreement, Runner, Text, compare, text_times, texts_of
from bortlab.runtimes.graph import Precision
from bortlab.runtimes.network import onnx_model
from bortlab.runtimes.onnx import missing, session
from bortlab.runtimes.outputs import INPUTS, published
from bortlab.runtimes.runtime import UnsupportedError
from bortlab.runtimes.scripts import script_for
from bortlab.system.store import whole_folder

if TYPE_CHECKING:
    import onnxruntime
    from onnx import ModelProto

MODEL_FILE = "model.onnx"
MAX_INLINE_BYTES = 1_900_000_000
"""Weights beyond this lie in a file beside the model's: one file may hold 2 GB."""
TIMED_TEXTS = 24
"""Texts that the written model and torch are timed on."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: a folder, the sizes in bytes of its files, and how the written model compares with torch.

    ms, torch_ms: milliseconds of a text on this machine, see `comparison.text_times`.
    """

    folder: Path
    precision: Precision
    task: str
    files: Mapping[str, int]
    agreement: Agreement
    ms: float
    torch_ms: float

    @property
    def n_bytes(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())


def export(
    model: Model,
    folder: str | PathLike[str],
    *,
    precision: Precision = "float32",
    texts: Sequence[Text] | None = None,
    records: bool = False,
) -> Exported:
    """Write a model of any family and task as an ONNX folder, and measure how it agrees with torch.

    The folder has model.onnx (inputs input_ids, attention_mask and token_type_ids, (batch, seq) of any size; outputs
    as transformers names them), tokenizer.json, config.json, agreement.json and run.py, which runs it with onnxruntime
    and tokenizers alone.

    Args:
        precision: "float32", or "int8": weights of linear maps and of the word table in 8 bits with a scale for each
            output, what enters a linear map rounded in each call. A quarter of the size.
        texts: what agreement and time are measured on: texts, pairs, or for multiple choice prompts with their choices;
            None: a few sentences of our own.
        records: give out attention probabilities and convolution kernels of every layer, too.

    Raises UnsupportedError where onnx or onnxruntime is not installed, CheckpointError for a folder that cannot be
    written, ValueError for another precision or for texts that do not fit the task.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision: expected {' or '.join(get_args(Precision))}, got {precision!r}.")
    if reason := missing():
        raise UnsupportedError(reason)
    target = Path(folder).expanduser().resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(target, last=MODEL_FILE) as partial:
            write_model(onnx_model(model.network, precision=precision, records=records), partial / MODEL_FILE)
            written = onnx_run(model.network, partial / MODEL_FILE)
            agreement = compare(model, model.outputs, written, texts)
            ms = text_times(model, {"onnx": written, "torch": model.outputs}, texts_of(model, texts)[:TIMED_TEXTS])
            for name, content in _files_beside(model, precision, agreement, ms).items():
                (partial / name).write_text(content, encoding="utf-8")
            files = {path.name: path.stat().st_size for path in sorted(partial.iterdir())}
    except OSError as error:
        raise CheckpointError(f"Cannot write {target}: {error}.") from error
    return Exported(target, precision, model.task, files, agreement, ms["onnx"], ms["torch"])


def write_model(graph: ModelProto, path: Path) -> None:
    """Write an ONNX model; large weights go to a file of their own beside it."""
    import onnx

    large = graph.ByteSize() > MAX_INLINE_BYTES
    onnx.save_model(graph, path, save_as_external_data=large, location=f"{path.name}.data")


def onnx_run(network: Network, path: Path, *, threads: int | None = None) -> Runner:
    """A written model of a network, as a function of ids, mask and type ids (see `comparison.Run`)."""
    return run_of(network, session(path, threads=threads or torch.get_num_threads()))


def run_of(network: Network, loaded: onnxruntime.InferenceSession) -> Runner:
    """A loaded model of a network, as a function of ids, mask and type ids."""
    names = published(network)

    def run(ids: Tensor, mask: Tensor | None = None, type_ids: Tensor | None = None) -> dict[str, Tensor]:
        given = (
            ids,
            torch.ones_like(ids) if mask is None else mask,
            torch.zeros_like(ids) if type_ids is None else type_ids,
        )
        feed = {name: part.to("cpu", torch.int64).numpy() for name, part in zip(INPUTS, given, strict=True)}
        values: list[np.ndarray[Any, Any]] = loaded.run(list(names.values()), feed)
        return {name: torch.from_numpy(value) for name, value in zip(names, values, strict=True)}

    return run


def _files_beside(model: Model, precision: Precision, agreement: Agreement, ms: Mapping[str, float]) -> dict[str, str]:
    """The text of the files beside the model's."""
    config = config_document(model.family, model.config, model.task)
    config.setdefault("id2label", {str(number): label for number, label in enumerate(model.config.labels)})
    measured = {"precision": precision, "task": model.task, "model": model.key, **asdict(agreement), "milliseconds": ms}
    return {
        "config.json": json.dumps(config, indent=2, sort_keys=True) + "\n",
        "tokenizer.json": model.tokenizer.definition,
        "agreement.json": json.dumps(measured, indent=2) + "\n",
        "run.py": script_for(model),
    }
