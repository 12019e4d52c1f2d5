"""The weights of a folder, whatever they are kept in."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from safetensors import SafetensorError

from bortlab.checkpoint.files import CheckpointError, checked_file, read_json
from bortlab.checkpoint.flax import open_flax
from bortlab.checkpoint.hdf5 import open_hdf5
from bortlab.checkpoint.weights import MAX_HEADER_BYTES, Weights, open_pickles, open_safetensors

SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"
WEIGHTS: Mapping[str, Callable[[Iterable[Path], int], AbstractContextManager[Weights]]] = {
    SAFETENSORS: open_safetensors,
    PICKLE: open_pickles,
    "tf_model.h5": open_hdf5,
    "flax_model.msgpack": open_flax,
}
"""What a folder may keep its weights in, and what opens it. Of several, the first counts."""
_LIBRARIES = {"tf_model.h5": "h5py", "flax_model.msgpack": "msgpack"}
"""What some of them are read with, in the extra old-files."""
SHARDED = (SAFETENSORS, PICKLE)
"""Those that may be split into several files, by an index."""


def index_of(name: str) -> str:
    """The file that lists the shards of weights."""
    return f"{name}.index.json"


def missing_library(name: str) -> str:
    """What has to be installed to read weights of this name, as a sentence with the line that does it, or ""."""
    library = _LIBRARIES.get(name)
    if library is None or importlib.util.find_spec(library) is not None:
        return ""
    return f'{name} is read with {library}, which is not installed here: pip install "bortlab[old-files]".'


def weights_files(folder: Path) -> tuple[str, list[Path]]:
    """What a folder keeps its weights in, a name of WEIGHTS, and the files; "" and none where it has no weights."""
    for name in WEIGHTS:
        if os.path.lexists(folder / name):
            return name, [checked_file(folder, name)]
        if name in SHARDED and os.path.lexists(folder / index_of(name)):
            return name, _shards(folder, name)
    return "", []


def _shards(folder: Path, name: str) -> list[Path]:
    """The files that an index lists."""
    listed = read_json(folder, index_of(name), MAX_HEADER_BYTES).get("weight_map")
    names = {str(shard) for shard in listed.values()} if isinstance(listed, dict) else set()
    kind = Path(name).suffix
    if not names or any(Path(shard).name != shard or not shard.endswith(kind) for shard in names):
        raise CheckpointError(f"{folder / index_of(name)}: weight_map must name *{kind} files of this folder.")
    return [checked_file(folder, shard) for shard in sorted(names)]


@contextmanager
def open_weights(folder: Path, limit: int) -> Iterator[Weights]:
    """Open the weights of a folder; whatever a broken file makes a library raise ends as CheckpointError.

    limit: how many bytes a file may have that is read whole.
    """
    try:
        name, paths = weights_files(folder)
        if not paths:
            raise CheckpointError(
                f"{folder} has no weights: expected {' or '.join(SHARDED)}, or the shards of one, or a file of "
                f"transformers 4 ({', '.join(other for other in WEIGHTS if other not in SHARDED)})."
            )
        if reason := missing_library(name):
            raise CheckpointError(f"The weights in {folder} cannot be read: {reason}")
        with WEIGHTS[name](paths, limit) as weights:
            yield weights
    except CheckpointError:
        raise
    except SafetensorError as error:
        raise CheckpointError(f"The weights in {folder} are damaged or cut off: {error}.") from error
    except Exception as error:  # a library raises whatever a hostile or broken file leads it to
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"The weights in {folder} cannot be read: {reason}") from error
