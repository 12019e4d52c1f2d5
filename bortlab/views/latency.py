"""Measured times as pictures: bars with intervals, curves over length and batch, size against speed against quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import plotly.graph_objects as go

from bortlab.analysis.latency import Measured, Run, front, heldout_accuracy
from bortlab.analysis.latency.runtimes import RUNTIMES, Case, family_name, title
from bortlab.analysis.latency.timing import Interval
from bortlab.system.numbers import factor, milliseconds
from bortlab.views.escape import plotly
from bortlab.views.figures import FONT
from bortlab.views.theme import Look, translucent

ROW_HEIGHT = 46
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "x")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def shape(case: Case) -> str:
    """Batch and length: 8 × 128."""
    return f"{case.batch} × {case.seq}"


def condition(case: Case, differing: Sequence[str]) -> str:
    """What sets a case apart from the others but for model and shape: 1 thread, int8."""
    said = {
        "threads": f"{case.threads} thread{'' if case.threads == 1 else 's'}",
        "device": case.device,
        "dtype": case.dtype,
        "runtime": RUNTIMES[case.runtime].title.removeprefix("torch, ") if case.runtime in RUNTIMES else case.runtime,
        "output": case.output,
    }
    return ", ".join(said[name] for name in differing)


def differing(cases: Sequence[Case]) -> list[str]:
    """The conditions that are not the same for all."""
    names = [field.name for field in fields(Case) if field.name not in ("model", "batch", "seq")]
    return [name for name in names if len({getattr(case, name) for case in cases}) > 1]


def label(case: Case, cases: Sequence[Case]) -> str:
    """A case's name among others."""
    said = condition(case, differing(cases))
    return f"{title(case.model)}, {said}" if said else title(case.model)


# -- bars with intervals -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A bar: its name, its family, how long it is and between what, what stands at its end, and on hovering."""

    name: str
    family: str
    value: Interval
    text: str
    hover: str = ""


def time_rows(shown: Sequence[Measured]) -> list[Row]:
    """p50 of each case."""
    cases = [one.case for one in shown]
    return [
        Row(
            label(one.case, cases),
            family_name(one.case.model),
            one.p50,
            milliseconds(one.p50.value),
            f"p50 {milliseconds(one.p50.value)}, 95 % between {milliseconds(one.p50.low)} and "
            f"{milliseconds(one.p50.high)}; " + ", ".join(
                f"{name} {milliseconds(value)}" for name, value in (("p90", one.p90), ("p99", one.p99)) if value
            ) + f"; {one.times.size:,} calls, {one.per_second:,.3g} sequences a second",
        )
        for one in shown
    ]  # fmt: skip


def speed_rows(run: Run, shown: Sequence[Measured], baseline: str) -> list[Row]:
    """How many times as fast as the baseline each case is."""
    ratios = run.ratios(baseline)
    rows = []
    cases = [one.case for one in shown if one.case in ratios]
    for case in cases:
        speedup, verdict = ratios[case].speedup, ratios[case].verdict
        said = f"{factor(speedup.value)}, 95 % between {factor(speedup.low)} and {factor(speedup.high)}: {verdict}"
        text = factor(speedup.value) + ("" if ratios[case].real else " (not told apart)")
        rows.append(Row(label(case, cases), family_name(case.model), speedup, text, said))
    return rows


def roof_rows(run: Run, shown: Sequence[Measured]) -> list[Row]:
    """Arithmetic reached, in percent of what a matrix product reaches here."""
    rows = []
    cases = [one.case for one in shown]
    for one in shown:
        roof = run.roof(one.case)
        if roof is not None and one.flops:
            share = Interval(*(1e5 * one.flops / ms / roof for ms in (one.p50.value, one.p50.high, one.p50.low)))
            hover = f"{one.flops / 1e9:,.3g} GFLOP in {milliseconds(one.p50.value)}: "
            hover += f"{one.flops_per_second / 1e9:,.3g} of {roof / 1e9:,.3g} GFLOP/s"
            name = label(one.case, cases)
            rows.append(Row(name, family_name(one.case.model), share, f"{share.value:.0f} %", hover))
    return rows


def bars(rows: Sequence[Row], *, axis: str, look: Look, mark: float | None = None) -> go.Figure:
    """Bars with their intervals, names above them. mark: where a line stands, such as 1 for speed-ups."""
    end = max([row.value.high for row in rows] + ([mark] if mark else []))
    y = list(range(len(rows)))
    colours = [look.family(row.family) for row in rows]
    figure = go.Figure(
        [
            go.Bar(
                x=[row.value.value for row in rows], y=y, orientation="h", width=0.36,
                error_x={
                    "type": "data", "symmetric": False, "color": look.ink, "thickness": 1.5, "width": 5,
                    "array": [max(0.0, row.value.high - row.value.value) for row in rows],
                    "arrayminus": [max(0.0, row.value.value - row.value.low) for row in rows],
                },
                marker={"color": [translucent(colour, 0.45) for colour in colours], "cornerradius": 4,
                        "line": {"width": 1, "color": colours}},
                hovertext=[plotly(f"{row.name}: {row.hover}") for row in rows], hoverinfo="text",
            ),
            _labels([0] * len(rows), [n - 0.42 for n in y], [plotly(row.name) for row in rows], 14, look.ink),
            _labels([row.value.high for row in rows], y, [f"  {plotly(row.text)}" for row in rows], 14, look.ink),
        ],
        _layout(look) | {
            "height": ROW_HEIGHT * len(rows) + 62, "bargap": 0, "margin": {"l": 4, "r": 12, "t": 6, "b": 44},
            "xaxis": _axis(axis, look) | {"range": [0, end * 1.22], "zeroline": False},
            "yaxis": {"visible": False, "range": [len(rows) - 0.6, -0.75], "fixedrange": True},
        },
    )  # fmt: skip
    if mark is not None:
        figure.add_vline(x=mark, line={"color": look.faint, "width": 1.5, "dash": "dash"})
    return figure


