"""Labelled data from a file, a folder, a data frame or lists: one way in for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bortlab.data.labelled import labels as kinds
from bortlab.data.labelled.checks import errors
from bortlab.data.labelled.columns import Columns, guess, is_words
from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.examples import SPLITS, Example, LabelledData
from bortlab.data.labelled.formats import SUFFIXES, Source, read_table
from bortlab.data.labelled.labels import Labels
from bortlab.data.labelled.splitting import NAMES, Splits, divide, given, is_splits
from bortlab.data.labelled.tables import Table, check_rows, excerpt
from bortlab.text.words import without_surrogates

SPLIT = "split"


def read(
    source: Source,
    *,
    text: str | None = None,
    pair: str | None = None,
    label: str | None = None,
    split: str | None = None,
    choices: str | Sequence[str] | None = None,
    task: str | None = None,
    name: str | None = None,
    seed: int = 0,
) -> LabelledData:
    """Labelled examples, split into train, dev and test.

    source: a file (CSV, TSV, JSON lines, JSON, Parquet, CoNLL, SQuAD), a folder of files named train, dev and test, a
    mapping of these to sources, an open binary file, a pandas data frame, (texts, labels), or what `read_table` gave.
    text, pair, label, split, choices: names of columns, guessed where they are not given (`guess`). task: one of
    `TASKS`, guessed from the labels where it is not given. Splits that are named are kept; those that are missing are
    taken from train, each class alike, by `seed` and content. Raises DataError, with row and column where there is one.
    """
    if task is not None and task not in kinds.TASKS:
        raise DataError(f"Unknown task {task!r}. Known: {', '.join(kinds.TASKS)}.")
    named = {"text": text, "pair": pair, "label": label, "split": split, "choices": choices}
    table = _joined(source, name, [column for column in (text, pair, label, split) if column])
    if not len(table):
        raise DataError(f"{table.name} has no examples, only column names.")
    columns = guess(table, **{role: value for role, value in named.items() if value})
    if columns.split and split is None and not is_splits(table.column(columns.split)):
        columns = replace(columns, split=None)
    examples, labels = _examples(table, columns, task)
    notes = [*table.notes, *labels.notes]
    splits = _split(table, columns, examples, labels, seed, notes)
    data = LabelledData(
        name=name or Path(table.name).stem,
        task=labels.task,
        problem_type=labels.problem_type,
        labels=labels.classes,
        train=splits["train"],
        dev=splits["dev"],
        test=splits["test"],
        source=f"{table.name}, {len(table):,} {table.unit}s",
        notes=tuple(notes),
    )
    for error in errors(data):
        raise DataError(f"{table.name}: {error.sentence}", row=next(iter(error.rows), 0), column=columns.label)
    return data


def _joined(source: Source, name: str | None, expected: Sequence[str]) -> Table:
    """A source as one table; several files are joined, with a column that says which split each row is of."""
    parts = _parts(source)
    if not parts:
        return read_table(source, name=name, expected=expected)
    tables = {split: read_table(part, expected=expected) for split, part in parts.items()}
    first = next(iter(tables.values()))
    for table in tables.values():
        if table.columns != first.columns:
            raise DataError(
                f"{table.name} has the columns {', '.join(table.columns)}, expected those of {first.name}: "
                f"{', '.join(first.columns)}."
            )
    if SPLIT in first.columns:
        raise DataError(
            f"{first.name} has a column {SPLIT!r}, but the files are splits themselves. Rename it.", column=SPLIT
        )
    title = name or (Path(source).name if isinstance(source, str | Path) else first.name)
    check_rows(title, sum(map(len, tables.values())))
    return Table(
        title,
        (*first.columns, SPLIT),
        tuple((*row, split) for split, table in tables.items() for row in table.rows),
        tuple(number for table in tables.values() for number in table.numbers),
        first.unit,
        tuple(dict.fromkeys(note for table in tables.values() for note in table.notes)),
    )


def _parts(source: Source) -> dict[str, Source]:
    """Split -> source of a mapping or a folder; {} for what is one source."""
    if isinstance(source, Mapping):
        if not source or not all(str(key).lower() in NAMES for key in source):
            raise DataError(
                f"Expected a mapping of train, dev and test to sources, got the keys {', '.join(map(repr, source))}."
            )
        return {NAMES[str(key).lower()]: part for key, part in source.items()}
    if not isinstance(source, str | Path) or not Path(source).is_dir():
        return {}
    files = sorted(path for path in Path(source).iterdir() if path.suffix.lower() in SUFFIXES)
    parts: dict[str, Source] = {}
    for path in files:
        words = [word for word in path.stem.lower().replace("_", "-").replace(".", "-").split("-") if word in NAMES]
        if words:
            split = NAMES[words[-1]]
            if split in parts:
                raise DataError(f"{source}: both {parts[split].name} and {path.name} are {split}. Leave one.")
            parts[split] = path
    if "train" not in parts:
        raise DataError(f"{source} is a folder without a file of training examples. Expected one such as train.csv.")
    return {split: parts[split] for split in SPLITS if split in parts}


def _text(cell: object) -> str:
    return "" if cell is None else without_surrogates(cell if isinstance(cell, str) else str(cell))


def _examples(table: Table, columns: Columns, task: str | None) -> tuple[list[Example], Labels]:
    """The examples of a table, and the labels they got theirs from."""
    numbers = table.numbers
    first_labels = next((cell for cell in table.column(columns.label) if cell not in (None, "")), None)
    if task is None:
        task = (
            kinds.WORDS
            if is_words(table, columns)
            else kinds.CHOICES
            if columns.choices
            else kinds.ANSWERS
            if _is_answers(first_labels)
            else kinds.TEXTS
        )
    if task == kinds.WORDS:
        words = [
            _words(cell, table, columns.text, number)
            for cell, number in zip(table.column(columns.text), numbers, strict=True)
        ]
        labels = kinds.read_word_labels(table, columns.label, words)
        made = [
            Example(" ".join(sentence), value, words=sentence, row=number)
            for sentence, value, number in zip(words, labels.values, numbers, strict=True)
        ]
        return made, labels
    texts = list(map(_text, table.column(columns.text)))
    pairs = [None] * len(texts) if columns.pair is None else list(map(_text, table.column(columns.pair)))
    options: list[tuple[str, ...]] = [()] * len(texts)
    if task == kinds.CHOICES:
        options = _options(table, columns)
        labels = kinds.read_choice_labels(table, columns.label, options)
    elif task == kinds.ANSWERS:
        if columns.pair is None:
            raise DataError(f"{table.name}: which column holds the passages? Name it: pair=…")
        labels = kinds.read_answers(table, columns.label, [pair or "" for pair in pairs])
    else:
        labels = kinds.read_text_labels(table, columns.label, None if task == kinds.TEXTS else task)
    made = [
        Example(*parts) for parts in zip(texts, labels.values, pairs, [()] * len(texts), options, numbers, strict=True)
    ]
    return made, labels


def _is_answers(cell: object) -> bool:
    """Is it SQuAD's list of answers?"""
    if isinstance(cell, dict):
        return "answer_start" in cell
    return isinstance(cell, list) and bool(cell) and isinstance(cell[0], dict) and "answer_start" in cell[0]


