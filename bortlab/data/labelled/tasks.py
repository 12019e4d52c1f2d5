"""Tasks that are ready to fine-tune on: those that come with bortlab, and those that can be fetched."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from bortlab.data.labelled.bundled.build import CARDS
from bortlab.data.labelled.bundled.recipes import RECIPES
from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.examples import LabelledData
from bortlab.data.labelled.fetched import ORIGIN_OF, ORIGINS, fetched_task, is_here
from bortlab.data.labelled.formats import Source
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
    is_bundled: bool = True

    @property
    def is_here(self) -> bool:
        """Can it be loaded without a network?"""
        return self.is_bundled or is_here(self.name)

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.name.replace("-", " ").capitalize()


def tasks(*, fetchable: bool = False) -> tuple[Card, ...]:
    """The cards of all tasks that `load_task` gives: the bundled ones, easier ones first, then those fetched before.

    fetchable: those too that can be fetched, and were not yet.
    """
    about = _cards()
    bundled = [
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
    ]
    others = [
        Card(name, task.description, task.task, origin.title, origin.licence, task.group, is_bundled=False)
        for origin in ORIGINS
        for name, task in origin.tasks.items()
    ]
    return (*bundled, *(card for card in others if fetchable or card.is_here))


@lru_cache
def _cards(folder: Path = TASKS) -> Mapping[str, Any]:
    cards: Mapping[str, Any] = json.loads((folder / CARDS).read_text(encoding="utf-8"))
    return cards


def load_task(name: str) -> LabelledData:
    """The examples of a task.

    Raises DataError for an unknown name, a task that was not fetched yet, and a file that is not the bundled one.
    """
    if name in ORIGIN_OF:
        return fetched_task(name)
    if name not in RECIPES:
        raise DataError(f"Unknown task {name!r}. Known: {', '.join([*RECIPES, *ORIGIN_OF])}.")
    return bundled_task(name)


def labelled(source: LabelledData | Source) -> LabelledData:
    """Labelled data themselves, the task of a name, or what `read` makes of any other source."""
    if isinstance(source, LabelledData):
        return source
    is_task = isinstance(source, str) and source in {*RECIPES, *ORIGIN_OF}
    return load_task(source) if is_task else read(source)


def bundled_task(name: str, folder: Path = TASKS) -> LabelledData:
    """The examples of a bundled task, after its file was checked against its card."""
    path, recipe = folder / f"{name}.jsonl.xz", RECIPES[name]
    compressed = path.read_bytes()
    expected = _cards(folder)[name]["sha256"]
    if (actual := hashlib.sha256(compressed).hexdigest()) != expected:
        raise DataError(
            f"{path} is not the file of {CARDS}: got sha256 {actual}, expected {expected}. Restore it from git."
        )
    data = read(io.BytesIO(lzma.decompress(compressed)), task=recipe.task, name=f"{name}.jsonl")
    source, licence = recipe.source
    return replace(data, name=name, source=source, licence=licence, notes=())
