"""All candidates as points, two quantities at a time or three: the front, the representatives, known architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from bortlab.search import Extraction, Standing
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, layout, legend_above
from bortlab.views.prose import counted
from bortlab.views.search.axes import QUANTITIES, Group, Quantity, chart_layout, grouped, named
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

if TYPE_CHECKING:
    import pandas

HEIGHT = 400
MARKS = {"best": 17, "front": 11, "representative": 9, "other": 6}
"""The diameter of a point by what it is."""


def pair(
    extraction: Extraction,
    x: str,
    y: str,
    look: Look,
    *,
    chosen: str = "",
    landmarks: Sequence[Standing] = (),
) -> View:
    """Two quantities of every candidate. chosen: the name of a candidate that is ringed. landmarks: drawn where both
    quantities are costs."""
    groups, across, up = grouped(extraction.rows), QUANTITIES[x], QUANTITIES[y]
    traces = [_points(extraction, groups, across, up, kind, look) for kind in reversed(MARKS)]
    if {x, y} == {"parameters", "operations"}:
        traces.append(_landmarks(landmarks, x, look))
    traces.append(_ring(groups, across, up, chosen, look))
    title = f"{across.title} and {up.title}".capitalize() if across.title != "W" else f"W and {up.title}"
    figure = go.Figure(
        traces,
        chart_layout(
            look,
            HEIGHT,
            xaxis=_axis(across, look),
            yaxis=_axis(up, look) | {"automargin": True},
        ),
    )
    return View(title, figure, f"{title}: {_words(extraction, groups)}", table(extraction), height=HEIGHT)


def cloud(extraction: Extraction, z: str, look: Look, *, chosen: str = "") -> View:
    """Parameters, operations and a third quantity of every candidate, to turn round."""
    groups = grouped(extraction.rows)
    across, up, deep = QUANTITIES["parameters"], QUANTITIES["operations"], QUANTITIES[z]
    traces = []
    for kind in reversed(MARKS):
        own = [group for group in groups if _kind(extraction, group) == kind]
        traces.append(
            go.Scatter3d(
                x=[across.value(group[0]) for group in own],
                y=[up.value(group[0]) for group in own],
                z=[deep.value(group[0]) for group in own],
                mode="markers",
                name=_KINDS[kind],
                marker={"size": MARKS[kind] * 0.6, "color": _colour(extraction, kind, look)},
                hoverinfo="text",
                hovertext=[_hover(extraction, group) for group in own],
            )
        )
    axes = {
        f"{letter}axis": {
            "title": {"text": quantity.title},
            "type": "log" if quantity.logarithmic else "linear",
            "color": look.faint,
            "gridcolor": look.grid,
            "backgroundcolor": "rgba(0,0,0,0)",
        }
        for letter, quantity in zip("xyz", (across, up, deep), strict=True)
    }
    figure = go.Figure(
        traces,
        layout(
            look,
            560,
            scene=axes,
            dragmode="turntable",
            **legend_above(),
        ),
    )
    title = f"Parameters, operations and {deep.title}"
    return View(title, figure, f"{title}: {_words(extraction, groups)}", table(extraction), height=560)


def table(extraction: Extraction) -> pandas.DataFrame:
    """The candidates, those with the largest W first."""
    return extraction.frame().sort_values("W", ascending=False, kind="stable", na_position="last", ignore_index=True)


_KINDS = {
    "best": "largest W",
    "front": "on the Pareto front",
    "representative": "looked at",
    "other": "not looked at",
}


def _kind(extraction: Extraction, group: Group) -> str:
    best = {row.name for row in extraction.best}
    if any(row.name in best for row in group):
        return "best"
    if any(row.on_front for row in group):
        return "front"
    return "representative" if any(row.representative for row in group) else "other"


def _colour(extraction: Extraction, kind: str, look: Look) -> str:
    own = look.family(extraction.space.family.name)
    return {"best": look.less, "front": own, "representative": translucent(own, 0.4)}.get(
        kind, translucent(look.faint, 0.35)
    )


def _points(
    extraction: Extraction, groups: Sequence[Group], across: Quantity, up: Quantity, kind: str, look: Look
) -> go.Scatter:
    own = [group for group in groups if _kind(extraction, group) == kind]
    return go.Scatter(
        x=[across.value(group[0]) for group in own],
        y=[up.value(group[0]) for group in own],
        mode="markers",
        name=_KINDS[kind],
        marker={
            "size": MARKS[kind],
            "color": _colour(extraction, kind, look),
            "symbol": "star" if kind == "best" else "circle",
            "line": {"width": 1 if kind in ("best", "front") else 0, "color": look.paper},
        },
        customdata=[group[0].name for group in own],
        hoverinfo="text",
        hovertext=[_hover(extraction, group) for group in own],
        showlegend=bool(own),
    )


def _landmarks(landmarks: Sequence[Standing], x: str, look: Look) -> go.Scatter:
    points = [(standing.costs.parameters, standing.costs.operations) for standing in landmarks]
    points = points if x == "parameters" else [(operations, parameters) for parameters, operations in points]
    return go.Scatter(
        x=[point[0] for point in points],
        y=[point[1] for point in points],
        mode="markers+text",
        name="published",
        marker={"size": 10, "symbol": "diamond-open", "color": look.ink, "line": {"width": 1.5}},
        text=[plotly(standing.landmark.title) for standing in landmarks],
        textposition="bottom right",
        textfont={"size": 11, "color": look.ink},
        hoverinfo="text",
        hovertext=[plotly(f"{standing.landmark.title}: {standing.name}") for standing in landmarks],
        showlegend=bool(points),
    )


def _ring(groups: Sequence[Group], across: Quantity, up: Quantity, chosen: str, look: Look) -> go.Scatter:
    own = [group[0] for group in groups if any(row.name == chosen for row in group)]
    return go.Scatter(
        x=[across.value(row) for row in own],
        y=[up.value(row) for row in own],
        mode="markers",
        marker={"size": 24, "symbol": "circle-open", "color": look.ink, "line": {"width": 2}},
        hoverinfo="skip",
        showlegend=False,
    )


def _axis(quantity: Quantity, look: Look) -> dict[str, Any]:
    scale = {"type": "log", "dtick": "D2", "tickformat": "~s"} if quantity.logarithmic else {}
    better = "more is better" if quantity.more else "less is better"
    return grid_axis(look, f"{quantity.title} ({better})") | scale


def _hover(extraction: Extraction, group: Group) -> str:
    row = group[0]
    numbers = [
        f"{QUANTITIES[name].written(QUANTITIES[name].value(row))} {name}" for name in ("parameters", "operations")
    ]
    if row.w is not None and row.error is not None:
        numbers += [f"error {row.error:.3g}", f"W {row.w:.3g}"]
    return plotly(named(extraction, group)) + "<br>" + ", ".join(numbers)


def _words(extraction: Extraction, groups: Sequence[Group]) -> str:
    front = [group for group in groups if any(row.on_front for row in group)]
    best = ", ".join(row.name for row in extraction.best) or "none"
    return (
        f"{counted(len(groups), 'point')} for {counted(len(extraction.rows), 'candidate')}, {len(front):,} of them on "
        f"the Pareto front; the largest W: {best}."
    )
