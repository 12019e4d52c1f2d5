"""Dynamic convolution as pictures: kernels over their tokens, as matrices beside attention, and in two texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas
import plotly.graph_objects as go
import torch
from torch import Tensor

from bortlab.analysis import kernels as analysis
from bortlab.analysis.attention import Attention, Unit, matrix_frame
from bortlab.analysis.kernels import Change, Kernels
from bortlab.system.numbers import percent
from bortlab.views.escape import plotly, visible
from bortlab.views.figures import layout, panel_heading, plain_axis, scale, shortened, small, words_axis
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

EDGE = "beyond the end"


def tap_name(tap: int) -> str:
    """-2 as "2 before", 0 as "itself", 3 as "3 after"."""
    return "itself" if tap == 0 else f"{-tap} before" if tap < 0 else f"{tap} after"


def taps_of(width: int) -> list[int]:
    """The taps of a kernel of this odd width, relative to its token: -4 to 4 for nine."""
    return list(range(-(width // 2), width // 2 + 1))


# -- one token ---------------------------------------------------------------------------------------------------------


def laid_over(
    kernel: Tensor,
    units: Sequence[Unit],
    position: int,
    *,
    colour: str,
    look: Look,
    title: str,
    other: tuple[str, Tensor] | None = None,
) -> View:
    """The kernel (tap,) of one token over the tokens it covers: bars, and arcs from the token; the ends are hatched.

    other: a kernel to compare with, and its name, as outlines.
    """
    taps = taps_of(len(kernel))
    covered = [units[position + tap] if 0 <= position + tap < len(units) else None for tap in taps]
    tallest = max(float(kernel.max()), float(other[1].max()) if other else 0.0, 1e-9)
    traces: list[Any] = [_kernel_bars(kernel, taps, covered, colour, look)]
    if other:
        traces.append(_outline(*other, taps, look))
    names = [
        f"{shortened(unit.text) if unit else '<i>padding</i>'}<br><i>{tap:+d}</i>"
        for unit, tap in zip(covered, taps, strict=True)
    ]
    figure = go.Figure(
        traces,
        layout(
            look,
            330,
            shapes=_arcs(kernel, taps, tallest, colour),
            xaxis=plain_axis(look, tickvals=taps, ticktext=names, range=[taps[0] - 0.6, taps[-1] + 0.6])
            | {"tickfont": {"size": 12, "color": look.ink}},
            yaxis=plain_axis(look, range=[0, 1.97 * tallest], showticklabels=False),
        ),
    )
    spelled = [visible(unit.text) if unit else EDGE for unit in covered]
    table = pandas.DataFrame({"tap": taps, "token": spelled, "weight": kernel.tolist()})
    if other:
        table[other[0]] = other[1].tolist()
    best = int(kernel.argmax())
    alt = (
        f"{title}: the kernel of {visible(units[position].text)} weighs {spelled[best]} ({tap_name(taps[best])}) most, "
        f"with {percent(float(kernel[best]))}."
    )
    return View(title, figure, alt, table)


def _kernel_bars(
    kernel: Tensor, taps: Sequence[int], covered: Sequence[Unit | None], colour: str, look: Look
) -> go.Bar:
    """A bar for each tap, hatched where it falls on no token."""
    weights = kernel.tolist()
    spelled = [visible(unit.text) if unit else EDGE for unit in covered]
    return go.Bar(
        x=taps,
        y=small(kernel),
        width=0.7,
        cliponaxis=False,
        marker={
            "color": translucent(colour, 0.55),
            "line": {"color": colour, "width": 1},
            "pattern": {"shape": ["" if unit else "/" for unit in covered], "fgcolor": look.faint},
        },
        text=[percent(weight) for weight in weights],
        textposition="outside",
        textfont={"size": 11},
        hovertext=[f"{plotly(text)}: {weight:.2%}" for text, weight in zip(spelled, weights, strict=True)],
        hoverinfo="text",
    )


def _outline(name: str, kernel: Tensor, taps: Sequence[int], look: Look) -> go.Scatter:
    """A kernel as a dotted line of steps."""
    return go.Scatter(
        x=taps,
        y=small(kernel),
        mode="lines+markers",
        name=plotly(name),
        line={"color": look.faint, "width": 1.5, "dash": "dot", "shape": "hvh"},
        marker={"size": 5},
        hovertemplate="%{y:.2%}<extra></extra>",
    )


def _arcs(kernel: Tensor, taps: Sequence[int], tallest: float, colour: str) -> list[dict[str, Any]]:
    """An arc above the bars from the token to each tap, the thicker the more weight; a loop to itself."""
    foot = 1.22 * tallest
    loop = f"M -0.12 {foot} C -0.5 {foot + 0.5 * tallest} 0.5 {foot + 0.5 * tallest} 0.12 {foot}"
    return [
        {
            "type": "path",
            "layer": "below",
            "line": {"color": colour, "width": max(0.4, 7 * weight)},
            "path": f"M 0 {foot} Q {tap / 2} {foot + tallest * (0.25 + 0.12 * abs(tap))} {tap} {foot}" if tap else loop,
        }
        for tap, weight in zip(taps, kernel.tolist(), strict=True)
        if weight >= 0.01
    ]


# -- a whole text ------------------------------------------------------------------------------------------------------


def heat(kernels: Kernels, layer: int, head: int | None, *, colour: str, look: Look, title: str) -> View:
    """Tokens by taps of one head, or of the mean of all; taps beyond the ends are grey."""
    weights = kernels.weights[layer].mean(0) if head is None else kernels.weights[layer, head]
    n, taps = len(kernels.units), list(kernels.taps)
    beyond = [
        {
            "type": "rect",
            "x0": tap - 0.5,
            "x1": tap + 0.5,
            "y0": row - 0.5,
            "y1": row + 0.5,
            "line": {"width": 0},
            "fillcolor": translucent(look.faint, 0.3),
        }
        for row in range(n)
        for tap in taps
        if not 0 <= row + tap < n
    ]
    words = [
        [shortened(kernels.units[row + tap].text) if 0 <= row + tap < n else EDGE for tap in taps] for row in range(n)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=small(weights),
            x=taps,
            zmin=0,
            zmax=max(float(weights.max()), 1e-9),
            colorscale=scale(colour, look),
            xgap=2,
            ygap=1 if n <= 60 else 0,
            customdata=words,
            hovertemplate="%{y} weighs %{customdata}, tap %{x:+d}: %{z:.1%}<extra></extra>",
            colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ".2~p", "tickfont": {"color": look.faint}},
        ),
        layout(
            look,
            min(1500, max(240, 80 + n * (22 if n <= 40 else 14))),
            xaxis=plain_axis(
                look, tickvals=taps, ticktext=[f"{tap:+d}" if tap else "itself" for tap in taps], side="top"
            ),
            yaxis=words_axis(kernels.units, look, autorange="reversed"),
            shapes=beyond,
        ),
    )
    mean = weights[kernels.own].mean(0)
    best = int(mean.argmax())
    alt = f"{title}: on average the tap {tap_name(taps[best])} has most, {percent(float(mean[best]))}."
    return View(title, figure, alt, analysis.frame(kernels, layer, head))


def mixed_block(attention: Attention, kernels: Kernels, layer: int, *, colour: str, look: Look, title: str) -> View:
    """All of a mixed attention block: its attention heads above, its convolution heads below, as matrices alike."""
    heads, n = kernels.weights.shape[1], len(kernels.units)
    rows = {
        "attention": list(attention.weights[layer]),
        "convolution": [kernels.banded(layer, head) for head in range(heads)],
    }
    traces: list[Any] = []
    axes: dict[str, Any] = {}
    notes, numbers = [], {}
    step = 1 / heads
    for row, (half, matrices) in enumerate(rows.items()):
        for head, matrix in enumerate(matrices):
            number = row * heads + head + 1
            suffix = "" if number == 1 else str(number)
            domain = [head * step, (head + 0.94) * step]
            height = [0.54, 0.96] if row == 0 else [0, 0.42]
            traces.append(
                go.Heatmap(
                    z=small(matrix),
                    zmin=0,
                    zmax=1,
                    colorscale=scale(colour, look),
                    showscale=False,
                    xaxis=f"x{suffix}",
                    yaxis=f"y{suffix}",
                    hovertemplate="%{y} → %{x}: %{z:.1%}<extra></extra>",
                )
            )
            ticks = n <= 24 and heads <= 4
            axes[f"xaxis{suffix}"] = words_axis(
                kernels.units, look, domain=domain, anchor=f"y{suffix}", showticklabels=False, automargin=False
            )
            axes[f"yaxis{suffix}"] = words_axis(
                kernels.units,
                look,
                domain=height,
                anchor=f"x{suffix}",
                autorange="reversed",
                showticklabels=ticks and head == 0,
            )
            notes.append(panel_heading(f"{half} {head + 1}", look, x=domain[0], y=height[1]))
            numbers[f"{half} {head + 1}"] = matrix.flatten().tolist()
    figure = go.Figure(
        traces,
        layout(look, 560 if heads <= 3 else 440, annotations=notes, plot_bgcolor=translucent(look.faint, 0.07), **axes),
    )
    inside = float(_band(torch.stack(rows["attention"]), len(kernels.taps))[:, kernels.own].mean())
    alt = (
        f"{title}: {heads} attention heads, which reach everywhere, and {heads} convolution heads, which reach "
        f"{len(kernels.taps) // 2} tokens to each side; attention puts {percent(inside)} within that band."
    )
    table = matrix_frame(rows["attention"][0], kernels.units).drop(columns="weight").assign(**numbers)
    return View(title, figure, alt, table)


def _band(matrices: Tensor, width: int) -> Tensor:
    """(heads, query): the share of attention that lies within a kernel's reach."""
    return matrices.triu(-(width // 2)).tril(width // 2).sum(-1)


# -- two texts ---------------------------------------------------------------------------------------------------------


def changes(change: Change, *, look: Look, title: str) -> View:
    """How far kernels of shared tokens lie apart in two texts, by layer: from the span, and from the token alone."""
    span, alone = (values.mean(1) for values in change.distances())  # (layers, pairs)
    layers = len(span)
    units = [change.second.units[b] for _, b in change.pairs]
    end = max(float(span.max()), float(alone.max()), 0.01)
    shade = {"zmin": 0, "zmax": end, "colorscale": scale(look.more, look), "xgap": 1, "ygap": 2}
    hover = "layer %{y}, %{x}: %{z:.1%}<extra></extra>"
    rows = list(range(1, layers + 1))
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(span),
                y=rows,
                hovertemplate=hover,
                **shade,
                colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ".2~p", "tickfont": {"color": look.faint}},
            ),
            go.Heatmap(z=small(alone), y=rows, yaxis="y2", showscale=False, hovertemplate=hover, **shade),
        ],
        layout(
            look,
            150 + 44 * layers,
            xaxis=words_axis(units, look, side="top", tickangle=-60, anchor="y"),
            yaxis=plain_axis(
                look,
                domain=[0.54, 1],
                dtick=1,
                autorange="reversed",
                title="span",
                colour=look.ink,
            ),
            yaxis2=plain_axis(
                look,
                domain=[0, 0.46],
                dtick=1,
                autorange="reversed",
                title="token alone",
                colour=look.ink,
            ),
            plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )
    table = pandas.DataFrame(
        [
            (visible(units[pair].text), first, second, layer + 1, float(span[layer, pair]), float(alone[layer, pair]))
            for pair, (first, second) in enumerate(change.pairs)
            for layer in range(layers)
        ],
        columns=["token", "place in the first", "place in the second", "layer", "span", "token alone"],
    )
    alt = (
        f"{title}: in layer 1 the kernels of {len(units)} shared tokens moved by {percent(float(span[0].mean()))} on "
        f"average, those from the token alone by {percent(float(alone[0].mean()))}."
    )
    return View(title, figure, alt, table)
