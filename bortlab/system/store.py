"""What the lab keeps for its user between two runs: where it lies, and how a file gets there whole."""

from __future__ import annotations

import os
import re
import uuid
from hashlib import sha256
from pathlib import Path

CACHE_VARIABLE = "BORTLAB_CACHE"


def cache_folder() -> Path:
    """Where jobs and fitted heads lie: BORTLAB_CACHE, or ~/.cache/bortlab. It may be deleted; then work is lost."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "bortlab").absolute()


def file_name(title: str, *identity: str) -> str:
    """A file name that a person recognises by `title`, and that no other identity has, on any file system."""
    readable = re.sub(r"[^a-z0-9.-]+", "-", title.lower()).strip("-.")[-40:]
    return f"{readable or 'x'}-{sha256(repr((title, *identity)).encode()).hexdigest()[:16]}"


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file that is either the old or the new one, whatever happens; durable: after a power cut, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
