"""How files and folders get to the disk whole: under their names stands the old content or the new, never a part."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO


def file_name(title: str, *identity: str) -> str:
    """A file name that a person recognises by `title`, and that no other identity has, on any file system."""
    readable = re.sub(r"[^a-z0-9.-]+", "-", title.lower()).strip("-.")[-40:]
    return f"{readable or 'x'}-{sha256(repr((title, *identity)).encode()).hexdigest()[:16]}"


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file that is either the old or the new one, whatever happens; durable: after a power cut, too."""
    with whole_file(path, durable=durable) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path, *, durable: bool = True, alone: bool = False) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` when the block ends well, and vanishes when it does not.

    alone: nobody else writes this file; then a process that is killed again and again leaves one partial file at most.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial") if alone else _beside(path)
    try:
        with partial.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path, *, last: str = "") -> Iterator[Path]:
    """A folder to fill with files, which are made durable and moved to `folder` when the block ends well.

    A new folder appears at once and whole; in one that is there each file is either old or new, and others stay.
    last: the file that is moved after all others, as it vouches for them.
    """
    partial = _beside(folder)
    partial.mkdir(parents=True)
    try:
        yield partial
        files = sorted(partial.iterdir(), key=lambda path: (path.name == last, path.name))
        for path in (*files, partial):
            _sync(path)
        if folder.exists():
            for path in files:
                path.replace(folder / path.name)
            _sync(folder)
        else:
            partial.rename(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A hidden name in the same folder that nobody else has."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}")


def _sync(path: Path) -> None:
    """Force a file, or a folder's list of files, to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows has no such thing for folders
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
