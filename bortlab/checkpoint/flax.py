"""flax_model.msgpack, as the Flax classes of transformers 4 wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from bortlab.checkpoint.files import CheckpointError
from bortlab.checkpoint.layout import Layout, checked_layout
from bortlab.checkpoint.names import torch_name
from bortlab.checkpoint.weights import Weights

_ARRAY = 1
"""Flax's code of an array among msgpack's extension types; its others are single numbers."""
_MAX_ENTRIES, _MAX_WIDTH, _MAX_KEY = 20_000, 1000, 200
"""Of all maps together, of one map, and characters of a key. Real files have some hundred entries."""


_Array = tuple[Any, Any, bytes]
"""Shape and type as a file says them, and the numbers."""


@contextmanager
def open_flax(paths: Iterable[Path], limit: int) -> Iterator[Weights]:
    """A flax_model.msgpack: nested maps of arrays. It is read whole, for it has no list of what it holds."""
    (path,) = paths
    size = path.stat().st_size
    if size > limit:
        raise CheckpointError(f"{path} holds {size:,} bytes, expected at most {limit:,} for this configuration.")
    arrays = _by_torch_name(path, _read(path, size))

    def read(name: str) -> Tensor:
        layout, numbers = arrays.pop(name)  # so that its memory is free again
        return layout.tensor(bytearray(numbers))

    shapes = {name: layout.torch_shape for name, (layout, _) in arrays.items()}
    yield Weights(shapes, lambda names: [read(name) for name in names])


def _by_torch_name(path: Path, tree: dict[str, Any]) -> dict[str, tuple[Layout, bytes]]:
    """The arrays of nested maps, as what they are in torch."""
    if tree.keys() == {"params"} and isinstance(tree["params"], dict):  # as Flax's own training states have it
        tree = tree["params"]
    arrays: dict[str, tuple[Layout, bytes]] = {}
    for scopes, (shape, dtype, numbers) in _arrays(tree):
        layout, name = checked_layout(scopes, shape, dtype), torch_name(scopes)
        if layout.nbytes != len(numbers):
            raise CheckpointError(
                f"{path} is damaged: {name} has {len(numbers):,} bytes, expected {layout.nbytes:,} for its shape."
            )
        if name in arrays:
            raise CheckpointError(f"{path} has {name} twice.")
        arrays[name] = layout, numbers
    return arrays


def _read(path: Path, size: int) -> dict[str, Any]:
    """The maps of a file. Memory is bounded by its size: counts are checked while it is read."""
    import msgpack

    count = 0

    def as_map(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        nonlocal count
        count += len(pairs)
        if count > _MAX_ENTRIES:
            raise CheckpointError(f"{path} has more than {_MAX_ENTRIES:,} entries: no model does.")
        entries = dict(pairs)
        if "__msgpack_chunked_array__" in entries:
            raise CheckpointError(f"{path} has an array of more than a gigabyte, in pieces, which is not read here.")
        for key, value in pairs:
            if not (isinstance(key, str) and key.isprintable() and isinstance(value, dict | tuple)):
                raise CheckpointError(f"{path}: expected arrays by name, got {type(value).__name__} at {key!r}.")
        if len(entries) < len(pairs):
            raise CheckpointError(f"{path} has a name twice among {', '.join(entries)[:100]}.")
        return entries

    def as_array(code: int, data: bytes) -> _Array:
        parts = msgpack.unpackb(data, max_array_len=8, max_map_len=0) if code == _ARRAY else None
        if not (isinstance(parts, list) and len(parts) == 3 and isinstance(parts[2], bytes)):
            raise CheckpointError(f"{path}: expected arrays, got something else of msgpack's type {code}.")
        return parts[0], parts[1], parts[2]

    limits = {"max_map_len": _MAX_WIDTH, "max_array_len": 0, "max_str_len": _MAX_KEY, "max_bin_len": 0}
    with path.open("rb") as file:
        unpacker = msgpack.Unpacker(
            file, max_buffer_size=max(size, 1), ext_hook=as_array, object_pairs_hook=as_map, **limits
        )
        try:
            tree = unpacker.unpack()
        except msgpack.OutOfData:
            raise CheckpointError(f"{path} is cut off.") from None
        except CheckpointError:
            raise
        except (msgpack.UnpackException, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise CheckpointError(f"{path} is damaged, or no file of Flax's: {reason}.") from error
        if unpacker.tell() != size:
            raise CheckpointError(f"{path} goes on after its end: {size - unpacker.tell():,} bytes more.")
    if not isinstance(tree, dict):
        raise CheckpointError(f"{path}: expected arrays by name, got {type(tree).__name__}.")
    return tree


def _arrays(tree: dict[str, Any], scopes: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], _Array]]:
    """The arrays of nested maps, each with the keys that lead to it."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _arrays(value, (*scopes, key))
        else:
            yield (*scopes, key), value
