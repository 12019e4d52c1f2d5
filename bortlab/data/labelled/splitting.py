"""Which examples to learn from, to choose by and to measure with."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bortlab.data.labelled.examples import SPLITS, Example
from bortlab.data.labelled.labels import ANSWERS, NUMBER
from bortlab.data.labelled.tables import Table, excerpt

SHARES = {"dev": 0.15, "test": 0.15}
NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "development": "dev",
    "valid": "dev",
    "validation": "dev",
    "val": "dev",
    "test": "test",
    "testing": "test",
}
"""What splits are called in files -> ours."""
BINS = 10
"""Parts of equal size that numbers are divided into, so that every split has small and large ones."""

Splits = dict[str, tuple[Example, ...]]
Group = tuple[str, ...]


def is_splits(cells: Sequence[object]) -> bool:
    """Do the cells of a column name splits?"""
    return bool(cells) and all(isinstance(cell, str) and cell.strip().lower() in NAMES for cell in cells)


def given(table: Table, column: str, examples: Sequence[Example]) -> Splits:
    """Examples by the splits that a column names. Raises DataError for a name that is none."""
    parts: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for cell, example, number in zip(table.column(column), examples, table.numbers, strict=True):
        split = NAMES.get(str(cell).strip().lower())
        if split is None:
            raise table.error(number, column, f"expected train, dev or test, got {excerpt(cell)}.")
        parts[split].append(example)
    return {split: tuple(part) for split, part in parts.items()}


def normal(text: str) -> str:
    """A text for comparison: in one case, with single spaces."""
    return " ".join(text.casefold().split())


def group_of(example: Example, task: str) -> Group:
    """What must not stand in two splits: equal content, whatever its case and spaces; of questions, their passage."""
    parts = (example.pair or "",) if task == ANSWERS else example.content
    return tuple(map(normal, parts))


def divide(
    examples: Sequence[Example], task: str, problem_type: str | None, seed: int, missing: Sequence[str]
) -> Splits:
    """Examples divided into train and the `missing` splits: 15% each, each class alike, equal texts together.

    Which example goes where depends on its content and the seed, never on its row. A class of two gives one to test,
    one of three or more also one to dev.
    """
    groups: dict[Group, list[Example]] = defaultdict(list)
    for example in examples:
        groups[group_of(example, task)].append(example)
    stratum = _strata(examples, problem_type)
    strata: dict[str, list[Group]] = defaultdict(list)
    for group, members in groups.items():
        strata[stratum(members[0])].append(group)
    parts: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for keys in strata.values():
        rest = sorted(keys, key=lambda key: hashlib.sha256(repr((seed, key)).encode("utf-8", "surrogatepass")).digest())
        total = sum(len(groups[key]) for key in keys)
        for split in reversed(SPLITS):  # so that the smallest class has something to be measured with
            if split in missing:
                chosen = _taken(rest, groups, max(1, round(SHARES[split] * total)))
                parts[split] += [example for key in rest if key in chosen for example in groups[key]]
                rest = [key for key in rest if key not in chosen]
        parts["train"] += [example for key in rest for example in groups[key]]
    return {split: tuple(sorted(part, key=lambda example: example.row)) for split, part in parts.items()}


def _taken(keys: Sequence[Group], groups: Mapping[Group, Sequence[Example]], room: int) -> set[Group]:
    """The first groups that fit into `room` examples; one at least stays."""
    taken: set[Group] = set()
    for key in keys:
        if room == 0 or len(keys) - len(taken) < 2:
            break
        if len(groups[key]) <= room:
            taken.add(key)
            room -= len(groups[key])
    return taken


def _strata(examples: Sequence[Example], problem_type: str | None) -> Callable[[Example], str]:
    """What an example is stratified by: its class, the rarest of its classes, the bin of its number, or nothing."""
    if problem_type == NUMBER:
        numbers = np.array([float(example.label) for example in examples if isinstance(example.label, int | float)])
        n_bins = max(1, min(BINS, len(numbers) // 10))
        edges = np.quantile(numbers, np.linspace(0, 1, n_bins + 1)[1:-1])
        return lambda example: str(np.searchsorted(edges, example.label))
    if problem_type is None:
        return lambda example: ""
    counts = Counter(name for example in examples for name in _names(example))
    return lambda example: min(_names(example), key=lambda name: (counts[name], name), default="")


def _names(example: Example) -> tuple[str, ...]:
    """The classes of a whole text."""
    return tuple(map(str, example.label)) if isinstance(example.label, tuple) else (str(example.label),)
