"""Tasks that are ready to fine-tune on: those that come with bortlab."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from bortlab.data.labelled.bundled.build import CARDS
from bortlab.data.labelled.bundled.recipes import RECIPES
from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.examples import LabelledData
from bortlab.data.labelled.reading import read
from bortlab.system.assets import TASKS


@dataclass(frozen=True, slots=True)
class Card:
    """What a task is. task: as `read` takes it. group: what never stands in two splits.

    rows: of each split. classes: how often each occurs, in all splits ({} where there are none). measure, majority,
    linear: on test, of the commonest class (of numbers the mean) and of a linear model on TF-IDF; "" and None where
    they were not measured.
    """

    name: str
    description: str
    task: str
    source: str
    licence: str
    group: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    measure: str = ""
    majority: float | None = None
    linear: float | None = None

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.name.replace("-", " ").capitalize()


def tasks() -> tuple[Card, ...]:
    """The cards of all tasks, the easier ones first."""
    about = _cards()
    return tuple(
        Card(
            name,
            recipe.description,
            recipe.task,
            *recipe.source,
            group=recipe.group,
            rows=about[name]["rows"],
            classes=about[name]["classes"],
            **about[name]["measured"],
        )
        for name, recipe in RECIPES.items()
    )


@lru_cache
def _cards() -> Mapping[str, Any]:
    cards: Mapping[str, Any] = json.loads((TASKS / CARDS).read_text(encoding="utf-8"))
    return cards


def load_task(name: str) -> LabelledData:
    """The examples of a task. Raises DataError for an unknown name, and for a file that is not the bundled one."""
    if name not in RECIPES:
        raise DataError(f"Unknown task {name!r}. Known: {', '.join(RECIPES)}.")
    path, recipe = TASKS / f"{name}.jsonl.xz", RECIPES[name]
    compressed = path.read_bytes()
    if (actual := hashlib.sha256(compressed).hexdigest()) != (expected := _cards()[name]["sha256"]):
        raise DataError(
            f"{path} is not the file of {CARDS}: got sha256 {actual}, expected {expected}. Restore it from git."
        )
    data = read(io.BytesIO(lzma.decompress(compressed)), task=recipe.task, name=f"{name}.jsonl")
    source, licence = recipe.source
    return replace(data, name=name, source=source, licence=licence, notes=())
