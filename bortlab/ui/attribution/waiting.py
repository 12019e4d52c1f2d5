"""What takes long: its job in place of a picture, with progress and a way to cancel it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from bortlab.analysis.attribution import work
from bortlab.model import Model
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import LaterError
from bortlab.views import attribution as draw
from bortlab.views.escape import markdown
from bortlab.work.jobs import Job

POLL_S = 1.0
"""Seconds between two looks at a job that runs."""
TAKES_LONG = "This takes longer than one wants to wait for. It can be computed in the background."


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
    """A job of one model: start, progress, cancel, and its table of tests if it made any."""
    status = job.status()
    alive = status is not None and status.alive
    st.fragment(_panel, run_every=POLL_S if alive else None)(job, model, offer, was_alive=alive)


def _panel(job: Job, model: Model, offer: str, *, was_alive: bool) -> None:
    """The same, drawn again and again while the job runs. was_alive: when the page was drawn."""
    status, name = job.status(), markdown(opened.title(model.key))
    found = work.result(job, model)
    if status is not None and status.alive:
        st.progress(status.progress, text=f"{name}: {markdown(status.message)}")
        if st.button("Cancel", key=f"cancel-{job.folder.name}", icon=":material/close:"):
            job.cancel()
            st.rerun()
    elif was_alive:
        st.rerun()
    else:
        if status is not None and status.state in ("failed", "cancelled"):
            (st.error if status.state == "failed" else st.info)(markdown(status.message))
        if status is None or status.state != "done":
            pressed = st.button(
                offer,
                key=f"start-{job.folder.name}",
                icon=":material/science:",
                help="In the background; it can be cancelled.",
            )
            if pressed:
                with shared.sentences():
                    job.start()
                    st.rerun()
    if any(one.deletion is not None for one in found.values()):
        st.markdown(f"**{name}**")
        st.dataframe(
            draw.checked_frame(found), hide_index=True, width="stretch", alt=f"{model.key}: all methods, tested",
            column_config={
                "completeness error": st.column_config.NumberColumn(format="percent"),
                "beats random, taken away": st.column_config.NumberColumn(format="percent"),
                "beats random, put back": st.column_config.NumberColumn(format="percent"),
            } | {
                column: st.column_config.NumberColumn(format="%.2f")
                for column in ("comprehensiveness", "comprehensiveness, random", "sufficiency", "sufficiency, random",
                               "repeatability", "random weights")
            },
        )  # fmt: skip
