"""What is wrong with data, said with its place."""

from __future__ import annotations


class DataError(ValueError):
    """Data that nothing can be learned from, or that cannot be read. The message names the place and says what to do.

    row: where it stands in its source, from 1 (a header is row 1); 0 where it is no single row. column: its name.
    """

    def __init__(self, message: str, *, row: int = 0, column: str = "") -> None:
        super().__init__(message)
        self.row = row
        self.column = column
