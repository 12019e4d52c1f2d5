"""The visitor's report: *Save this view* on every page, what is collected, and a report taken up again.

All of it stands in the visitor's own session, bounded by what a report may hold.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import streamlit as st

import bortlab
from bortlab.ui import opened, shared
from bortlab.ui.contents import CONTENTS, title
from bortlab.ui.shared import recording
from bortlab.ui.shared.recording import Recording
from bortlab.views.escape import markdown

if TYPE_CHECKING:
    from bortlab.views.report.saved import Report, SavedView  # pydantic builds what checks a report

KEY = "report"
TITLE = "What I saw in the lab"


@dataclass(slots=True)
class Collection:
    """The views that a visitor saved, by numbers that no two share. problem: why the last one could not be saved."""

    title: str = TITLE
    views: dict[int, SavedView] = field(default_factory=dict)
    last: int = 0
    problem: str = ""

    def add(self, view: SavedView) -> None:
        """Put a view at the end. ValueError, with a sentence, if it has no room."""
        from bortlab.views.report import saved

        if len(self.views) >= saved.MOST_VIEWS:
            raise ValueError(
                f"A report holds {saved.MOST_VIEWS} views. Download it, and remove some under Your report."
            )
        size = self._size_with(view)
        if size > saved.MOST_BYTES:
            alone = Collection(self.title)._size_with(view)
            if alone > saved.MOST_BYTES:
                raise ValueError(
                    f"This view alone takes {alone / 1e6:.1f} MB of the {saved.MOST_BYTES / 1e6:.0f} MB of a report. "
                    "Choose fewer models or a shorter text."
                )
            raise ValueError(
                f"With this view the report would have {size / 1e6:.1f} MB, and it may have "
                f"{saved.MOST_BYTES / 1e6:.0f}. Download it, and remove some views under Your report."
            )
        self.last += 1
        self.views[self.last] = view

    def _size_with(self, view: SavedView) -> int:
        from bortlab.views.report.writing import to_html

        report = replace(self.report(), views=(*self.views.values(), view))
        return len(to_html(report).encode())

    def report(self) -> Report:
        """The collection as a report."""
        from bortlab.views.report.saved import Report

        return Report(self.title, tuple(self.views.values()))

    def move(self, number: int, by: int) -> None:
        """Move a view up (-1) or down (1); at an end it stays."""
        order = list(self.views)
        place = order.index(number)
        if 0 <= place + by < len(order):
            order[place], order[place + by] = order[place + by], order[place]
            self.views = {key: self.views[key] for key in order}

    def change(self, number: int, **changes: str) -> None:
        """Another name or note."""
        self.views[number] = replace(self.views[number], **changes)  # type: ignore[arg-type]


def collection() -> Collection:
    """The present visitor's."""
    own: Collection = st.session_state.setdefault(KEY, Collection())
    return own


@contextmanager
def saving(page: str) -> Iterator[None]:
    """Around the run of a page: where the visitor pressed *Save this view*, what it shows is saved at its end.

    A run that is broken off leaves the recording to the next one, which starts it anew.
    """
    if recording.current() is not None:
        st.session_state[recording.KEY] = Recording()
    yield
    record = recording.current()
    if record is None:
        return
    del st.session_state[recording.KEY]
    kept = collection()
    kept.problem = ""
    if not record.pictures and not record.tables:
        kept.problem = "There is no view on this page yet: nothing was saved."
        return
    try:
        kept.add(_saved_view(page or "home", record))
    except ValueError as error:
        kept.problem = str(error)
    else:
        st.toast(f"Saved. {_counted(len(kept.views))} in your report.", icon=":material/bookmark_added:")


def panel() -> None:
    """In the sidebar of every page: save, and look at what is collected."""
    kept = collection()
    with st.sidebar.container(gap="xsmall"):
        st.button(
            "Save this view",
            key="save-view",
            icon=":material/bookmark_add:",
            width="stretch",
            on_click=_record,
            help="Puts the pictures, the numbers and the Python of this page into your report.",
        )
        label = f"Your report: {_counted(len(kept.views))}" if kept.views else "Your report"
        if st.button(label, key="open-report", icon=":material/summarize:", width="stretch", type="tertiary"):
            _look_through()
        if kept.problem:
            st.warning(markdown(kept.problem))


def _record() -> None:
    st.session_state[recording.KEY] = Recording()


def _counted(number: int) -> str:
    return f"{number} {'view' if number == 1 else 'views'}"


