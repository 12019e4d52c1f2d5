"""Bars with confidence intervals: times, speed-ups, and the share of the machine's peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from bortlab.analysis.intervals import Interval
from bortlab.analysis.latency.cases import family_of
from bortlab.analysis.latency.results import Measured, Run, baseline_title
from bortlab.system.numbers import factor, milliseconds
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, layout
from bortlab.views.latency.labels import interval_bars, label, words_from
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

ROW_HEIGHT = 46


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: its name and family, its length with the interval, the text at its end, and the text on hovering."""

    name: str
    family: str
    value: Interval
    text: str
    hover: str


def times(cases: Sequence[Measured], look: Look) -> View:
    """The median time of each case, with its confidence interval."""
    names = [measured.case for measured in cases]
    bars = []
    for measured in cases:
        p50 = measured.p50
        percentiles = "".join(
            f", {name} {milliseconds(value)}"
            for name, value in (("p90", measured.p90), ("p99", measured.p99))
            if value is not None
        )
        hover = (
            f"p50 {milliseconds(p50.value)}, 95% interval {milliseconds(p50.low)} to {milliseconds(p50.high)}"
            f"{percentiles}; {measured.times.size:,} calls, {measured.per_second:,.3g} sequences a second"
        )
        family = family_of(measured.case.model).name
        bars.append(Bar(label(measured.case, names), family, p50, milliseconds(p50.value), hover))
    return _view("Median times", "milliseconds", bars, look)


def speed_ups(run: Run, cases: Sequence[Measured], baseline: str, look: Look) -> View:
    """How many times as fast as the baseline each case is, with its confidence interval."""
    ratios = run.ratios(baseline)
    compared = [measured.case for measured in cases if measured.case in ratios]
    bars = []
    for case in compared:
        ratio, speedup = ratios[case], ratios[case].speedup
        interval = f"95% interval {factor(speedup.low)} to {factor(speedup.high)}"
        text = factor(speedup.value) + ("" if ratio.significant else f" ({ratio.verdict})")
        bars.append(
            Bar(
                label(case, compared),
                family_of(case.model).name,
                speedup,
                text,
                f"{factor(speedup.value)}, {interval}: {ratio.verdict}",
            )
        )
    title = f"times as fast as {baseline_title(baseline)}"
    return _view(title, title, bars, look, mark=1.0)


def share_of_peak(run: Run, cases: Sequence[Measured], look: Look) -> View:
    """Arithmetic that was reached, as a percentage of what one large matrix product reaches here."""
    names = [measured.case for measured in cases]
    bars = []
    for measured in cases:
        roof = run.roof(measured.case)
        if roof is not None and measured.flops:
            p50 = measured.p50
            share = Interval(*(1e5 * measured.flops / ms / roof for ms in (p50.value, p50.high, p50.low)))
            hover = (
                f"{measured.flops / 1e9:,.3g} GFLOP in {milliseconds(p50.value)}: "
                f"{measured.flops_per_second / 1e9:,.3g} of {roof / 1e9:,.3g} GFLOP/s"
            )
            name, family = label(measured.case, names), family_of(measured.case.model).name
            bars.append(Bar(name, family, share, f"{share.value:.0f}%", hover))
    title = "% of the arithmetic of one large matrix product"
    return _view(title, title, bars, look)


def _view(title: str, axis_title: str, bars: Sequence[Bar], look: Look, mark: float | None = None) -> View:
    import pandas

    table = pandas.DataFrame(
        [{"case": bar.name, axis_title: bar.value.value, "from": bar.value.low, "to": bar.value.high} for bar in bars]
    )
    alt = f"{title}: {', '.join(f'{bar.name} {bar.text}' for bar in bars)}."
    figure = _figure(bars, axis_title, look, mark)
    return View(title, figure, alt, table, height=figure.layout.height)


def _figure(bars: Sequence[Bar], axis_title: str, look: Look, mark: float | None) -> go.Figure:
    """Bars with their intervals, names above them. mark: where a line stands, such as 1 for speed-ups."""
    end = max([bar.value.high for bar in bars] + ([mark] if mark else []))
    rows = list(range(len(bars)))
    figure = go.Figure(
        [
            _drawn(bars, rows, look),
            words_from([0] * len(bars), [row - 0.42 for row in rows], [plotly(bar.name) for bar in bars], look),
            words_from([bar.value.high for bar in bars], rows, [f"  {plotly(bar.text)}" for bar in bars], look),
        ],
        layout(
            look,
            ROW_HEIGHT * len(bars) + 62,
            bargap=0,
            margin={"l": 4, "r": 12, "t": 6, "b": 44},
            xaxis=grid_axis(look, axis_title) | {"range": [0, end * 1.22]},
            yaxis={"visible": False, "range": [len(bars) - 0.6, -0.75], "fixedrange": True},
        ),
    )
    if mark is not None:
        figure.add_vline(x=mark, line={"color": look.faint, "width": 1.5, "dash": "dash"})
    return figure


def _drawn(bars: Sequence[Bar], rows: Sequence[int], look: Look) -> go.Bar:
    colours = [look.family(bar.family) for bar in bars]
    return go.Bar(
        x=[bar.value.value for bar in bars],
        y=rows,
        orientation="h",
        width=0.36,
        error_x=interval_bars([bar.value for bar in bars], look),
        marker={
            "color": [translucent(colour, 0.45) for colour in colours],
            "cornerradius": 4,
            "line": {"width": 1, "color": colours},
        },
        hovertext=[plotly(f"{bar.name}: {bar.hover}") for bar in bars],
        hoverinfo="text",
    )
