"""Measuring: what to measure, the button that starts it, and the measurement in progress."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from bortlab.analysis import latency as analysis
from bortlab.analysis.latency import Plan
from bortlab.analysis.latency.cases import OUTPUTS, VARIANTS, title
from bortlab.analysis.latency.requirements import devices
from bortlab.models import FAMILIES
from bortlab.runtimes import DTYPES, RUNTIMES
from bortlab.system.machine import cores
from bortlab.system.numbers import data_size, duration
from bortlab.ui import shared
from bortlab.ui.job_panel import Labels, job_panel
from bortlab.ui.startup import bundled, minis
from bortlab.views.escape import markdown
from bortlab.work import jobs
from bortlab.work.jobs import Job, Status

LENGTHS = (8, 16, 32, 64, 128, 256, 512)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
EFFORTS = {"quick": (12, 0.2), "usual": (analysis.ROUNDS, analysis.SECONDS), "thorough": (60, 5.0)}
"""Rounds and seconds, at least, of each model."""
MOST_REASONS = 4
"""Combinations that are left out, of which it is said why."""


# -- the measurement in progress ---------------------------------------------------------------------------------------


def first_visit() -> None:
    """Measure the minis once, if nothing was ever measured here: a few seconds."""
    if bundled() and not analysis.kept() and latest_job() is None:
        with shared.sentences():
            analysis.job(analysis.quick()).start()


def latest_job() -> tuple[Job, Status] | None:
    """The latest measurement that was started as a job, by whomever."""
    return next(((job, status) for job, status in jobs.listed() if job.name == analysis.JOB_NAME), None)


def progress() -> None:
    """The latest measurement: how far it is, and a button that cancels it; or how it ended, unless it is done."""
    latest = latest_job()
    if latest is None:
        return
    job, status = latest
    labels = Labels(
        doing=f"Measuring {_models_of(job)}" if status.alive else "",
        meanwhile="The less this machine does meanwhile, the better.",
        cancel_help="What has been measured so far is kept.",
        stopped=_stopped,
    )
    job_panel(job, labels, depends_on=_latest_and_its_file)


def _models_of(job: Job) -> str:
    cases = Plan.from_dict(job.arguments).networks
    return markdown(shared.names(list(dict.fromkeys(title(case.model) for case in cases))))


def _latest_and_its_file() -> tuple[str, bool]:
    """Which measurement is the latest, and whether its file is there to look at: the page is drawn from both."""
    latest = latest_job()
    return ("", False) if latest is None else (latest[0].folder.name, _has_file(latest[1]))


def _has_file(status: Status) -> bool:
    path = status.numbers.get("path", "")
    return bool(path) and Path(path).is_file()


def _stopped(status: Status) -> str:
    """What is said of a measurement that failed or was cancelled."""
    if status.state == "failed":
        kept = " What was measured before is kept below." if _has_file(status) else ""
        reason = status.message.split(" Start it again")[0]
        return f"The last measurement failed. {markdown(reason)}{kept}"
    kept = "What was measured before is kept below." if _has_file(status) else "Nothing had been measured yet."
    return f"The last measurement was cancelled. {kept}"


def notice() -> None:
    """On other pages, while something is measured: what visitors run now affects it."""
    latest = latest_job()
    if latest is not None and latest[1].alive:
        st.sidebar.markdown(
            ":material/timer: *Latency is being measured on this machine. Running models now affects the timings.*"
        )


# -- starting one ------------------------------------------------------------------------------------------------------


def measure(*, opened: bool) -> None:
    """What to measure, what that takes, and the button."""
    with st.expander("Measure something else", expanded=opened), shared.sentences():
        plan = _chosen_plan()
        for reason in plan.left_out[:MOST_REASONS]:
            st.caption(f"Left out: {markdown(reason)}")
        if len(plan.left_out) > MOST_REASONS:
            st.caption(f"Also left out: {len(plan.left_out) - MOST_REASONS} more.")
        plan.check()
        measure_button("Measure", plan, key="measure", primary=True, costs=True)


def measure_button(label: str, plan: Plan, *, key: str, primary: bool = False, costs: bool = False) -> None:
    """Start a measurement; one at a time, for the whole lab. costs: say below it what the measurement takes.

    A press is answered in a callback, so before anything is drawn: a run of the page that is stopped above the button,
    as by a click elsewhere, would lose it.
    """
    latest = latest_job()
    busy = latest is not None and latest[1].alive
    st.button(
        label,
        key=f"start-{key}",
        icon=":material/timer:",
        type="primary" if primary else "secondary",
        disabled=busy,
        help="A measurement is running; there is one at a time." if busy else None,
        on_click=_start,
        args=(plan,),
    )
    if costs:
        memory = sum(stays + forward for stays, forward in plan.memory().values())
        cases = len(plan.networks)
        st.caption(
            f"{cases} {'case' if cases == 1 else 'cases'}, {duration(plan.estimated_seconds)}, up to "
            f"{data_size(memory)} of memory." + (" Another measurement is running: one at a time." if busy else "")
        )


def _start(plan: Plan) -> None:
    with shared.sentences():
        analysis.job(plan).start()


def _chosen_plan() -> Plan:
    """The visitor's choices, as a plan."""
    models = several(
        st,
        "Architectures",
        architectures(),
        minis(),
        "architectures",
        format_func=title,
        help="The minis with their own weights, all others with random ones: values do not change the time.",
    )
    most = cores()
    thread_counts = sorted({1, most, *(n for n in (2, 4, 8, 16, 32) if n < most)})
    first, second = st.columns(4), st.columns(4)
    lengths = several(first[0], "Pieces in a sequence", [str(n) for n in LENGTHS], ["16", "64", "128"], "pieces")
    batches = several(first[1], "Sequences at once", [str(n) for n in BATCHES], ["1"], "batch")
    threads = several(first[2], "Threads", [str(n) for n in thread_counts], [str(most)], "threads")
    output = first[3].selectbox(
        "What is run", list(OUTPUTS), key="output", bind="query-params", help="  \n".join(OUTPUTS.values())
    )
    programs = several(
        second[0],
        "Runtime",
        list(RUNTIMES),
        ["fused"],
        "runtime",
        help="  \n".join(f"{name}: {runtime.title}, {runtime.about}" for name, runtime in RUNTIMES.items()),
    )
    dtypes = several(second[1], "Precision", list(DTYPES), ["float32"], "precision")
    where = several(second[2], "Device", devices(), ["cpu"], "device")
    effort = second[3].selectbox(
        "Effort",
        list(EFFORTS),
        index=1,
        key="effort",
        bind="query-params",
        help="  \n".join(f"{name}: at least {n} rounds and {s:g} s each" for name, (n, s) in EFFORTS.items()),
    )
    rounds, seconds = EFFORTS[effort]
    return analysis.plan(
        models,
        output=output,
        batch=map(int, batches),
        seq=map(int, lengths),
        threads=map(int, threads),
        device=where,
        dtype=dtypes,
        runtime=programs,
        rounds=rounds,
        seconds=seconds,
    )


def several(where: Any, label: str, options: Sequence[Any], default: Sequence[Any], key: str, **more: Any) -> Any:
    """Several of the options, also in the link."""
    return where.multiselect(label, options, default=default, key=key, bind="query-params", **more)


def architectures() -> list[str]:
    """Every known architecture, each followed by its variants."""
    known = [
        checkpoint.key
        for family in FAMILIES.values()
        for checkpoint in family.checkpoints
        if checkpoint.source != "bundled" or checkpoint.key in bundled()
    ]
    return [
        name for key in known for name in (key, *(variant for variant in VARIANTS if variant.partition(":")[0] == key))
    ]
