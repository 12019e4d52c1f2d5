"""Errors by the number of heads: a picture, and what it says in sentences of Markdown."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from bortlab.search.heads import POWER, SIGNIFICANT, HeadsShape, HeadsStudy
from bortlab.system.numbers import percent
from bortlab.views.figures import grid_axis
from bortlab.views.prose import counted, names
from bortlab.views.search.axes import SYMBOLS, chart_layout
from bortlab.views.theme import Look
from bortlab.views.view import View

HEIGHT = 380
APART = 0.07
"""How far shapes stand apart at a number of heads, of the way to the next."""


def errors_by_heads(study: HeadsStudy, look: Look) -> View:
    """A line for each shape through the means of its numbers of heads, and a dot for each seed."""
    places = {number: place for place, number in enumerate(study.heads)}
    traces = []
    for number, shape in enumerate(study.shapes):
        shift = (number - (len(study.shapes) - 1) / 2) * APART
        xs = [places[count] + shift for count in shape.heads]
        style = {"colour": look.group(number), "symbol": SYMBOLS[number % len(SYMBOLS)]}
        traces += [_means(shape, xs, **style), _seeds(shape, xs, **style)]
    figure = go.Figure(
        traces,
        chart_layout(
            look,
            HEIGHT,
            xaxis=grid_axis(look, "heads")
            | {"tickvals": list(places.values()), "ticktext": [str(count) for count in places], "showgrid": False},
            yaxis=grid_axis(look, "error, nats (less is better)") | {"automargin": True},
        ),
    )
    title = "Errors by the number of heads"
    clauses = "; ".join(f"{shape.name} {_means_in_words(shape)}" for shape in study.shapes)
    return View(title, figure, f"{title} ({study.letters}): {clauses}.", study.frame(), height=HEIGHT)


def _means(shape: HeadsShape, xs: list[float], *, colour: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        x=xs,
        y=shape.means,
        mode="lines",
        name=shape.name,
        legendgroup=shape.name,
        showlegend=False,
        line={"color": colour, "width": 2},
        hoverinfo="skip",
    )


def _seeds(shape: HeadsShape, xs: list[float], *, colour: str, symbol: str) -> go.Scatter:
    entries: list[tuple[float, float, str]] = [
        (x, error, f"{shape.name}, {counted(count, 'head')}, seed {seed}: {error:.3f}")
        for x, count, errors in zip(xs, shape.heads, shape.errors, strict=True)
        for seed, error in enumerate(errors)
    ]
    columns: dict[str, Any] = dict(zip(("x", "y", "hovertext"), map(list, zip(*entries, strict=True)), strict=True))
    return go.Scatter(
        **columns,
        mode="markers",
        name=shape.name,
        legendgroup=shape.name,
        marker={"size": 9, "color": colour, "symbol": symbol},
        hoverinfo="text",
    )


# -- in words ----------------------------------------------------------------------------------------------------------


def heads_sentences(study: HeadsStudy) -> list[str]:
    """What numbers of heads do to the error: each shape, and all together; [] where no shape has two numbers."""
    return [*map(shape_sentence, study.shapes), overall_sentence(study)] if study.shapes else []


def shape_sentence(shape: HeadsShape) -> str:
    """The means of one shape, and whether heads or seeds are further apart."""
    times = "more" if shape.between_heads > shape.between_seeds else "no more"
    return (
        f"**{shape.name}**: {_means_in_words(shape)}. The means are {shape.between_heads:.2f} nats apart, {times} than "
        f"seeds of the same number of heads are ({shape.between_seeds:.2f})."
    )


def overall_sentence(study: HeadsStudy) -> str:
    """Friedman's test over all shapes that have all numbers of heads, and what it could have found."""
    counts = names([str(number) for number in study.heads])
    if study.p is None:
        return (
            f"Whether the number of heads matters is not tested: that takes three numbers of heads, each trained with "
            f"one shape; there are {counts}, and {counted(len(study.whole), 'shape')} with all of them."
        )
    n_seeds = len(study.blocks) // len(study.whole)
    sentence = (
        f"Friedman's test of {counts} heads in {counted(len(study.blocks), 'block')} "
        f"({counted(len(study.whole), 'shape')} × {counted(n_seeds, 'seed')}) gives p = {study.p:.2g}: "
    )
    if study.p < SIGNIFICANT:
        ranks = [f"{rank:.1f} with {count}" for count, rank in zip(study.heads, study.mean_ranks, strict=True)]
        sentence += (
            f"the number of heads **matters**. The mean ranks, of which 1 is the best, are {names(ranks)} heads; the "
            "test says that not all are as good, not which."
        )
    else:
        sentence += "**no difference is shown**, which is not to say that there is none."
    if study.detectable is None:
        return f"{sentence} So few blocks could not have shown any."
    return (
        f"{sentence} A test of this size notices means {study.detectable:.2f} nats apart in {percent(POWER)} of cases, "
        "smaller differences less often."
    )


def _means_in_words(shape: HeadsShape) -> str:
    clauses = [f"{mean:.2f} with {count}" for count, mean in zip(shape.heads, shape.means, strict=True)]
    return f"{names(clauses)} heads"
