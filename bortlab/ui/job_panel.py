"""The panel of a job, the same on every page: start, progress, time left, cancel, resume, and why it failed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import streamlit as st

from bortlab.system.numbers import duration
from bortlab.ui import shared
from bortlab.views.escape import markdown
from bortlab.work import jobs
from bortlab.work.jobs import Job, Status

POLL_S = 1.0
"""Seconds between two looks at a job that runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What a panel says about its job; every text is Markdown, so foreign names in it must be escaped.

    doing: what the job does, such as "Fitting the head". start: the button that starts it, resume: the one that goes on
    with a job that was cancelled or failed; without them it is started elsewhere. note: below the button. help, icon:
    of the button. meanwhile: said while it runs. cancel_help: of the Cancel button. stopped: what is said of a job
    that failed or was cancelled, its own message unless told otherwise.
    """

    doing: str
    start: str = ""
    resume: str = ""
    note: str = ""
    help: str | None = None
    icon: str = ":material/science:"
    meanwhile: str = ""
    cancel_help: str | None = None
    stopped: Callable[[Status], str] | None = None


def job_panel(
    job: Job,
    labels: Labels,
    *,
    results: Callable[[], None] | None = None,
    depends_on: Callable[[], Hashable] = lambda: None,
) -> None:
    """A job's panel, which follows the job by itself while it runs, and redraws the page when it has ended.

    results: draws what the job has found so far, below the panel. depends_on: what else the page was drawn from; the
    page is redrawn when that changes.
    """
    status = job.status()
    alive = status is not None and status.alive
    st.fragment(_panel, run_every=POLL_S if alive else None)(
        job, labels, results, depends_on, drawn=(alive, depends_on())
    )


def _panel(
    job: Job,
    labels: Labels,
    results: Callable[[], None] | None,
    depends_on: Callable[[], Hashable],
    *,
    drawn: tuple[bool, Hashable],
) -> None:
    """drawn: whether the job was alive, and what the page depended on, when the page was drawn."""
    status = job.status()
    alive = status is not None and status.alive
    if (alive, depends_on()) != drawn:
        st.rerun()
    if status is not None and alive:
        _progress(job, status, labels)
    else:
        _offer(job, status, labels)
    if results is not None:
        results()


def _progress(job: Job, status: Status, labels: Labels) -> None:
    st.progress(status.progress, text=" ".join(filter(None, [progress_text(job, status, labels), labels.meanwhile])))
    st.button(
        "Cancel",
        key=f"cancel-{job.folder.name}",
        icon=":material/close:",
        help=labels.cancel_help,
        on_click=job.cancel,
    )


def progress_text(job: Job, status: Status, labels: Labels) -> str:
    """How far a job is, in a sentence or two of Markdown."""
    if status.state == "queued":
        running = [other.name for other, state in jobs.listed() if state.state == "running" and other != job]
        return f"{labels.doing}: waiting for another job{f' ({markdown(running[0])})' if running else ''} to finish."
    seconds = status.numbers.get("seconds_left")
    left = f"{duration(seconds).capitalize()} left." if isinstance(seconds, int | float) and seconds > 0 else ""
    return " ".join(filter(None, [f"{labels.doing}.", markdown(status.message), left]))


def _offer(job: Job, status: Status | None, labels: Labels) -> None:
    interrupted = status is not None and status.state in ("failed", "cancelled")
    if status is not None and interrupted:
        sentence = labels.stopped(status) if labels.stopped else markdown(status.message)
        (st.error if status.state == "failed" else st.info)(sentence)
    if not labels.start or (status is not None and status.state == "done"):
        return
    label = labels.resume if interrupted and labels.resume else labels.start
    st.button(label, key=f"start-{job.folder.name}", icon=labels.icon, help=labels.help, on_click=_start, args=(job,))
    if labels.note:
        st.caption(labels.note)
    refusal = st.session_state.pop(_refusal(job), None)
    if refusal is not None:
        with shared.sentences():
            raise refusal


def _start(job: Job) -> None:
    """Answer a press before anything is drawn: a run that is replaced by another before its button would lose it."""
    try:
        job.start()
    except Exception as error:  # for the panel, which is drawn next: a callback has no place of its own on the page
        st.session_state[_refusal(job)] = error


def _refusal(job: Job) -> str:
    return f"refusal-{job.folder.name}"
