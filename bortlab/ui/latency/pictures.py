"""The pictures of a result, and what can be read from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from bortlab.analysis.latency import BASELINES, Measured, Run, baseline_title
from bortlab.analysis.latency.cases import family_of, is_published
from bortlab.ui import shared
from bortlab.views import latency as draw
from bortlab.views.latency.sentences import findings
from bortlab.views.theme import Look
from bortlab.views.view import View

VIEWS = ("Times", "Speed-up", "Scaling", "Share of peak", "Size and speed", "Size, speed, quality")


def show(run: Run) -> tuple[str, Sequence[View]]:
    """One kind of picture of the cases of one shape, and what can be read from them; the baseline, and the pictures."""
    left, right, _ = st.columns([2, 2, 3])
    with left:
        cases = _cases_of_a_shape(run)
    with right:
        baseline = _baseline(run)
    offered = [name for name in VIEWS if _has_data(name, run, cases, baseline)]
    chosen = st.segmented_control("Show", offered, default=offered[0], key="view", label_visibility="collapsed")
    kind = chosen if chosen in offered else offered[0]
    views = _views(kind, run, cases, baseline, shared.look())
    for number, view in enumerate(views):
        shared.picture(view, key=f"latency-{kind}-{number}")
    if kind == "Size, speed, quality":
        st.caption(
            "The larger the dot, the more parameters. Dotted line: the Pareto front. Vertical bars: 95% confidence "
            "intervals of the accuracy, for as many held-out pieces as were hidden."
        )
    st.markdown(" ".join(findings(run, cases, baseline)))
    return baseline, views


def _shape(measured: Measured) -> tuple[int, int]:
    return measured.case.batch, measured.case.seq


def _cases_of_a_shape(run: Run) -> list[Measured]:
    """The cases of the shape that the visitor chooses; usually the first of those with the most cases."""
    shapes = list(dict.fromkeys(_shape(measured) for measured in run.timed))
    counts = [sum(_shape(measured) == shape for measured in run.timed) for shape in shapes]
    usual = counts.index(max(counts))
    chosen = st.selectbox(
        "Sequences × pieces",
        shapes,
        index=usual,
        format_func=lambda shape: f"{shape[0]} × {shape[1]}",
        key="shape",
        help="How many sequences at once, and how many pieces in each.",
    )
    chosen = chosen if chosen in shapes else shapes[usual]
    return [measured for measured in run.timed if _shape(measured) == chosen]


def _baseline(run: Run) -> str:
    """The model or condition to compare with; a published model of the reference family unless chosen otherwise."""
    baselines = list(run.models) if len(run.models) > 1 else []
    for name in draw.differing([measured.case for measured in run.timed]):
        if name in BASELINES:
            baselines += dict.fromkeys(f"{name}={getattr(measured.case, name)}" for measured in run.timed)
    baselines = baselines or list(run.models)
    references = [model for model in baselines if model in run.models and family_of(model).reference]
    usual = next(iter([*filter(is_published, references), *references, *baselines]))
    chosen = st.selectbox(
        "Baseline",
        baselines,
        index=baselines.index(usual),
        format_func=baseline_title,
        key="baseline",
        help="Speed-ups are over this model, or over the same model under this condition.",
    )
    return chosen if chosen in baselines else usual


def _has_data(kind: str, run: Run, cases: Sequence[Measured], baseline: str) -> bool:
    """Is there anything to see in this kind of picture?"""
    has_data: Mapping[str, bool] = {
        "Times": True,
        "Speed-up": any(measured.case in run.ratios(baseline) for measured in cases),
        "Scaling": bool(draw.scaling_axes(run)),
        "Share of peak": any(run.roof(measured.case) for measured in cases),
        "Size and speed": len({measured.case.model for measured in cases}) > 1,
        "Size, speed, quality": len(draw.pareto_points(cases)) > 1,
    }
    return has_data[kind]


def _views(kind: str, run: Run, cases: Sequence[Measured], baseline: str, look: Look) -> list[View]:
    match kind:
        case "Times":
            return [draw.times(cases, look)]
        case "Speed-up":
            return [draw.speed_ups(run, cases, baseline, look)]
        case "Scaling":
            return [draw.scaling(run, over=over, look=look) for over in draw.scaling_axes(run)]
        case "Share of peak":
            return [draw.share_of_peak(run, cases, look)]
        case "Size and speed":
            return [draw.size_and_speed(cases, look)]
        case _:
            return [draw.size_speed_quality(cases, look)]
