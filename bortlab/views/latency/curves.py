"""Curves over sequence length and batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from bortlab.analysis.intervals import Interval
from bortlab.analysis.latency.cases import Case, family_of, shape, title
from bortlab.analysis.latency.results import Measured, Run
from bortlab.system.numbers import milliseconds
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, layout
from bortlab.views.latency.labels import condition, differing
from bortlab.views.theme import Look
from bortlab.views.view import View

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "x")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def scaling_axes(run: Run) -> list[str]:
    """What a result scales over: "seq", "batch", both or neither."""
    return [name for name in ("seq", "batch") if len({getattr(measured.case, name) for measured in run.timed}) > 1]


def scaling(run: Run, *, over: str, look: Look) -> View:
    """Times over length (over="seq"), or sequences a second over batch (over="batch"), with confidence intervals."""
    import pandas

    throughput = over == "batch"
    value_title = "sequences a second" if throughput else "milliseconds (p50)"
    lines = _lines(run, over)
    rows = []
    for name, line in lines.items():
        for measured in line:
            interval = _interval(measured, throughput)
            rows.append(
                {
                    "line": name,
                    "sequences at once": measured.case.batch,
                    "pieces": measured.case.seq,
                    value_title: interval.value,
                    "from": interval.low,
                    "to": interval.high,
                }
            )
    points = "; ".join(
        f"{name}: " + ", ".join(f"{milliseconds(measured.p50.value)} at {shape(measured.case)}" for measured in line)
        for name, line in lines.items()
    )
    heading = "Scaling with the batch" if throughput else "Scaling with the length"
    return View(
        heading,
        _figure(lines, over, value_title, look),
        f"{heading}: {points}.",
        pandas.DataFrame(rows),
        height=420,
    )


def _lines(run: Run, over: str) -> dict[str, list[Measured]]:
    """The cases that differ in `over` alone, by the name of their line; lines of at least two points."""
    cases = [measured.case for measured in run.timed]
    conditions = differing(cases)
    other = "batch" if over == "seq" else "seq"
    varies = len({getattr(case, other) for case in cases}) > 1
    lines: dict[str, list[Measured]] = {}
    for measured in run.timed:
        case = measured.case
        words = [title(case.model), condition(case, conditions)]
        if varies:
            words.append(f"batch {case.batch}" if other == "batch" else f"{case.seq} pieces")
        lines.setdefault(", ".join(filter(None, words)), []).append(measured)
    return {
        name: sorted(line, key=lambda measured: int(getattr(measured.case, over)))
        for name, line in lines.items()
        if len(line) > 1
    }


def _interval(measured: Measured, throughput: bool) -> Interval:
    """The median time, or the sequences a second at that time."""
    p50 = measured.p50
    if not throughput:
        return p50
    return Interval(*(1000 * measured.case.batch / ms for ms in (p50.value, p50.high, p50.low)))


def _figure(lines: Mapping[str, Sequence[Measured]], over: str, value_title: str, look: Look) -> go.Figure:
    ticks = sorted({_position(measured.case, over) for line in lines.values() for measured in line})
    figure = go.Figure(
        layout=layout(
            look,
            420,
            showlegend=True,
            margin={"l": 4, "r": 8, "t": 6, "b": 44},
            legend={"orientation": "h", "y": -0.2, "yanchor": "top", "font": {"color": look.ink}},
            xaxis=grid_axis(look, "sequences at once" if over == "batch" else "pieces in a sequence")
            | {"type": "log", "tickvals": ticks},
            yaxis=grid_axis(look, value_title) | {"type": "log", "dtick": "D2", "automargin": True},
        )
    )
    lines_of_family: dict[str, int] = {}
    for name, line in lines.items():
        family = family_of(line[0].case.model).name
        number = lines_of_family[family] = lines_of_family.get(family, -1) + 1
        figure.add_trace(_trace(name, line, over, number, look.family(family)))
    return figure


def _position(case: Case, over: str) -> int:
    return case.batch if over == "batch" else case.seq


def _trace(name: str, line: Sequence[Measured], over: str, number: int, colour: str) -> go.Scatter:
    """number: of this line among those of its family; it has a dash and a symbol of its own."""
    intervals = [_interval(measured, over == "batch") for measured in line]
    return go.Scatter(
        x=[_position(measured.case, over) for measured in line],
        y=[interval.value for interval in intervals],
        name=plotly(name),
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": _DASHES[number % len(_DASHES)]},
        marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 8},
        error_y={
            "type": "data",
            "symmetric": False,
            "thickness": 1.2,
            "width": 4,
            "color": colour,
            "array": [interval.high - interval.value for interval in intervals],
            "arrayminus": [interval.value - interval.low for interval in intervals],
        },
        hovertext=[
            plotly(
                f"{name}, {shape(measured.case)}: {milliseconds(measured.p50.value)}, "
                f"{measured.per_second:,.3g} sequences a second"
            )
            for measured in line
        ],
        hoverinfo="text",
    )