def _words(cell: object, table: Table, column: str, number: int) -> tuple[str, ...]:
    words = tuple(_text(cell).split()) if not isinstance(cell, list | tuple) else tuple(map(_text, cell))
    if not words or not all(word.strip() for word in words):
        raise table.error(number, column, f"expected words, got {excerpt(cell)}.")
    return words


def _options(table: Table, columns: Columns) -> list[tuple[str, ...]]:
    """The choices of each row: from a column of lists, or a column for each choice."""
    if not columns.choices:
        raise DataError(f"{table.name}: which columns hold the choices? Name them: choices=…")
    if len(columns.choices) == 1:
        options = [
            tuple(map(_text, cell)) if isinstance(cell, list | tuple) else ()
            for cell in table.column(columns.choices[0])
        ]
    else:
        cells = zip(*(table.column(column) for column in columns.choices), strict=True)
        options = [tuple(_text(cell) for cell in row if cell not in (None, "")) for row in cells]
    for row, number in zip(options, table.numbers, strict=True):
        if len(row) < 2:
            raise table.error(number, columns.choices[0], f"expected at least two choices, got {len(row)}.")
    return options


def _split(
    table: Table, columns: Columns, examples: list[Example], labels: Labels, seed: int, notes: list[str]
) -> Splits:
    """The splits that are given; those that are missing are taken from train."""
    parts: Splits = {"train": tuple(examples), "dev": (), "test": ()}
    if columns.split:
        parts = given(table, columns.split, examples)
        if not parts["train"]:
            raise DataError(f"{table.name}: column {columns.split!r} names no example train.", column=columns.split)
    missing = [split for split in ("dev", "test") if not parts[split]]
    if missing:
        divided = divide(parts["train"], labels.task, labels.problem_type, seed, missing)
        parts = {split: divided[split] or parts[split] for split in SPLITS}
        if columns.split:
            notes.append(f"{' and '.join(missing).capitalize()} was taken from train, 15% each, as none is given.")
    return parts
