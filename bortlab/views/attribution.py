"""Attributions as pictures: words coloured by what they count, bars, maps of methods, models and layers, curves.

More is blue with a solid line below, less is orange with a dashed one, and every number has its sign: nothing is said
by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas
import plotly.graph_objects as go
from torch import Tensor

from bortlab.analysis.attribution import METHODS, Attribution, Curves
from bortlab.analysis.attribution.work import Checked
from bortlab.system.numbers import signed, signed_cell
from bortlab.views.escape import attribute, html, plotly, visible
from bortlab.views.figures import MONO, diverging, layout, plain_axis, words_axis
from bortlab.views.theme import Look, mixed, translucent
from bortlab.views.view import View

MOST_BARS = 40
"""Bars that are drawn: those of the words that count most; the table has all."""
FEW = 12
"""Columns of a map whose cells have room for numbers."""
DEEPEST = 1.3
"""Where the colours of maps end, by the largest number: text can be read on what is lighter."""


def numbered(text: str, place: int) -> str:
    """A label for the piece at a place, told apart from others of the same text by it."""
    said = visible(text, spaces=True)
    return f"{place + 1} {said if len(said) <= 14 else said[:13] + '…'}"


def style(look: Look) -> str:
    """The style sheet of coloured words; once a page."""
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


def words(found: Attribution, look: Look, *, title: str, numbers: bool = False) -> str:
    """The text, each word coloured by what it counts; its number on hover or focus, or below all of them."""
    largest = max((abs(float(value)) for value in found.values), default=0.0) or 1.0
    items = []
    for place, unit in enumerate(found.units):
        value = float(found.values[place])
        said = html(unit.text)
        if found.kept[place]:
            items.append(f'<li class="ba-kept">{said}</li>')
            continue
        share = abs(value) / largest
        colour = look.more if value >= 0 else look.less
        kind = "" if share < 0.02 else "ba-more" if value > 0 else "ba-less"
        label = attribute(f"{visible(unit.text)}: {signed(value)}")
        items.append(
            f'<li class="{kind}{" ba-all" if numbers else ""}" tabindex="0" aria-label="{label}" title="{label}" '
            f'style="background:{translucent(colour, 0.06 + 0.5 * share)}">{said}<small>{signed(value)}</small></li>'
        )
    return f'<ol class="ba-words" aria-label="{attribute(title)}">{"".join(items)}</ol>'


def key(look: Look) -> str:
    """What the colours of words mean."""
    return (
        f'<div class="ba-key"><b style="border-bottom:3px solid {look.more};background:{translucent(look.more, 0.3)}">'
        f'raises</b> the answer, <b style="border-bottom:3px dashed {look.less};'
        f'background:{translucent(look.less, 0.3)}">lowers</b> it; <i>slanted</i> words stay as they are. '
        "Point at a word, or go through them with the Tab key, for its number.</div>"
    )


def document(found: Attribution, look: Look, *, title: str) -> View:
    """The coloured words with their numbers as a page of their own, to be kept."""
    body = words(found, look, title=title, numbers=True)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>bortlab</title>{style(look)}</head>'
        f'<body style="font-family:sans-serif;background:{look.paper};color:{look.ink}">{body}</body></html>'
    )
    return View(title, page, f"{title}: {said(found)}", frame({title: found}), height=220)


def said(found: Attribution, most: int = 3) -> str:
    """Which words count most, in words."""
    if not found.own:
        return "nothing could be taken away."
    chosen = [n for n in found.strongest(most) if float(found.values[n])]
    if not chosen:
        return "nothing counts."
    return f"{', '.join(f'{visible(found.units[n].text)} {signed(float(found.values[n]))}' for n in chosen)}."


def bars(found: Attribution, *, look: Look, title: str) -> View:
    """A bar a word, in the order of the text; of a long text the words that count most."""
    shown = sorted(found.strongest(MOST_BARS))
    values = [float(found.values[n]) for n in shown]
    end = max(map(abs, values), default=0.0) or 1.0
    low = -1.45 * end if min(values, default=0) < 0 else -0.05 * end
    high = 1.45 * end if max(values, default=0) > 0 else 0.05 * end
    figure = go.Figure(
        go.Bar(
            x=values, y=list(range(len(shown))), orientation="h", width=0.74, text=[signed(v) for v in values],
            textposition="outside", cliponaxis=False, textfont={"color": look.ink, "size": 12}, hoverinfo="skip",
            marker={
                "color": [mixed(look.more if v >= 0 else look.less, look.paper, 0.75) for v in values],
                "pattern": {"shape": ["" if v >= 0 else "/" for v in values], "fgcolor": look.paper, "size": 5},
                "line": {"width": 0},
            },
        ),
        layout(
            look, 24 * len(shown) + 24,
            xaxis=plain_axis(
                look, visible=False, range=[low, high], zeroline=True, zerolinecolor=look.faint
            ),
            yaxis=words_axis([found.units[n] for n in shown], look, range=[len(shown) - 0.5, -0.5]),
            shapes=[{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1,
                     "line": {"color": look.faint, "width": 1}}],
        ),
    )  # fmt: skip
    return View(title, figure, f"{title}: {said(found)}", frame({title: found}))


def heat(rows: Mapping[str, Attribution], *, look: Look, title: str, row: str) -> View:
    """A row a method, a model or a layer, a column a word; blue raises, orange lowers.

    Words of several models are laid over each other; the first row's words name the columns. Every row has a scale of
    its own, from the largest of its numbers, as methods' numbers are of different kinds.
    """
    units: dict[Any, Any] = {}
    for found in rows.values():
        for unit in found.units:
            units.setdefault(_place(unit), unit)
    columns = _ordered(units, rows)
    grid = np.full((len(rows), len(columns)), np.nan)
    texts, cells = (np.full((len(rows), len(columns)), "", dtype=object) for _ in range(2))
    for place, found in enumerate(rows.values()):
        for n in found.own:
            column = columns.index(_place(found.units[n]))
            grid[place, column] = float(found.values[n])
            texts[place, column] = signed(float(found.values[n]))
            cells[place, column] = signed_cell(float(found.values[n]))
    largest = np.nanmax(np.abs(grid), axis=1, keepdims=True, initial=0.0, where=~np.isnan(grid))
    shown = grid / np.where(largest > 0, largest, 1)
    named = [units[column] for column in columns]
    figure = go.Figure(
        go.Heatmap(
            z=shown.astype(np.float32), zmin=-DEEPEST, zmax=DEEPEST, colorscale=diverging(look), xgap=1,
            ygap=1, showscale=False, customdata=texts, hovertemplate="%{y}, %{x}: %{customdata}<extra></extra>",
            hoverongaps=False, text=cells if len(columns) <= FEW else None, texttemplate="%{text}",
            textfont={"size": 11, "family": MONO},
        ),
        layout(
            look, 96 + 27 * len(rows),
            xaxis=words_axis(named, look, side="top", tickangle=-60),
            yaxis=plain_axis(
                look, tickmode="array", tickvals=list(range(len(rows))), ticktext=[plotly(name) for name in rows],
                autorange="reversed", tickfont={"size": 12, "color": look.ink},
            ),
            plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )  # fmt: skip
    strongest = [f"{visible(name)}: {said(found, 1)}" for name, found in rows.items()]
    return View(title, figure, f"{title}: {' '.join(strongest)}", frame(rows, row=row))


def _place(unit: Any) -> Any:
    """What makes a word of one row the word of another."""
    return (unit.part, unit.key)


def _ordered(units: Mapping[Any, Any], rows: Mapping[str, Attribution]) -> list[Any]:
    """The columns: words that have a number somewhere, in the order of the text."""
    used = {_place(found.units[n]) for found in rows.values() for n in found.own}
    place: dict[Any, int] = {}
    for found in rows.values():
        for n, unit in enumerate(found.units):
            place.setdefault(_place(unit), n)
    return sorted((unit for unit in units if unit in used), key=lambda unit: (place[unit], str(unit)))


def frame(rows: Mapping[str, Attribution], *, row: str = "of") -> pandas.DataFrame:
    """One row a word: whose (`row`), word, position, what it counts, whether it was kept as it is."""
    return pandas.DataFrame(
        [
            (name, unit.text, n, float(found.values[n]) if not found.kept[n] else None, METHODS[found.method].title)
            for name, found in rows.items()
            for n, unit in enumerate(found.units)
        ],
        columns=[row, "word", "position", "counts", "by"],
    )


def agreement(names: Sequence[str], correlations: Tensor, *, look: Look, title: str) -> View:
    """Rank correlations of methods: blue the same order, orange the opposite one."""
    n = len(names)
    grid = correlations.double().numpy()
    figure = go.Figure(
        go.Heatmap(
            z=grid.astype(np.float32), zmin=-1, zmax=1, colorscale=diverging(look), xgap=1, ygap=1, showscale=False,
            hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>", texttemplate="%{z:.1f}",
            textfont={"size": 10, "family": MONO},
        ),
        layout(
            look, 150 + 25 * n,
            xaxis=_named(names, look, side="top", tickangle=-60), yaxis=_named(names, look, autorange="reversed"),
        ),
    )  # fmt: skip
    pairs = [(grid[i, j], names[i], names[j]) for i in range(n) for j in range(i) if not np.isnan(grid[i, j])]
    said = "there is nothing to compare."
    if pairs:
        best, worst = max(pairs), min(pairs)
        mean = sum(value for value, _, _ in pairs) / len(pairs)
        said = (
            f"the mean rank correlation of two is {mean:.2f}; most alike are {best[1]} and {best[2]} ({best[0]:.2f}), "
            f"least {worst[1]} and {worst[2]} ({worst[0]:.2f})."
        )
    table = pandas.DataFrame(
        [(one, other, float(grid[i, j])) for i, one in enumerate(names) for j, other in enumerate(names)],
        columns=["of", "and", "rank correlation"],
    )
    return View(title, figure, f"{title}: {said}", table)


def _named(names: Sequence[str], look: Look, **more: Any) -> dict[str, Any]:
    """An axis of names."""
    return plain_axis(
        look, tickmode="array", tickvals=list(range(len(names))), ticktext=[plotly(name) for name in names],
        **({"tickfont": {"size": 12, "color": look.ink}} | more),
    )  # fmt: skip


def table_heat(
    grid: Tensor, rows: Sequence[str], columns: Sequence[str], *, look: Look, title: str, names: tuple[str, str]
) -> View:
    """Signed numbers (rows, columns), such as layers and heads; nan: there is none. names: of rows and columns."""
    values = grid.double().numpy()
    end = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    texts = np.vectorize(lambda v: "" if np.isnan(v) else signed(v))(values)
    cells = np.vectorize(signed_cell)(values) if len(columns) <= FEW else None
    figure = go.Figure(
        go.Heatmap(
            z=values.astype(np.float32), zmin=-DEEPEST * end, zmax=DEEPEST * end, colorscale=diverging(look), xgap=1,
            ygap=1, showscale=False, customdata=texts, hovertemplate="%{y}, %{x}: %{customdata}<extra></extra>",
            hoverongaps=False, text=cells, texttemplate="%{text}" if len(columns) <= FEW else None,
            textfont={"size": 10, "family": MONO},
        ),
        layout(
            look, 90 + 26 * len(rows),
            xaxis=_named(columns, look, side="top", tickangle=-60 if max(map(len, columns)) > 4 else 0),
            yaxis=_named(rows, look, autorange="reversed"), plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )  # fmt: skip
    order = np.argsort(-np.abs(np.nan_to_num(values)), axis=None)[:3]
    places = [divmod(int(n), values.shape[1]) for n in order]
    strongest = [f"{rows[i]}, {columns[j]} {texts[i, j]}" for i, j in places if texts[i, j]]
    table = pandas.DataFrame(
        [(row, column, values[i, j]) for i, row in enumerate(rows) for j, column in enumerate(columns)],
        columns=[*names, "counts"],
    ).dropna()
    return View(title, figure, f"{title}: most count {'; '.join(strongest)}.", table)


def curves(found: Curves, *, colour: str, look: Look, title: str) -> View:
    """Deletion (solid) and insertion (dashed) with the range of random orders behind each."""
    n = len(found.deletion) - 1
    x = list(range(n + 1))
    traces: list[Any] = []
    table = {"words": x}
    for name, own, others, dash, tint in (
        ("taken away", found.deletion, found.random_deletion, "solid", look.less),
        ("put back", found.insertion, found.random_insertion, "dash", look.more),
    ):
        low, high = others.amin(0).tolist(), others.amax(0).tolist()
        traces.append(go.Scatter(
            x=[*x, *x[::-1]], y=[*high, *low[::-1]], fill="toself", fillcolor=translucent(tint, 0.13),
            mode="lines", line={"width": 0}, hoverinfo="skip", name=f"{name}, random orders",
        ))  # fmt: skip
        traces.append(go.Scatter(
            x=x, y=own.tolist(), mode="lines+markers", name=name, line={"color": tint, "width": 2.5, "dash": dash},
            marker={"size": 6}, hovertemplate=f"%{{x}} {name}: %{{y:.3g}}<extra></extra>",
        ))  # fmt: skip
        table |= {name: own.tolist(), f"{name}, random, least": low, f"{name}, random, most": high}
    figure = go.Figure(
        traces,
        layout(
            look, 320,
            xaxis=plain_axis(
                look, rangemode="tozero", dtick=max(1, n // 8),
                title={"text": "words, those that count most first", "font": {"size": 12, "color": look.faint}},
            ),
            yaxis=plain_axis(look, showgrid=True, gridcolor=look.grid),
            showlegend=True, legend={"orientation": "h", "y": -0.28, "font": {"size": 11, "color": look.faint}},
        ),
    )  # fmt: skip
    deletion, insertion = found.better_than
    said = (
        f"taken away, it beats {100 * deletion:.0f} % of random orders; put back, {100 * insertion:.0f} %; "
        f"comprehensiveness {signed(found.comprehensiveness())} (random {signed(found.random_comprehensiveness)}), "
        f"sufficiency {signed(found.sufficiency())} (random {signed(found.random_sufficiency)})."
    )
    return View(title, figure, f"{title}: {said}", pandas.DataFrame(table))


def checked_frame(found: Mapping[str, Checked]) -> pandas.DataFrame:
    """One row a method: its completeness error and what speaks for it."""
    return pandas.DataFrame(
        [
            (
                METHODS[name].title, one.attribution.relative_error if METHODS[name].complete else None, one.deletion,
                one.insertion, one.comprehensiveness, one.random_comprehensiveness, one.sufficiency,
                one.random_sufficiency, one.repeats, one.random_weights,
            )
            for name, one in found.items()
        ],
        columns=[
            "method", "completeness error", "beats random, taken away", "beats random, put back", "comprehensiveness",
            "comprehensiveness, random", "sufficiency", "sufficiency, random", "repeatability", "random weights",
        ],
    )  # fmt: skip