def _labels(x: Sequence[float], y: Sequence[float], text: Sequence[str], size: int, colour: str) -> go.Scatter:
    """Text that begins at each point."""
    return go.Scatter(
        x=x, y=y, mode="text", text=text, textposition="middle right", textfont={"size": size, "color": colour},
        hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip


# -- curves ------------------------------------------------------------------------------------------------------------


def curves(run: Run, *, over: str, look: Look) -> go.Figure:
    """Times over length (over="seq"), or sequences a second over batch (over="batch"), with their intervals."""
    throughput = over == "batch"
    cases = [one.case for one in run.timed]
    names = differing(cases)
    others = [other for other in ("batch", "seq") if other != over and len({getattr(c, other) for c in cases}) > 1]
    lines: dict[tuple[str, str], list[Measured]] = {}
    for one in run.timed:
        about = [condition(one.case, names)] if names else []
        about += [f"batch {one.case.batch}" if other == "batch" else f"{one.case.seq} pieces" for other in others]
        lines.setdefault((one.case.model, ", ".join(about)), []).append(one)
    lines = {key: sorted(line, key=lambda one: getattr(one.case, over)) for key, line in lines.items() if len(line) > 1}
    figure = go.Figure(layout=_layout(look) | {
        "height": 420, "showlegend": True, "margin": {"l": 4, "r": 8, "t": 6, "b": 44},
        "legend": {"orientation": "h", "y": -0.2, "yanchor": "top", "font": {"color": look.ink}},
        "xaxis": _axis("sequences at once" if throughput else "pieces in a row", look) | {
            "type": "log", "tickvals": sorted({getattr(one.case, over) for line in lines.values() for one in line}),
        },
        "yaxis": _axis("sequences a second" if throughput else "milliseconds (p50)", look) | {
            "type": "log", "dtick": "D2", "automargin": True,
        },
    })  # fmt: skip
    used: dict[str, int] = {}
    for (model, said), line in lines.items():
        family = family_name(model)
        number = used[family] = used.get(family, -1) + 1
        name, colour = ", ".join(filter(None, [title(model), said])), look.family(family)
        value: Callable[[Measured, float], float] = (
            (lambda one, ms: 1000 * one.case.batch / ms) if throughput else (lambda one, ms: ms)
        )
        middle = [value(one, one.p50.value) for one in line]
        ends = [sorted((value(one, one.p50.low), value(one, one.p50.high))) for one in line]
        figure.add_trace(go.Scatter(
            x=[getattr(one.case, over) for one in line], y=middle, name=plotly(name), mode="lines+markers",
            line={"color": colour, "width": 2, "dash": _DASHES[number % len(_DASHES)]},
            marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 8},
            error_y={"type": "data", "symmetric": False, "thickness": 1.2, "width": 4, "color": colour,
                     "array": [high - y for y, (_, high) in zip(middle, ends, strict=True)],
                     "arrayminus": [y - low for y, (low, _) in zip(middle, ends, strict=True)]},
            hovertext=[
                plotly(f"{name}, {shape(one.case)}: {milliseconds(one.p50.value)}, {one.per_second:,.3g} a second")
                for one in line
            ],
            hoverinfo="text",
        ))  # fmt: skip
    return figure


# -- scatter -----------------------------------------------------------------------------------------------------------


def size_and_speed(shown: Sequence[Measured], *, look: Look) -> go.Figure:
    """Parameters against time, both on logarithmic scales."""
    cases = [one.case for one in shown]
    return go.Figure(
        [_points(
            [one.parameters / 1e6 for one in shown], [one.p50.value for one in shown], shown,
            [label(one.case, cases) for one in shown], look,
            [f"{one.parameters / 1e6:,.1f} M parameters, {milliseconds(one.p50.value)}" for one in shown],
        )],
        _layout(look) | {
            "height": 440, "margin": {"l": 4, "r": 8, "t": 24, "b": 44},
            "xaxis": _axis("parameters in millions", look) | {
                "type": "log", "dtick": "D2", "range": _log_range([one.parameters / 1e6 for one in shown], 0.25)},
            "yaxis": _axis("milliseconds (p50)", look) | {
                "type": "log", "dtick": "D2", "automargin": True,
                "range": _log_range([one.p50.value for one in shown], 0.12)},
        },
    )  # fmt: skip


