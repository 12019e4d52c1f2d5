"""A trained grid as pictures: errors with their seeds, and how good a stride is beside its rivals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from bortlab.search.grid import TrainedGrid
from bortlab.search.study import STABLE, Study
from bortlab.system.numbers import percent
from bortlab.views.figures import grid_axis, layout
from bortlab.views.search.axes import FAMILY, chart_layout
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

if TYPE_CHECKING:
    import pandas

ROW, HEIGHT = 26, 320


def errors(trained: TrainedGrid, result: Study, look: Look) -> View:
    """The error of each candidate, a dot for each seed and a line from the least to the most, the front in colour."""
    names = list(reversed(result.names))
    colours = {name: look.family(FAMILY) if name in result.front else look.faint for name in names}
    spans = [
        go.Scatter(
            x=[min(result.errors[name]), max(result.errors[name])],
            y=[name, name],
            mode="lines",
            line={"color": translucent(colours[name], 0.6), "width": 2},
            hoverinfo="skip",
        )
        for name in names
    ]
    dots = go.Scatter(
        x=[error for name in names for error in result.errors[name]],
        y=[name for name in names for _ in result.errors[name]],
        mode="markers",
        marker={"size": 9, "color": [colours[name] for name in names for _ in result.errors[name]]},
        hoverinfo="text",
        hovertext=[f"{name}, seed {seed}: {e:.3f}" for name in names for seed, e in enumerate(result.errors[name])],
    )
    teacher = float(trained.exam["teacher"]["error"])
    height = ROW * len(names) + 60
    figure = go.Figure(
        [*spans, dots],
        layout(
            look,
            height,
            margin={"l": 4, "r": 8, "t": 8, "b": 44},
            xaxis=grid_axis(look, "error, nats (less is better)"),
            yaxis={"automargin": True, "fixedrange": True, "showgrid": False, "type": "category"},
        ),
    )
    clauses = "; ".join(
        f"{name} {sum(result.errors[name]) / len(result.errors[name]):.3f}{' (front)' if name in result.front else ''}"
        for name in result.names
    )
    title = "Errors of the trained candidates"
    alt = f"{title}: {clauses}. The maximum point's own is {teacher:.3f}."
    return View(title, figure, alt, errors_frame(result), height=height)


def errors_frame(result: Study) -> pandas.DataFrame:
    """One row a candidate, in the order of the search."""
    import pandas

    return pandas.DataFrame(
        [
            {
                "candidate": name,
                **{f"error, seed {seed}": error for seed, error in enumerate(result.errors[name])},
                "mean error": sum(result.errors[name]) / len(result.errors[name]),
                "W": result.ws[name],
                "largest W in": percent(result.best[name]),
                "on the front": name in result.front,
                "on the front in": percent(result.stability[name]),
                "stable": result.stability[name] >= STABLE,
            }
            for name in result.names
        ]
    )


def strides(result: Study, look: Look) -> View:
    """The regret of each stride, of random choices of as many candidates, and of the smallest alone."""
    xs = [str(entry.trained) for entry in result.comparisons]
    rivals = (
        ("this stride", [entry.chosen.regret for entry in result.comparisons], look.family(FAMILY), "solid"),
        ("random, mean of 100", [entry.random.regret for entry in result.comparisons], look.faint, "dash"),
        ("the smallest only", [entry.smallest.regret for entry in result.comparisons], look.less, "dot"),
    )
    band = go.Scatter(
        x=xs + xs[::-1],
        y=[100 * entry.random_interval[1] for entry in result.comparisons]
        + [100 * entry.random_interval[0] for entry in reversed(result.comparisons)],
        mode="lines",
        fill="toself",
        fillcolor=translucent(look.faint, 0.15),
        line={"width": 0},
        hoverinfo="skip",
        name="random, 95% of them",
    )
    lines = [
        go.Scatter(
            x=xs,
            y=[100 * value for value in values],
            mode="lines+markers",
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"size": 8},
            hoverinfo="text",
            hovertext=[f"{name}, {x} trained: {percent(value)}" for x, value in zip(xs, values, strict=True)],
        )
        for name, values, colour, dash in rivals
    ]
    figure = go.Figure(
        [band, *lines],
        chart_layout(
            look,
            HEIGHT,
            xaxis=grid_axis(look, "candidates trained") | {"type": "category", "autorange": "reversed"},
            yaxis=grid_axis(look, "regret: share of the best W that is missed, %") | {"automargin": True},
        ),
    )
    title = "Regret by stride"
    clauses = "; ".join(
        f"stride {entry.stride} ({entry.trained} trained) {percent(entry.chosen.regret)}, random "
        f"{percent(entry.random.regret)}, smallest {percent(entry.smallest.regret)}"
        for entry in result.comparisons
    )
    return View(title, figure, f"{title}: {clauses}.", strides_frame(result), height=HEIGHT)


def strides_frame(result: Study) -> pandas.DataFrame:
    """One row a stride and rival."""
    import pandas

    rows = []
    for entry in result.comparisons:
        for rival, found in (("stride", entry.chosen), ("random", entry.random), ("smallest", entry.smallest)):
            rows.append(
                {
                    "stride": entry.stride,
                    "trained": entry.trained,
                    "chosen by": rival,
                    "regret in W": found.regret,
                    "front: precision": found.precision,
                    "front: recall": found.recall,
                    "hypervolume": found.hypervolume,
                }
            )
    return pandas.DataFrame(rows)
