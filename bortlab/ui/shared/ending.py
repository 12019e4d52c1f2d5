"""The end of a page: the numbers as a table, downloads, a link, Python, and what the page is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from bortlab.notebooks import Code, Text, notebook
from bortlab.ui.shared import recording
from bortlab.ui.shared.appearance import follow_theme
from bortlab.ui.shared.pictures import look
from bortlab.ui.shared.sharing import share
from bortlab.views.escape import csv_cell

if TYPE_CHECKING:
    import pandas

    from bortlab.views.view import View  # plotly is slow to import; the pages with pictures have it already

FOOTER = "bortlab runs on this machine alone: nothing you write leaves it."
"""The last element of every page; its presence shows that a page ran to its end."""


def together(tables: Sequence[pandas.DataFrame], *, first: Sequence[str]) -> pandas.DataFrame:
    """Tables below each other, with these columns in front; texts that repeat are sent once."""
    import pandas

    table = pandas.concat(tables, ignore_index=True)
    table = table[[*first, *(column for column in table.columns if column not in first)]]
    repeated = [name for name in table.columns if all(isinstance(value, str) for value in table[name])]
    return table.astype(dict.fromkeys(repeated, "category"))


def take_away(
    table: pandas.DataFrame,
    *,
    name: str,
    python: str,
    views: Sequence[View] = (),
    json: str | None = None,
    says: Mapping[str, object] | None = None,
    camera: bool = True,
) -> None:
    """The numbers as a table, to download; a link to this very view; the view in Python.

    views: to download as one HTML page. json: all there is to know, to download too. says: as in `link`. camera: ask
    how pictures are to be saved, which holds for the whole page and is asked once on it.
    """
    with st.expander("The numbers as a table", expanded=False):
        st.dataframe(table, hide_index=True, width="stretch", alt=f"{name}: the numbers of the pictures above")
    downloads(table, name=name, python=python, views=views, json=json, says=says, camera=camera)


def downloads(
    table: pandas.DataFrame,
    *,
    name: str,
    python: str,
    views: Sequence[View] = (),
    json: str | None = None,
    says: Mapping[str, object] | None = None,
    camera: bool = True,
) -> None:
    """As `take_away`, for a table that is shown already."""
    from bortlab.views.view import is_figure, page

    recording.note_table(name, table)
    colours = look()
    safe = table.map(lambda value: csv_cell(value) if isinstance(value, str) else value)
    button = partial(st.download_button, on_click="ignore", icon=":material/download:")
    with st.container(horizontal=True):
        button("CSV", safe.to_csv(index=False).encode("utf-8-sig"), f"{name}.csv", "text/csv")
        if json is not None:
            button("JSON", json.encode(), f"{name}.json", "application/json")
        if views:
            button("HTML", lambda: page(views, colours), f"{name}.html", "text/html")
        _code(name, python, says)
        if camera and any(is_figure(view) for view in views):
            st.segmented_control(
                "The camera above a picture saves", ["PNG", "SVG"], default="PNG", key="picture", required=True
            )


def as_code(*, name: str, python: str, says: Mapping[str, object] | None = None) -> None:
    """A link, Python and a notebook, for a view that has no numbers yet. says: as in `link`."""
    with st.container(horizontal=True):
        _code(name, python, says)


def _code(name: str, python: str, says: Mapping[str, object] | None) -> None:
    """The link, the Python and the notebook of a view, in a row."""
    address = link(says)
    recording.note_code(python, address)
    with st.popover("Link", icon=":material/link:"):
        share(address)
    with st.popover("As Python", icon=":material/code:"):
        st.caption("The same in a notebook.")
        st.code(python, language="python")
    st.download_button(
        "Open as notebook",
        lambda: _notebook(name, python, address),
        f"{name}.ipynb",
        "application/x-ipynb+json",
        key=f"notebook-{name}",
        on_click="ignore",
        icon=":material/download:",
        help="This view as a Jupyter notebook: how to install bortlab, and the lines of Python that make it.",
    )


def _notebook(name: str, python: str, address: str) -> str:
    """The present view as a notebook."""
    about = f"From the view at\n\n    {address}\n\nThe cell below makes it anew: the same text, models and settings."
    return notebook(f"{name.replace('-', ' ').capitalize()}: a view of the lab", [Text(about), Code(python)])


def link(says: Mapping[str, object] | None = None) -> str:
    """The address of this view: what the browser shows, and what matters most even where it is the usual.

    says: what that is, by the names of the link; None: the text and the models.
    """
    base = (st.context.url or "").split("?")[0]
    if says is None:
        says = {"text": st.session_state.get("text", ""), "models": st.session_state.get("models") or [""]}
    return f"{base}?{urlencode(st.query_params.to_dict() | dict(says), doseq=True)}"


def what_is_this(text: str) -> None:
    """Definition, formula, caveats and source."""
    with st.expander("What is this?"):
        st.markdown(text)


def footer() -> None:
    """The end of every page."""
    st.caption(FOOTER)
    follow_theme()
