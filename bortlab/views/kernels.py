"""Dynamic convolution as pictures: kernels over their tokens, as matrices beside attention, in two texts, by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas
import plotly.graph_objects as go
import torch
from torch import Tensor

from bortlab.analysis import kernels as analysis
from bortlab.analysis.attention import Attention, Unit, matrix_frame
from bortlab.analysis.kernels import Ablated, Change, Contributions, Kernels, Survey
from bortlab.system.numbers import percent
from bortlab.views.escape import plotly, visible
from bortlab.views.figures import PALE, diverging, layout, plain_axis, scale, shortened, small, words_axis
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

EDGE = "beyond the end"
FILTERS = 64
"""Filters of a separable convolution that are drawn one by one, the largest."""


def tap_name(tap: int) -> str:
    """-2 as "2 before", 0 as "itself", 3 as "3 after"."""
    return "itself" if tap == 0 else f"{-tap} before" if tap < 0 else f"{tap} after"


# -- one token ---------------------------------------------------------------------------------------------------------


def laid_over(
    kernel: Tensor, units: Sequence[Unit], position: int, *, colour: str, look: Look, title: str,
    other: tuple[str, Tensor] | None = None,
) -> View:  # fmt: skip
    """The kernel (tap,) of one token over the tokens it covers: bars, and arcs from the token; the ends are hatched.

    other: a kernel to compare with, and its name, as outlines.
    """
    width = len(kernel)
    taps = list(range(-(width // 2), width // 2 + 1))
    places = [position + tap for tap in taps]
    there = [0 <= place < len(units) for place in places]
    said = [visible(units[place].text) if inside else EDGE for place, inside in zip(places, there, strict=True)]
    names = [
        f"{shortened(units[place].text)}<br><i>{tap:+d}</i>" if inside else f"<i>padding</i><br><i>{tap:+d}</i>"
        for place, tap, inside in zip(places, taps, there, strict=True)
    ]
    end = max(float(kernel.max()), float(other[1].max()) if other else 0.0, 1e-9)
    lift = end * 1.22
    arcs = [
        {
            "type": "path", "layer": "below", "line": {"color": colour, "width": max(0.4, 7 * weight)},
            "path": f"M 0 {lift} Q {tap / 2} {lift + end * (0.25 + 0.12 * abs(tap))} {tap} {lift}"
            if tap else f"M -0.12 {lift} C -0.5 {lift + end * 0.5} 0.5 {lift + end * 0.5} 0.12 {lift}",
        }
        for tap, weight in zip(taps, kernel.tolist(), strict=True)
        if weight >= 0.01
    ]  # fmt: skip
    bars: list[Any] = [
        go.Bar(
            x=taps, y=small(kernel), width=0.7, cliponaxis=False,
            marker={
                "color": translucent(colour, 0.55), "line": {"color": colour, "width": 1},
                "pattern": {"shape": ["" if inside else "/" for inside in there], "fgcolor": look.faint},
            },
            text=[percent(w) for w in kernel.tolist()], textposition="outside", textfont={"size": 11},
            hovertext=[f"{plotly(s)}: {w:.2%}" for s, w in zip(said, kernel.tolist(), strict=True)], hoverinfo="text",
        )
    ]  # fmt: skip
    if other:
        bars.append(
            go.Scatter(
                x=taps, y=small(other[1]), mode="lines+markers", name=plotly(other[0]),
                line={"color": look.faint, "width": 1.5, "dash": "dot", "shape": "hvh"}, marker={"size": 5},
                hovertemplate="%{y:.2%}<extra></extra>",
            )
        )  # fmt: skip
    figure = go.Figure(
        bars,
        layout(
            look, 330, shapes=arcs,
            xaxis=plain_axis(look, tickvals=taps, ticktext=names, range=[taps[0] - 0.6, taps[-1] + 0.6])
            | {"tickfont": {"size": 12, "color": look.ink}},
            yaxis=plain_axis(look, range=[0, lift + end * 0.75], showticklabels=False),
        ),
    )  # fmt: skip
    table = pandas.DataFrame({"tap": taps, "token": said, "weight": kernel.tolist()})
    if other:
        table[other[0]] = other[1].tolist()
    best = int(kernel.argmax())
    alt = (
        f"{title}: the kernel of {visible(units[position].text)} weighs {said[best]} ({tap_name(taps[best])}) most, "
        f"with {percent(float(kernel[best]))}."
    )
    return View(title, figure, alt, table)


# -- a whole text ------------------------------------------------------------------------------------------------------


def heat(kernels: Kernels, layer: int, head: int | None, *, colour: str, look: Look, title: str) -> View:
    """Tokens by taps of one head, or of the mean of all; taps beyond the ends are grey."""
    weights = kernels.weights[layer].mean(0) if head is None else kernels.weights[layer, head]
    n, taps = len(kernels.units), list(kernels.taps)
    beyond = [
        {"type": "rect", "x0": tap - 0.5, "x1": tap + 0.5, "y0": row - 0.5, "y1": row + 0.5,
         "line": {"width": 0}, "fillcolor": translucent(look.faint, 0.3)}
        for row in range(n) for tap in taps if not 0 <= row + tap < n
    ]  # fmt: skip
    words = [
        [shortened(kernels.units[row + tap].text) if 0 <= row + tap < n else EDGE for tap in taps] for row in range(n)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=small(weights), x=taps, zmin=0, zmax=max(float(weights.max()), 1e-9), colorscale=scale(colour, look),
            xgap=2, ygap=1 if n <= 60 else 0, customdata=words,
            hovertemplate="%{y} weighs %{customdata}, tap %{x:+d}: %{z:.1%}<extra></extra>",
            colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ".2~p", "tickfont": {"color": look.faint}},
        ),
        layout(
            look, min(1500, max(240, 80 + n * (22 if n <= 40 else 14))),
            xaxis=plain_axis(look, tickvals=taps, ticktext=[f"{tap:+d}" if tap else "itself" for tap in taps],
                             side="top"),
            yaxis=words_axis(kernels.units, look, autorange="reversed"),
            shapes=beyond,
        ),
    )  # fmt: skip
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
                    z=small(matrix), zmin=0, zmax=1, colorscale=scale(colour, look), showscale=False,
                    xaxis=f"x{suffix}", yaxis=f"y{suffix}", hovertemplate="%{y} → %{x}: %{z:.1%}<extra></extra>",
                )
            )  # fmt: skip
            ticks = n <= 24 and heads <= 4
            axes[f"xaxis{suffix}"] = words_axis(
                kernels.units, look, domain=domain, anchor=f"y{suffix}", showticklabels=False, automargin=False
            )
            axes[f"yaxis{suffix}"] = words_axis(
                kernels.units, look, domain=height, anchor=f"x{suffix}", autorange="reversed",
                showticklabels=ticks and head == 0,
            )  # fmt: skip
            notes.append(
                {"x": domain[0], "y": height[1], "xref": "paper", "yref": "paper", "xanchor": "left",
                 "yanchor": "bottom", "text": f"{half} {head + 1}", "showarrow": False,
                 "font": {"size": 12, "color": look.ink}}
            )  # fmt: skip
            numbers[f"{half} {head + 1}"] = matrix.flatten().tolist()
    figure = go.Figure(
        traces,
        layout(
            look, 560 if heads <= 3 else 440, annotations=notes, plot_bgcolor=translucent(look.faint, 0.07), **axes
        ),
    )  # fmt: skip
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


# -- numbers by layer --------------------------------------------------------------------------------------------------

_MEASURES = (("entropy", "Entropy, bits"), ("centre", "Centre"), ("width", "Width"), ("own", "Centre tap, %"))


def measures(found: analysis.KernelStatistics, taps: int, *, colour: str, look: Look, title: str) -> View:
    """Four numbers of every head, (layers, heads) each, as grids of layers and heads."""
    layers, heads = found.entropy.shape
    ends = {"entropy": math.log2(taps), "width": taps / 2, "own": 1.0}
    traces, axes, notes = [], {}, []
    for number, (name, said) in enumerate(_MEASURES):
        values = getattr(found, name)
        suffix = "" if number == 0 else str(number + 1)
        left = number * 0.26
        signed, share = name == "centre", name == "own"
        end = ends.get(name, taps / 2)
        text = [
            [f"{100 * v:.0f}" if share else f"{v:+.1f}" if signed else f"{v:.1f}" for v in r] for r in values.tolist()
        ]
        traces.append(
            go.Heatmap(
                z=small(values), x=list(range(1, heads + 1)), y=list(range(1, layers + 1)),
                zmin=-end if signed else 0, zmax=end,
                colorscale=diverging(look, most=PALE) if signed else scale(colour, look, most=PALE),
                showscale=False, xgap=2, ygap=2, xaxis=f"x{suffix}", yaxis=f"y{suffix}", text=text,
                texttemplate="%{text}", textfont={"size": 11, "color": look.ink},
                hovertemplate=f"layer %{{y}}, head %{{x}}: %{{z:{'.1%' if share else '.2f'}}}<extra></extra>",
            )
        )  # fmt: skip
        axes[f"xaxis{suffix}"] = plain_axis(
            look, domain=[left, left + 0.22], anchor=f"y{suffix}", dtick=1, title={"text": "head"}
        )
        axes[f"yaxis{suffix}"] = plain_axis(
            look, anchor=f"x{suffix}", dtick=1, autorange="reversed", title={"text": "layer" if number == 0 else ""}
        )
        notes.append(
            {"x": left, "y": 1.02, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
             "text": said, "showarrow": False, "font": {"size": 13, "color": look.ink}}
        )  # fmt: skip
    figure = go.Figure(traces, layout(look, 100 + 30 * max(3, layers), annotations=notes, **axes))
    figure.update_layout(margin={"t": 26})
    table = pandas.DataFrame(
        {"layer": [layer + 1 for layer in range(layers) for _ in range(heads)], "head": [*range(1, heads + 1)] * layers}
        | {said: getattr(found, name).flatten().tolist() for name, said in _MEASURES}
    )
    table["Centre tap, %"] *= 100
    alt = (
        f"{title}: on average {float(found.entropy.mean()):.2f} of {math.log2(taps):.2f} bits of entropy and "
        f"{percent(float(found.own.mean()))} on the centre tap."
    )
    return View(title, figure, alt, table)


def preferences(found: Survey, *, colour: str, look: Look, title: str) -> View:
    """The mean kernel of every head over many texts, layer by layer, and how far single kernels lie from it."""
    layers, heads, width = found.mean.shape
    taps = list(range(-(width // 2), width // 2 + 1))
    names = [f"layer {layer + 1}, head {head + 1}" for layer in range(layers) for head in range(heads)]
    rows = found.mean.flatten(0, 1)
    spread = found.spread.flatten()
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(rows), x=taps, y=list(range(len(names))), zmin=0, zmax=float(rows.max()),
                colorscale=scale(colour, look), xgap=2, ygap=2, showscale=False,
                hovertemplate="%{y}, tap %{x:+d}: %{z:.1%}<extra></extra>",
            ),
            go.Bar(
                x=small(spread), y=list(range(len(names))), orientation="h", xaxis="x2",
                marker={"color": translucent(colour, 0.6)}, text=[percent(v) for v in spread.tolist()],
                textposition="outside", cliponaxis=False, textfont={"size": 11, "color": look.faint},
                hovertemplate="%{y}: %{x:.2%}<extra></extra>",
            ),
        ],
        layout(
            look, 80 + 24 * len(names), bargap=0.3,
            xaxis=plain_axis(look, domain=[0, 0.7], side="top", tickvals=taps,
                             ticktext=[f"{tap:+d}" if tap else "itself" for tap in taps]),
            xaxis2=plain_axis(look, domain=[0.74, 1], side="top", showticklabels=False,
                              range=[0, max(0.05, float(spread.max())) * 1.5],
                              title={"text": "differ from it by", "font": {"color": look.ink}}),
            yaxis=plain_axis(look, tickvals=list(range(len(names))), ticktext=names, autorange="reversed"),
        ),
    )  # fmt: skip
    table = pandas.DataFrame(
        {"layer": [layer + 1 for layer in range(layers) for _ in range(heads)], "head": [*range(1, heads + 1)] * layers}
        | {f"tap {tap:+d}": rows[:, n].tolist() for n, tap in enumerate(taps)}
        | {"differ from it by": spread.tolist()}
    )  # fmt: skip
    most = int(spread.argmax())
    alt = (
        f"{title}: mean kernels over {found.n_positions:,} tokens of {found.n_texts} sentences. Kernels differ "
        f"most from token to token in {names[most]}, by {percent(float(spread[most]))}."
    )
    return View(title, figure, alt, table)


def fixed_filters(filters: Tensor, layer: int, *, look: Look, title: str) -> View:
    """Filters (layers, hidden, tap) of a layer's separable convolution, the largest: the same for every text."""
    chosen = filters[layer]
    order = chosen.abs().sum(-1).argsort(descending=True)[:FILTERS]
    rows = chosen[order]
    width = rows.shape[1]
    taps = list(range(-(width // 2), width // 2 + 1))
    end = max(float(rows.abs().max()), 1e-9)
    strength = chosen.square().mean(0).sqrt()
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(rows.T), y=taps, zmin=-end, zmax=end, colorscale=diverging(look), showscale=False,
                customdata=[[int(c) for c in order]] * width,
                hovertemplate="feature %{customdata}, tap %{y:+d}: %{z:.3f}<extra></extra>",
            ),
            go.Bar(
                x=small(strength), y=taps, orientation="h", xaxis="x2", marker={"color": look.faint},
                hovertemplate="tap %{y:+d}: %{x:.3f}<extra></extra>",
            ),
        ],
        layout(
            look, 300, bargap=0.3,
            xaxis=plain_axis(look, domain=[0, 0.76], showticklabels=False, title={"text": "features"}),
            xaxis2=plain_axis(look, domain=[0.79, 1], showticklabels=False, title={"text": "root mean square"}),
            yaxis=plain_axis(look, tickvals=taps, ticktext=[f"{tap:+d}" if tap else "itself" for tap in taps],
                             autorange="reversed"),
        ),
    )  # fmt: skip
    table = pandas.DataFrame(
        {"feature": order.tolist()} | {f"tap {t:+d}": rows[:, n].tolist() for n, t in enumerate(taps)}
    )
    best = taps[int(strength.argmax())]
    alt = f"{title}: {len(rows)} of {len(chosen)} filters; over all, the tap {tap_name(best)} is the strongest."
    return View(title, figure, alt, table)


