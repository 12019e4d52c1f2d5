"""Attention as pictures: heat maps of heads, all heads at once, what heads do, how alike they are, rollout and flow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch
import torch.nn.functional as F
from torch import Tensor

from bortlab.analysis import attention as analysis
from bortlab.analysis.attention import Attention, Compared, Heads, QueryKey, Unit
from bortlab.system.numbers import percent
from bortlab.views.escape import plotly, visible
from bortlab.views.figures import PALE, diverging, layout, plain_axis, scale, shortened, small, words_axis
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

THUMBNAIL = 32
"""Cells along a head's thumbnail; a longer text is drawn coarser, by the largest weight of each cell."""
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")
MEASURES = (
    ("entropy", "Entropy, bits"),
    ("distance", "Mean distance"),
    ("template", "On the template"),
    ("previous", "On the previous"),
    ("following", "On the next"),
    ("itself", "On itself"),
)


# -- one head ----------------------------------------------------------------------------------------------------------


def heat(
    matrix: Tensor, units: Sequence[Unit], *, colour: str, look: Look, title: str, largest: float | None = None
) -> View:
    """One matrix (query, key): rows look at columns; the darker, the more. largest: end of a shared scale."""
    n = len(units)
    end = max(largest or float(matrix.max()), 1e-9)
    figure = go.Figure(
        go.Heatmap(
            z=small(matrix), zmin=0, zmax=end, colorscale=scale(colour, look), xgap=1 if n <= 40 else 0,
            ygap=1 if n <= 40 else 0, hovertemplate="%{y} → %{x}: %{z:.1%}<extra></extra>",
            colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ".2~p", "tickfont": {"color": look.faint}},
        ),
        layout(
            look,
            _height(n),
            xaxis=words_axis(units, look, side="top", tickangle=-60),
            yaxis=words_axis(units, look, autorange="reversed"),
            plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )  # fmt: skip
    return View(title, figure, f"{title}: {_strongest(matrix, units)}", analysis.matrix_frame(matrix, units))


def _height(n: int) -> int:
    return min(1500, max(260, 110 + n * (22 if n <= 40 else 14)))


def _strongest(matrix: Tensor, units: Sequence[Unit], most: int = 3) -> str:
    """Where the most attention goes, in words."""
    n = len(units)
    best = matrix.flatten().topk(min(most, n * n))
    said = []
    for weight, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        row, column = divmod(place, n)
        said.append(f"{visible(units[row].text)} looks at {visible(units[column].text)} with {percent(weight)}")
    return "; ".join(said) + "."


def from_one(matrix: Tensor, units: Sequence[Unit], position: int, *, colour: str, look: Look, title: str) -> View:
    """One row and one column of a matrix as bars: where a word looks, and who looks at it."""
    import pandas

    out, into = matrix[position], matrix[:, position]
    rows = list(range(len(units)))
    end = float(torch.maximum(out, into).max()) * 1.25 + 1e-9
    bars = [
        go.Bar(
            x=small(values), y=rows, orientation="h", xaxis=axis, marker={"color": shade, "line": {"width": 0}},
            text=[percent(v) for v in values.tolist()], textposition="outside", cliponaxis=False,
            textfont={"size": 11, "color": look.faint}, hovertemplate="%{y}: %{x:.2%}<extra></extra>",
        )
        for values, axis, shade in ((out, "x", colour), (into, "x2", translucent(colour, 0.45)))
    ]  # fmt: skip
    word = shortened(units[position].text)
    figure = go.Figure(
        bars,
        layout(
            look,
            60 + 22 * len(rows),
            xaxis=plain_axis(look, domain=[0, 0.47], range=[0, end], showticklabels=False, side="top")
            | {"title": {"text": f"{word} looks at", "font": {"color": look.ink}}},
            xaxis2=plain_axis(look, domain=[0.53, 1], range=[0, end], showticklabels=False, side="top")
            | {"title": {"text": f"looks at {word}", "font": {"color": look.ink}}},
            yaxis=words_axis(units, look, autorange="reversed"),
            bargap=0.25,
        ),
    )
    table = pandas.DataFrame(
        {"word": [unit.text for unit in units], "is looked at": out.tolist(), "looks at it": into.tolist()}
    )
    best = int(out.argmax())
    said = f"{title}: it looks most at {visible(units[best].text)}, with {percent(float(out[best]))}."
    return View(title, figure, said, table)


