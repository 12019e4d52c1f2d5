"""Labelled data as a file that `read` reads back, and that people look at in a spreadsheet or an editor."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.examples import Example, LabelledData
from bortlab.data.labelled.labels import ANSWERS, BETWEEN, CHOICES, WORDS
from bortlab.system.store import write

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def write_examples(data: LabelledData, path: Path) -> None:
    """Write all examples with their splits, as .csv, .tsv or .jsonl by the path's name.

    Raises DataError for another name, and for what a table of plain cells cannot hold (answers; words with spaces; a
    class with a bar among several).
    """
    suffix = path.suffix.lower()
    rows = [{"split": split, **_cells(data, example)} for split, part in data.splits.items() for example in part]
    if suffix == ".jsonl":
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    elif suffix in SEPARATORS:
        text = _table([_plain(data, row) for row in rows], SEPARATORS[suffix])
    else:
        raise DataError(f"Cannot write {path.name}: expected a name that ends in .csv, .tsv or .jsonl.")
    write(path, text.encode("utf-8", "surrogatepass"))


def _cells(data: LabelledData, example: Example) -> dict[str, object]:
    """An example as columns; lists stay lists."""
    if data.task == WORDS:
        return {"words": example.words, "labels": example.label}
    if data.task == ANSWERS:
        answers = [{"text": answer[1], "answer_start": answer[0]} for answer in example.label]  # type: ignore[union-attr]
        return {"question": example.text, "context": example.pair, "answers": answers}
    pair = {} if example.pair is None else {"pair": example.pair}
    choices = {"choices": example.choices} if data.task == CHOICES else {}
    return {"text": example.text, **pair, **choices, "label": example.label}


def _plain(data: LabelledData, row: dict[str, object]) -> dict[str, object]:
    """A row with text and numbers alone."""
    plain: dict[str, object] = {}
    for column, cell in row.items():
        if not isinstance(cell, list | tuple):
            plain[column] = cell
        elif column == "choices":
            plain |= {f"choice{number}": choice for number, choice in enumerate(cell, 1)}
        else:
            between = " " if data.task == WORDS else BETWEEN
            if data.task == ANSWERS or any(between in str(part) for part in cell):
                raise DataError(f"The {column} {cell!r} do not fit into a table's cell. Write a .jsonl file.")
            plain[column] = between.join(map(str, cell))
    return plain


def _table(rows: list[dict[str, object]], separator: str) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=separator, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
