"""The one way in which a file of a checkpoint's folder is opened: a regular file, inside the folder, not too large."""

from __future__ import annotations

import stat
from pathlib import Path


class UnsafeFileError(ValueError):
    """A file that is not opened. The message says which and why."""


def regular_file(folder: Path, name: str, limit: int | None = None) -> Path:
    """The real path of a regular file of at most `limit` bytes that lies in `folder`, links resolved."""
    path = folder / name
    try:
        root, real = folder.resolve(strict=True), path.resolve(strict=True)
        about = real.stat()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links; ValueError: a NUL in the name
        raise UnsafeFileError(f"Cannot open {str(path)!r}: {error}.") from error
    roots = [root]
    if root.parent.name == "snapshots":  # the Hugging Face cache keeps files in "blobs": the repository's or its own
        roots += [root.parents[1] / "blobs", root.parents[2] / "blobs"]
    if not any(real.is_relative_to(allowed) for allowed in roots):
        raise UnsafeFileError(f"{path} is a link that leaves the folder, to {real}. Put the file itself there.")
    if not stat.S_ISREG(about.st_mode):
        raise UnsafeFileError(f"{path} is not a regular file.")
    if limit is not None and about.st_size > limit:
        raise UnsafeFileError(f"{path} has {about.st_size:,} bytes, expected at most {limit:,}.")
    return real
