"""Every source as a table: files by their name or content, data frames, lists."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bortlab.data.labelled.conll import read_conll
from bortlab.data.labelled.delimited import SAMPLE, encoding_of, read_delimited
from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.tables import MAX_BYTES, Table, check_columns, check_rows, excerpt, from_records
from bortlab.system.numbers import data_size

if TYPE_CHECKING:
    import pandas

SUFFIXES = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".conll": "conll",
    ".conllu": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
}
"""What a file's name says of its format; other names are decided by content."""
MAGIC = {
    b"PK\x03\x04": "a spreadsheet or a zip archive. Save the sheet as CSV (UTF-8), or unpack the archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet. Save the sheet as CSV (UTF-8)",
    b"%PDF": "a PDF. Copy its texts into a table",
    b"\x1f\x8b": "compressed. Unpack it first",
    b"\xfd7zXZ": "compressed. Unpack it first",
    b"BZh": "compressed. Unpack it first",
}
"""How files begin that are no table, and what to do with them."""
PARQUET = b"PAR1"
Source = Any
"""A path, an open binary file, a data frame, records, (texts, labels), (texts, pairs, labels), or a Table."""


def read_table(source: Source, *, name: str | None = None, expected: Collection[str] = ()) -> Table:
    """A source as a table; nothing is known yet of what its columns mean.

    source: the path of a file, an open binary file that can be searched (an upload), a pandas data frame, a list of
    mappings, or a tuple of lists: (texts, labels) or (texts, second texts, labels). name: what to call it. expected:
    names of columns that must be there. Raises DataError for what is too large or no table.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | Path):
        path = Path(source)
        try:
            if not path.is_file():
                raise DataError(f"There is no file {source!s}. Expected a file such as reviews.csv.")
            with path.open("rb") as stream:
                return _read_stream(name or path.name, stream, expected)
        except OSError as error:
            raise DataError(f"Cannot read {source!s}: {error}.") from error
    if hasattr(source, "read") and hasattr(source, "seek"):
        return _read_stream(name or Path(str(getattr(source, "name", "data"))).name, source, expected)
    if hasattr(source, "itertuples"):
        return _from_frame(name or "data frame", source)
    if isinstance(source, tuple) and len(source) in (2, 3):
        return _from_lists(name or "lists", source)
    if isinstance(source, Sequence) and source and all(isinstance(record, Mapping) for record in source):
        check_rows(name or "records", len(source))
        return from_records(name or "records", source)
    raise DataError(
        f"Cannot read examples from {type(source).__name__}. Expected a file, a data frame, (texts, labels), or a list "
        "of mappings."
    )


def _read_stream(name: str, stream: IO[bytes], expected: Collection[str]) -> Table:
    size = stream.seek(0, io.SEEK_END)
    if size > MAX_BYTES:
        raise DataError(
            f"{name} has {data_size(size)}, expected at most {data_size(MAX_BYTES)}. Take a sample of its rows."
        )
    stream.seek(0)
    start = stream.read(8)
    stream.seek(0)
    for magic, sentence in MAGIC.items():
        if start.startswith(magic):
            raise DataError(f"{name} is {sentence}.")
    kind = SUFFIXES.get(Path(name).suffix.lower()) or _kind_by_content(stream)
    if kind == "parquet":
        return _read_parquet(name, stream)
    if kind == "conll":
        return read_conll(name, stream)
    if kind == "json":
        return _read_json(name, stream)
    if kind == "jsonl":
        return _read_jsonl(name, stream)
    return read_delimited(name, stream, expected=expected)


def _kind_by_content(stream: IO[bytes]) -> str:
    """The format of a file whose name does not tell."""
    stream.seek(0)
    start = stream.read(SAMPLE)
    stream.seek(0)
    if start.startswith(PARQUET):
        return "parquet"
    text = start.decode("utf-8-sig", errors="replace").lstrip()
    if text[:1] not in ("{", "["):
        return "delimited"
    first = text.splitlines()[0]
    try:
        return "jsonl" if isinstance(json.loads(first), dict) and "\n" in text else "json"
    except ValueError:
        return "json"


@contextmanager
def _json_in_words(name: str, line: int = 0) -> Iterator[None]:
    """json's errors as DataError."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        at = error.lineno if isinstance(error, json.JSONDecodeError) and not line else line
        raise DataError(f"{name}, line {at:,}: this is no JSON ({error}).", row=at) from error


