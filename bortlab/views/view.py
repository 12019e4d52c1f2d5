"""What a view is: a picture with its title, what it says in words, and the same numbers as a table.

view.show()          # in a notebook: the picture and its table; elsewhere it opens a browser
view.page()          # a stand-alone HTML page, with no network
"""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from bortlab.views.escape import attribute, html
from bortlab.views.theme import Look

if TYPE_CHECKING:
    import pandas

LIGHT = Look("light")


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture: a plotly figure, or a whole HTML document of `height` pixels.

    alt: what it shows, for people who cannot see it. table: the numbers that are drawn.
    """

    title: str
    picture: go.Figure | str
    alt: str
    table: pandas.DataFrame
    height: int = 600

    def page(self) -> str:
        """A stand-alone HTML page with all it needs."""
        return self.picture if isinstance(self.picture, str) else page([self])

    def show(self) -> None:
        """The picture and its table in a notebook; elsewhere the picture in a browser."""
        try:
            from IPython import get_ipython  # there only where a notebook is
            from IPython.display import HTML, display

            inside = get_ipython() is not None
        except ImportError:
            inside = False
        if inside:
            frame = f'<iframe srcdoc="{attribute(self.page())}" width="100%" height="{self.height}" style="border:0">'
            drawn = HTML(f"{frame}</iframe>") if isinstance(self.picture, str) else self.picture  # type: ignore[no-untyped-call]
            display(drawn, self.table)  # type: ignore[no-untyped-call]
            return
        with tempfile.NamedTemporaryFile("w", suffix=".html", delete=False, encoding="utf-8") as file:
            file.write(self.page())
        webbrowser.open(Path(file.name).as_uri())


def page(views: Sequence[View], look: Look = LIGHT) -> str:
    """Several views as one stand-alone HTML page, in the colours they were drawn for."""
    parts, scripted = [], False
    for view in views:
        if isinstance(view.picture, str):
            frame = f'<iframe srcdoc="{attribute(view.picture)}" title="{attribute(view.title)}"'
            drawn = f'{frame} style="width:100%;height:{view.height}px;border:0"></iframe>'
        else:
            drawn = view.picture.to_html(full_html=False, include_plotlyjs=not scripted, config={"displaylogo": False})
            scripted = True
        parts.append(f"<section><h2>{html(view.title)}</h2><p>{html(view.alt)}</p>{drawn}</section>")
    style = f"font-family:sans-serif;background:{look.paper};color:{look.ink}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>bortlab</title></head>'
        f'<body style="{style}">{"".join(parts)}</body></html>'
    )
