"""Which results there are to look at, where the chosen one was measured, and how to take it away."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import streamlit as st

from bortlab.analysis import latency as analysis
from bortlab.analysis.latency import Run, machine
from bortlab.analysis.latency.cases import shape, title
from bortlab.ui import shared
from bortlab.ui.latency.measuring import measure_button
from bortlab.views.escape import markdown
from bortlab.views.latency import label
from bortlab.views.view import View

MOST_RESULTS = 20
"""Measurements of this machine that are offered to look at, the latest."""
UPLOADED = "the uploaded file"
DEFAULTS = {"batch": [1], "device": ["cpu"], "dtype": ["float32"], "runtime": ["fused"]}
"""Arguments of `latency.plan` that need not be written."""


@functools.lru_cache(maxsize=64)
def _load(path: Path, modified: int) -> Run | None:
    """A result, with the intervals that were computed for it; None if it cannot be read. modified: of the file."""
    try:
        return analysis.load(path)
    except (OSError, ValueError):
        return None


@functools.lru_cache(maxsize=4)
def _read(content: bytes) -> Run:
    return analysis.read(content, name=UPLOADED)


def results() -> dict[str, Run]:
    """Every result that there is to look at, by its name: those of this machine first, the latest first."""
    runs = {}
    for path in [*analysis.kept()[:MOST_RESULTS], *analysis.recorded()]:
        try:
            run = _load(path, path.stat().st_mtime_ns)
        except OSError:  # removed meanwhile
            continue
        if run is not None and run.timed:
            runs[run.name] = run
    if (uploaded := _uploaded()) is not None:
        runs[UPLOADED] = uploaded
    return runs


def _uploaded() -> Run | None:
    file = st.session_state.get("upload")
    if file is None:
        return None
    try:
        return _read(file.getvalue())
    except ValueError:
        return None  # the page says so where the file was given


def is_recorded(run: Run) -> bool:
    """Did it come with the lab?"""
    return (analysis.RECORDED / f"{run.name}.json").is_file()


def name_of(run: Run) -> str:
    """A result in a few words."""
    what = title(run.models[0]) if len(run.models) == 1 else f"{len(run.models)} models"
    where = " · came with the lab" if is_recorded(run) else f" · {UPLOADED}" if run.name == UPLOADED else ""
    return f"{date_of(run)} · {what}{where}"


def date_of(run: Run) -> str:
    """When it was measured, in the server's time zone."""
    try:
        date = datetime.fromisoformat(str(run.environment.get("date", ""))).astimezone()
    except ValueError:
        return "unknown date"
    return f"{date.day} {date:%b %Y, %H:%M}"


def choose(runs: dict[str, Run]) -> Run | None:
    """The result that is shown: the latest of this machine, unless another one is chosen."""
    if not runs:
        return None
    newest = next(iter(runs))
    newest_before = st.session_state.get("newest-result")
    st.session_state["newest-result"] = newest
    if newest_before != newest or st.session_state.get("result") not in runs:  # it is what the visitor waited for
        st.session_state["result"] = newest
    chosen = st.selectbox(
        "Result",
        list(runs),
        format_func=lambda name: name_of(runs[name]),
        key="result",
        help="Measurements made here, and one that came with the lab.",
    )
    return runs[chosen or newest]


def about(run: Run) -> None:
    """Where and when it was measured, and how quiet the machine was."""
    lead = "**Not your machine:** recorded on " if is_recorded(run) else "**Measured on** "
    st.markdown(lead + markdown(" · ".join(_facts(run))))
    disturbed = run.disturbed()
    if disturbed and not is_recorded(run):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(
                f"The machine was busy. {markdown(' '.join(disturbed))} Intervals are wide; ratios are the most "
                "reliable."
            )
            if run.name != UPLOADED:
                measure_button("Measure again", run.plan, key="again")
    for measured in run.failed:
        case = measured.case
        st.info(f"**{markdown(label(case, run.plan.cases))}, {shape(case)}**: {markdown(measured.error)}")


def _facts(run: Run) -> list[str]:
    """What a measurement depends on, in a few words each."""
    environment = run.environment
    versions, power = environment.get("versions"), environment.get("power")
    threads = sorted({measured.case.threads for measured in run.timed})
    facts = [
        machine.described(environment),
        *(["virtual machine"] if environment.get("virtual") else []),
        f"{shared.names([str(n) for n in threads])} thread{'' if threads == [1] else 's'}",
        f"torch {versions.get('torch', '?') if isinstance(versions, dict) else '?'}",
        shared.names(list(dict.fromkeys(measured.case.dtype for measured in run.timed))),
        f"{run.rounds} rounds" + ("" if run.complete else " so far, or until it was stopped"),
        date_of(run),
    ]
    if isinstance(power, dict):
        facts += [f"{name}: {value}" for name, value in power.items()]
    if run.noise.load_before is not None:
        facts.append(f"load {run.noise.load_before:.1f}")
    if run.noise.others is not None:
        facts.append(f"other programs took {run.noise.others:.0%} of the processors")
    return facts


def take_away(run: Run, baseline: str, views: Sequence[View]) -> None:
    """Table, CSV, JSON, pictures, link and Python."""
    cases = run.plan.networks
    axes = {
        name: list(dict.fromkeys(getattr(case, name) for case in cases))
        for name in ("batch", "seq", "threads", "device", "dtype", "runtime")
    }
    arguments = "".join(f", {name}={values!r}" for name, values in axes.items() if DEFAULTS.get(name) != values)
    output = "" if cases[0].output == "encoder" else f", output={cases[0].output!r}"
    models = list(dict.fromkeys(case.model for case in cases))
    shared.take_away(
        run.frame(baseline),
        name="latency",
        views=views,
        python=(
            "from bortlab.analysis import latency\nfrom bortlab.views import latency as draw\n"
            "from bortlab.views.theme import Look\n\n"
            f"plan = latency.plan({models!r}{arguments}{output})\n"
            "run = latency.measure(plan)\n"
            f"print(run.frame({baseline!r}))\n"
            f"draw.times(run.timed, Look({shared.look().mode!r})).show()\n"
            'run.save("here.json")  # latency.load reads it again\n'
        ),
        json=run.to_json(),
    )
