"""How a training went, and how quality grows with the number of labelled examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from bortlab.analysis.evaluation import NAMES
from bortlab.training.finetune.comparison import Comparison, Live
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, layout, plain_axis
from bortlab.views.theme import Look
from bortlab.views.view import View

HEIGHT = 300


def live(training: Live, measure: str, look: Look) -> View:
    """The training that runs: loss of the training examples and score on dev, by epoch."""
    return _epochs({training.model: training.curve}, {training.model: look.more}, measure, look, title="Training")


def dev_curves(comparison: Comparison, look: Look) -> View:
    """The score on dev by epoch, of each model's run that was kept."""
    curves = {entry.title: entry.kept["curve"] for entry in comparison.models}
    colours = {entry.title: look.family(entry.family) for entry in comparison.models if entry.family}
    return _epochs(curves, colours, comparison.measure, look, title="Score on dev by epoch")


def _epochs(
    curves: Mapping[str, Sequence[Mapping[str, float]]],
    colours: Mapping[str, str],
    measure: str,
    look: Look,
    *,
    title: str,
) -> View:
    import pandas

    rows = [
        {"model": name, "epoch": int(point["epoch"]), "loss": point["loss"], NAMES[measure]: point[measure]}
        for name, curve in curves.items()
        for point in curve
    ]
    longest = max(map(len, curves.values()), default=0)
    traces = [
        go.Scatter(
            x=[point["epoch"] for point in curve],
            y=[point[measure] for point in curve],
            mode="lines+markers",
            name=plotly(name),
            line={"color": colours[name], "width": 2},
            hovertemplate="epoch %{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
        for name, curve in curves.items()
    ]
    figure = go.Figure(
        traces,
        layout(
            look,
            HEIGHT,
            showlegend=len(curves) > 1,
            legend={"orientation": "h", "y": 1.12},
            margin={"l": 4, "r": 8, "t": 24, "b": 40},
            xaxis=plain_axis(look, "epoch", dtick=1 if longest < 12 else 5),
            yaxis=grid_axis(look, f"{NAMES[measure]} on dev"),
        ),
    )
    ends = "; ".join(
        f"{name}: {max(point[measure] for point in curve):.3f} at best, of {len(curve)} epochs"
        for name, curve in curves.items()
        if curve
    )
    alt = f"{title}: {ends or 'no epoch has ended yet'}."
    columns = ["model", "epoch", "loss", NAMES[measure]]
    return View(title, figure, alt, pandas.DataFrame(rows, columns=columns), height=HEIGHT)


def learning_curve(comparison: Comparison, look: Look) -> View:
    """Quality on test by the number of labelled examples, of each model's first seed."""
    import pandas

    n_train, measure = comparison.data["examples"]["train"], comparison.measure
    lines = []
    for entry in comparison.models:
        first = entry.runs.get(f"0 of {n_train}")
        whole = [(n_train, first["figures"][measure])] if first else []
        lines.append((entry, [*((n, figures[measure]) for n, figures in entry.smaller), *whole]))
    traces = [
        go.Scatter(
            x=[n for n, _ in points],
            y=[value for _, value in points],
            mode="lines+markers",
            name=plotly(entry.title),
            line={"color": look.family(entry.family or ""), "width": 2},
            hovertemplate="%{x} examples: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
        for entry, points in lines
    ]
    figure = go.Figure(
        traces,
        layout(
            look,
            HEIGHT,
            showlegend=True,
            legend={"orientation": "h", "y": 1.12},
            margin={"l": 4, "r": 8, "t": 24, "b": 40},
            xaxis=plain_axis(look, "labelled examples", type="log"),
            yaxis=grid_axis(look, NAMES[measure]),
        ),
    )
    rows = [
        {"model": entry.title, "examples": n, NAMES[measure]: value} for entry, points in lines for n, value in points
    ]
    ends = "; ".join(
        f"{entry.title}: {points[0][1]:.3f} with {points[0][0]:,}, {points[-1][1]:.3f} with {points[-1][0]:,}"
        for entry, points in lines
    )
    title = "Quality by labelled examples"
    return View(title, figure, f"{title}: {ends}.", pandas.DataFrame(rows), height=HEIGHT)


def reliability(comparison: Comparison, key: str, look: Look) -> View:
    """How often a model's kept run is right, by how sure it was; on the line, confidence means what it says."""
    import pandas

    entry = comparison.by_key[key]
    measured = entry.kept["calibration"]
    bins = measured["bins"]
    colour = look.family(entry.family) if entry.family else look.faint
    figure = go.Figure(
        [
            go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": look.faint, "dash": "dot"}, hoverinfo="skip"),
            go.Scatter(
                x=[item["confidence"] for item in bins],
                y=[item["accuracy"] for item in bins],
                mode="lines+markers",
                marker={"size": [7 + 14 * (item["count"] / max(b["count"] for b in bins)) ** 0.5 for item in bins]},
                line={"color": colour, "width": 2},
                hovertext=[f"{item['count']} predictions" for item in bins],
                hovertemplate="sure to %{x:.0%}, right in %{y:.0%} of %{hovertext}<extra></extra>",
            ),
        ],
        layout(
            look,
            HEIGHT,
            margin={"l": 4, "r": 8, "t": 12, "b": 40},
            xaxis=plain_axis(look, "confidence", range=[0, 1.03], tickformat=".0%"),
            yaxis=grid_axis(look, "share right", range=[0, 1.03], tickformat=".0%"),
        ),
    )
    title = f"Calibration, {entry.title}"
    alt = f"{title}: confidence and accuracy are {measured['ece']:.3f} apart on average (expected calibration error)."
    return View(title, figure, alt, pandas.DataFrame(bins), height=HEIGHT)
