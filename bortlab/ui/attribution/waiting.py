"""What takes long: its job in place of a picture, with progress and a way to cancel it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import streamlit as st

from bortlab.analysis.attribution import work
from bortlab.model import Model
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import LaterError
from bortlab.ui.job_panel import Labels, job_panel
from bortlab.views import attribution as draw
from bortlab.views.escape import markdown
from bortlab.work.jobs import Job

TAKES_LONG = "This will take a while. It can be computed in the background."
HELP = "In the background; it can be cancelled."
PERCENT = ("completeness error", "beats random, taken away", "beats random, put back")
"""Columns of the table of tests that hold shares."""


@contextmanager
def answers() -> Iterator[None]:
    """Errors as sentences, and a job's panel in place of what takes long."""
    with shared.sentences():
        try:
            yield
        except LaterError as later:
            st.info(TAKES_LONG, icon=":material/hourglass_top:")
            panel(later.job, later.model, "Compute it")


def panel(job: Job, model: Model, offer: str) -> None:
    """A job of one model, and the table of its tests if it made any. offer: the button that starts it."""
    name = markdown(opened.title(model.key))

    def tested() -> None:
        found = work.result(job, model)
        if any(checked.deletion is not None for checked in found.values()):
            st.markdown(f"**{name}**")
            _table(found, model.key)

    labels = Labels(doing=name, start=offer, resume=f"Resume: {offer[:1].lower()}{offer[1:]}", help=HELP)
    job_panel(job, labels, results=tested)


def _table(found: Mapping[str, work.Checked], key: str) -> None:
    """One row a method, with all its tests."""
    frame = draw.checked_frame(found)
    formats = {name: "percent" if name in PERCENT else "%.2f" for name in frame.columns if name != "method"}
    st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        alt=f"{key}: all methods, tested",
        column_config={name: st.column_config.NumberColumn(format=format) for name, format in formats.items()},
    )
