"""What a report holds: plain values that go into a file and come back, each with a bound."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from bortlab.views.theme import Mode

if TYPE_CHECKING:
    import pandas

    from bortlab.views.view import View

FORMAT: Literal[1] = 1
LONGEST_NAME = 200
LONGEST_NOTE = 5_000
MOST_ROWS = 200
"""Rows of a table that a report keeps; the lab's CSV has all of them."""
MOST_VIEWS = 40
MOST_BYTES = 5_000_000
"""Of the file."""
MOST_VALUES_BYTES = 40_000_000
"""Of what is packed in the file, as JSON."""

Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Note = Annotated[str, Field(max_length=LONGEST_NOTE)]
Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class SavedTable:
    """The first rows of a table. length: how many rows there were."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    length: int


@dataclass(frozen=True, slots=True)
class SavedPicture:
    """A picture: a plotly figure as JSON, or a piece of HTML with its style sheet; neither for a whole document.

    mode: the theme that it was drawn for.
    """

    title: str
    alt: str
    mode: Mode
    figure: str = ""
    body: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view of the lab with all that it showed.

    page: the last part of its address. question: the page's title. query: the rest of the address, by name. base: the
    address of the lab's page. models: each with what tells it from others. versions: of the programs.
    """

    name: Name
    page: Name
    question: str
    base: str
    query: dict[str, list[str]]
    saved: str
    models: dict[str, str]
    versions: dict[str, str]
    pictures: tuple[SavedPicture, ...]
    tables: tuple[SavedTable, ...]
    python: tuple[str, ...]
    note: Note = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Views in the order of their reader."""

    title: Name
    views: Annotated[tuple[SavedView, ...], Field(max_length=MOST_VIEWS)] = ()
    format: Literal[1] = FORMAT


@cache
def adapter() -> TypeAdapter[Report]:
    """What writes a report as JSON, and reads it with all its types checked."""
    return TypeAdapter(Report)


def picture_of(view: View, mode: Mode) -> SavedPicture:
    """A picture as a report keeps it."""
    from bortlab.views.view import Fragment, is_figure

    if is_figure(view):
        return SavedPicture(view.title, view.alt, mode, figure=str(view.picture.to_json()))  # type: ignore[union-attr]
    if isinstance(view.picture, Fragment):
        sheets = re.findall(r"<style>(.*?)</style>", view.picture.style, re.DOTALL)
        return SavedPicture(view.title, view.alt, mode, body=view.picture.body, style="\n".join(sheets))
    return SavedPicture(view.title, view.alt, mode)


def table_of(title: str, frame: pandas.DataFrame) -> SavedTable:
    """The first rows of a table, with numbers of six digits."""
    rows = frame.head(MOST_ROWS).itertuples(index=False, name=None)
    return SavedTable(title, tuple(map(str, frame.columns)), tuple(map(_cells, rows)), len(frame))


def _cells(row: Iterable[Any]) -> tuple[Cell, ...]:
    return tuple(map(_cell, row))


def _cell(value: Any) -> Cell:
    """A number, a truth or nothing as such, anything else as text."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return float(f"{value:.6g}") if value == value else None
    return value if value is None or isinstance(value, bool | int) else str(value)