def quality(shown: Sequence[Measured], *, look: Look) -> go.Figure:
    """Time against held-out accuracy, and the line of those that nobody beats in both; the area shows the size."""
    points = pareto_points(shown)
    kept = [one for one in shown if one.case in points]
    cases = [one.case for one in kept]
    best = front(points)
    milli, accuracy = [[points[case][axis] for case in cases] for axis in (0, 1)]
    largest = max(one.parameters for one in kept)
    known = [found for case in cases if (found := heldout_accuracy(case.model)) is not None]
    ends = [100 * end for found in known for end in (found.low, found.high)]
    return go.Figure(
        [
            go.Scatter(
                x=milli, y=accuracy, mode="markers", marker={"size": 1, "color": look.faint}, hoverinfo="skip",
                error_y={"type": "data", "array": [100 * (found.high - found.value) for found in known],
                         "color": look.faint, "thickness": 1.2, "width": 4},
            ),
            go.Scatter(
                x=[points[case][0] for case in best], y=[points[case][1] for case in best], mode="lines",
                line={"color": look.faint, "width": 1.5, "dash": "dot", "shape": "hv"}, hoverinfo="skip",
            ),
            _points(
                milli, accuracy, kept, [label(case, cases) for case in cases], look,
                [f"{milliseconds(x)}, {y:.1f} % right, {one.parameters / 1e6:.1f} M parameters"
                 for x, y, one in zip(milli, accuracy, kept, strict=True)],
                [12 + 26 * (one.parameters / largest) ** 0.5 for one in kept],
            ),
        ],
        _layout(look) | {
            "height": 420, "margin": {"l": 4, "r": 8, "t": 24, "b": 44},
            "xaxis": _axis("milliseconds (p50): faster to the left", look) | {"range": _range(milli, 0.35)},
            "yaxis": _axis("held-out masked pieces right, %", look) | {
                "range": _range(ends, 0.15), "automargin": True},
        },
    )  # fmt: skip


def pareto_points(shown: Sequence[Measured]) -> dict[Case, tuple[float, float]]:
    """(milliseconds, accuracy in percent) of those whose accuracy is known: the minis in float32."""
    return {
        one.case: (one.p50.value, 100 * accuracy.value)
        for one in shown
        if one.case.dtype == "float32" and (accuracy := heldout_accuracy(one.case.model)) is not None
    }


def _points(
    x: Sequence[float],
    y: Sequence[float],
    shown: Sequence[Measured],
    names: Sequence[str],
    look: Look,
    hover: Sequence[str],
    sizes: Sequence[float] | float = 13,
) -> go.Scatter:
    colours = [look.family(family_name(one.case.model)) for one in shown]
    return go.Scatter(
        x=x, y=y, mode="markers+text", text=[plotly(name) for name in names], cliponaxis=False,
        textposition=_positions(x, y), textfont={"size": 13, "color": look.ink},
        marker={"size": sizes, "color": [translucent(colour, 0.5) for colour in colours],
                "line": {"width": 1.5, "color": colours}},
        hovertext=[plotly(f"{name}: {said}") for name, said in zip(names, hover, strict=True)], hoverinfo="text",
    )  # fmt: skip


def _positions(x: Sequence[float], y: Sequence[float]) -> list[str]:
    """Above or below, by turns from left to right, so that names of neighbours keep clear of each other."""
    order = sorted(range(len(x)), key=lambda n: (x[n], y[n]))
    places = [""] * len(x)
    for number, n in enumerate(order):
        places[n] = "top center" if number % 2 == 0 else "bottom center"
    return places


# -- what all share ----------------------------------------------------------------------------------------------------


def _layout(look: Look) -> dict[str, object]:
    return {
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "dragmode": False, "showlegend": False,
        "font": {"family": FONT, "color": look.ink}, "hoverlabel": {"align": "left"},
    }  # fmt: skip


def _axis(name: str, look: Look) -> dict[str, object]:
    return {
        "title": {"text": name, "font": {"color": look.faint, "size": 13}, "standoff": 8}, "gridcolor": look.grid,
        "tickfont": {"color": look.faint}, "fixedrange": True, "zeroline": False,
    }  # fmt: skip


def _range(values: Sequence[float], room: float) -> list[float]:
    low, high = min(values), max(values)
    pad = room * ((high - low) or abs(high) or 1.0)
    return [low - pad, high + pad]


def _log_range(values: Sequence[float], room: float) -> list[float]:
    import math

    return _range([math.log10(value) for value in values], room)


def alternative(title: str, rows: Sequence[Row]) -> str:
    """What bars say, for people who cannot see them."""
    return f"{title}: {', '.join(f'{row.name} {row.text}' for row in rows)}."


def points_alternative(what: str, said: Mapping[str, str]) -> str:
    """What points or curves say, for people who cannot see them."""
    return f"{what}: {'; '.join(f'{name}: {text}' for name, text in said.items())}."