# -- two texts ---------------------------------------------------------------------------------------------------------


def changes(found: Change, *, look: Look, title: str) -> View:
    """How far kernels of shared tokens lie apart in two texts, by layer: from the span, and from the token alone."""
    span, alone = (values.mean(1) for values in found.distances())  # (layers, pairs)
    layers = len(span)
    units = [found.second.units[b] for _, b in found.pairs]
    end = max(float(span.max()), float(alone.max()), 0.01)
    shade = {"zmin": 0, "zmax": end, "colorscale": scale(look.more, look), "xgap": 1, "ygap": 2}
    hover = "layer %{y}, %{x}: %{z:.1%}<extra></extra>"
    rows = list(range(1, layers + 1))
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(span), y=rows, hovertemplate=hover, **shade,
                colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ".2~p", "tickfont": {"color": look.faint}},
            ),
            go.Heatmap(z=small(alone), y=rows, yaxis="y2", showscale=False, hovertemplate=hover, **shade),
        ],
        layout(
            look, 150 + 44 * layers,
            xaxis=words_axis(units, look, side="top", tickangle=-60, anchor="y"),
            yaxis=plain_axis(look, domain=[0.54, 1], dtick=1, autorange="reversed",
                             title={"text": "span", "font": {"color": look.ink}}),
            yaxis2=plain_axis(look, domain=[0, 0.46], dtick=1, autorange="reversed",
                              title={"text": "token alone", "font": {"color": look.ink}}),
            plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )  # fmt: skip
    table = pandas.DataFrame(
        [
            (visible(units[pair].text), first, second, layer + 1, float(span[layer, pair]), float(alone[layer, pair]))
            for pair, (first, second) in enumerate(found.pairs)
            for layer in range(layers)
        ],
        columns=["token", "place in the first", "place in the second", "layer", "span", "token alone"],
    )
    alt = (
        f"{title}: in layer 1 the kernels of {len(units)} shared tokens moved by {percent(float(span[0].mean()))} on "
        f"average, those from the token alone by {percent(float(alone[0].mean()))}."
    )
    return View(title, figure, alt, table)


