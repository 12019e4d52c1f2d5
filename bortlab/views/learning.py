"""Learning curves, and what can be read from them."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from bortlab.analysis.learning import KINDS, LearningCurve, frame, pieces_to, ranked
from bortlab.system.numbers import short_count
from bortlab.views.escape import plotly, visible
from bortlab.views.figures import grid_axis, layout, legend_above, plain_axis
from bortlab.views.theme import Look
from bortlab.views.view import LIGHT, View

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")
CLOSE, CLOSE_LOSS = 0.01, 0.05
"""Accuracies, and losses, that differ by less are not told apart: a point is measured on part of the held-out text."""
SOONER = 0.9
"""A share of the pieces that is worth a sentence."""


def title_of(measure: str) -> str:
    """What a measure is called."""
    if measure == "loss":
        return "Held-out loss (nats)"
    where = "" if measure == "accuracy" else f", {KINDS.get(measure, measure)}"
    return f"Held-out accuracy{where}"


def written(measure: str, value: float) -> str:
    """A value of a measure, as people read it."""
    return f"{value:.2f}" if measure == "loss" else f"{100 * value:.1f}%"


def learning_curves(curves: Sequence[LearningCurve], *, measure: str = "accuracy", look: Look = LIGHT) -> View:
    """A measure by pieces seen, a line a model; one that was pre-trained elsewhere is dashed."""
    title = title_of(measure)
    figure = go.Figure(
        [_line(curve, measure, SYMBOLS[number % len(SYMBOLS)], look) for number, curve in enumerate(curves)],
        layout(
            look,
            340,
            **legend_above(),
            xaxis=plain_axis(look, "pieces seen", rangemode="tozero"),
            yaxis=grid_axis(look, title, **({} if measure == "loss" else {"tickformat": ".0%"})),
        ),
    )
    parts = [
        f"{curve.title}: " + ", ".join(written(measure, value) for value in curve.values(measure)) for curve in curves
    ]
    alt = visible(f"{title} by pieces seen, from the first measured point to the last. {'; '.join(parts)}.")
    return View(f"{title} by pieces seen", figure, alt, frame(curves))


def _line(curve: LearningCurve, measure: str, symbol: str, look: Look) -> go.Scatter:
    colour = look.family(curve.family)
    values = curve.values(measure)
    return go.Scatter(
        x=curve.pieces.tolist(),
        y=values.tolist(),
        mode="lines+markers",
        name=plotly(curve.title),
        line={"color": colour, "width": 2.5, "dash": "solid" if curve.from_scratch else "dash"},
        marker={"symbol": symbol if curve.from_scratch else f"{symbol}-open", "size": 9, "color": colour},
        hovertext=[
            plotly(f"{curve.title}, {short_count(pieces)} pieces: {written(measure, value)}")
            for pieces, value in zip(curve.pieces, values, strict=True)
        ],
        hoverinfo="text",
    )


def sentences(curves: Sequence[LearningCurve], measure: str) -> list[str]:
    """What can be read from the curves of models that were trained alike, in plain sentences."""
    alike = [curve for curve in curves if curve.from_scratch]
    if len(alike) < 2:
        return []
    first, last = (ranked(alike, measure, point) for point in (0, -1))
    best, second, weakest = last[0], last[1], last[-1]
    if _told_apart(best, second, measure):
        lines = [f"In the end {_with_value(best, measure)} is ahead; last is {_with_value(weakest, measure)}."]
    else:
        lines = [
            f"In the end {_with_value(best, measure)} and {_with_value(second, measure)} are too close to tell apart."
        ]
    if _told_apart(first[0], best, measure, 0):
        start = short_count(first[0].pieces[0])
        lines.append(f"At the first point, {start} pieces, {_with_value(first[0], measure, 0)} was ahead.")
    pieces = pieces_to(best, measure, float(weakest.values(measure)[-1]))
    if pieces is not None and pieces < SOONER * weakest.pieces[-1]:
        when = "by the first point" if pieces <= best.pieces[0] else f"after {short_count(pieces)}"
        budget = short_count(weakest.pieces[-1])
        lines.append(f"What {weakest.title} reaches with {budget} pieces, {best.title} had reached {when}.")
    return lines


def _with_value(curve: LearningCurve, measure: str, point: int = -1) -> str:
    return f"{curve.title} ({written(measure, float(curve.values(measure)[point]))})"


def _told_apart(curve: LearningCurve, other: LearningCurve, measure: str, point: int = -1) -> bool:
    difference = abs(float(curve.values(measure)[point] - other.values(measure)[point]))
    return difference >= (CLOSE_LOSS if measure == "loss" else CLOSE)
