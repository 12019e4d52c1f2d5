"""Attention heads as pictures: all of them at once, what each does, how alike they are, which do the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
import torch
import torch.nn.functional as F
from torch import Tensor

from bortlab.analysis.attention import Attention
from bortlab.analysis.heads import Heads, HeadStatistics, frame, layer_distances
from bortlab.system.numbers import percent
from bortlab.views.escape import plotly
from bortlab.views.figures import PALE, layout, plain_axis, scale, small
from bortlab.views.prose import counted, names
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

THUMBNAIL = 32
"""Cells along a head's thumbnail; a longer text is drawn coarser, by the largest weight of each cell."""
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")
NEAR_DUPLICATE = 0.1
"""Bits between two heads below which one is a near-duplicate of the other."""
MOST_NUMBERS = 96
"""Heads on whose squares their numbers are written; more have no room."""


# -- all heads ---------------------------------------------------------------------------------------------------------


class Tiles(NamedTuple):
    """Where the thumbnails of heads stand, in cells: each has `side` by `side`, and `gap` between two."""

    layers: int
    heads: int
    side: int
    gap: int

    @property
    def step(self) -> int:
        """From one thumbnail's edge to the next one's."""
        return self.side + self.gap

    @property
    def corners(self) -> list[tuple[int, int]]:
        """Top and left of each thumbnail, layer by layer."""
        return [(layer * self.step, head * self.step) for layer in range(self.layers) for head in range(self.heads)]

    def middles(self, number: int) -> list[float]:
        """The middles of so many thumbnails in a row or a column."""
        return [place * self.step + (self.side - 1) / 2 for place in range(number)]