# -- halves ------------------------------------------------------------------------------------------------------------


def halves(found: Contributions, *, colour: str, look: Look, title: str) -> View:
    """Which half of a block's attention adds more, by layer and token: blue convolution, orange attention."""
    share = found.convolution / (found.convolution + found.attention).clamp_min(1e-30)
    layers = len(share)
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(share), y=list(range(1, layers + 1)), zmin=0, zmax=1, colorscale=diverging(look), xgap=1,
                ygap=2, hovertemplate="layer %{y}, %{x}: convolution %{z:.0%}<extra></extra>",
                colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ".2~p", "tickfont": {"color": look.faint}},
            )
        ],
        layout(
            look, 130 + 34 * layers,
            xaxis=words_axis(found.units, look, side="top", tickangle=-60),
            yaxis=plain_axis(look, dtick=1, autorange="reversed", title={"text": "layer"}),
        ),
    )  # fmt: skip
    table = pandas.DataFrame(
        [
            (layer + 1, place, visible(unit.text), *(float(values[layer, place]) for values in _numbers(found)))
            for layer in range(layers)
            for place, unit in enumerate(found.units)
        ],
        columns=["layer", "position", "token", "length of attention", "length of convolution", "length of both",
                 "length of the input", "share of attention", "share of convolution"],
    )  # fmt: skip
    means = [f"layer {n + 1} {percent(float(row.mean()))}" for n, row in enumerate(share)]
    return View(
        title, figure, f"{title}: convolution's part of the two lengths, on average: {', '.join(means)}.", table
    )


