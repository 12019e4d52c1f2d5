"""Files of a checkpoint's folder, opened with suspicion."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from bortlab.system.files import UnsafeFileError, regular_file

MAX_CONFIG_BYTES = 100_000
MAX_CONFIG_DEPTH = 20


class CheckpointError(ValueError):
    """A folder that cannot be read as a checkpoint, or not be written. The message says what is wrong and where."""


def checked_file(folder: Path, name: str, limit: int | None = None) -> Path:
    """The real path of a regular file that lies in `folder`, links resolved; CheckpointError if it is anything else."""
    try:
        return regular_file(folder, name, limit)
    except UnsafeFileError as error:
        raise CheckpointError(str(error)) from error


def _depth(value: object) -> int:
    """How deep objects and lists are nested."""
    if isinstance(value, dict | list):
        return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)
    return 0


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def read_json(folder: Path, name: str, limit: int) -> dict[str, Any]:
    """The object in a JSON file, with bounded size and nesting and finite numbers."""
    path = checked_file(folder, name, limit)
    try:
        data = json.loads(path.read_bytes(), parse_float=_finite_float, parse_constant=_finite_float)
        deep = _depth(data) > MAX_CONFIG_DEPTH
    except RecursionError:
        deep = True
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not readable JSON: {error}.") from error
    if deep:
        raise CheckpointError(f"{path} is nested more than {MAX_CONFIG_DEPTH} levels deep: no checkpoint's file is.")
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got a {type(data).__name__}.")
    return data
