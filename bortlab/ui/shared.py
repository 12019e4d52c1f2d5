"""What every page shares: the text, the models, the theme, asking a model, errors as sentences, tables, links."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlencode

import streamlit as st

from bortlab import hub, registry
from bortlab.model import Model, NonFiniteError
from bortlab.system.errors import BusyError
from bortlab.ui import opened, startup
from bortlab.ui.contents import CONTENTS
from bortlab.ui.examples import DEFAULT_TEXT
from bortlab.ui.startup import bundled
from bortlab.views.escape import csv_cell, markdown
from bortlab.views.theme import Look
from bortlab.work.pool import default_pool

if TYPE_CHECKING:
    import pandas
    from streamlit.delta_generator import DeltaGenerator

    from bortlab.views.view import View  # plotly is slow to import; the pages with pictures have it already

T = TypeVar("T")

LONGEST_TEXT = 20_000
"""Characters of a text that are looked at; what a model reads is shorter still, and says so."""
FOOTER = "bortlab runs on this machine alone: nothing you write leaves it."
"""The last element of every page; its presence shows that a page ran to its end."""

_log = logging.getLogger("bortlab")
_numbers = itertools.count()  # tell apart the buttons of several busy models on one page


def look() -> Look:
    """The colours of the visitor's theme."""
    return Look("dark" if st.context.theme.type == "dark" else "light")


def introduce(page: str) -> None:
    """The question of a page of CONTENTS, and one sentence on what it shows."""
    startup.inside_the_frame()
    st.title(CONTENTS[page].question, anchor=False)
    st.markdown(CONTENTS[page].summary)


def grid(items: Sequence[T], columns: int, *, stretch: bool = True) -> Iterator[tuple[T, DeltaGenerator]]:
    """Each item with a column of its own, `columns` to a row.

    stretch: a row of fewer items fills the width; otherwise its columns are as wide as those of a full row, except that
    a single item always has the full width.
    """
    for start in range(0, len(items), columns):
        row = items[start : start + columns]
        yield from zip(row, st.columns(len(row) if stretch or len(items) == 1 else columns, gap="medium"), strict=False)


# -- the visitor's choices ---------------------------------------------------------------------------------------------


def choose_models() -> list[str]:
    """The models to compare, in the sidebar and in the link."""
    usual = bundled()
    options = opened.choosable(usual)
    for key in [key for key in dict.fromkeys(st.query_params.get_all("models")) if key and key not in options][:5]:
        _explain_missing(key)
    return st.sidebar.multiselect(
        "Models",
        options,
        default=usual,
        key="models",
        bind="query-params",
        persist_state="session",
        help="The minis that come with the lab were all trained on the same text for the same time. The Models page "
        "opens others.",
    )


def _explain_missing(key: str) -> None:
    """Why a link's model is not among the options. A link never makes the lab load anything."""
    with sentences():
        if not registry.is_repository(key[:200]):
            key = registry.find(key[:200])[1].title
        st.info(f"{markdown(key)} is not loaded here; the link opens without it. The Models page can load it.")


def text_box() -> str:
    """The text, in a box that answers while one types, and in the link."""
    text = st.text_input(
        "Your text",
        value=DEFAULT_TEXT,
        key="text",
        bind="query-params",
        persist_state="session",
        live="300ms",
        placeholder="Write a sentence; [MASK] stands for a word to guess",
        help="Write [MASK] where a word is to be guessed. Several blanks are fine.",
    )
    text = text or ""
    if len(text) > LONGEST_TEXT:
        st.warning(f"The text has {len(text):,} characters; the first {LONGEST_TEXT:,} are used.")
    return text[:LONGEST_TEXT]


def set_text(text: str) -> None:
    """Put a text into the box; for callbacks only."""
    st.session_state["text"] = text


def is_current(text: str) -> bool:
    """Is this still what the box holds? In a callback it may be older than what was typed since."""
    return (st.session_state.get("text") or "")[:LONGEST_TEXT] == text


# -- asking models -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """An answer, and the time that computing it took."""

    value: T
    milliseconds: float


def ask(model: Model, key: Hashable, question: Callable[[Model], T]) -> Timed[T]:
    """Let a worker compute question(model). key: the question and its arguments; equal ones are computed once."""

    def timed() -> Timed[T]:
        started = time.perf_counter()
        value = question(model)
        return Timed(value, 1000 * (time.perf_counter() - started))

    with registry.loading.REGISTRY.in_use(model):
        return default_pool().run((model.fingerprint, key), timed, tick=_yield)


def _yield() -> None:
    """Let Streamlit stop or rerun this script: it looks at its requests whenever the session's state is read."""
    st.session_state.get("text")


