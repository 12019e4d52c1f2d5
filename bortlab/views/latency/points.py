"""Size against speed, and speed against quality."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from bortlab.analysis.latency.cases import Case, family_of
from bortlab.analysis.latency.findings import heldout_accuracy, pareto_front
from bortlab.analysis.latency.results import Measured
from bortlab.runtimes import RUNTIMES
from bortlab.system.numbers import milliseconds, short_count
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, layout
from bortlab.views.latency.labels import label
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View


def size_and_speed(cases: Sequence[Measured], look: Look) -> View:
    """Parameters against median time, both on logarithmic scales."""
    import pandas

    names = [label(measured.case, [other.case for other in cases]) for measured in cases]
    millions = [measured.parameters / 1e6 for measured in cases]
    ms = [measured.p50.value for measured in cases]
    texts = [f"{short_count(measured.parameters)} parameters, {milliseconds(measured.p50.value)}" for measured in cases]
    figure = go.Figure(
        [_points(millions, ms, cases, names, texts, look)],
        layout(
            look,
            440,
            margin={"l": 4, "r": 8, "t": 24, "b": 44},
            xaxis=grid_axis(look, "parameters in millions")
            | {"type": "log", "dtick": "D2", "range": _log_range(millions, 0.25)},
            yaxis=grid_axis(look, "milliseconds (p50)")
            | {"type": "log", "dtick": "D2", "automargin": True, "range": _log_range(ms, 0.12)},
        ),
    )
    alt = f"Size and speed: {'; '.join(f'{name}: {text}' for name, text in zip(names, texts, strict=True))}."
    table = pandas.DataFrame({"case": names, "parameters": [m.parameters for m in cases], "p50 ms": ms})
    return View("Size and speed", figure, alt, table, height=440)


def size_speed_quality(cases: Sequence[Measured], look: Look) -> View:
    """Median time against held-out accuracy, with the Pareto front; the area of a dot shows the number of weights."""
    import pandas

    points = pareto_points(cases)
    known = [measured for measured in cases if measured.case in points]
    names = [label(measured.case, list(points)) for measured in known]
    ms, accuracy = ([points[measured.case][axis] for measured in known] for axis in (0, 1))
    front = pareto_front(points)
    texts = [
        f"{milliseconds(x)}, {y:.1f}% right, {short_count(measured.parameters)} parameters"
        for x, y, measured in zip(ms, accuracy, known, strict=True)
    ]
    table = pandas.DataFrame(
        {
            "case": names,
            "p50 ms": ms,
            "held-out accuracy, %": accuracy,
            "parameters": [measured.parameters for measured in known],
            "on the Pareto front": [measured.case in front for measured in known],
        }
    )
    on_front = ", ".join(label(case, list(points)) for case in front)
    alt = (
        f"Speed and quality: {'; '.join(f'{name}: {text}' for name, text in zip(names, texts, strict=True))}. "
        f"On the Pareto front: {on_front}."
    )
    figure = _quality_figure(known, points, front, names, texts, look)
    return View("Size, speed and quality", figure, alt, table, height=420)


def pareto_points(cases: Sequence[Measured]) -> dict[Case, tuple[float, float]]:
    """(milliseconds, accuracy in percent) of the cases whose accuracy is known: the minis in float32."""
    return {
        measured.case: (measured.p50.value, 100 * accuracy.value)
        for measured in cases
        if measured.case.dtype == "float32"
        and RUNTIMES[measured.case.runtime].exact
        and (accuracy := heldout_accuracy(measured.case.model)) is not None
    }


def _quality_figure(
    known: Sequence[Measured],
    points: dict[Case, tuple[float, float]],
    front: Sequence[Case],
    names: Sequence[str],
    texts: Sequence[str],
    look: Look,
) -> go.Figure:
    ms, accuracy = ([points[measured.case][axis] for measured in known] for axis in (0, 1))
    intervals = [interval for measured in known if (interval := heldout_accuracy(measured.case.model)) is not None]
    most_parameters = max(measured.parameters for measured in known)
    accuracy_intervals = go.Scatter(
        x=ms,
        y=accuracy,
        mode="markers",
        marker={"size": 1, "color": look.faint},
        hoverinfo="skip",
        error_y={
            "type": "data",
            "array": [100 * (interval.high - interval.value) for interval in intervals],
            "color": look.faint,
            "thickness": 1.2,
            "width": 4,
        },
    )
    front_line = go.Scatter(
        x=[points[case][0] for case in front],
        y=[points[case][1] for case in front],
        mode="lines",
        line={"color": look.faint, "width": 1.5, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
    )
    sizes = [12 + 26 * (measured.parameters / most_parameters) ** 0.5 for measured in known]
    ends = [100 * end for interval in intervals for end in (interval.low, interval.high)]
    return go.Figure(
        [accuracy_intervals, front_line, _points(ms, accuracy, known, names, texts, look, sizes)],
        layout(
            look,
            420,
            margin={"l": 4, "r": 8, "t": 24, "b": 44},
            xaxis=grid_axis(look, "milliseconds (p50): faster to the left") | {"range": _range(ms, 0.35)},
            yaxis=grid_axis(look, "held-out masked pieces right, %")
            | {"range": _range(ends, 0.15), "automargin": True},
        ),
    )


def _points(
    x: Sequence[float],
    y: Sequence[float],
    cases: Sequence[Measured],
    names: Sequence[str],
    texts: Sequence[str],
    look: Look,
    sizes: Sequence[float] | float = 13,
) -> go.Scatter:
    """A named dot for each case, in its family's colour. texts: what is said on hovering."""
    colours = [look.family(family_of(measured.case.model).name) for measured in cases]
    return go.Scatter(
        x=x,
        y=y,
        mode="markers+text",
        text=[plotly(name) for name in names],
        cliponaxis=False,
        textposition=_text_positions(x, y),
        textfont={"size": 13, "color": look.ink},
        marker={
            "size": sizes,
            "color": [translucent(colour, 0.5) for colour in colours],
            "line": {"width": 1.5, "color": colours},
        },
        hovertext=[plotly(f"{name}: {text}") for name, text in zip(names, texts, strict=True)],
        hoverinfo="text",
    )


def _text_positions(x: Sequence[float], y: Sequence[float]) -> list[str]:
    """Above or below, alternating from left to right, so that names of neighbours do not overlap."""
    order = sorted(range(len(x)), key=lambda index: (x[index], y[index]))
    positions = [""] * len(x)
    for place, index in enumerate(order):
        positions[index] = "top center" if place % 2 == 0 else "bottom center"
    return positions


def _range(values: Sequence[float], room: float) -> list[float]:
    low, high = min(values), max(values)
    pad = room * ((high - low) or abs(high) or 1.0)
    return [low - pad, high + pad]


def _log_range(values: Sequence[float], room: float) -> list[float]:
    return _range([math.log10(value) for value in values], room)
