"""Which column is what: guessed from names first, then from what the columns hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bortlab.data.labelled.conll import WORDS
from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.names import LABEL_NAMES, PAIR_NAMES, SPLIT_NAMES, TEXT_NAMES, plain_name
from bortlab.data.labelled.tables import Table

CHOICE_NAME = re.compile(r"(?:choice|ending|option|sol|alternative|answer)[ _]?(?:\d+|[a-e])|[a-e]")
ID_NAME = re.compile(r"(?:.*[ _])?(?:id|idx|index|uid|guid|no|nr)|unnamed: \d+|column 0")
SAMPLE = 2_000
"""Rows that are looked at where names do not tell."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a table mean, by name. choices: the columns of the choices, or the one of lists of them."""

    text: str
    label: str
    pair: str | None = None
    split: str | None = None
    choices: tuple[str, ...] = ()


def guess(table: Table, **known: str | Sequence[str] | None) -> Columns:
    """The meaning of a table's columns: as `known` says (text, pair, label, split, choices), the rest guessed.

    Names decide (`TEXT_NAMES` and so on, the first in each list first); else the text is the column of the longest
    texts, and the label that of fewest different values. A second text is taken only by its name. Raises DataError
    where there is no column that could be it.
    """
    given = {role: _names(value) for role, value in known.items()}
    taken = {name for names in given.values() for name in names}
    for column in taken:
        table.column(column)  # DataError where there is none
    chosen: dict[str, str | None] = {role: names[0] for role, names in given.items() if names and role != "choices"}
    choices = given.get("choices") or _choices(table, taken)
    taken |= set(choices)
    for role, names in (("label", LABEL_NAMES), ("text", TEXT_NAMES), ("pair", PAIR_NAMES), ("split", SPLIT_NAMES)):
        if role not in chosen:
            chosen[role] = _by_name(table, names, taken)
            taken |= {chosen[role] or ""}
    if chosen["text"] is None and chosen["pair"] is not None and "pair" not in known:
        chosen["text"], chosen["pair"] = chosen["pair"], None
    for role, by_content in (("text", _longest), ("label", _fewest)):
        if chosen[role] is None:
            chosen[role] = by_content(table, taken)
            taken |= {chosen[role] or ""}
    if chosen["text"] is None or chosen["label"] is None:
        missing = "text" if chosen["text"] is None else "label"
        raise DataError(
            f"{table.name}: which column holds the {missing}s? It has {', '.join(map(repr, table.columns))}. Name the "
            f"column: {missing}=…"
        )
    return Columns(chosen["text"], chosen["label"], chosen["pair"], chosen["split"], choices)


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """The columns that an argument names."""
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _cells(table: Table, column: str) -> list[object]:
    """The first cells of a column that hold something."""
    place = table.columns.index(column)
    return [row[place] for row in table.rows[:SAMPLE] if row[place] not in (None, "")]


def _choices(table: Table, taken: set[str]) -> tuple[str, ...]:
    """The columns of the choices: a column of lists, or at least two whose names are numbered alike."""
    for column in table.columns:
        cells = _cells(table, column) if plain_name(column) in ("choices", "options", "endings") else []
        if cells and all(isinstance(cell, list | tuple) for cell in cells):
            return (column,)
    numbered = [column for column in table.columns if CHOICE_NAME.fullmatch(plain_name(column)) and column not in taken]
    stems = {re.sub(r"(?:\d+|(?<![a-z])[a-e])$", "", plain_name(column)) for column in numbered}
    at_least = 3 if stems == {""} else 2  # columns a and b may be two texts
    return tuple(numbered) if len(numbered) >= at_least and len(stems) == 1 else ()


def _by_name(table: Table, names: Sequence[str], taken: set[str]) -> str | None:
    """The first column, in the order of names, that bears one and holds something."""
    plain = {plain_name(column): column for column in reversed(table.columns) if column not in taken}
    for name in names:
        if name in plain and _cells(table, plain[name]):
            return plain[name]
    return None


def _mean_length(cells: list[object]) -> float:
    return sum(len(cell) for cell in cells if isinstance(cell, str)) / max(1, len(cells))


def _longest(table: Table, taken: set[str]) -> str | None:
    """The column of the longest texts that is no identifier and no label."""
    lengths = {
        column: _mean_length(_cells(table, column))
        for column in table.columns
        if column not in taken and not ID_NAME.fullmatch(plain_name(column))
    }
    longest = max(lengths, key=lambda column: lengths[column], default=None)
    return longest if longest is not None and lengths[longest] > 0 else None


def _fewest(table: Table, taken: set[str]) -> str | None:
    """The column of fewest different values, at least two; the last of equals, as labels mostly stand at the end."""
    counts = {}
    for column in table.columns:
        cells = _cells(table, column)
        n_values = len({str(cell) for cell in cells})
        if column not in taken and n_values > 1 and not ID_NAME.fullmatch(plain_name(column)):
            counts[column] = n_values
    return min(reversed(counts), key=lambda column: counts[column]) if counts else None


def is_words(table: Table, columns: Columns) -> bool:
    """Do the texts come as lists of words?"""
    cells = _cells(table, columns.text)
    return columns.text == WORDS or (bool(cells) and all(isinstance(cell, list | tuple) for cell in cells))
