"""Labelled data in a file of their own, so that a job finds again what a page or a command read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bortlab.data.labelled.examples import SPLITS, Example, LabelledData
from bortlab.system.store import write

_OWN = ("name", "task", "problem_type", "labels", "source", "licence", "notes")


def fingerprint(data: LabelledData) -> str:
    """The same for the same examples, splits, labels and task."""
    return hashlib.sha256(_content(data)).hexdigest()[:16]


def store(data: LabelledData, path: Path) -> None:
    """Write data to a file that is either whole or not there."""
    write(path, _content(data))


def stored(path: Path) -> LabelledData:
    """The data that `store` wrote. OSError where there is no such file."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    fields: dict[str, Any] = {name: raw[name] for name in _OWN}
    fields |= {split: tuple(map(_example, raw[split])) for split in SPLITS}
    return LabelledData(**{**fields, "labels": tuple(raw["labels"]), "notes": tuple(raw["notes"])})


def _content(data: LabelledData) -> bytes:
    raw: dict[str, Any] = {name: getattr(data, name) for name in _OWN}
    raw |= {split: [asdict(example) for example in data.splits[split]] for split in SPLITS}
    return json.dumps(raw, ensure_ascii=False).encode("utf-8", errors="surrogatepass")


def _example(raw: dict[str, Any]) -> Example:
    """JSON has lists where an example has tuples."""
    return Example(**{name: _tuples(value) for name, value in raw.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
