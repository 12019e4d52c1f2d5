"""What a view is: a picture with its title, what it shows in words, and the same numbers as a table.

view                 # the last line of a notebook's cell: the picture
view.show()          # in a notebook: the picture and its table; elsewhere it opens a browser
view.page()          # a stand-alone HTML page, with no network
"""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from bortlab.views.escape import attribute, html, html_sentence
from bortlab.views.theme import Look

if TYPE_CHECKING:
    import pandas

LIGHT = Look("light")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A picture made of safe HTML, to stand on a page among others. style: the style sheet it needs, with its tag."""

    body: str
    style: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture: a plotly figure, a piece of HTML, or a whole HTML document.

    alt: what it shows, for people who cannot see it. table: the numbers that are drawn. height: of a document's frame,
    in pixels.
    """

    title: str
    picture: go.Figure | Fragment | str
    alt: str
    table: pandas.DataFrame
    height: int = 600

    def page(self) -> str:
        """A stand-alone HTML page with all it needs."""
        return self.picture if isinstance(self.picture, str) else page([self])

    def show(self) -> None:
        """The picture and its table in a notebook; elsewhere the picture in a browser."""
        if _in_notebook():
            from IPython.display import display

            display(self, self.table)  # type: ignore[no-untyped-call]
            return
        with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as file:
            file.write(self.page())
        webbrowser.open(Path(file.name).as_uri())

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        """What a notebook shows of it: plotly's own bundle where plotly knows the notebook, else HTML in a frame."""
        words: dict[str, Any] = {"text/plain": self.alt}
        if isinstance(self.picture, go.Figure):
            words |= self.picture._repr_mimebundle_()
            if len(words) > 1:
                return words
        if isinstance(self.picture, Fragment):
            return words | {"text/html": _drawn(self)}
        return words | {"text/html": _frame(self.page(), self)}


def is_figure(view: View) -> bool:
    """Is the picture a plotly figure, which can be saved as a picture?"""
    return isinstance(view.picture, go.Figure)


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython  # there only where a notebook is
    except ImportError:
        return False
    return get_ipython() is not None


def page(views: Sequence[View], look: Look = LIGHT) -> str:
    """Several views as one stand-alone HTML page, in the colours they were drawn for."""
    sections, scripted = [], False
    for view in views:
        drawn = _drawn(view, script=not scripted)
        scripted = scripted or isinstance(view.picture, go.Figure)
        sections.append(f"<section><h2>{html(view.title)}</h2><p>{html_sentence(view.alt)}</p>{drawn}</section>")
    style = f"font-family:sans-serif;background:{look.paper};color:{look.ink}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>bortlab</title></head>'
        f'<body style="{style}">{"".join(sections)}</body></html>'
    )


def _drawn(view: View, *, script: bool = True) -> str:
    """The picture as a part of an HTML page. script: with plotly's own, which a page needs once."""
    if isinstance(view.picture, str):
        return _frame(view.picture, view)
    if isinstance(view.picture, Fragment):
        return view.picture.style + view.picture.body
    drawn: str = view.picture.to_html(full_html=False, include_plotlyjs=script, config={"displaylogo": False})
    return drawn


def _frame(document: str, view: View) -> str:
    """A whole document inside another page."""
    return (
        f'<iframe srcdoc="{attribute(document)}" title="{attribute(view.title)}" '
        f'style="width:100%;height:{view.height}px;border:0"></iframe>'
    )
