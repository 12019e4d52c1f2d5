"""A table: what every format gives before anybody says what its columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bortlab.data.labelled.errors import DataError

MAX_BYTES = 50 * 2**20
MAX_ROWS = 100_000
MAX_COLUMNS = 200
SHOWN = 40
"""Characters of a cell that an error shows."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under named columns.

    rows: a tuple of cells each; a cell is text, a number, a truth value, a list, or None where there is nothing.
    numbers: where each row stands in its source, from 1, in `unit`s ("row", "line"). notes: what reading it took, in a
    sentence each.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    numbers: tuple[int, ...]
    unit: str = "row"
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def error(self, number: int, column: str, sentence: str) -> DataError:
        """What is wrong with a cell, after its place. number: of the row, as in `numbers`."""
        place = f"{self.name}, {self.unit} {number:,}, column {column!r}"
        return DataError(f"{place}: {sentence}", row=number, column=column)

    def column(self, name: str) -> list[object]:
        """The cells of a column, from the first row to the last. Raises DataError for one that is not there."""
        if name not in self.columns:
            names = ", ".join(map(repr, self.columns))
            raise DataError(f"{self.name} has no column {name!r}. It has {names}.", column=name)
        place = self.columns.index(name)
        return [row[place] for row in self.rows]


def from_records(
    name: str, records: Sequence[Mapping[str, object]], *, numbers: Sequence[int] = (), unit: str = "row"
) -> Table:
    """A table of mappings; a key that a record lacks is an empty cell."""
    columns = dict.fromkeys(str(key) for record in records for key in record)
    check_columns(name, columns)
    rows = tuple(tuple(record.get(column) for column in columns) for record in records)
    return Table(name, tuple(columns), rows, tuple(numbers) or tuple(range(1, len(rows) + 1)), unit)


def check_columns(name: str, columns: Iterable[str]) -> None:
    """DataError for more columns than a table of examples has, and for two of one name."""
    names = list(columns)
    if len(names) > MAX_COLUMNS:
        raise DataError(
            f"{name} has {len(names):,} columns, expected at most {MAX_COLUMNS}. Is it a table of examples?"
        )
    for place, column in enumerate(names):
        if column in names[:place]:
            raise DataError(f"{name} has two columns named {column!r}. Give each its own name.", row=1, column=column)


def check_rows(name: str, n_rows: int) -> None:
    """DataError for more rows than are read."""
    if n_rows > MAX_ROWS:
        raise DataError(f"{name} has more than {MAX_ROWS:,} rows. Take a sample of at most that many.", row=n_rows)


def excerpt(cell: object) -> str:
    """A cell for an error, in quotation marks, cut where it is long."""
    text = cell if isinstance(cell, str) else str(cell)
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")
