"""CSV and its kin: encoding, separator and header are found out, and said where they are not the plain ones.

The file is read in a stream: bytes are never all in memory at once.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import IO

from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.names import KNOWN_NAMES, plain_name
from bortlab.data.labelled.tables import Table, check_columns, check_rows, excerpt

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
SAMPLE = 1 << 16
"""Bytes that encoding and characters that the separator are found out from."""
SAMPLE_ROWS = 200
FALLBACK = "cp1252"
"""What spreadsheets on Windows write where they do not write UTF-8: Latin-1 with a few letters more."""
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
HEADER_WORDS = 4
"""Words of a column's name, at most; a longer first row is an example."""


def encoding_of(stream: IO[bytes]) -> tuple[str, str]:
    """(encoding, a note for the reader, or "") of a stream, which is left at its beginning."""
    stream.seek(0)
    sample = stream.read(SAMPLE)
    stream.seek(0)
    for mark, encoding in BOMS:
        if sample.startswith(mark):
            return encoding, "" if encoding == "utf-8-sig" else "Read as UTF-16."
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(sample) >= 4 and sample[start::2].count(0) > 0.3 * len(sample) / 2 and 0 not in sample[1 - start :: 2]:
            return encoding, "Read as UTF-16; the file does not say so itself."
    line = _line_of_bad_utf8(stream)
    if line == 0:
        return "utf-8", ""
    encoding = FALLBACK if _decodes(stream, FALLBACK) else "latin-1"
    return encoding, (
        f"Read as Latin-1 ({'Windows-1252' if encoding == FALLBACK else 'ISO-8859-1'}), as line {line:,} is not UTF-8. "
        "If letters look wrong, save the file as UTF-8."
    )


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """A stream from its beginning to its end, then an empty chunk; it is left at its beginning."""
    stream.seek(0)
    while chunk := stream.read(1 << 20):
        yield chunk
    yield b""
    stream.seek(0)


def _line_of_bad_utf8(stream: IO[bytes]) -> int:
    """The line of the first byte that is not UTF-8, from 1; 0 where all is."""
    decoder, lines = codecs.getincrementaldecoder("utf-8")(), 1
    for chunk in _chunks(stream):
        try:
            lines += decoder.decode(chunk, final=not chunk).count("\n")
        except UnicodeDecodeError as error:
            return lines + error.object[: error.start].count(b"\n")
    return 0


