"""Attributions as pictures: words coloured by what they contribute, bars, maps of methods, models and layers, curves.

What raises the answer is blue with a solid line below, what lowers it orange with a dashed one, and every number has
its sign: nothing is said by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas
import plotly.graph_objects as go
from torch import Tensor

from bortlab.analysis.attention import Unit
from bortlab.analysis.attribution import METHODS, Assessment, Attribution, Curves
from bortlab.system.numbers import percent, signed, signed_cell
from bortlab.views.contributions import agreement_sentence, cells_sentence, strongest
from bortlab.views.escape import attribute, html, plotly, visible
from bortlab.views.figures import MONO, PALE, diverging, grid_axis, layout, plain_axis, words_axis
from bortlab.views.theme import Look, mixed, translucent
from bortlab.views.view import Fragment, View

MOST_BARS = 40
"""Bars that are drawn: those of the words that contribute most; the table has all."""
FEW = 12
"""Columns of a map whose cells have room for numbers."""


def numbered(text: str, place: int) -> str:
    """A label for the piece at a place, whose number tells it from others of the same text."""
    label = visible(text, spaces=True)
    return f"{place + 1} {label if len(label) <= 14 else label[:13] + '…'}"


def style(look: Look) -> str:
    """The style sheet of coloured words and of their key."""
    return f"""<style>
.ba-words.ba-words {{ display: flex; flex-wrap: wrap; gap: .3rem .3rem; list-style: none; margin: .3rem 0; padding: 0;
  max-height: 24rem; overflow: auto; }}
.ba-words.ba-words li {{ margin: 0; padding: .1rem .38rem; border-radius: .3rem; color: {look.ink}; font-size: 1rem;
  line-height: 1.5; border-bottom: 3px solid transparent; text-align: center; max-width: 100%;
  overflow-wrap: anywhere; }}
.ba-words li:focus-visible {{ outline: 2px solid {look.more}; outline-offset: 1px; }}
.ba-words li small {{ display: block; font-size: .72rem; line-height: 1.2; color: {look.ink};
  font-variant-numeric: tabular-nums; }}
