"""Cells as labels: what the task is, which classes there are, and what each example's label is."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.examples import LabelOf
from bortlab.data.labelled.tables import Table, excerpt

CLASSES, SEVERAL, NUMBER = "single_label_classification", "multi_label_classification", "regression"
WORDS, CHOICES, ANSWERS = "token-classification", "multiple-choice", "question-answering"
TEXTS = "sequence-classification"
TASKS = (TEXTS, CLASSES, SEVERAL, NUMBER, WORDS, CHOICES, ANSWERS)
"""What `task` may be: a task as networks name it, or for whole texts the problem type, which TEXTS leaves open."""
MAX_CLASSES = 500
FEW = 20
"""Different numbers, at most, that are guessed to be classes."""
BETWEEN = "|"
"""Stands between several labels in one cell."""
DECIMAL = re.compile(r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?")
DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a table. values: one for each row; classes, notes and the rest as in LabelledData."""

    task: str
    problem_type: str | None
    classes: tuple[str, ...]
    values: tuple[LabelOf, ...]
    notes: tuple[str, ...] = ()


def read_text_labels(table: Table, column: str, problem_type: str | None) -> Labels:
    """The labels of whole texts; problem_type None: guessed.

    Raises DataError, with row and column, for a label that is missing or none of this kind, and for too many classes.
    """
    cells = [_clean(cell) for cell in table.column(column)]
    empty = [number for cell, number in zip(cells, table.numbers, strict=True) if cell is None]
    if empty and problem_type != SEVERAL and not any(isinstance(cell, tuple) for cell in cells):
        many = f"{len(empty):,} {table.unit}s have" if len(empty) > 1 else f"One {table.unit} has"
        raise DataError(
            f"{many} no label; the first is {table.unit} {empty[0]:,}, column {column!r}. Label them or "
            "leave them out.",
            row=empty[0],
            column=column,
        )
    problem_type = problem_type or _guess(table, column, cells)
    if problem_type == NUMBER:
        return _numbers(table, column, cells)
    if problem_type == SEVERAL:
        return _several(table, column, cells)
    return _classes(table, column, cells)


def _clean(cell: object) -> object:
    """A cell without spaces around it; None where it is empty, a tuple for a list."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if isinstance(cell, list | tuple | set):
        return tuple(str(_clean(part)) for part in cell)
    return cell


def number_of(cell: object) -> float | None:
    """A cell as a number, with a decimal point or comma; None where it is none."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    if isinstance(cell, str) and DECIMAL.fullmatch(cell):
        return float(cell.replace(",", "."))
    return None


def _guess(table: Table, column: str, cells: list[object]) -> str:
    """The kind of labels: lists are several labels, many different numbers are numbers, the rest are classes."""
    if any(isinstance(cell, tuple) or (isinstance(cell, str) and BETWEEN in cell.strip(BETWEEN)) for cell in cells):
        return SEVERAL
    numbers = [number for cell in cells if (number := number_of(cell)) is not None]
    n_different = len(set(numbers))
    fractions = any(not number.is_integer() for number in numbers)
    if n_different > FEW or (fractions and 2 * n_different > len(numbers)):
        if len(numbers) == len(cells):
            return NUMBER
        if len(numbers) >= 0.8 * len(cells):
            _numbers(table, column, cells)  # DataError, which names the one that is no number
    return CLASSES


def _numbers(table: Table, column: str, cells: list[object]) -> Labels:
    values: list[LabelOf] = []
    for cell, number in zip(cells, table.numbers, strict=True):
        value = number_of(cell)
        if value is None or not math.isfinite(value):
            raise table.error(number, column, f"expected a number, got {excerpt(cell)}.")
        values.append(value)
    if len(set(values)) < 2:
        raise DataError(
            f"{table.name}: every label in column {column!r} is {values[0]}. There is nothing to learn.", column=column
        )
    notes = ["Decimal commas were read."] if any(isinstance(cell, str) and "," in cell for cell in cells) else []
    return Labels(TEXTS, NUMBER, (), tuple(values), tuple(notes))


def _class_names(cells: Sequence[object]) -> list[str]:
    """Cells as names of classes; whole numbers lose a ".0" that a spreadsheet or a data frame gave them."""
    numbers = [number_of(cell) for cell in cells]
    if all(number is not None and math.isfinite(number) and number.is_integer() for number in numbers):
        plain = [str(cell) for cell in cells]
        if any("." in name or "," in name for name in plain):
            return [str(int(number)) for number in numbers if number is not None]
        return plain
    return [str(cell) for cell in cells]


def in_order(classes: set[str]) -> tuple[str, ...]:
    """Classes in the order of their numbers: as numbers where they all are, else by the alphabet."""
    numbers = {name: number_of(name) for name in classes}
    if all(number is not None for number in numbers.values()):
        return tuple(sorted(classes, key=lambda name: (numbers[name] or 0.0, name)))
    return tuple(sorted(classes))


def _check_classes(table: Table, column: str, counts: Counter[str], n_rows: int) -> None:
    """DataError for labels that are no classes: far too many, or hardly one of them twice."""
    n_classes = len(counts)
    dates = sum(DATE.fullmatch(name) is not None for name in counts)
    what = "dates" if 2 * dates > n_classes else "different labels"
    if n_classes > MAX_CLASSES or (n_classes > FEW and 2 * n_classes > n_rows):
        limit = f"expected at most {MAX_CLASSES}" if n_classes > MAX_CLASSES else "so hardly one occurs twice"
        raise DataError(
            f"{table.name}, column {column!r}: {n_classes:,} {what} in {n_rows:,} {table.unit}s, {limit}, such as "
            f"{excerpt(min(counts))}. Is this the column of labels? If so, put them into fewer groups.",
            column=column,
        )


