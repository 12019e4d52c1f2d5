"""Weights in safetensors or screened pickles, one file or many."""

from __future__ import annotations

import io
import itertools
import json
import math
import mmap
import os
import pickletools
import re
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor

from bortlab.checkpoint.files import CheckpointError
from bortlab.system.machine import cores

MAX_HEADER_BYTES = 2_000_000
"""Of the list of tensors in a file or an index. Real ones have 100 bytes a tensor, and some hundred tensors."""
HUGE_PAGE = 1 << 21
_MOST_AT_ONCE = 512
"""Pieces of memory that one call fills; systems allow for 1,024."""
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_PICKLED = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_\w+|torch(\.storage)? \w+Storage|torch (Size|[a-z]\w*)"
)
"""What a pickled state dict names: tensors' parts. torch would also call bytearray and Tensor, of any size."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights, opened: the shape of each tensor, known before any is read, and a way to read some.

    shapes: in the order of the file, where it is known: what is side by side there is read at once. readers: how many
    threads may read at the same time.
    """

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[Sequence[str]], list[Tensor]]
    readers: int = 1


@contextmanager
def open_safetensors(paths: Iterable[Path], limit: int) -> Iterator[Weights]:
    """One or more safetensors files as one. Tensors are copied: no page of a file stays mapped.

    Nothing but the header is read here, so no limit is needed: shapes are compared before a tensor is read.
    """
    with ExitStack() as stack:
        shapes: dict[str, tuple[int, ...]] = {}
        files: dict[str, _Safetensors] = {}
        for path in paths:
            file = _Safetensors(path, stack)
            for name in file.opened.offset_keys():
                if name in shapes:
                    raise CheckpointError(f"{path}: tensor {name} stands in another file of the folder too.")
                shapes[name], files[name] = tuple(file.opened.get_slice(name).get_shape()), file

        def read(names: Sequence[str]) -> list[Tensor]:
            return [
                tensor
                for file, of_file in itertools.groupby(names, files.__getitem__)
                for tensor in file.read(tuple(of_file))
            ]

        yield Weights(shapes, read, readers=min(2, cores()))


class _Safetensors:
    """A file whose header the safetensors library has checked, and whose tensors are read into huge pages.

    The library reads into ordinary pages of 4 kB, and most of its time goes to the kernel, which makes them one by one:
    130 ms for 305 MB on an AMD EPYC (Zen 5), 29 ms so. Neighbours are read by one call, so that Python, which others
    use meanwhile, is waited for once in the place of a hundred times.
    """

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path, self.lock = path, threading.Lock()
        self.raw: FileIO = stack.enter_context(path.open("rb", buffering=0))
        size = int.from_bytes(self.raw.read(8), "little")
        if size > MAX_HEADER_BYTES:
            raise CheckpointError(f"{path}: a header of {size:,} bytes, expected at most {MAX_HEADER_BYTES:,}.")
        self.opened = stack.enter_context(safe_open(path, framework="pt", backend="pread"))
        self.start = 8 + size
        self.header: dict[str, Any] = json.loads(self.raw.read(size))

    def read(self, names: Sequence[str]) -> list[Tensor]:
        """Copies of some tensors; CheckpointError if the file has changed since it was opened."""
        places = {name: self._place(name) for name in names}
        memory = _memory(sum(_aligned(place.size) for place in places.values() if place.dtype))
        rooms: dict[int, memoryview] = {}  # by where in the file they begin
        tensors, used = [], 0
        for name, place in places.items():
            if place.dtype is None:
                tensors.append(self.opened.get_tensor(name))
            elif not place.size:
                tensors.append(torch.empty(place.shape, dtype=place.dtype))
            else:
                numbers = math.prod(place.shape)
                tensors.append(
                    torch.frombuffer(memory, dtype=place.dtype, count=numbers, offset=used).view(place.shape)
                )
                rooms[place.start] = memoryview(memory)[used : used + place.size]
                used += _aligned(place.size)
        self._fill(rooms)
        return tensors

    def _place(self, name: str) -> _Place:
        """Where a tensor stands in the file."""
        shape, entry = self.opened.get_slice(name).get_shape(), self.header.get(name, {})
        if (dtype := _DTYPES.get(entry.get("dtype"))) is None:
            return _Place(None, shape, 0, 0)
        first, end = entry["data_offsets"]
        if entry["shape"] != shape or end - first != math.prod(shape) * dtype.itemsize:
            raise CheckpointError(f"{self.path} changed while it was read: tensor {name} is another.")
        return _Place(dtype, shape, self.start + first, end - first)

    def _fill(self, rooms: dict[int, memoryview]) -> None:
        """Read into memory what begins at these bytes of the file; neighbours together."""
        while rooms:
            position = end = min(rooms)
            neighbours: list[memoryview] = []
            while len(neighbours) < _MOST_AT_ONCE and (room := rooms.pop(end, None)) is not None:
                neighbours.append(room)
                end += len(room)
            if not (n_read := self._read_into(neighbours, position)):
                raise CheckpointError(f"{self.path} changed while it was read: it ends before its tensors do.")
            for room in neighbours:  # what one call did not reach is for the next
                if n_read < len(room):
                    rooms[position + n_read] = room[n_read:]
                    n_read = len(room)
                position, n_read = position + len(room), n_read - len(room)

    def _read_into(self, rooms: Sequence[memoryview], position: int) -> int:
        """Fill memory from that byte of the file on, as far as one call gets; other threads may read meanwhile."""
        if hasattr(os, "preadv"):
            return os.preadv(self.raw.fileno(), rooms, position)
        with self.lock:  # Windows has no call that reads elsewhere than where the file stands
            self.raw.seek(position)
            return self.raw.readinto(rooms[0]) or 0


