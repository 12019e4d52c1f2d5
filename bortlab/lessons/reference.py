"""The tables of docs/teaching.md: which lessons, measures and views there are, read off the program."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bortlab.lessons.measures import MEASURES
from bortlab.lessons.reading import available
from bortlab.lessons.scenes import SCENES
from bortlab.system.assets import LESSONS
from bortlab.system.documents import write_block


def tables() -> dict[str, str]:
    """Each table in Markdown, by its name."""
    bundled = available((LESSONS,))[0].values()
    lessons = [(lesson.title, lesson.header.question, str(lesson.header.minutes)) for lesson in bundled]
    measures = [(f"`{name}`", _settings(m.compute), _summary(m.compute)) for name, m in MEASURES.items()]
    views = [(f"`{name}`", _settings(function), _summary(function)) for name, function in SCENES.items()]
    return {
        "lessons": _table(("lesson", "question", "minutes"), lessons),
        "measures": _table(("measure", "settings", "what it is"), measures),
        "views": _table(("view", "settings", "what it shows"), views),
    }


def write(path: Path) -> None:
    """Put the tables into their blocks of a page."""
    for name, table in tables().items():
        write_block(path, name, table)


def _settings(function: Callable[..., Any]) -> str:
    """The settings that a function takes; those with a usual value show it."""
    written = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name != "context":
            usual = parameter.default
            remark = {inspect.Parameter.empty: "", None: " (optional)", (): " (optional)"}.get(
                usual, f" (else {usual})"
            )
            written.append(f"`{name}`{remark}")
    return ", ".join(written)


def _summary(function: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(function) or "").split())


def _table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return "\n".join([*head, *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)])
