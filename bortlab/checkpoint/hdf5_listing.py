"""A program that lists the datasets of an HDF5 file as one line of JSON.

`python hdf5_listing.py FILE` prints {"datasets": [[place, shape, type, offset], ...]} or {"error": why}. It is run in a
process of its own, because a broken file can crash the HDF5 library, and imports nothing of ours, to start fast.
"""

from __future__ import annotations

import json
import sys
from typing import Any

MAX_OBJECTS = 20_000
MAX_DEPTH = 40
MAX_MEMORY = 2 * 2**30
"""Bytes of address space; real lists need a fraction."""


class RefusedError(Exception):
    """What is in the file is not what transformers wrote."""


def datasets(file: Any) -> list[tuple[str, list[int], str, int]]:
    """Place, shape, type and offset of the datasets of an open file."""
    import h5py

    listed = []
    waiting = [("", file)]
    count = 0
    while waiting:
        prefix, group = waiting.pop()
        for name in group:
            count += 1
            place = f"{prefix}{name}"
            if count > MAX_OBJECTS or place.count("/") > MAX_DEPTH:
                raise RefusedError("it has more groups and datasets than any model.")
            if not name.isprintable():
                raise RefusedError(f"it has a name that cannot be printed, {name[:50]!r}.")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise RefusedError(f"{place} is a link, and transformers wrote none.")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append((f"{place}/", item))
            elif isinstance(item, h5py.Dataset):
                listed.append((place, list(item.shape), *_plain(place, item)))
            else:
                raise RefusedError(f"{place} is neither a group nor a dataset.")
    return listed


def _plain(place: str, dataset: Any) -> tuple[str, int]:
    """Type and offset of a dataset that is one run of little-endian numbers in this file."""
    from h5py import h5d

    kept = dataset.id.get_create_plist()
    offset = dataset.id.get_offset()
    if kept.get_layout() != h5d.CONTIGUOUS or kept.get_external_count() or kept.get_nfilters() or offset is None:
        raise RefusedError(f"{place} is compressed, in pieces or in another file, as transformers wrote none.")
    if dataset.dtype.str not in ("<f2", "<f4", "<f8"):
        raise RefusedError(f"{place} holds {dataset.dtype}, expected float16, float32 or float64.")
    return dataset.dtype.name, offset


def listing(path: str) -> dict[str, Any]:
    """What is printed of a file."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            if file.userblock_size:
                raise RefusedError("it starts with a block of something else.")
            return {"datasets": datasets(file)}
    except RefusedError as error:
        return {"error": str(error)}
    except Exception as error:  # the library raises whatever a broken file leads it to
        return {"error": f"it is damaged, cut off or no HDF5 file ({str(error).splitlines()[0][:200]})."}


def main() -> None:
    """List the file that is named on the command line."""
    try:
        import resource
    except ImportError:  # Windows
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    print(json.dumps(listing(sys.argv[1])))


if __name__ == "__main__":
    main()
