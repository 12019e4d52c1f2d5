"""Dynamic convolution in numbers: what kernels prefer, fixed filters, and what each half of a block does."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas
import plotly.graph_objects as go
from torch import Tensor

from bortlab.analysis.kernels import ABLATIONS, Ablated, Contributions, KernelStatistics, Survey
from bortlab.system.numbers import percent
from bortlab.views.escape import plotly, visible
from bortlab.views.figures import PALE, diverging, layout, panel_heading, plain_axis, scale, small, words_axis
from bortlab.views.kernels import tap_name, taps_of
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

FILTERS = 64
"""Filters of a separable convolution that are drawn one by one, the largest."""


MEASURES = (("entropy", "Entropy, bits"), ("centre", "Centre"), ("width", "Width"), ("own", "Centre tap, %"))


def measures(statistics: KernelStatistics, taps: int, *, colour: str, look: Look, title: str) -> View:
    """Four numbers of every head, (layers, heads) each, as grids of layers and heads."""
    layers, heads = statistics.entropy.shape
    ends = {"entropy": math.log2(taps), "width": taps / 2, "own": 1.0}
    traces, axes, notes = [], {}, []
    for number, (name, heading) in enumerate(MEASURES):
        values = getattr(statistics, name)
        suffix = "" if number == 0 else str(number + 1)
        left = number * 0.26
        signed, share = name == "centre", name == "own"
        end = ends.get(name, taps / 2)
        text = [
            [f"{100 * v:.0f}" if share else f"{v:+.1f}" if signed else f"{v:.1f}" for v in r] for r in values.tolist()
        ]
        traces.append(
            go.Heatmap(
                z=small(values),
                x=list(range(1, heads + 1)),
                y=list(range(1, layers + 1)),
                zmin=-end if signed else 0,
                zmax=end,
                colorscale=diverging(look, most=PALE) if signed else scale(colour, look, most=PALE),
                showscale=False,
                xgap=2,
                ygap=2,
                xaxis=f"x{suffix}",
                yaxis=f"y{suffix}",
                text=text,
                texttemplate="%{text}",
                textfont={"size": 11, "color": look.ink},
                hovertemplate=f"layer %{{y}}, head %{{x}}: %{{z:{'.1%' if share else '.2f'}}}<extra></extra>",
            )
        )
        axes[f"xaxis{suffix}"] = plain_axis(
            look, domain=[left, left + 0.22], anchor=f"y{suffix}", dtick=1, title="head"
        )
        axes[f"yaxis{suffix}"] = plain_axis(
            look, anchor=f"x{suffix}", dtick=1, autorange="reversed", title="layer" if number == 0 else ""
        )
        notes.append(panel_heading(heading, look, x=left, y=1.02, size=13))
    figure = go.Figure(traces, layout(look, 100 + 30 * max(3, layers), annotations=notes, **axes))
    figure.update_layout(margin={"t": 26})
    table = pandas.DataFrame(
        _heads_of(layers, heads) | {heading: getattr(statistics, name).flatten().tolist() for name, heading in MEASURES}
    )
    table["Centre tap, %"] *= 100
    alt = (
        f"{title}: on average {float(statistics.entropy.mean()):.2f} of {math.log2(taps):.2f} bits of entropy and "
        f"{percent(float(statistics.own.mean()))} on the centre tap."
    )
    return View(title, figure, alt, table)


def _heads_of(layers: int, heads: int) -> dict[str, list[int]]:
    """The first columns of a table with a row for each head of each layer."""
    return {
        "layer": [layer + 1 for layer in range(layers) for _ in range(heads)],
        "head": [*range(1, heads + 1)] * layers,
    }


def preferences(survey: Survey, *, colour: str, look: Look, title: str) -> View:
    """The mean kernel of every head over many texts, layer by layer, and how far single kernels lie from it."""
    layers, heads, width = survey.mean.shape
    taps = taps_of(width)
    names = [f"layer {layer + 1}, head {head + 1}" for layer in range(layers) for head in range(heads)]
    rows = survey.mean.flatten(0, 1)
    spread = survey.spread.flatten()
    ticks = [f"{tap:+d}" if tap else "itself" for tap in taps]
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(rows),
                x=taps,
                y=list(range(len(names))),
                zmin=0,
                zmax=float(rows.max()),
                colorscale=scale(colour, look),
                xgap=2,
                ygap=2,
                showscale=False,
                hovertemplate="%{y}, tap %{x:+d}: %{z:.1%}<extra></extra>",
            ),
            go.Bar(
                x=small(spread),
                y=list(range(len(names))),
                orientation="h",
                xaxis="x2",
                marker={"color": translucent(colour, 0.6)},
                text=[percent(v) for v in spread.tolist()],
                textposition="outside",
                cliponaxis=False,
                textfont={"size": 11, "color": look.faint},
                hovertemplate="%{y}: %{x:.2%}<extra></extra>",
            ),
        ],
        layout(
            look,
            80 + 24 * len(names),
            bargap=0.3,
            xaxis=plain_axis(look, domain=[0, 0.7], side="top", tickvals=taps, ticktext=ticks),
            xaxis2=plain_axis(
                look,
                domain=[0.74, 1],
                side="top",
                showticklabels=False,
                range=[0, max(0.05, float(spread.max())) * 1.5],
                title="differ from it by",
                colour=look.ink,
            ),
            yaxis=plain_axis(look, tickvals=list(range(len(names))), ticktext=names, autorange="reversed"),
        ),
    )
    by_tap = {f"tap {tap:+d}": rows[:, n].tolist() for n, tap in enumerate(taps)}
    table = pandas.DataFrame(_heads_of(layers, heads) | by_tap | {"differ from it by": spread.tolist()})
    most = int(spread.argmax())
    alt = (
        f"{title}: mean kernels over {survey.n_positions:,} tokens of {survey.n_texts} sentences. Kernels differ "
        f"most from token to token in {names[most]}, by {percent(float(spread[most]))}."
    )
    return View(title, figure, alt, table)


def fixed_filters(filters: Tensor, layer: int, *, look: Look, title: str) -> View:
    """Filters (layers, hidden, tap) of a layer's separable convolution, the largest: the same for every text."""
    chosen = filters[layer]
    order = chosen.abs().sum(-1).argsort(descending=True)[:FILTERS]
    rows = chosen[order]
    width = rows.shape[1]
    taps = taps_of(width)
    end = max(float(rows.abs().max()), 1e-9)
    strength = chosen.square().mean(0).sqrt()
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(rows.T),
                y=taps,
                zmin=-end,
                zmax=end,
                colorscale=diverging(look),
                showscale=False,
                customdata=[[int(c) for c in order]] * width,
                hovertemplate="feature %{customdata}, tap %{y:+d}: %{z:.3f}<extra></extra>",
            ),
            go.Bar(
                x=small(strength),
                y=taps,
                orientation="h",
                xaxis="x2",
                marker={"color": look.faint},
                hovertemplate="tap %{y:+d}: %{x:.3f}<extra></extra>",
            ),
        ],
        layout(
            look,
            300,
            bargap=0.3,
            xaxis=plain_axis(look, domain=[0, 0.76], showticklabels=False, title="features"),
            xaxis2=plain_axis(look, domain=[0.79, 1], showticklabels=False, title="root mean square"),
            yaxis=plain_axis(
                look, tickvals=taps, ticktext=[f"{tap:+d}" if tap else "itself" for tap in taps], autorange="reversed"
            ),
        ),
    )
    table = pandas.DataFrame(
        {"feature": order.tolist()} | {f"tap {t:+d}": rows[:, n].tolist() for n, t in enumerate(taps)}
    )
    best = taps[int(strength.argmax())]
    alt = f"{title}: {len(rows)} of {len(chosen)} filters; over all, the tap {tap_name(best)} is the strongest."
    return View(title, figure, alt, table)