def _decodes(stream: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return all(decoder.decode(chunk, final=not chunk) is not None for chunk in _chunks(stream))
    except UnicodeDecodeError:
        return False


def separator_of(sample: str, *, whole: bool) -> str:
    """The separator of a table from its beginning: the one that gives rows of equal width, and most columns.

    whole: the sample is the whole table, so that its last row is whole, too.
    """
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        rows = list(_sample_rows(sample, separator, whole=whole))
        if rows and (width := len(rows[0])) > 1:
            score = (round(sum(len(row) == width for row in rows) / len(rows), 3), width)
            if score > best_score:
                best, best_score = separator, score
    return best


def _sample_rows(sample: str, separator: str, *, whole: bool) -> Iterator[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=separator, strict=True):
            rows += [row] if row else []
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:
        whole = True  # the row that is cut, or wrong, did not come
    yield from rows[: SAMPLE_ROWS if whole or len(rows) > SAMPLE_ROWS else -1]


def read_delimited(name: str, stream: IO[bytes], *, expected: Collection[str] = ()) -> Table:
    """A table with a separator. expected: names of columns that the caller knows, so the first row is a header.

    Raises DataError for rows of another width than the first one, for a quotation mark that is not closed and for a
    table that is too long.
    """
    encoding, note = encoding_of(stream)
    text = io.TextIOWrapper(stream, encoding, newline="")
    try:
        sample = text.read(SAMPLE)
        separator = (
            "\t" if name.lower().endswith((".tsv", ".tab")) else separator_of(sample, whole=len(sample) < SAMPLE)
        )
        notes = [note] if note else []
        if separator != "," and not (separator == "\t" and name.lower().endswith((".tsv", ".tab"))):
            notes.append(f"Its columns are separated by {SEPARATORS[separator]}.")
        try:
            rows, numbers = _rows(name, text, separator, quoted=True)
        except csv.Error as error:
            if separator != "\t":
                raise DataError(_not_csv(name, error, text), row=_row_in(error)) from error
            rows, numbers = _rows(name, text, separator, quoted=False)
            notes.append("Quotation marks were taken as text, not as marks around cells.")
    except UnicodeError as error:
        raise DataError(f"{name} is no {encoding} text: {error}. Save it as UTF-8.") from error
    finally:
        text.detach()
    return _with_header(name, rows, numbers, notes, separator, expected)


class _CsvError(csv.Error):
    """csv's error with the row in which it came."""

    def __init__(self, error: csv.Error, row: int) -> None:
        super().__init__(str(error))
        self.row = row


def _row_in(error: csv.Error) -> int:
    return error.row if isinstance(error, _CsvError) else 0


def _rows(name: str, text: io.TextIOWrapper, separator: str, *, quoted: bool) -> tuple[list[list[str]], list[int]]:
    """All rows that are not empty, and their numbers as a spreadsheet shows them."""
    text.seek(0)
    if quoted:
        reader = csv.reader(text, delimiter=separator, strict=True)
    else:
        reader = csv.reader(text, delimiter=separator, quoting=csv.QUOTE_NONE)
    rows: list[list[str]] = []
    numbers: list[int] = []
    number = 0
    try:
        for number, row in enumerate(reader, 1):
            if any(row):
                rows.append(row)
                numbers.append(number)
                check_rows(name, len(rows) - 1)
    except csv.Error as error:
        raise _CsvError(error, number + 1) from error
    return rows, numbers


def _not_csv(name: str, error: csv.Error, text: io.TextIOWrapper) -> str:
    row = _row_in(error)
    if "field larger" in str(error):
        return (
            f"{name}, row {row:,}: a cell has more than {csv.field_size_limit():,} characters. Probably a quotation "
            'mark is not closed; one inside a text is written twice ("").'
        )
    if "unexpected end" in str(error):
        return f'{name}, row {row:,}: a quotation mark opens here and is never closed. One inside a text is written "".'
    return (
        f'{name}, row {row:,}: {error}. A text with quotation marks stands in such marks, and its own are written "".'
    )


def _with_header(
    name: str, rows: list[list[str]], numbers: list[int], notes: list[str], separator: str, expected: Collection[str]
) -> Table:
    if not rows:
        raise DataError(f"{name} is empty. Expected a row of column names, then a row for each example.")
    width = len(rows[0])
    while width > 1 and not any(row[width - 1 : width] != [""] for row in rows if len(row) >= width):
        width -= 1  # a spreadsheet's empty column
    if _is_header(rows, expected):
        header, rows, numbers = rows[0][:width], rows[1:], numbers[1:]
        columns = tuple(label.strip() or f"column {place}" for place, label in enumerate(header, 1))
    else:
        columns = tuple(f"column {place}" for place in range(1, width + 1))
        notes.append("The first row was read as an example, not as column names.")
    check_columns(name, columns)
    _check_widths(name, rows, numbers, columns, separator)
    cells = tuple(tuple(row[:width]) for row in rows)
    return Table(name, columns, cells, tuple(numbers), notes=tuple(notes))


def _is_header(rows: list[list[str]], expected: Collection[str]) -> bool:
    """Is the first row one of names: short, different, no numbers, and none a value of its own column?"""
    first = [cell.strip() for cell in rows[0]]
    if any(cell in expected for cell in first):
        return True
    if sum(plain_name(cell) in KNOWN_NAMES for cell in first) > 1:
        return True  # though two may be the same, which is refused later
    names = [cell for cell in first if cell]
    if not names or len(set(names)) < len(names) or any(len(cell.split()) > HEADER_WORDS for cell in names):
        return False
    if any(re.fullmatch(r"[-+]?[\d.,]+", cell) for cell in names):
        return False
    below = [Counter(row[place].strip() for row in rows[1:] if place < len(row)) for place in range(len(first))]
    return not any(cell and values[cell] for cell, values in zip(first, below, strict=True))


def _check_widths(
    name: str, rows: list[list[str]], numbers: list[int], columns: tuple[str, ...], separator: str
) -> None:
    """DataError for rows with fewer cells than columns, and for cells beyond the last one."""
    width = len(columns)
    ragged = [place for place, row in enumerate(rows) if len(row) < width or any(row[width:])]
    if not ragged:
        return
    row, number = rows[ragged[0]], numbers[ragged[0]]
    if len(row) < width:
        column = columns[len(row)]
        detail = f"row {number:,} has {len(row)} cell{'s' if len(row) > 1 else ''}: nothing for column {column!r}"
    else:
        column = f"column {width + 1}"
        detail = f"row {number:,} has {len(row)} cells: {excerpt(next(filter(None, row[width:])))} lies beyond the last"
    many = f"{len(ragged):,} rows have" if len(ragged) > 1 else "One row has"
    raise DataError(
        f"{name}: {many} other than {width} cells; {detail}. A text that holds the separator {separator!r} stands in "
        "quotation marks.",
        row=number,
        column=column,
    )
