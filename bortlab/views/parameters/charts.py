"""Charts of weights: stacked bars, sunburst and treemap, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import plotly.graph_objects as go

from bortlab.analysis.parameters import Share, frame
from bortlab.models.formula import COMPONENTS
from bortlab.system.numbers import percent, short_count
from bortlab.views.escape import plotly
from bortlab.views.figures import FONT, grid_axis, layout
from bortlab.views.parameters.counted import COLOURS, CountedModel, colour_of
from bortlab.views.theme import PAPER, Look, translucent
from bortlab.views.view import View

__all__ = ["COLOURS", "Node", "curve", "hierarchy", "proportions", "stacked_bars"]

ROW_HEIGHT = 62

# -- several models ----------------------------------------------------------------------------------------------------


def stacked_bars(models: Sequence[CountedModel], look: Look) -> View:
    """Two bars for each model, by component: what is stored and, thinner below it, what is executed for a text."""
    end = max(model.sizes.executed for model in models)
    used = [name for name in COMPONENTS if any(name in model.sizes.by_component() for model in models)]
    bars = [_bar(models, component, executed, look) for component in used for executed in (False, True)]
    figure = go.Figure(
        [*bars, _totals(models, look), _titles(models, look)],
        layout(
            look,
            ROW_HEIGHT * len(models) + 60,
            margin={"l": 0, "r": 110, "t": 4, "b": 4},
            showlegend=True,
            barmode="stack",
            xaxis={"visible": False, "range": [0, end * 1.02], "fixedrange": True},
            yaxis={"visible": False, "range": [len(models) - 0.5, -0.5], "fixedrange": True},
            legend={"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0, "traceorder": "normal"},
        ),
    )
    sentences = "; ".join(
        f"{model.title} stores {short_count(model.sizes.stored)} and executes {short_count(model.sizes.executed)}"
        for model in models
    )
    title = "Weights of each model by component"
    table = frame({model.title: model.sizes for model in models})
    return View(title, figure, f"{title}: {sentences}.", table, height=figure.layout.height)


def _bar(models: Sequence[CountedModel], component: str, executed: bool, look: Look) -> go.Bar:
    """One component of all models."""
    values = [model.sizes.by_component(executed=executed).get(component, 0) for model in models]
    wholes = [model.sizes.executed if executed else model.sizes.stored for model in models]
    kind, colour = "executed" if executed else "stored", colour_of(component, look)
    return go.Bar(
        x=values,
        y=[row + (0.3 if executed else 0.05) for row in range(len(models))],
        orientation="h",
        width=0.12 if executed else 0.34,
        name=component,
        legendgroup=component,
        showlegend=not executed,
        marker={"color": translucent(colour, 0.5) if executed else colour, "line": {"width": 0}},
        hoverinfo="text",
        hovertext=[
            f"{plotly(model.title)}: {component}, {kind}, {value:,} ({percent(value / whole)})"
            for model, value, whole in zip(models, values, wholes, strict=True)
        ],
    )


def _totals(models: Sequence[CountedModel], look: Look) -> go.Scatter:
    texts = [
        f" {short_count(model.sizes.stored)}"
        + (f"<br> {short_count(model.sizes.executed)} executed" if model.sizes.tied else "")
        for model in models
    ]
    return go.Scatter(
        x=[model.sizes.executed for model in models],
        y=[row + 0.15 for row in range(len(models))],
        mode="text",
        text=texts,
        textposition="middle right",
        textfont={"color": look.faint, "size": 12},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )


def _titles(models: Sequence[CountedModel], look: Look) -> go.Scatter:
    return go.Scatter(
        x=[0] * len(models),
        y=[row - 0.24 for row in range(len(models))],
        mode="text",
        text=[f"<b>{plotly(model.title)}</b>" for model in models],
        textposition="middle right",
        textfont={"color": look.ink, "size": 13},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )


# -- one model ---------------------------------------------------------------------------------------------------------

_READABLE = {
    "words": "word table",
    "project": "projection",
    "masked_lm": "bias of each word",
    "span": "bias of the span",
    "kernel": "kernels",
    "convolved": "neighbours",
}
"""Names of modules that do not explain themselves."""


class Node(NamedTuple):
    """A part of a model and the part that it is in ("" for the whole). component: "" where it has several."""

    id: str
    parent: str
    label: str
    weights: int
    component: str


def hierarchy(model: CountedModel) -> list[Node]:
    """The parts of a model and their stored weights: the whole, layers and tables, blocks, components, modules."""
    sizes = model.sizes
    inside = sum(share.stored for share in sizes.shares if share.block is not None)
    nodes = [Node("all", "", model.title, sizes.stored, ""), Node("layers", "all", "layers", inside, "")]
    for block in dict.fromkeys(sizes.layers):
        uses, components = sizes.layers.count(block), sizes.of_block(block)
        name = f"block {block + 1}" + (f", {uses} ×" if uses > 1 else "")
        nodes.append(Node(f"b{block}", "layers", name, sum(components.values()), ""))
        nodes += [Node(f"b{block}/{name}", f"b{block}", name, n, name) for name, n in components.items()]
    outside: dict[str, int] = {}
    for share in sizes.shares:
        if share.block is None:
            outside[share.component] = outside.get(share.component, 0) + share.stored
    nodes += [Node(component, "all", component, n, component) for component, n in outside.items()]
    for share in sizes.shares:
        parent = share.component if share.block is None else f"b{share.block}/{share.component}"
        nodes.append(Node(f"{parent}/{share.name}", parent, _label(share), share.stored, share.component))
    return nodes


def _label(share: Share) -> str:
    last = share.name.rpartition(".")[2]
    return _READABLE.get(last, last.replace("_", " "))


def proportions(model: CountedModel, look: Look, kind: Literal["sunburst", "treemap"] = "sunburst") -> View:
    """One model's stored weights, part within part. Clicking on a part opens it."""
    import pandas

    nodes = hierarchy(model)
    whole = max(model.sizes.stored, 1)
    several = translucent(look.family(model.family), 0.25)
    trace = (go.Sunburst if kind == "sunburst" else go.Treemap)(
        ids=[node.id for node in nodes],
        parents=[node.parent for node in nodes],
        values=[node.weights for node in nodes],
        labels=[plotly(node.label) for node in nodes],
        branchvalues="total",
        sort=False,
        hoverinfo="text",
        hovertext=[f"{plotly(node.label)}: {node.weights:,} ({percent(node.weights / whole)})" for node in nodes],
        marker={
            "colors": [colour_of(node.component, look) if node.component else several for node in nodes],
            "line": {"width": 1, "color": PAPER[look.mode]},
        },
        textfont={"family": FONT, "color": [PAPER["dark"] if node.component else look.ink for node in nodes]},
        **({"insidetextorientation": "auto", "leaf": {"opacity": 1}} if kind == "sunburst" else {}),
    )
    figure = go.Figure(
        [trace],
        layout(look, 430, margin={"l": 0, "r": 0, "t": 4, "b": 4}, uniformtext={"minsize": 9, "mode": "hide"}),
    )
    parts = ", ".join(f"{name} {percent(n / whole)}" for name, n in model.sizes.by_component().items())
    title = f"Stored weights of {model.title}"
    table = pandas.DataFrame(nodes).rename(columns={"label": "part", "parent": "inside"})
    return View(title, figure, f"{title}, {model.sizes.stored:,} in all: {parts}.", table, height=430)