# -- halves ------------------------------------------------------------------------------------------------------------


def halves(contributions: Contributions, *, colour: str, look: Look, title: str) -> View:
    """Which half of a block's attention adds more, by layer and token: blue convolution, orange attention."""
    share = contributions.convolution / (contributions.convolution + contributions.attention).clamp_min(1e-30)
    layers = len(share)
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(share),
                y=list(range(1, layers + 1)),
                zmin=0,
                zmax=1,
                colorscale=diverging(look),
                xgap=1,
                ygap=2,
                hovertemplate="layer %{y}, %{x}: convolution %{z:.0%}<extra></extra>",
                colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ".2~p", "tickfont": {"color": look.faint}},
            )
        ],
        layout(
            look,
            130 + 34 * layers,
            xaxis=words_axis(contributions.units, look, side="top", tickangle=-60),
            yaxis=plain_axis(look, dtick=1, autorange="reversed", title="layer"),
        ),
    )
    table = pandas.DataFrame(
        [
            (layer + 1, place, visible(unit.text), *(float(values[layer, place]) for values in _numbers(contributions)))
            for layer in range(layers)
            for place, unit in enumerate(contributions.units)
        ],
        columns=[
            "layer",
            "position",
            "token",
            "length of attention",
            "length of convolution",
            "length of both",
            "length of the input",
            "share of attention",
            "share of convolution",
        ],
    )
    means = [f"layer {n + 1} {percent(float(row.mean()))}" for n, row in enumerate(share)]
    return View(
        title, figure, f"{title}: convolution's part of the two lengths, on average: {', '.join(means)}.", table
    )


