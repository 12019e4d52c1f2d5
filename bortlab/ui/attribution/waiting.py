"""What is a lot of work: the panel of its job in place of a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import streamlit as st

from bortlab.analysis.attribution import Assessment, Question, work
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
    """Errors as sentences, and a job's panel in place of what is a lot of work."""
    with shared.sentences():
        try:
            yield
        except LaterError as later:
            st.info(TAKES_LONG, icon=":material/hourglass_top:")
            panel(later.job, later.question, "Compute it")


def panel(job: Job, question: Question, offer: str) -> None:
    """A job of one model, and the table of its tests if it made any. offer: the button that starts it."""
    key = question.model.key
    name = markdown(opened.title(key))

    def tested() -> None:
        results = work.result(job, question)
        if any(assessment.deletion is not None for assessment in results.values()):
            st.markdown(f"**{name}**")
            _table(results, key)

    labels = Labels(doing=name, start=offer, resume=f"Resume: {offer[:1].lower()}{offer[1:]}", help=HELP)
    job_panel(job, labels, results=tested)


def _table(results: Mapping[str, Assessment], key: str) -> None:
    """One row a method, with all its tests."""
    frame = draw.assessment_frame(results)
    formats = {name: "percent" if name in PERCENT else "%.2f" for name in frame.columns if name != "method"}
    st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        alt=f"{key}: all methods, tested",
        column_config={name: st.column_config.NumberColumn(format=format) for name, format in formats.items()},
    )