def _classes(table: Table, column: str, cells: list[object]) -> Labels:
    names = _class_names(cells)
    counts = Counter(names)
    _check_classes(table, column, counts, len(names))
    notes = []
    if any(isinstance(cell, str) and cell != cell.strip() for cell in table.column(column)):
        notes.append("Spaces around labels were taken away.")
    if all(number_of(name) is not None for name in counts) and len(counts) > 2:
        notes.append(
            f"The {len(counts)} different numbers are taken as classes; with task={NUMBER!r} they are numbers."
        )
    if 2 * sum(DATE.fullmatch(name) is not None for name in counts) > len(counts):
        notes.append("The labels look like dates and are taken as classes.")
    lower = Counter(name.casefold() for name in counts)
    if alike := sorted(name for name in counts if lower[name.casefold()] > 1):
        notes.append(f"Some classes differ in capitals only: {', '.join(map(repr, alike[:6]))}.")
    return Labels(TEXTS, CLASSES, in_order(set(counts)), tuple(names), tuple(notes))


def _several(table: Table, column: str, cells: list[object]) -> Labels:
    lists = []
    split_at_bars = False
    for cell in cells:
        if isinstance(cell, str):
            split_at_bars |= BETWEEN in cell
            cell = tuple(part.strip() for part in cell.split(BETWEEN))
        parts = cell if isinstance(cell, tuple) else () if cell is None else (str(cell),)
        lists.append({str(part) for part in parts if part})
    counts = Counter(name for names in lists for name in names)
    if not counts:
        raise DataError(f"{table.name}: no {table.unit} has a label in column {column!r}.", column=column)
    _check_classes(table, column, counts, len(lists))
    classes = in_order(set(counts))
    values = tuple(tuple(name for name in classes if name in names) for names in lists)
    notes = ["Labels are lists, with | between them."] if split_at_bars else []
    return Labels(TEXTS, SEVERAL, classes, values, tuple(notes))


def read_word_labels(table: Table, column: str, words: list[tuple[str, ...]]) -> Labels:
    """A label for each word: lists, or text with a label for each word between spaces."""
    values = []
    for cell, number, sentence in zip(table.column(column), table.numbers, words, strict=True):
        labels = tuple(
            cell.split() if isinstance(cell, str) else map(str, cell if isinstance(cell, list | tuple) else ())
        )
        if len(labels) != len(sentence):
            raise table.error(number, column, f"{len(sentence)} words and {len(labels)} labels. Each word has one.")
        values.append(labels)
    counts = Counter(label for labels in values for label in labels)
    _check_classes(table, column, counts, counts.total())
    return Labels(WORDS, None, in_order(set(counts)), tuple(values))


def read_choice_labels(table: Table, column: str, choices: list[tuple[str, ...]]) -> Labels:
    """The place of the right choice, from 0; cells name it by place (from 0 or 1), by letter, or by its text."""
    cells = [_clean(cell) for cell in table.column(column)]
    numbers = [number_of(cell) for cell in cells]
    whole = all(number is not None and number.is_integer() for number in numbers)
    widest = max(map(len, choices))
    first = 1 if whole and 0 not in numbers and widest in numbers else 0
    values: list[LabelOf] = []
    for cell, place, options, number in zip(cells, numbers, choices, table.numbers, strict=True):
        letter = ord(cell.upper()) - ord("A") if isinstance(cell, str) and re.fullmatch("[A-Za-z]", cell) else -1
        at = int(place) - first if whole and place is not None else letter
        if isinstance(cell, str) and cell in options:
            at = options.index(cell)
        if not 0 <= at < len(options):
            sentence = f"expected which of the {len(options)} choices is right (a number, a letter, or its text)"
            raise table.error(number, column, f"{sentence}, got {excerpt(cell)}.")
        values.append(at)
    return Labels(CHOICES, None, (), tuple(values))


def read_answers(table: Table, column: str, contexts: list[str]) -> Labels:
    """The acceptable answers as (first character, text): SQuAD's lists, or the text of one answer."""
    values: list[LabelOf] = []
    for cell, context, number in zip(table.column(column), contexts, table.numbers, strict=True):
        answers = []
        for start, text in _answers(cell, context):
            if start < 0 or not text or context[start : start + len(text)] != text:
                where = f"the passage{f' at character {start:,}' if start >= 0 else ''}"
                raise table.error(number, column, f"the answer {excerpt(text)} does not stand in {where}.")
            answers.append((start, text))
        values.append(tuple(dict.fromkeys(answers)))
    return Labels(ANSWERS, None, (), tuple(values))


def _answers(cell: object, context: str) -> list[tuple[int, str]]:
    """(first character or -1, text) of each answer that a cell gives."""
    if isinstance(cell, dict):
        texts, starts = cell.get("text", []), cell.get("answer_start", [])
        if isinstance(texts, str):
            texts, starts = [texts], [starts]
        pairs = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=False)]
        return _answers(pairs, context)
    if isinstance(cell, list | tuple):
        found = []
        for answer in cell:
            if isinstance(answer, dict):
                text, start = str(answer.get("text", "")), answer.get("answer_start")
                found.append((start if isinstance(start, int) else context.find(text), text))
            else:
                found.append((context.find(str(answer)), str(answer)))
        return found
    return [(context.find(cell), cell)] if isinstance(cell, str) and cell else []