class _Place(NamedTuple):
    """Where a tensor stands in a file. dtype: None for one that the library is left to read."""

    dtype: torch.dtype | None
    shape: list[int]
    start: int
    size: int


def _memory(size: int) -> Any:
    """So many bytes to be filled, of zeros or anything, in huge pages where they are many and Linux has them."""
    if size < HUGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(size, dtype=torch.uint8).numpy()
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without them: its ordinary pages are slower, that is all
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _aligned(size: int) -> int:
    """Bytes up to the next line of the processor's cache, where the next tensor may begin."""
    return -(-size // 64) * 64


def _screen(path: Path, file: IO[bytes], number: int) -> None:
    """Refuse pickles, one after the other in a file, that name anything but tensors' parts; nothing of them is run."""
    for _ in range(number):
        for operation, argument, _ in pickletools.genops(file):
            named = operation.name in ("GLOBAL", "INST") and not _PICKLED.fullmatch(str(argument))
            if named or operation.name in ("STACK_GLOBAL", "BYTEARRAY8", "EXT1", "EXT2", "EXT4"):
                what = str(argument or operation.name)[:100]
                raise CheckpointError(f"{path} cannot be read: it names {what!r}, which is no part of a tensor.")


@contextmanager
def open_pickles(paths: Iterable[Path], limit: int) -> Iterator[Weights]:
    """One or more pytorch_model.bin as one."""
    state: dict[str, Tensor] = {}
    for path in paths:
        more = _unpickle(path, limit - sum(tensor.nbytes for tensor in state.values()))
        if twice := state.keys() & more.keys():
            raise CheckpointError(f"{path}: tensor {min(twice)} stands in another file of the folder too.")
        state |= more
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    # contiguous() and clone(): the parts of one storage, or a view that repeats one number, become memory of their own.
    yield Weights(shapes, lambda names: [state.pop(name).detach().contiguous().clone() for name in names])


def _unpickle(path: Path, limit: int) -> dict[str, Tensor]:
    """A pytorch_model.bin, by torch's weights-only reader, which builds tensors and calls nothing else."""
    size = path.stat().st_size
    if size <= limit and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = max(size, sum(member.file_size for member in members))
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise CheckpointError(f"{path} is compressed inside, which torch never does. It was not read.")
            pickles = [member for member in members if member.filename.endswith(".pkl")]
            if len(pickles) != 1 or pickles[0].file_size > MAX_HEADER_BYTES:
                raise CheckpointError(f"{path}: expected one list of tensors of at most {MAX_HEADER_BYTES:,} bytes.")
            if size <= limit:
                _screen(path, io.BytesIO(archive.read(pickles[0])), 1)
    elif size <= limit:
        with path.open("rb") as file:
            _screen(path, file, 5)  # torch's older format: a mark, a version, a machine, the tensors, their storages
    if size > limit:
        raise CheckpointError(f"{path} holds {size:,} bytes, expected at most {limit:,} for this configuration.")
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: expected a dictionary of tensors, got a {type(state).__name__}.")
    for name, tensor in state.items():
        plain = isinstance(tensor, Tensor) and tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not (isinstance(name, str) and plain):
            raise CheckpointError(f"{path}: {name!r} is not an ordinary tensor.")
    return state


def read_tensors(weights: Weights, names: Sequence[str], dtype: torch.dtype) -> list[Tensor]:
    """Read tensors as `dtype`; CheckpointError if one does not hold floating numbers, or one that is not finite."""
    tensors = weights.read(names)
    for i, (name, tensor) in enumerate(zip(names, tensors, strict=True)):
        if not tensor.dtype.is_floating_point or tensor.dtype.itemsize < 2:
            raise CheckpointError(
                f"Tensor {name} holds {tensor.dtype}, expected float16, bfloat16, float32 or float64."
            )
        tensors[i] = tensor.to(dtype)
        if not torch.stack(torch.aminmax(tensors[i])).isfinite().all():  # unlike isfinite of all of it, needs no copy
            raise CheckpointError(f"Tensor {name} holds numbers that are not finite as {dtype}: the file is damaged.")
    return tensors