.ba-words li.ba-more {{ border-bottom: 3px solid {look.more}; }}
.ba-words li.ba-less {{ border-bottom: 3px dashed {look.less}; }}
.ba-words li.ba-kept {{ color: {look.faint}; font-style: italic; }}
.ba-words li:not(.ba-all) small {{ display: none; }}
.ba-words li:hover small, .ba-words li:focus small {{ display: block; }}
.ba-key {{ color: {look.faint}; font-size: .85rem; }}
.ba-key b {{ font-weight: 400; padding: 0 .3rem; color: {look.ink}; }}
</style>"""


def words(attribution: Attribution, look: Look, *, title: str, numbers: bool = False) -> View:
    """The text, each word coloured by what it contributes; its number on hover or focus, or below every word."""
    largest = max((abs(float(value)) for value in attribution.values), default=0.0) or 1.0
    items = "".join(_word(attribution, place, largest, look, numbers) for place in range(len(attribution.units)))
    body = f'<ol class="ba-words" aria-label="{attribute(title)}">{items}</ol>'
    alt = f"{title}: {strongest(attribution)}"
    return View(title, Fragment(body, style(look)), alt, frame({title: attribution}))


def _word(attribution: Attribution, place: int, largest: float, look: Look, numbers: bool) -> str:
    unit, value = attribution.units[place], float(attribution.values[place])
    if attribution.kept[place]:
        return f'<li class="ba-kept">{html(unit.text)}</li>'
    share = abs(value) / largest
    kind = "" if share < 0.02 else "ba-more" if value > 0 else "ba-less"
    colour = translucent(look.more if value >= 0 else look.less, 0.06 + 0.5 * share)
    label = attribute(f"{visible(unit.text)}: {signed(value)}")
    return (
        f'<li class="{kind}{" ba-all" if numbers else ""}" tabindex="0" aria-label="{label}" title="{label}" '
        f'style="background:{colour}">{html(unit.text)}<small>{signed(value)}</small></li>'
    )


def key(look: Look) -> str:
    """What the colours of words mean."""
    return (
        f'<div class="ba-key"><b style="border-bottom:3px solid {look.more};background:{translucent(look.more, 0.3)}">'
        f'raises</b> the answer, <b style="border-bottom:3px dashed {look.less};'
        f'background:{translucent(look.less, 0.3)}">lowers</b> it; words in <i>italics</i> stay as they are. '
        "Point at a word, or move through them with the Tab key, to see its number.</div>"
    )


def bars(attribution: Attribution, *, look: Look, title: str) -> View:
    """A bar for each word, in the order of the text; of a long text only the words that contribute most."""
    drawn = sorted(attribution.strongest(MOST_BARS))
    values = [float(attribution.values[n]) for n in drawn]
    end = max(map(abs, values), default=0.0) or 1.0
    low = -1.45 * end if min(values, default=0) < 0 else -0.05 * end
    high = 1.45 * end if max(values, default=0) > 0 else 0.05 * end
    figure = go.Figure(
        go.Bar(
            x=values,
            y=list(range(len(drawn))),
            orientation="h",
            width=0.74,
            text=[signed(v) for v in values],
            textposition="outside",
            cliponaxis=False,
            textfont={"color": look.ink, "size": 12},
            hoverinfo="skip",
            marker={
                "color": [mixed(look.more if v >= 0 else look.less, look.paper, 0.75) for v in values],
                "pattern": {"shape": ["" if v >= 0 else "/" for v in values], "fgcolor": look.paper, "size": 5},
                "line": {"width": 0},
            },
        ),
        layout(
            look,
            24 * len(drawn) + 24,
            xaxis=plain_axis(look, visible=False, range=[low, high], zeroline=True, zerolinecolor=look.faint),
            yaxis=words_axis([attribution.units[n] for n in drawn], look, range=[len(drawn) - 0.5, -0.5]),
            shapes=[
                {
                    "type": "line",
                    "x0": 0,
                    "x1": 0,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "line": {"color": look.faint, "width": 1},
                }
            ],
        ),
    )
    return View(title, figure, f"{title}: {strongest(attribution)}", frame({title: attribution}))


def heat(rows: Mapping[str, Attribution], *, look: Look, title: str, row: str) -> View:
    """A row for each method, model or layer, a column for each word; blue raises the answer, orange lowers it.

    Words of several models are laid over each other; the first row's words name the columns. Every row has its own
    scale, set by its largest number, as methods' numbers are of different kinds.
    """
    columns = _columns(rows)
    places = {place: n for n, place in enumerate(columns)}
    grid = np.full((len(rows), len(columns)), np.nan)
    for line, attribution in zip(grid, rows.values(), strict=True):
        for n in attribution.own:
            line[places[_place(attribution.units[n])]] = float(attribution.values[n])
    largest = np.nanmax(np.abs(grid), axis=1, keepdims=True, initial=0.0, where=~np.isnan(grid))
    figure = go.Figure(
        _heatmap(grid / np.where(largest > 0, largest, 1), grid, look, end=1.0, size=11),
        layout(
            look,
            96 + 27 * len(rows),
            xaxis=words_axis(list(columns.values()), look, side="top", tickangle=-60),
            yaxis=_names_axis(list(rows), look, autorange="reversed"),
            plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )
    most = [f"{visible(name)}: {strongest(attribution, 1)}" for name, attribution in rows.items()]
    return View(title, figure, f"{title}: {' '.join(most)}", frame(rows, row=row))


def _heatmap(colours: Any, values: Any, look: Look, *, end: float, size: int) -> go.Heatmap:
    """Cells coloured from -end to end, which say their values; few columns have room for them in the cells."""
    texts = np.vectorize(lambda value: "" if np.isnan(value) else signed(value), otypes=[object])(values)
    cells = np.vectorize(signed_cell, otypes=[object])(values) if values.shape[1] <= FEW else None
    return go.Heatmap(
        z=colours.astype(np.float32),
        zmin=-end,
        zmax=end,
        colorscale=diverging(look, most=PALE),
        xgap=1,
        ygap=1,
        showscale=False,
        customdata=texts,
        hovertemplate="%{y}, %{x}: %{customdata}<extra></extra>",
        hoverongaps=False,
        text=cells,
        texttemplate=None if cells is None else "%{text}",
        textfont={"size": size, "family": MONO, "color": look.ink},
    )


def _place(unit: Unit) -> tuple[Any, ...]:
    """What makes a word of one row the word of another."""
    return (unit.part, unit.key)


def _columns(rows: Mapping[str, Attribution]) -> dict[tuple[Any, ...], Unit]:
    """The words that have a number in some row, in the order of the text; of several models the first one's names."""
    columns: dict[tuple[Any, ...], tuple[int, Unit]] = {}
    valued = {_place(row.units[n]) for row in rows.values() for n in row.own}
    for row in rows.values():
        for n, unit in enumerate(row.units):
            if _place(unit) in valued:
                columns.setdefault(_place(unit), (n, unit))
    ordered = sorted(columns, key=lambda place: (columns[place][0], str(place)))
    return {place: columns[place][1] for place in ordered}


def frame(rows: Mapping[str, Attribution], *, row: str = "of") -> pandas.DataFrame:
    """One row for each word: whose (`row`), word, position, what it contributes (None if it was kept), by what."""
    return pandas.DataFrame(
        [
            (
                name,
                unit.text,
                n,
                None if attribution.kept[n] else float(attribution.values[n]),
                METHODS[attribution.method].title,
            )
            for name, attribution in rows.items()
            for n, unit in enumerate(attribution.units)
        ],
        columns=[row, "word", "position", "contribution", "by"],
    )


