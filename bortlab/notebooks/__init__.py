"""Jupyter notebooks: those that come with bortlab, and one for any view of the lab.

notebooks.bundled()                                    # name -> file
notebooks.notebook("Title", [Text("Why."), Code("1 + 1")])   # the text of an .ipynb file, without outputs
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bortlab.system import assets

INSTALL = """\
This notebook needs bortlab and its pictures. In a checkout of bortlab, once, with torch first and alone:

    pip install torch
    pip install '.[lab]' jupyterlab

The models are bundled: no network is needed."""
"""How to install what a notebook needs, in Markdown."""


@dataclass(frozen=True, slots=True)
class Text:
    """A cell of Markdown."""

    markdown: str


@dataclass(frozen=True, slots=True)
class Code:
    """A cell of Python."""

    python: str


def notebook(title: str, cells: Sequence[Text | Code]) -> str:
    """An .ipynb file (nbformat 4.5): a title, how to install, and these cells. The same cells give the same file."""
    first = Text(f"# {title}\n\n{INSTALL}")
    return (
        json.dumps(
            {
                "cells": [_cell(number, cell) for number, cell in enumerate([first, *cells])],
                "metadata": {
                    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                    "language_info": {"name": "python"},
                },
                "nbformat": 4,
                "nbformat_minor": 5,
            },
            ensure_ascii=False,
            indent=1,
        )
        + "\n"
    )


def _cell(number: int, cell: Text | Code) -> dict[str, Any]:
    text = (cell.markdown if isinstance(cell, Text) else cell.python).strip("\n")
    common = {"id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
    if isinstance(cell, Text):
        return {"cell_type": "markdown", **common}
    return {"cell_type": "code", "execution_count": None, **common, "outputs": []}


def bundled() -> dict[str, Path]:
    """The notebooks that come with bortlab, by name, in their order."""
    return {re.sub(r"^\d+-", "", path.stem): path for path in sorted(assets.NOTEBOOKS.glob("*.ipynb"))}


def title_of(path: Path) -> str:
    """The title of a notebook that `notebook` made."""
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "".join(cells[0]["source"]).splitlines()[0].removeprefix("# ")


def copy(name: str, folder: Path) -> Path:
    """Put a bundled notebook into a folder; the path of the copy. A file that is there already stays as it is.

    ValueError for a name that no notebook has; FileExistsError.
    """
    there = bundled()
    if name not in there:
        raise ValueError(f"There is no notebook {name!r}. There are: {', '.join(there)}.")
    target = folder / f"{name}.ipynb"
    folder.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as file:
        file.write(there[name].read_text(encoding="utf-8"))
    return target