def thumbnails(
    attention: Attention, heads: Heads, *, colour: str, look: Look, title: str, rows: Sequence[str] | None = None
) -> View:
    """Every head of every layer as a small heat map, one row a layer; each has a point, whose data are its place.

    heads: those of this attention. rows: names of the layers. Shades are square roots of the weights, or heads that
    look everywhere would be white.
    """
    layers, per_layer, n, _ = attention.weights.shape
    cells = F.adaptive_max_pool2d(attention.weights.flatten(0, 1).float()[None], min(n, THUMBNAIL))[0].sqrt()
    side = cells.shape[-1]
    tiles = Tiles(layers, per_layer, side, max(1, side // 10))
    row_names = rows or [f"layer {layer + 1}" for layer in range(layers)]
    figure = go.Figure(
        [
            go.Heatmap(
                z=_mosaic(cells, tiles),
                zmin=0,
                zmax=255,
                colorscale=scale(colour, look),
                showscale=False,
                hoverinfo="skip",
            ),
            _click_points(heads.statistics, tiles, colour),
        ],
        layout(
            look,
            50 + layers * (110 if per_layer <= 6 else 78),
            xaxis=plain_axis(
                look,
                side="top",
                tickvals=tiles.middles(per_layer),
                ticktext=[f"head {head}" if per_layer <= 8 else str(head) for head in range(1, per_layer + 1)],
                range=[-tiles.gap, per_layer * tiles.step],
            ),
            yaxis=plain_axis(
                look,
                tickvals=tiles.middles(layers),
                ticktext=[plotly(name) for name in row_names],
                range=[layers * tiles.step, -tiles.gap],
            ),
            shapes=_frames(tiles, look),
            clickmode="event+select",
        ),
    )
    alt = (
        f"{title}: {counted(layers * per_layer, 'head')} in {counted(layers, 'layer')}, each a small map of who looks "
        "at whom."
    )
    return View(title, figure, alt, frame(heads))


def _mosaic(cells: Tensor, tiles: Tiles) -> np.ndarray[Any, Any]:
    """(rows, columns) of bytes: all thumbnails (heads of all layers, side, side) in one picture."""
    picture = cells.new_zeros(tiles.layers * tiles.step - tiles.gap, tiles.heads * tiles.step - tiles.gap)
    for thumbnail, (top, left) in zip(cells, tiles.corners, strict=True):
        picture[top : top + tiles.side, left : left + tiles.side] = thumbnail
    pixels: np.ndarray[Any, Any] = (255 * picture).round().to(torch.uint8).numpy()
    return pixels


def _click_points(statistics: HeadStatistics, tiles: Tiles, colour: str) -> go.Scatter:
    """An invisible point on each thumbnail, to click and to point at."""
    places = [(layer, head) for layer in range(tiles.layers) for head in range(tiles.heads)]
    numbers = zip(statistics.entropy.flatten().tolist(), statistics.distance.flatten().tolist(), strict=True)
    return go.Scatter(
        x=tiles.middles(tiles.heads) * tiles.layers,
        y=[middle for middle in tiles.middles(tiles.layers) for _ in range(tiles.heads)],
        mode="markers",
        marker={"symbol": "square", "size": 40, "opacity": 0, "color": colour},
        unselected={"marker": {"opacity": 0}},
        selected={"marker": {"opacity": 0.15}},
        customdata=[list(place) for place in places],
        hovertext=[
            f"layer {layer + 1}, head {head + 1}: {entropy:.2f} bits, mean distance {distance:.1f}"
            for (layer, head), (entropy, distance) in zip(places, numbers, strict=True)
        ],
        hoverinfo="text",
    )


def _frames(tiles: Tiles, look: Look) -> list[dict[str, Any]]:
    """A line around each thumbnail."""
    line = {"width": 1, "color": translucent(look.faint, 0.45)}
    return [
        {
            "type": "rect",
            "x0": left - 0.5,
            "x1": left - 0.5 + tiles.side,
            "y0": top - 0.5,
            "y1": top - 0.5 + tiles.side,
            "line": line,
        }
        for top, left in tiles.corners
    ]


# -- what heads do -----------------------------------------------------------------------------------------------------


class Measure(NamedTuple):
    """A number of each head: its name in `HeadStatistics`, its heading, and whether it is a share, from 0 to 1."""

    name: str
    heading: str
    is_share: bool


MEASURES = (
    Measure("entropy", "Entropy, bits", False),
    Measure("distance", "Mean distance", False),
    Measure("template", "On the template, %", True),
    Measure("previous", "On the previous, %", True),
    Measure("following", "On the next, %", True),
    Measure("itself", "On itself, %", True),
)


def measures(heads: Heads, *, colour: str, look: Look, title: str) -> View:
    """Six numbers of every head, each a grid of layers and heads."""
    layers, per_layer = heads.shape
    statistics = heads.statistics
    traces, axes, notes = [], {}, []
    for number, measure in enumerate(MEASURES):
        row, column = divmod(number, 3)
        left, bottom = column * 0.345, (1 - row) * 0.54
        suffix = "" if number == 0 else str(number + 1)
        traces.append(_measure(statistics, measure, suffix, colour, look))
        axes[f"xaxis{suffix}"] = plain_axis(
            look, domain=[left, left + 0.30], anchor=f"y{suffix}", dtick=1, showticklabels=per_layer <= 16
        )
        axes[f"yaxis{suffix}"] = plain_axis(
            look,
            domain=[bottom, bottom + 0.40],
            anchor=f"x{suffix}",
            dtick=1 if layers <= 12 else 2,
            autorange="reversed",
            title="layer" if column == 0 else "",
        )
        notes.append(
            {
                "text": measure.heading,
                "x": left,
                "y": bottom + 0.41,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 13, "color": look.ink},
            }
        )
    figure = go.Figure(traces, layout(look, 170 + 2 * 24 * max(4, layers), annotations=notes, **axes))
    figure.update_layout(margin={"t": 26})
    means = {measure.name: float(getattr(statistics, measure.name).mean()) for measure in MEASURES}
    alt = (
        f"{title}: on average {means['entropy']:.2f} bits of entropy, a mean distance of {means['distance']:.1f}, "
        f"{percent(means['template'])} on the template, {percent(means['previous'])} on the previous token, "
        f"{percent(means['following'])} on the next one, {percent(means['itself'])} on the token itself."
    )
    return View(title, figure, alt, frame(heads))


def _measure(statistics: HeadStatistics, measure: Measure, suffix: str, colour: str, look: Look) -> go.Heatmap:
    """One number of every head, on the axes of this suffix."""
    values: Tensor = getattr(statistics, measure.name)
    layers, per_layer = values.shape
    ends = {"entropy": math.log2(max(2, statistics.n_units)), "distance": float(values.max())}
    numbered = layers * per_layer <= MOST_NUMBERS
    numbers = [
        [f"{100 * value:.0f}" if measure.is_share else f"{value:.1f}" for value in row] for row in values.tolist()
    ]
    return go.Heatmap(
        z=small(values),
        x=list(range(1, per_layer + 1)),
        y=list(range(1, layers + 1)),
        zmin=0,
        zmax=max(ends.get(measure.name, 1.0), 1e-9),
        colorscale=scale(colour, look, most=PALE),
        showscale=False,
        xgap=2,
        ygap=2,
        xaxis=f"x{suffix}",
        yaxis=f"y{suffix}",
        text=numbers if numbered else None,
        texttemplate="%{text}" if numbered else None,
        textfont={"size": 10, "color": look.ink},
        hovertemplate=f"layer %{{y}}, head %{{x}}: %{{z:{'.1%' if measure.is_share else '.2f'}}}<extra></extra>",
    )


# -- how alike they are ------------------------------------------------------------------------------------------------


def likeness(heads: Heads, *, colour: str, look: Look, title: str) -> View:
    """Distances of all heads to one another, layer by layer: the fainter a square, the more alike are two heads."""
    import pandas

    layers, per_layer = heads.shape
    labels = np.array(_labels(heads))
    ticks: dict[str, Any] = {
        "tickvals": [layer * per_layer + (per_layer - 1) / 2 for layer in range(layers)],
        "ticktext": [f"layer {layer + 1}" if layers <= 6 else str(layer + 1) for layer in range(layers)],
    }
    figure = go.Figure(
        go.Heatmap(
            z=small(heads.distances),
            zmin=0,
            zmax=1,
            colorscale=scale(colour, look),
            customdata=np.stack(np.meshgrid(labels, labels, indexing="ij"), -1),
            hovertemplate="heads %{customdata[0]} and %{customdata[1]}: %{z:.2f} bits<extra></extra>",
            colorbar={"thickness": 8, "outlinewidth": 0, "tickfont": {"color": look.faint}},
        ),
        layout(
            look,
            min(440, max(320, 60 + 18 * len(labels))),  # it is square, and a column of the page is not wider
            xaxis=plain_axis(look, side="top", constrain="domain", scaleanchor="y", **ticks),
            yaxis=plain_axis(look, autorange="reversed", **ticks),
            shapes=_layer_lines(layers, per_layer, look),
        ),
    )
    between = layer_distances(heads.distances, layers)
    table = pandas.DataFrame(
        [(a + 1, b + 1, float(between[a, b])) for a in range(layers) for b in range(layers)],
        columns=["layer", "other layer", "distance, bits"],
    )
    others = heads.distances[~torch.eye(len(labels), dtype=torch.bool)]
    mean = f"two of them are {float(others.mean()):.2f} bits apart on average" if len(others) else "there is no other"
    return View(title, figure, f"{title}: distances of {counted(len(labels), 'head')}; {mean}.", table)


def _layer_lines(layers: int, per_layer: int, look: Look) -> list[dict[str, Any]]:
    """Lines between the layers, both ways."""
    line = {"type": "line", "line": {"color": look.faint, "width": 1}}
    start, end = -0.5, layers * per_layer - 0.5
    places = [layer * per_layer - 0.5 for layer in range(1, layers)]
    upright = [line | {"x0": place, "x1": place, "y0": start, "y1": end} for place in places]
    return upright + [line | {"y0": place, "y1": place, "x0": start, "x1": end} for place in places]


def _labels(heads: Heads) -> list[str]:
    """layer.head of each head, from 1."""
    layers, per_layer = heads.shape
    return [f"{layer + 1}.{head + 1}" for layer in range(layers) for head in range(per_layer)]


def head_map(heads: Heads, *, look: Look, title: str) -> View:
    """Heads as points: near ones look at the text alike; a symbol and a colour for each group."""
    labels = _labels(heads)
    members = [[head for head, g in enumerate(heads.groups) if g == group] for group in range(len(heads.kinds))]
    points = [
        go.Scatter(
            x=small(heads.points[own, 0]),
            y=small(heads.points[own, 1]),
            mode="markers+text",
            text=[labels[head] for head in own],
            textposition="top center",
            textfont={"size": 10, "color": look.faint},
            marker={"size": 11, "symbol": SYMBOLS[group % len(SYMBOLS)], "color": look.group(group)},
            name=f"{group + 1}: {heads.kinds[group]}",
            hovertemplate="head %{text}<extra></extra>",
        )
        for group, own in enumerate(members)
    ]
    figure = go.Figure(
        points,
        layout(
            look,
            420,
            showlegend=True,
            legend={"orientation": "h", "y": -0.05, "font": {"size": 12}},
            xaxis=plain_axis(look, showticklabels=False),
            yaxis=plain_axis(look, showticklabels=False),
            plot_bgcolor=translucent(look.faint, 0.05),
        ),
    )
    groups = "; ".join(
        f"{counted(len(own), 'head')} that {doing(len(own), kind)}"
        for own, kind in zip(members, heads.kinds, strict=True)
    )
    return View(title, figure, f"{title}, in groups: {groups}.", frame(heads))


# -- in words ----------------------------------------------------------------------------------------------------------


def doing(number: int, kind: str) -> str:
    """What so many heads do: "look everywhere", "looks everywhere"."""
    verb, _, rest = kind.partition(" ")
    return kind if number != 1 else f"{verb}s {rest}"


def groups(heads: Heads) -> str:
    """In Markdown, how many heads do what, and how many have a near-duplicate."""
    sizes: dict[str, int] = {}
    for group in heads.groups:
        sizes[heads.kinds[group]] = sizes.get(heads.kinds[group], 0) + 1
    n = len(heads.groups)
    parts = [f"{size} {doing(size, kind)}" for kind, size in sorted(sizes.items(), key=lambda item: -item[1])]
    if n == 1:
        return f"The only head {doing(1, heads.kinds[0])}."
    twins = int((heads.nearest < NEAR_DUPLICATE).sum())
    if not twins:
        near = f"No two are closer than {NEAR_DUPLICATE} bits"
    else:
        near = f"**{twins}** {'is a near-duplicate' if twins == 1 else 'are near-duplicates'} of another head"
        near += f", less than {NEAR_DUPLICATE} bits away"
    return f"Of {n} heads, {names(parts)}. {near}."