def agreement(names: Sequence[str], correlations: Tensor, *, look: Look, title: str) -> View:
    """Rank correlations of methods: blue the same order, orange the opposite one."""
    n = len(names)
    grid = correlations.double().numpy()
    figure = go.Figure(
        go.Heatmap(
            z=grid.astype(np.float32),
            zmin=-1,
            zmax=1,
            colorscale=diverging(look),
            xgap=1,
            ygap=1,
            showscale=False,
            hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
            texttemplate="%{z:.1f}",
            textfont={"size": 10, "family": MONO},
        ),
        layout(
            look,
            150 + 25 * n,
            xaxis=_names_axis(names, look, side="top", tickangle=-60),
            yaxis=_names_axis(names, look, autorange="reversed"),
        ),
    )
    sentence = agreement_sentence(names, grid)
    table = pandas.DataFrame(
        [(a, b, float(grid[i, j])) for i, a in enumerate(names) for j, b in enumerate(names)],
        columns=["of", "and", "rank correlation"],
    )
    return View(title, figure, f"{title}: {sentence}", table)


def _names_axis(names: Sequence[str], look: Look, **more: Any) -> dict[str, Any]:
    """An axis of names."""
    return plain_axis(
        look,
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[plotly(name) for name in names],
        **({"tickfont": {"size": 12, "color": look.ink}} | more),
    )


def table_heat(
    grid: Tensor, rows: Sequence[str], columns: Sequence[str], *, look: Look, title: str, names: tuple[str, str]
) -> View:
    """Signed numbers (rows, columns), such as layers and heads; nan: there is none. names: of rows and columns."""
    values = grid.double().numpy()
    end = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    figure = go.Figure(
        _heatmap(values, values, look, end=end, size=10),
        layout(
            look,
            90 + 26 * len(rows),
            xaxis=_names_axis(columns, look, side="top", tickangle=-60 if max(map(len, columns)) > 4 else 0),
            yaxis=_names_axis(rows, look, autorange="reversed"),
            plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )
    table = pandas.DataFrame(
        [(row, column, values[i, j]) for i, row in enumerate(rows) for j, column in enumerate(columns)],
        columns=[*names, "contribution"],
    ).dropna()
    return View(title, figure, f"{title}: {cells_sentence(values, rows, columns)}", table)


def curves(order: Curves, *, look: Look, title: str) -> View:
    """Deletion (solid) and insertion (dashed), each over the range of random orders."""
    n = len(order.deletion) - 1
    x = list(range(n + 1))
    traces: list[Any] = []
    table = {"words": x}
    for name, own, random, dash, colour in (
        ("taken away", order.deletion, order.random_deletion, "solid", look.less),
        ("put back", order.insertion, order.random_insertion, "dash", look.more),
    ):
        low, high = random.amin(0).tolist(), random.amax(0).tolist()
        traces += _curve(name, x, own.tolist(), low, high, dash, colour)
        table |= {name: own.tolist(), f"{name}, random, lowest": low, f"{name}, random, highest": high}
    figure = go.Figure(
        traces,
        layout(
            look,
            320,
            xaxis=plain_axis(
                look,
                rangemode="tozero",
                dtick=max(1, n // 8),
                title="words, those that contribute most first",
            ),
            yaxis=grid_axis(look),
            showlegend=True,
            legend={"orientation": "h", "y": -0.28, "font": {"size": 11, "color": look.faint}},
        ),
    )
    deletion, insertion = map(percent, order.better_than)
    sentence = (
        f"taken away, it beats {deletion} of random orders; put back, {insertion}; "
        f"comprehensiveness {signed(order.comprehensiveness())} (random {signed(order.random_comprehensiveness)}), "
        f"sufficiency {signed(order.sufficiency())} (random {signed(order.random_sufficiency)})."
    )
    return View(title, figure, f"{title}: {sentence}", pandas.DataFrame(table))


def _curve(
    name: str, x: list[int], own: list[float], low: list[float], high: list[float], dash: str, colour: str
) -> list[go.Scatter]:
    """The range of random orders, and the attribution's own order over it."""
    random = go.Scatter(
        x=[*x, *x[::-1]],
        y=[*high, *low[::-1]],
        fill="toself",
        fillcolor=translucent(colour, 0.13),
        mode="lines",
        line={"width": 0},
        hoverinfo="skip",
        name=f"{name}, random orders",
    )
    line = go.Scatter(
        x=x,
        y=own,
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 2.5, "dash": dash},
        marker={"size": 6},
        hovertemplate=f"%{{x}} {name}: %{{y:.3g}}<extra></extra>",
    )
    return [random, line]


def assessment_frame(results: Mapping[str, Assessment]) -> pandas.DataFrame:
    """One row for each method: its completeness error and the results of its tests."""
    return pandas.DataFrame(
        [
            {
                "method": METHODS[name].title,
                "completeness error": result.attribution.relative_error if METHODS[name].complete else None,
                "beats random, taken away": result.deletion,
                "beats random, put back": result.insertion,
                "comprehensiveness": result.comprehensiveness,
                "comprehensiveness, random": result.random_comprehensiveness,
                "sufficiency": result.sufficiency,
                "sufficiency, random": result.random_sufficiency,
                "repeatability": result.repeatability,
                "random weights": result.random_weights,
            }
            for name, result in results.items()
        ]
    )