def _saved_view(page: str, record: Recording) -> SavedView:
    """What a page has shown, as a report keeps it."""
    import torch

    from bortlab.views.report import saved

    address = urlsplit(record.address)
    query = parse_qs(address.query, keep_blank_values=True)
    if not record.address:
        address = urlsplit(st.context.url or "")
        query = {name: st.query_params.get_all(name) for name in st.query_params}
    parts = [str(st.session_state[name]) for name in ("view", "part") if st.session_state.get(name)]
    parts += query.get("lesson", [])
    tables = [saved.table_of(name.replace("-", " ").capitalize(), table) for name, table in record.tables.items()]
    return saved.SavedView(
        name=", ".join([title(page), *parts])[: saved.LONGEST_NAME],
        page=page,
        question=CONTENTS[page].question,
        base=address._replace(query="", fragment="").geturl(),
        query=query,
        saved=datetime.now(UTC).isoformat(timespec="seconds"),
        models={opened.title(key): version for key, version in record.models.items()},
        versions={"bortlab": bortlab.__version__, "torch": torch.__version__, "Python": platform.python_version()},
        pictures=tuple(saved.picture_of(view, shared.look().mode) for view in record.pictures),
        tables=tuple(tables or [saved.table_of(view.title, view.table) for view in record.pictures]),
        python=tuple(record.python),
    )


# -- what is collected -------------------------------------------------------------------------------------------------


@st.dialog("Your report", width="large", icon=":material/summarize:", on_dismiss="rerun")
def _look_through() -> None:
    """The views to name, order, annotate and remove; the file to download, and one to take up again."""
    kept = collection()
    if kept.views:
        st.text_input("Title", kept.title, key="report-title", max_chars=200, on_change=_entitle)
        for place, (number, view) in enumerate(kept.views.items(), 1):
            with st.container(border=True, gap="xsmall"):
                _row(place, number, view)
        _download(kept)
    else:
        st.markdown(
            "It is empty. *Save this view*, on any page, puts its pictures, numbers and Python here, and you download "
            "all of it as one file that needs no network."
        )
    _open(kept)


def _entitle() -> None:
    collection().title = st.session_state["report-title"] or TITLE


def _row(place: int, number: int, view: SavedView) -> None:
    """One view: its name and note, and what can be done with it."""
    count = len(collection().views)
    st.text_input(
        f"Name of view {place}",
        view.name,
        key=f"report-name-{number}",
        max_chars=200,
        on_change=_rename,
        args=(number,),
    )
    st.text_area(
        f"Note under view {place}",
        view.note,
        key=f"report-note-{number}",
        max_chars=5000,
        height=68,
        on_change=_annotate,
        args=(number,),
        placeholder="What is to be seen here?",
    )
    with st.container(horizontal=True, gap="xsmall"):
        if view.page in CONTENTS and st.button("Open", key=f"report-open-{number}", help="This view, in the lab."):
            st.switch_page(f"pages/{view.page}.py", query_params=view.query)
        for label, by, is_possible in (("Up", -1, place > 1), ("Down", 1, place < count)):
            st.button(
                label,
                key=f"report-{label}-{number}",
                icon=f":material/arrow_{label.lower()}ward:",
                on_click=collection().move,
                args=(number, by),
                disabled=not is_possible,
            )
        st.button("Remove", key=f"report-remove-{number}", icon=":material/delete:", on_click=_remove, args=(number,))


def _rename(number: int) -> None:
    name = st.session_state[f"report-name-{number}"].strip()
    if name:
        collection().change(number, name=name)


def _annotate(number: int) -> None:
    collection().change(number, note=st.session_state[f"report-note-{number}"])


def _remove(number: int) -> None:
    collection().views.pop(number, None)


def _download(kept: Collection) -> None:
    from bortlab.views.report.writing import to_html

    st.download_button(
        "Download",
        lambda: to_html(kept.report()),
        f"bortlab-report-{datetime.now(UTC):%Y-%m-%d}.html",
        "text/html",
        key="report-download",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )
    st.caption("One HTML file, to read and print without a network. The list here lasts until you reload the lab.")


def _open(kept: Collection) -> None:
    """Take up a report: its views come after those that are here."""
    key = f"report-file-{kept.last}"  # another box once it is read: the session does not keep the file
    st.file_uploader("Open a report", type="html", key=key, on_change=_take_up, args=(key,))
    if kept.problem:
        st.error(markdown(kept.problem))


def _take_up(key: str) -> None:
    from bortlab.views.report.reading import read

    kept, file = collection(), st.session_state[key]
    kept.problem = ""
    if file is None:
        return
    try:
        report = read(file.getvalue())
        if not kept.views:
            kept.title = report.title
        for view in report.views:
            kept.add(view)
    except ValueError as error:
        kept.problem = str(error)