def _numbers(contributions: Contributions) -> tuple[Tensor, ...]:
    return (
        contributions.attention,
        contributions.convolution,
        contributions.total,
        contributions.before,
        contributions.attention_share,
        contributions.convolution_share,
    )


def ablated(results: Sequence[Ablated], *, colour: str, look: Look, title: str) -> View:
    """How far the prediction moves with something changed, and what then stands in the first blank."""
    names = [ABLATIONS[result.ablation] for result in results]
    guesses = [
        " · ".join(f"{plotly(c.text.strip() or c.text)} {percent(c.probability)}" for c in result.blanks[0][:3])
        if result.blanks
        else ""
        for result in results
    ]
    above = [
        f"<b>{name}</b><br>{guess}" if guess else f"<b>{name}</b>" for name, guess in zip(names, guesses, strict=True)
    ]
    row_height = 70 if any(guesses) else 52  # the guesses have a line of their own: on a telephone one would be cut off
    rows = list(range(len(results)))
    figure = go.Figure(
        [
            go.Bar(
                x=[result.moved for result in results],
                y=rows,
                orientation="h",
                marker={"color": translucent(colour, 0.6), "line": {"width": 0}},
                customdata=names,
                text=[percent(result.moved) if result.moved else "0%" for result in results],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{customdata}: %{x:.2%} moved<extra></extra>",
            ),
            go.Scatter(
                x=[0] * len(rows),
                y=[row - 0.48 for row in rows],
                mode="text",
                text=above,
                textposition="middle right",
                hoverinfo="skip",
                textfont={"size": 13, "color": look.ink},
                cliponaxis=False,
            ),
        ],
        layout(
            look,
            30 + row_height * len(rows),
            bargap=0.65,
            xaxis=plain_axis(look, range=[0, 1.12], showticklabels=False),
            yaxis=plain_axis(look, range=[len(rows) - 0.5, -0.9], showticklabels=False),
        ),
    )
    lines: list[tuple[object, ...]] = [
        (name, result.moved, blank + 1, rank + 1, c.text, c.probability)
        for name, result in zip(names, results, strict=True)
        for blank, candidates in enumerate(result.blanks)
        for rank, c in enumerate(candidates)
    ]
    lines = lines or [(name, result.moved, None, None, None, None) for name, result in zip(names, results, strict=True)]
    table = pandas.DataFrame(lines, columns=["change", "moved", "blank", "rank", "candidate", "probability"])
    numbers = "; ".join(f"{name} {percent(result.moved)}" for name, result in zip(names, results, strict=True))
    return View(title, figure, f"{title}: how much of the prediction moved: {numbers}.", table)
