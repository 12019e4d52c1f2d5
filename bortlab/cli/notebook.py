"""List the notebooks that come with bortlab, or copy them into a folder of your own.

Each begins with how to install what it needs; open it with Jupyter, or with any program that reads .ipynb files. Every
page of the lab gives a notebook of its own, too: "Open as notebook", beside "As Python".
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
  bortlab notebook
  bortlab notebook quick-start layers --to my-notebooks\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which notebooks, and where to."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks to copy, `all` for all; none: list them")
    parser.add_argument(
        "--to", type=Path, default=Path(), metavar="FOLDER", help="where to (default: the current folder)"
    )
    parser.add_argument(
        "--make",
        type=Path,
        metavar="FOLDER",
        help="instead, make all of them anew from the lab's pages; for those who change a page",
    )


def run(options: argparse.Namespace) -> None:
    """List, copy or make."""
    from bortlab import notebooks

    if options.make is not None:
        from bortlab.ui.notebooks import make

        for path in make(options.make):
            print(path)
        return
    there = notebooks.bundled()
    if not options.names:
        for name, path in there.items():
            print(f"{name:<24} {notebooks.title_of(path)}")
        return
    for name in there if options.names == ["all"] else options.names:
        try:
            print(notebooks.copy(name, options.to))
        except FileExistsError as error:
            raise ValueError(f"{error.filename} is there already: move it, or name another folder by --to.") from None