def _numbers(found: Contributions) -> tuple[Tensor, ...]:
    return (
        found.attention, found.convolution, found.total, found.before, found.attention_share, found.convolution_share,
    )  # fmt: skip


def ablated(found: Sequence[Ablated], *, colour: str, look: Look, title: str) -> View:
    """How far the prediction moves with something changed, and what then stands in the first blank."""
    names = [analysis.ABLATIONS[one.ablation] for one in found]
    guesses = [
        " · ".join(f"{plotly(c.text.strip() or c.text)} {percent(c.probability)}" for c in one.blanks[0][:3])
        if one.blanks else ""
        for one in found
    ]  # fmt: skip
    above = [f"<b>{name}</b>  {guess}" for name, guess in zip(names, guesses, strict=True)]
    rows = list(range(len(found)))
    figure = go.Figure(
        [
            go.Bar(
                x=[one.moved for one in found], y=rows, orientation="h",
                marker={"color": translucent(colour, 0.6), "line": {"width": 0}}, customdata=names,
                text=[percent(one.moved) if one.moved else "0 %" for one in found], textposition="outside",
                cliponaxis=False, hovertemplate="%{customdata}: %{x:.2%} moved<extra></extra>",
            ),
            go.Scatter(
                x=[0] * len(rows), y=[row - 0.45 for row in rows], mode="text", text=above,
                textposition="middle right", hoverinfo="skip", textfont={"size": 13, "color": look.ink},
                cliponaxis=False,
            ),
        ],
        layout(
            look, 30 + 52 * len(rows), bargap=0.65,
            xaxis=plain_axis(look, range=[0, 1.12], showticklabels=False),
            yaxis=plain_axis(look, range=[len(rows) - 0.5, -0.8], showticklabels=False),
        ),
    )  # fmt: skip
    lines: list[tuple[object, ...]] = [
        (name, one.moved, blank + 1, rank + 1, c.text, c.probability)
        for name, one in zip(names, found, strict=True)
        for blank, candidates in enumerate(one.blanks)
        for rank, c in enumerate(candidates)
    ]
    lines = lines or [(name, one.moved, None, None, None, None) for name, one in zip(names, found, strict=True)]
    table = pandas.DataFrame(lines, columns=["change", "moved", "blank", "rank", "candidate", "probability"])
    said = "; ".join(f"{name} {percent(one.moved)}" for name, one in zip(names, found, strict=True))
    return View(title, figure, f"{title}: how much of the prediction moved: {said}.", table)