# -- all heads ---------------------------------------------------------------------------------------------------------


def thumbnails(
    attention: Attention, found: Heads, *, colour: str, look: Look, title: str, rows: Sequence[str] | None = None
) -> View:
    """Every head of every layer as a small heat map, one row a layer; each has a point, whose data are its place.

    found: the heads of this attention. rows: names of the layers. Shades are square roots of the weights, or heads
    that look everywhere would be white.
    """
    layers, heads, n, _ = attention.weights.shape
    cells = F.adaptive_max_pool2d(attention.weights.flatten(0, 1).float()[None], min(n, THUMBNAIL))[0]
    side = cells.shape[-1]
    gap = max(1, side // 10)
    grid = cells.new_zeros(layers * (side + gap) - gap, heads * (side + gap) - gap)
    for layer in range(layers):
        for head in range(heads):
            top, left = layer * (side + gap), head * (side + gap)
            grid[top : top + side, left : left + side] = cells[layer * heads + head].sqrt()
    step, middle = side + gap, (side - 1) / 2
    names = [f"layer {layer + 1}, head {head + 1}" for layer in range(layers) for head in range(heads)]
    hover = [
        f"{name}: {entropy:.2f} bits, {distance:.1f} apart"
        for name, entropy, distance in zip(
            names,
            found.statistics.entropy.flatten().tolist(),
            found.statistics.distance.flatten().tolist(),
            strict=True,
        )
    ]
    shown = rows or [f"layer {layer + 1}" for layer in range(layers)]
    corners = [(layer * step - 0.5, head * step - 0.5) for layer in range(layers) for head in range(heads)]
    frames = [
        {
            "type": "rect", "x0": left, "x1": left + side, "y0": top, "y1": top + side,
            "line": {"width": 1, "color": translucent(look.faint, 0.45)},
        }
        for top, left in corners
    ]  # fmt: skip
    figure = go.Figure(
        [
            go.Heatmap(
                z=(255 * grid).round().to(torch.uint8).numpy(), zmin=0, zmax=255, colorscale=scale(colour, look),
                showscale=False, hoverinfo="skip",
            ),
            go.Scatter(
                x=[head * step + middle for _ in range(layers) for head in range(heads)],
                y=[layer * step + middle for layer in range(layers) for _ in range(heads)],
                mode="markers", marker={"symbol": "square", "size": 40, "opacity": 0, "color": colour},
                unselected={"marker": {"opacity": 0}}, selected={"marker": {"opacity": 0.15}},
                customdata=[[layer, head] for layer in range(layers) for head in range(heads)],
                hovertext=hover, hoverinfo="text",
            ),
        ],
        layout(
            look,
            50 + layers * (110 if heads <= 6 else 78),
            xaxis=plain_axis(
                look, tickvals=[head * step + middle for head in range(heads)], side="top",
                ticktext=[f"head {head + 1}" if heads <= 8 else str(head + 1) for head in range(heads)],
                range=[-gap, heads * step],
            ),
            yaxis=plain_axis(
                look, tickvals=[layer * step + middle for layer in range(layers)], ticktext=list(map(plotly, shown)),
                range=[layers * step, -gap],
            ),
            shapes=frames,
            clickmode="event+select",
        ),
    )  # fmt: skip
    alt = f"{title}: {layers * heads} heads in {layers} layers, each a small map of who looks at whom."
    return View(title, figure, alt, analysis.heads_frame(found))


# -- what heads do -----------------------------------------------------------------------------------------------------


def measures(found: Heads, *, colour: str, look: Look, title: str) -> View:
    """Six numbers of every head, each a grid of layers and heads."""
    layers, heads = found.shape
    traces, axes, notes = [], {}, []
    for number, (name, said) in enumerate(MEASURES):
        values = getattr(found.statistics, name)
        row, column = divmod(number, 3)
        left, bottom = column * 0.345, (1 - row) * 0.54
        end = {"entropy": math.log2(max(2, found.statistics.n_units)), "distance": float(values.max())}.get(name, 1.0)
        share = name not in ("entropy", "distance")
        text = [[f"{100 * v:.0f}" if share else f"{v:.1f}" for v in line] for line in values.tolist()]
        suffix = "" if number == 0 else str(number + 1)
        traces.append(
            go.Heatmap(
                z=small(values), x=list(range(1, heads + 1)), y=list(range(1, layers + 1)), zmin=0, zmax=max(end, 1e-9),

                colorscale=scale(colour, look, most=PALE), showscale=False, xgap=2, ygap=2,
                xaxis=f"x{suffix}", yaxis=f"y{suffix}",
                text=text if layers * heads <= 96 else None, texttemplate="%{text}" if layers * heads <= 96 else None,
                textfont={"size": 10, "color": look.ink},
                hovertemplate=f"layer %{{y}}, head %{{x}}: %{{z:{'.1%' if share else '.2f'}}}<extra></extra>",
            )
        )  # fmt: skip
        axes[f"xaxis{suffix}"] = plain_axis(
            look, domain=[left, left + 0.30], anchor=f"y{suffix}", dtick=1, showticklabels=heads <= 16
        )
        axes[f"yaxis{suffix}"] = plain_axis(
            look, domain=[bottom, bottom + 0.40], anchor=f"x{suffix}", dtick=1 if layers <= 12 else 2,
            autorange="reversed", title={"text": "layer" if column == 0 else "", "font": {"color": look.faint}},
        )  # fmt: skip
        notes.append(
            {"x": left, "y": bottom + 0.41, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
             "text": f"{said}{', %' if share else ''}", "showarrow": False, "font": {"size": 13, "color": look.ink}}
        )  # fmt: skip
    figure = go.Figure(traces, layout(look, 170 + 2 * 24 * max(4, layers), annotations=notes, **axes))
    figure.update_layout(margin={"t": 26})
    statistics = found.statistics
    alt = (
        f"{title}: on average {float(statistics.entropy.mean()):.2f} bits of entropy, "
        f"{float(statistics.distance.mean()):.1f} units apart, {percent(float(statistics.template.mean()))} on the "
        f"template, {percent(float(statistics.previous.mean()))} on the previous unit, "
        f"{percent(float(statistics.itself.mean()))} on itself."
    )
    return View(title, figure, alt, analysis.heads_frame(found))


def likeness(found: Heads, *, colour: str, look: Look, title: str) -> View:
    """Distances of all heads to one another, layer by layer: pale squares are heads that do the same."""
    import pandas

    layers, heads = found.shape
    names = [f"{layer + 1}.{head + 1}" for layer in range(layers) for head in range(heads)]
    lines = [
        {"type": "line", "line": {"color": look.faint, "width": 1}, **place}
        for layer in range(1, layers)
        for cut in [layer * heads - 0.5]
        for place in (
            {"x0": cut, "x1": cut, "y0": -0.5, "y1": len(names) - 0.5},
            {"y0": cut, "y1": cut, "x0": -0.5, "x1": len(names) - 0.5},
        )
    ]
    ticks = {
        "tickvals": [layer * heads + (heads - 1) / 2 for layer in range(layers)],
        "ticktext": [f"layer {layer + 1}" if layers <= 6 else str(layer + 1) for layer in range(layers)],
    }
    text = np.array(names)
    figure = go.Figure(
        go.Heatmap(
            z=small(found.distances), zmin=0, zmax=1, colorscale=scale(colour, look),
            customdata=np.stack(np.meshgrid(text, text, indexing="ij"), -1),
            hovertemplate="heads %{customdata[0]} and %{customdata[1]}: %{z:.2f} bits<extra></extra>",
            colorbar={"thickness": 8, "outlinewidth": 0, "tickfont": {"color": look.faint}},
        ),
        layout(
            look,
            min(720, max(320, 60 + 18 * len(names))),
            xaxis=plain_axis(look, side="top", constrain="domain", scaleanchor="y", **ticks),
            yaxis=plain_axis(look, autorange="reversed", **ticks),
            shapes=lines,
        ),
    )  # fmt: skip
    between = analysis.layer_distances(found.distances, layers)
    table = pandas.DataFrame(
        [
            (a + 1, b + 1, float(between[a, b]))
            for a in range(layers)
            for b in range(layers)
        ],
        columns=["layer", "other layer", "distance, bits"],
    )  # fmt: skip
    alt = f"{title}: distances of {len(names)} heads; the mean is {float(found.distances.mean()):.2f} bits."
    return View(title, figure, alt, table)


def head_map(found: Heads, *, look: Look, title: str) -> View:
    """Heads as points: near ones look at the text alike; a symbol and a colour for each group."""
    _, heads = found.shape
    traces = []
    for group, said in enumerate(found.kinds):
        members = [head for head, g in enumerate(found.groups) if g == group]
        labels = [f"{head // heads + 1}.{head % heads + 1}" for head in members]
        traces.append(
            go.Scatter(
                x=small(found.points[members, 0]), y=small(found.points[members, 1]), mode="markers+text",
                text=labels, textposition="top center", textfont={"size": 10, "color": look.faint},
                marker={"size": 11, "symbol": SYMBOLS[group % len(SYMBOLS)], "color": look.group(group)},
                name=f"{group + 1}: {said}", hovertemplate="head %{text}<extra></extra>",
            )
        )  # fmt: skip
    figure = go.Figure(
        traces,
        layout(
            look, 420, showlegend=True,
            legend={"orientation": "h", "y": -0.05, "font": {"size": 12}},
            xaxis=plain_axis(look, showticklabels=False), yaxis=plain_axis(look, showticklabels=False),
            plot_bgcolor=translucent(look.faint, 0.05),
        ),
    )  # fmt: skip
    sizes = [found.groups.count(group) for group in range(len(found.kinds))]
    said = "; ".join(f"{size} heads {kind}" for size, kind in zip(sizes, found.kinds, strict=True))
    return View(title, figure, f"{title}, in groups: {said}.", analysis.heads_frame(found))


# -- through all layers ------------------------------------------------------------------------------------------------


def through(attention: Attention, position: int, flows: Tensor | None, *, colour: str, look: Look, title: str) -> View:
    """How much of each input is in one position at the end: attention of the last layer, rollout, flow (if given)."""
    import pandas

    steps = analysis.rollout(attention)
    series = {"last layer": attention.weights[-1].mean(0)[position], "rollout": steps[-1][position]}
    if flows is not None:
        series["flow, as shares"] = (flows / flows.sum().clamp_min(1e-12)).to(steps.dtype)
    rows = list(range(len(attention.units)))
    end = max(float(values.max()) for values in series.values()) * 1.25
    width = 1 / len(series)
    axes = {
        f"xaxis{number + 1 if number else ''}": plain_axis(
            look, domain=[number * width, (number + 0.9) * width], range=[0, end], showticklabels=False, side="top",
            title={"text": name, "font": {"color": look.ink}},
        )
        for number, name in enumerate(series)
    }  # fmt: skip
    figure = go.Figure(
        [
            go.Bar(
                x=small(values), y=rows, orientation="h", xaxis=f"x{number + 1 if number else ''}",
                marker={"color": translucent(colour, (0.45, 0.75, 1.0)[number])}, cliponaxis=False,
                text=[percent(v) for v in values.tolist()], textposition="outside",
                textfont={"size": 11, "color": look.faint}, hovertemplate="%{y}: %{x:.2%}<extra></extra>",
            )
            for number, values in enumerate(series.values())
        ],
        layout(
            look, 60 + 22 * len(rows), bargap=0.25, yaxis=words_axis(attention.units, look, autorange="reversed"),
            **axes,
        ),
    )  # fmt: skip
    best = int(steps[-1][position].argmax())
    said = f"{title}: by rollout most comes from {visible(attention.units[best].text)}"
    table = pandas.DataFrame({"word": attention.texts, **{name: v.tolist() for name, v in series.items()}})
    if flows is not None:
        table["flow"] = flows.tolist()
    return View(title, figure, f"{said}, {percent(float(steps[-1][position, best]))}.", table)


# -- two of them -------------------------------------------------------------------------------------------------------


def difference(compared: Compared, *, look: Look, title: str, names: tuple[str, str]) -> View:
    """Second minus first: blue where the second looks more, orange where it looks less."""
    n = len(compared.first_units)
    end = max(float(compared.difference.abs().max()), 1e-6)
    figure = go.Figure(
        go.Heatmap(
            z=small(compared.difference), zmin=-end, zmax=end, colorscale=diverging(look), xgap=1 if n <= 40 else 0,
            ygap=1 if n <= 40 else 0, hovertemplate="%{y} → %{x}: %{z:+.1%}<extra></extra>",
            colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": "+.2~p", "tickfont": {"color": look.faint}},
        ),
        layout(
            look,
            _height(n),
            xaxis=words_axis(compared.second_units, look, side="top", tickangle=-60),
            yaxis=words_axis(compared.second_units, look, autorange="reversed"),
            plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )  # fmt: skip
    table = analysis.matrix_frame(compared.first, compared.first_units).rename(columns={"weight": names[0]})
    table[names[1]] = compared.second.flatten().tolist()
    table["difference"] = compared.difference.flatten().tolist()
    place = divmod(int(compared.difference.abs().argmax()), n) if n else (0, 0)
    said = ""
    if n:
        change = float(compared.difference[place])
        said = (
            f"the largest difference is from {visible(compared.first_units[place[0]].text)} to "
            f"{visible(compared.second_units[place[1]].text)}: {100 * change:+.0f} points."
        )
    return View(title, figure, f"{title}: {said}", table)


# -- queries and keys --------------------------------------------------------------------------------------------------


def query_key(found: QueryKey, *, colour: str, look: Look, title: str) -> View:
    """A query times every key, feature by feature: blue features pull towards a key, orange ones push away from it."""
    import pandas

    units, size = found.units, len(found.query)
    end = max(float(found.products.abs().max()), 1e-9)
    edge = max(float(found.query.abs().max()), 1e-9)
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(found.query[None]), zmin=-edge, zmax=edge, colorscale=diverging(look), showscale=False,
                yaxis="y2", hovertemplate="query, feature %{x}: %{z:.3f}<extra></extra>",
            ),
            go.Heatmap(
                z=small(found.products), zmin=-end, zmax=end, colorscale=diverging(look), showscale=False,
                customdata=small(found.keys), ygap=1,
                hovertemplate="%{y}, feature %{x}: query × key = %{z:.3f}, key %{customdata:.3f}<extra></extra>",
            ),
            go.Bar(
                x=small(found.weights), y=list(range(len(units))), orientation="h", xaxis="x2",
                marker={"color": colour, "line": {"width": 0}}, customdata=small(found.scores),
                text=[percent(w) for w in found.weights.tolist()], textposition="outside", cliponaxis=False,
                textfont={"size": 11, "color": look.faint},
                hovertemplate="%{y}: score %{customdata:.2f}, attention %{x:.2%}<extra></extra>",
            ),
        ],
        layout(
            look,
            130 + 22 * len(units),
            xaxis=plain_axis(look, domain=[0, 0.74], title={"text": "feature", "font": {"color": look.faint}}),
            xaxis2=plain_axis(
                look, domain=[0.77, 1], range=[0, float(found.weights.max()) * 1.3], showticklabels=False, side="top",
                title={"text": "attention", "font": {"color": look.ink}},
            ),
            yaxis=words_axis(units, look, domain=[0, 1 - 46 / (130 + 22 * len(units))], autorange="reversed"),
            yaxis2=plain_axis(
                look, domain=[1 - 26 / (130 + 22 * len(units)), 1], tickvals=[0], ticktext=["<b>query</b>"],
            ),
            plot_bgcolor=translucent(look.faint, 0.05),
            bargap=0.25,
        ),
    )  # fmt: skip
    table = pandas.DataFrame(
        {"key": [unit.text for unit in units], "score": found.scores.tolist(), "attention": found.weights.tolist()}
        | {f"feature {n}": found.products[:, n].tolist() for n in range(size)}
    )
    best = int(found.weights.argmax())
    feature = int(found.products[best].abs().argmax())
    alt = (
        f"{title}: {visible(units[found.position].text)} looks most at {visible(units[best].text)}, with "
        f"{percent(float(found.weights[best]))}; feature {feature} adds most to its score."
    )
    return View(title, figure, alt, table)