# -- curves ------------------------------------------------------------------------------------------------------------


def curve(
    points: Mapping[int, int],
    *,
    title: str,
    here: int | None,
    family: str,
    x: str,
    look: Look,
    bound: tuple[str, int] | None = None,
) -> View:
    """Weights over one size. here: the value that is marked; bound: a number to compare with, drawn as a line."""
    import pandas

    colour = look.family(family)
    xs, ys = list(points), list(points.values())
    traces = [
        go.Scatter(
            x=xs,
            y=ys,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"color": colour, "size": [13 if value == here else 7 for value in xs]},
            hoverinfo="text",
            hovertext=[f"{plotly(x)} {value:,}: {weights:,}" for value, weights in points.items()],
        )
    ]
    notes = []
    if bound is not None:
        name, value = bound
        traces.append(
            go.Scatter(
                x=[xs[0], xs[-1]],
                y=[value, value],
                mode="lines",
                line={"color": look.faint, "dash": "dash"},
                hoverinfo="text",
                hovertext=f"{plotly(name)}: {value:,}",
            )
        )
        label = {"text": plotly(f"{name}: {short_count(value)}"), "font": {"color": look.faint, "size": 12}}
        place = {"x": 0, "xref": "paper", "xanchor": "left", "y": value, "yanchor": "bottom", "showarrow": False}
        notes.append(label | place)
    figure = go.Figure(
        traces,
        layout(
            look,
            280,
            margin={"l": 48, "r": 8, "t": 16, "b": 44},
            annotations=notes,
            xaxis=grid_axis(look, plotly(x)),
            yaxis=grid_axis(look, rangemode="tozero", tickformat="~s"),
        ),
    )
    values = ", ".join(f"{value}: {short_count(weights)}" for value, weights in points.items())
    return View(title, figure, f"{title}: {values}.", pandas.DataFrame({x: xs, "weights": ys}), height=280)