@contextmanager
def sentences() -> Iterator[None]:
    """Turn errors into sentences on the page: what the visitor can mend as it is, anything else logged and named.

    Streamlit's own control flow is made of BaseExceptions and passes through.
    """
    try:
        yield
    except BusyError as busy:
        st.warning(markdown(str(busy)), icon=":material/hourglass_top:")
        st.button("Try again", key=f"again-{next(_numbers)}")
    except (ValueError, hub.HubError, registry.NeedsNetworkError, registry.TooLargeError, NonFiniteError) as error:
        st.error(markdown(str(error)))
    except Exception as error:
        _log.exception("A page failed")
        st.error(
            f"Something went wrong here ({markdown(type(error).__name__)}). Your text is kept; the server's log has "
            "the details. Change the text or the models, or reload the page."
        )


def choose_view(views: Mapping[str, T]) -> T:
    """One of a page's views, in the link; the others are not computed."""
    names = list(views)
    if st.session_state.get("view", names[0]) not in names:
        del st.session_state["view"]  # another page's: it must not appear in this page's address
    chosen = st.segmented_control("View", names, default=names[0], key="view", bind="query-params", required=True)
    return views[chosen or names[0]]


# -- pictures ----------------------------------------------------------------------------------------------------------


def picture(view: View, key: str, *, on_select: Callable[[], None] | None = None) -> None:
    """A view on the page, with what it says for people who cannot see it. on_select: what a click on a point does."""
    from bortlab.views.figures import CONFIG

    if isinstance(view.picture, str):
        st.iframe(view.picture, height=view.height, alt=view.alt)
        return
    config = CONFIG | {"toImageButtonOptions": {"format": (st.session_state.get("picture") or "PNG").lower()}}
    if on_select is None:
        st.plotly_chart(view.picture, theme=None, config=config, key=key, alt=view.alt)
    else:
        st.plotly_chart(
            view.picture, theme=None, config=config, key=key, alt=view.alt, on_select=on_select, selection_mode="points"
        )


def sentence(view: View) -> str:
    """What a view says in words, without its title."""
    said = view.alt.removeprefix(f"{view.title}: ")
    return said[:1].upper() + said[1:]


# -- the end of a page -------------------------------------------------------------------------------------------------


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
) -> None:
    """The numbers as a table, to download; a link to this very view; the view in Python.

    views: to download as one HTML page. json: all there is to know, to download too. says: as in `link`.
    """
    with st.expander("The numbers as a table", expanded=False):
        st.dataframe(table, hide_index=True, width="stretch", alt=f"{name}: the numbers of the pictures above")
    downloads(table, name=name, python=python, views=views, json=json, says=says)


def downloads(
    table: pandas.DataFrame,
    *,
    name: str,
    python: str,
    views: Sequence[View] = (),
    json: str | None = None,
    says: Mapping[str, object] | None = None,
) -> None:
    """As `take_away`, for a table that is shown already."""
    from bortlab.views.view import page

    now = look()
    safe = table.map(lambda value: csv_cell(value) if isinstance(value, str) else value)
    button = partial(st.download_button, on_click="ignore", icon=":material/download:")
    with st.container(horizontal=True):
        button("CSV", safe.to_csv(index=False).encode("utf-8-sig"), f"{name}.csv", "text/csv")
        if json is not None:
            button("JSON", json.encode(), f"{name}.json", "application/json")
        if views:
            button("HTML", lambda: page(views, now), f"{name}.html", "text/html")
        with st.popover("Link", icon=":material/link:"):
            st.caption("This link opens the same view.")
            st.code(link(says), language=None, wrap_lines=True)
        with st.popover("As Python", icon=":material/code:"):
            st.caption("The same in a notebook.")
            st.code(python, language="python")
        if any(not isinstance(view.picture, str) for view in views):
            st.segmented_control(
                "The camera above a picture saves", ["PNG", "SVG"], default="PNG", key="picture", required=True
            )


def link(says: Mapping[str, object] | None = None) -> str:
    """The address of this view: what the browser shows, and what matters most even where it is the usual.

    says: what that is, by the names of the link; None: the text and the models.
    """
    base = (st.context.url or "").split("?")[0]
    said = says
    if said is None:
        said = {"text": st.session_state.get("text", ""), "models": st.session_state.get("models") or [""]}
    return f"{base}?{urlencode(st.query_params.to_dict() | dict(said), doseq=True)}"


def what_is_this(text: str) -> None:
    """Definition, formula, caveats and source."""
    with st.expander("What is this?"):
        st.markdown(text)


def footer() -> None:
    """The end of every page."""
    st.caption(FOOTER)


def names(items: Sequence[str]) -> str:
    """a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
