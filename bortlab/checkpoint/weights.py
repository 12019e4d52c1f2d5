"""Weights in safetensors or screened pickles, one file or many."""

from __future__ import annotations

import io
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
from typing import IO, Any

import torch
from safetensors import safe_open
from torch import Tensor

from bortlab.checkpoint.files import CheckpointError
from bortlab.system.machine import cores

MAX_HEADER_BYTES = 2_000_000
"""Of the list of tensors in a file or an index. Real ones have 100 bytes a tensor, and some hundred tensors."""
HUGE_PAGE = 1 << 21
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_PICKLED = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_\w+|torch(\.storage)? \w+Storage|torch (Size|[a-z]\w*)"
)
"""What a pickled state dict names: tensors' parts. torch would also call bytearray and Tensor, of any size."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights, opened: the shape of each tensor, known before any is read, and a way to read one.

    readers: how many threads may read at once.
    """

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Tensor]
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
            for name in file.opened.keys():  # noqa: SIM118 - not a dict
                if name in shapes:
                    raise CheckpointError(f"{path}: tensor {name} stands in another file of the folder too.")
                shapes[name], files[name] = tuple(file.opened.get_slice(name).get_shape()), file
        yield Weights(shapes, lambda name: files[name].read(name), readers=min(2, cores()))


class _Safetensors:
    """A file whose header the safetensors library has checked, and whose tensors are read into huge pages.

    The library reads into ordinary pages of 4 kB, and most of its time goes to the kernel, which makes them one by one:
    130 ms for 305 MB on an AMD EPYC (Zen 5), 29 ms so.
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

    def read(self, name: str) -> Tensor:
        """A copy of a tensor; CheckpointError if the file has changed since it was opened."""
        shape, entry = self.opened.get_slice(name).get_shape(), self.header.get(name, {})
        if (dtype := _DTYPES.get(entry.get("dtype"))) is None:
            tensor: Tensor = self.opened.get_tensor(name)
            return tensor
        first, end = entry["data_offsets"]
        if entry["shape"] != shape or end - first != math.prod(shape) * dtype.itemsize:
            raise CheckpointError(f"{self.path} changed while it was read: tensor {name} is another.")
        tensor = _empty(shape, dtype)
        rest = tensor.view(-1).view(torch.uint8).numpy().data
        position = self.start + first
        while rest:
            if not (n_read := self._read_into(rest, position)):
                raise CheckpointError(f"{self.path} changed while it was read: it ends before tensor {name} does.")
            rest, position = rest[n_read:], position + n_read
        return tensor

    def _read_into(self, memory: memoryview, position: int) -> int:
        """Fill memory from that byte of the file on, as far as one call gets; other threads may read meanwhile."""
        if hasattr(os, "preadv"):
            return os.preadv(self.raw.fileno(), [memory], position)
        with self.lock:  # Windows has no call that reads elsewhere than where the file stands
            self.raw.seek(position)
            return self.raw.readinto(memory) or 0


def _empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A tensor to be filled, of zeros or anything, in huge pages where it is large and the system (Linux) has them."""
    size = math.prod(shape) * dtype.itemsize
    if size < HUGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(shape, dtype=dtype)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without them: its ordinary pages are slower, that is all
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


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
    yield Weights(shapes, lambda name: state.pop(name).detach().contiguous().clone())


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


def read_tensor(weights: Weights, name: str, dtype: torch.dtype) -> Tensor:
    """Read one tensor as `dtype`; CheckpointError if it does not hold floating numbers, or one that is not finite."""
    tensor = weights.read(name)
    if not tensor.dtype.is_floating_point or tensor.dtype.itemsize < 2:
        raise CheckpointError(f"Tensor {name} holds {tensor.dtype}, expected float16, bfloat16, float32 or float64.")
    tensor = tensor.to(dtype)
    if not torch.stack(torch.aminmax(tensor)).isfinite().all():  # unlike isfinite of all of it, needs no copy
        raise CheckpointError(f"Tensor {name} holds numbers that are not finite as {dtype}: the file is damaged.")
    return tensor
