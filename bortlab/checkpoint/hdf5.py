"""tf_model.h5, as the TensorFlow classes of transformers 4 wrote it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from torch import Tensor

from bortlab.checkpoint import hdf5_listing
from bortlab.checkpoint.files import CheckpointError
from bortlab.checkpoint.layout import Layout, checked_layout
from bortlab.checkpoint.names import scopes_in_tensorflow, torch_name
from bortlab.checkpoint.weights import Weights
from bortlab.system.settings import environment_for

_LISTING_S = 60
_MAX_COPIES = 8
"""Of one tensor: the word table is kept once for each layer that uses it, which are two or three."""


@dataclass(frozen=True, slots=True)
class _Dataset:
    """Numbers in a file, from `offset` on."""

    layout: Layout
    offset: int


@contextmanager
def open_hdf5(paths: Iterable[Path], limit: int) -> Iterator[Weights]:
    """A tf_model.h5: the HDF5 library lists what is where, in a process of its own; the numbers are read from here.

    The library may crash on a broken file, follows links to other files and loads plug-ins for compression. Here it
    sees no more than the list, and a dataset is a plain run of bytes or is refused. A tensor that several layers share,
    as the word table, is in the file once for each.
    """
    (path,) = paths
    size = path.stat().st_size
    if size > limit:
        raise CheckpointError(f"{path} holds {size:,} bytes, expected at most {limit:,} for this configuration.")
    datasets: dict[str, list[_Dataset]] = {}
    listed = _listed(path)
    layers = {place.split("/")[0] for place, *_ in listed}
    for place, shape, dtype, offset in listed:
        layout = checked_layout(scopes_in_tensorflow(place, layers), shape, dtype)
        if offset + layout.nbytes > size:
            raise CheckpointError(
                f"{path} is cut off: {place} would end at byte {offset + layout.nbytes:,} of {size:,}."
            )
        same = datasets.setdefault(torch_name(layout.scopes), [])
        if same and same[0].layout != layout:
            raise CheckpointError(f"{path} has {torch_name(layout.scopes)} twice, in different shapes.")
        if len(same) == _MAX_COPIES:
            raise CheckpointError(f"{path} has {torch_name(layout.scopes)} more than {_MAX_COPIES} times.")
        same.append(_Dataset(layout, offset))
    with path.open("rb") as file:

        def read(name: str) -> Tensor:
            copies = datasets[name]
            numbers = _bytes(file, path, copies[0])
            if any(_bytes(file, path, copy) != numbers for copy in copies[1:]):
                raise CheckpointError(f"{path} has {name} twice, with different numbers.")
            return copies[0].layout.tensor(numbers)

        shapes = {name: copies[0].layout.torch_shape for name, copies in datasets.items()}
        yield Weights(shapes, lambda names: [read(name) for name in names])


def _listed(path: Path) -> list[tuple[str, list[int], str, int]]:
    """Place, shape, type and offset of each dataset, by `hdf5_listing` in a process of its own."""
    command = [sys.executable, "-P", hdf5_listing.__file__, str(path)]  # -P: the modules beside it hide no others
    environment = environment_for(Path(hdf5_listing.__file__).parent, OPENBLAS_NUM_THREADS="1")  # a thread takes memory
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=_LISTING_S, check=False)
    except subprocess.TimeoutExpired:
        raise CheckpointError(f"{path} cannot be read: listing what it holds took over {_LISTING_S} s.") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:  # the library took its process with it
        raise CheckpointError(f"{path} is damaged: the HDF5 library ended with status {done.returncode}.") from None
    if "error" in answer:
        raise CheckpointError(f"{path} cannot be read: {answer['error']}")
    return [tuple(entry) for entry in answer["datasets"]]


def _bytes(file: IO[bytes], path: Path, dataset: _Dataset) -> bytearray:
    """The numbers of a dataset, as they are in the file."""
    numbers = bytearray(dataset.layout.nbytes)
    file.seek(dataset.offset)
    if file.readinto(numbers) != len(numbers):  # type: ignore[attr-defined]
        raise CheckpointError(f"{path} is cut off.")
    return numbers
