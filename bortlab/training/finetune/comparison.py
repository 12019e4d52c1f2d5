"""What a comparison found, read from its folder, whole or while it still runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bortlab.analysis.intervals import Interval
from bortlab.data.labelled import Example, LabelledData

FILE, LIVE = "results.json", "live.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A model or a baseline in a comparison.

    figures: the mean over its runs with intervals. runs: by name, those that learned from all examples; curve: of those
    that learned from fewer, (examples, figures). ms: of a text, None before it was measured. folder: of the kept model.
    """

    key: str
    title: str
    family: str | None
    parameters: int
    n_bytes: int
    figures: Mapping[str, Interval]
    runs: Mapping[str, Mapping[str, Any]]
    smaller: tuple[tuple[int, Mapping[str, float]], ...]
    best: str
    ms: Interval | None
    folder: Path | None

    @property
    def is_baseline(self) -> bool:
        """Does it need no fine-tuning?"""
        return self.family is None

    @property
    def kept(self) -> Mapping[str, Any]:
        """The run whose model was kept."""
        return self.runs[self.best]


@dataclass(frozen=True, eq=False)
class Comparison:
    """The results of a comparison, best first. finished: False while it runs. measure: what models are chosen by."""

    data: Mapping[str, Any]
    entries: tuple[Entry, ...]
    differences: Mapping[str, Mapping[str, Any]]
    finished: bool
    cores: int
    plan: Mapping[str, Any]

    @property
    def measure(self) -> str:
        """The figure that models are chosen by."""
        return str(self.data["measure"])

    @cached_property
    def by_key(self) -> dict[str, Entry]:
        """The entries by their keys."""
        return {entry.key: entry for entry in self.entries}

    @property
    def best(self) -> Entry:
        """The entry of the best figure."""
        return self.entries[0]

    @property
    def models(self) -> tuple[Entry, ...]:
        """The fine-tuned models."""
        return tuple(entry for entry in self.entries if not entry.is_baseline)

    def examples(self, data: LabelledData) -> tuple[Example, ...]:
        """What the figures are of: test, or dev where there is no test."""
        return data.test or data.dev


def read_comparison(folder: Path) -> Comparison | None:
    """The comparison in a folder as far as it is; None where there is none yet."""
    path = folder / FILE
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    measure, n_train = record["data"]["measure"], record["data"]["examples"]["train"]
    entries = [_entry(raw, folder, n_train) for raw in record["entries"].values() if raw.get("figures")]
    differences = record.get("differences")
    return Comparison(
        data=record["data"],
        entries=tuple(sorted(entries, key=lambda entry: -entry.figures[measure].value)),
        differences=differences["from_best"] if differences else {},
        finished=differences is not None,
        cores=record.get("cores", 0),
        plan=record["plan"],
    )


def _entry(raw: Mapping[str, Any], folder: Path, n_train: int) -> Entry:
    whole = {name: run for name, run in raw["runs"].items() if run.get("examples", n_train) == n_train}
    smaller = [(run["examples"], run["figures"]) for name, run in raw["runs"].items() if name not in whole]
    return Entry(
        key=raw["key"],
        title=raw["title"],
        family=raw.get("family"),
        parameters=raw["parameters"],
        n_bytes=raw["bytes"],
        figures={name: Interval(**figure) for name, figure in raw["figures"].items()},
        runs=whole,
        smaller=tuple(sorted(smaller, key=lambda point: point[0])),
        best=raw.get("best", next(iter(whole))),
        ms=Interval(**raw["ms"]) if "ms" in raw else None,
        folder=folder / raw["folder"] if "folder" in raw else None,
    )


@dataclass(frozen=True, slots=True)
class Live:
    """The training that runs: its model, the losses of this epoch's steps, a record an epoch."""

    model: str
    losses: tuple[float, ...]
    curve: tuple[Mapping[str, float], ...]


def read_live(folder: Path) -> Live | None:
    """The training that runs in a folder, None where none does."""
    path = folder / LIVE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Live(record["model"], tuple(record["losses"]), tuple(record["curve"]))