def _read_jsonl(name: str, stream: IO[bytes]) -> Table:
    encoding, note = encoding_of(stream)
    text = io.TextIOWrapper(stream, encoding)
    records: list[Mapping[str, object]] = []
    numbers: list[int] = []
    keys: set[str] = set()
    try:
        for number, line in enumerate(text, 1):
            if line.strip():
                with _json_in_words(name, number):
                    record = json.loads(line)
                if not isinstance(record, dict):
                    shape = '{"text": …, "label": …}'
                    got = excerpt(line.strip())
                    raise DataError(
                        f"{name}, line {number:,}: expected an object such as {shape}, got {got}.", row=number
                    )
                keys |= record.keys()
                check_columns(name, keys)
                records.append(record)
                numbers.append(number)
                check_rows(name, len(records))
    except UnicodeError as error:
        raise DataError(f"{name} is no {encoding} text: {error}. Save it as UTF-8.") from error
    finally:
        text.detach()
    if not records:
        raise DataError(f"{name} is empty. Expected a JSON object on each line.")
    table = from_records(name, records, numbers=numbers, unit="line")
    return Table(table.name, table.columns, table.rows, table.numbers, table.unit, (note,) if note else ())


def _read_json(name: str, stream: IO[bytes]) -> Table:
    """SQuAD's layout, or an array of objects."""
    encoding, _ = encoding_of(stream)
    with _json_in_words(name):
        document = json.loads(stream.read().decode(encoding))
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        document = document["data"]
        if any(isinstance(article, dict) and "paragraphs" in article for article in document):
            return _from_squad(name, document)
    if not isinstance(document, list) or not document or not all(isinstance(record, dict) for record in document):
        raise DataError(f"{name}: expected an array of objects, or SQuAD's layout (data, paragraphs, qas).")
    check_rows(name, len(document))
    return from_records(name, document)


def _from_squad(name: str, articles: list[Any]) -> Table:
    """A row a question; numbers count the questions."""
    records: list[Mapping[str, object]] = []
    try:
        for article in articles:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    none = question.get("is_impossible", False)
                    answers = [] if none else question["answers"]
                    records.append(
                        {"question": question["question"], "context": paragraph["context"], "answers": answers}
                    )
                    check_rows(name, len(records))
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{name}, after {len(records):,} questions: this is not SQuAD's layout ({error!r}). Expected "
            "data → paragraphs → context and qas → question and answers.",
            row=len(records) + 1,
        ) from error
    return from_records(name, records, unit="question")


def _read_parquet(name: str, stream: IO[bytes]) -> Table:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise DataError(f"{name} is Parquet. To read it: pip install pyarrow") from error
    try:
        file = parquet.ParquetFile(stream)
        about = file.metadata
        check_rows(name, about.num_rows)
        size = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
        if size > 4 * MAX_BYTES:
            raise DataError(f"{name} unpacks to {data_size(size)}, expected at most {data_size(4 * MAX_BYTES)}.")
        columns = file.read().to_pydict()
    except DataError:
        raise
    except Exception as error:  # pyarrow raises what it likes on a broken file
        raise DataError(f"{name} is no Parquet file that can be read: {error}") from error
    check_columns(name, columns)
    rows = tuple(zip(*columns.values(), strict=True))
    return Table(name, tuple(map(str, columns)), rows, tuple(range(1, len(rows) + 1)))


def _from_frame(name: str, frame: pandas.DataFrame) -> Table:
    """A data frame; numbers count its rows, whatever its index is."""
    check_rows(name, len(frame))
    columns = tuple(map(str, frame.columns))
    check_columns(name, columns)
    cells = [list(map(_plain, frame.iloc[:, place].tolist())) for place in range(len(columns))]
    rows = tuple(zip(*cells, strict=True))
    return Table(name, columns, rows, tuple(range(1, len(rows) + 1)))


def _plain(cell: object) -> object:
    """A cell of a data frame as Python has it; None where it is missing."""
    import pandas

    if isinstance(cell, float) and math.isnan(cell):
        return None
    if cell is pandas.NA or cell is pandas.NaT:
        return None
    return cell.tolist() if hasattr(cell, "tolist") else cell


def _from_lists(name: str, lists: tuple[Any, ...]) -> Table:
    columns = ("text", "label") if len(lists) == 2 else ("text", "pair", "label")
    for column, values in zip(columns, lists, strict=True):
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise DataError(f"Expected a list of {column}s, got {excerpt(values)}.", column=column)
    lengths = {column: len(values) for column, values in zip(columns, lists, strict=True)}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{count:,} {column}s" for column, count in lengths.items())
        raise DataError(f"Expected as many labels as texts, got {counts}.", column="label")
    check_rows(name, len(lists[0]))
    rows = tuple(zip(*(map(_plain, values) for values in lists), strict=True))
    return Table(name, columns, rows, tuple(range(1, len(rows) + 1)))
