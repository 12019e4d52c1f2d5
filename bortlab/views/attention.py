"""Attention as pictures: the heat map of a head, one word, all layers together, differences, queries and keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import torch
from torch import Tensor

from bortlab.analysis.attention import Attention, Compared, QueryKey, Unit, matrix_frame
from bortlab.analysis.flow import rollout
from bortlab.system.numbers import percent, signed
from bortlab.views.escape import isolated
from bortlab.views.figures import diverging, layout, plain_axis, scale, shortened, small, words_axis
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

# -- one head ----------------------------------------------------------------------------------------------------------


def heat(
    matrix: Tensor, units: Sequence[Unit], *, colour: str, look: Look, title: str, largest: float | None = None
) -> View:
    """One matrix (query, key): rows look at columns, the stronger the colour the more. largest: of a shared scale."""
    n = len(units)
    end = max(largest or float(matrix.max()), 1e-9)
    figure = go.Figure(
        go.Heatmap(
            z=small(matrix),
            zmin=0,
            zmax=end,
            colorscale=scale(colour, look),
            xgap=1 if n <= 40 else 0,
            ygap=1 if n <= 40 else 0,
            hovertemplate="%{y} → %{x}: %{z:.1%}<extra></extra>",
            colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ".2~p", "tickfont": {"color": look.faint}},
        ),
        layout(
            look,
            _height(n),
            xaxis=words_axis(units, look, side="top", tickangle=-60),
            yaxis=words_axis(units, look, autorange="reversed"),
            plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )
    return View(title, figure, f"{title}: {_strongest(matrix, units)}", matrix_frame(matrix, units))


def _height(n: int) -> int:
    return min(1500, max(260, 110 + n * (22 if n <= 40 else 14)))


def _strongest(matrix: Tensor, units: Sequence[Unit], most: int = 3) -> str:
    """Where the most attention goes, in words."""
    n = len(units)
    best = matrix.flatten().topk(min(most, n * n))
    looks = []
    for weight, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        row, column = divmod(place, n)
        looks.append(f"“{isolated(units[row].text)}” gives {percent(weight)} to “{isolated(units[column].text)}”")
    return "; ".join(looks) + "."


def from_one(matrix: Tensor, units: Sequence[Unit], position: int, *, colour: str, look: Look, title: str) -> View:
    """One row and one column of a matrix as bars: where a word looks, and who looks at it."""
    import pandas

    out, into = matrix[position], matrix[:, position]
    rows = list(range(len(units)))
    end = float(torch.maximum(out, into).max()) * 1.25 + 1e-9
    bars = [
        go.Bar(
            x=small(values),
            y=rows,
            orientation="h",
            xaxis=axis,
            marker={"color": shade, "line": {"width": 0}},
            text=[percent(v) for v in values.tolist()],
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 11, "color": look.faint},
            hovertemplate="%{y}: %{x:.2%}<extra></extra>",
        )
        for values, axis, shade in ((out, "x", colour), (into, "x2", translucent(colour, 0.45)))
    ]
    word = shortened(units[position].text)
    sides: dict[str, Any] = {"colour": look.ink, "range": [0, end], "showticklabels": False, "side": "top"}
    figure = go.Figure(
        bars,
        layout(
            look,
            60 + 22 * len(rows),
            xaxis=plain_axis(look, f"{word} looks at", **sides, domain=[0, 0.47]),
            xaxis2=plain_axis(look, f"looks at {word}", **sides, domain=[0.53, 1]),
            yaxis=words_axis(units, look, autorange="reversed"),
            bargap=0.25,
        ),
    )
    table = pandas.DataFrame(
        {"word": [unit.text for unit in units], "is looked at": out.tolist(), "looks at it": into.tolist()}
    )
    best = int(out.argmax())
    alt = f"{title}: it looks most at {isolated(units[best].text)}, with {percent(float(out[best]))}."
    return View(title, figure, alt, table)


# -- through all layers ------------------------------------------------------------------------------------------------


def through(attention: Attention, position: int, flows: Tensor | None, *, colour: str, look: Look, title: str) -> View:
    """How much of each input is in one position at the end: attention of the last layer, rollout, flow (if given)."""
    import pandas

    steps = rollout(attention)
    series = {"last layer": attention.weights[-1].mean(0)[position], "rollout": steps[-1][position]}
    if flows is not None:
        series["flow, as shares"] = (flows / flows.sum().clamp_min(1e-12)).to(steps.dtype)
    rows = list(range(len(attention.units)))
    end = max(float(values.max()) for values in series.values()) * 1.25
    width = 1 / len(series)
    axes = {
        f"xaxis{number + 1 if number else ''}": plain_axis(
            look,
            domain=[number * width, (number + 0.9) * width],
            range=[0, end],
            showticklabels=False,
            side="top",
            title=name,
            colour=look.ink,
        )
        for number, name in enumerate(series)
    }
    figure = go.Figure(
        [
            go.Bar(
                x=small(values),
                y=rows,
                orientation="h",
                xaxis=f"x{number + 1 if number else ''}",
                marker={"color": translucent(colour, (0.45, 0.75, 1.0)[number])},
                cliponaxis=False,
                text=[percent(v) for v in values.tolist()],
                textposition="outside",
                textfont={"size": 11, "color": look.faint},
                hovertemplate="%{y}: %{x:.2%}<extra></extra>",
            )
            for number, values in enumerate(series.values())
        ],
        layout(
            look,
            60 + 22 * len(rows),
            bargap=0.25,
            yaxis=words_axis(attention.units, look, autorange="reversed"),
            **axes,
        ),
    )
    best = int(steps[-1][position].argmax())
    alt = f"{title}: by rollout most comes from {isolated(attention.units[best].text)}"
    table = pandas.DataFrame({"word": attention.texts, **{name: v.tolist() for name, v in series.items()}})
    if flows is not None:
        table["flow"] = flows.tolist()
    return View(title, figure, f"{alt}, {percent(float(steps[-1][position, best]))}.", table)


# -- two of them -------------------------------------------------------------------------------------------------------


def difference(compared: Compared, *, look: Look, title: str, names: tuple[str, str]) -> View:
    """Second minus first: blue where the second looks more, orange where it looks less. names: of the two columns."""
    n = len(compared.first_units)
    end = max(float(compared.difference.abs().max()), 1e-6)
    figure = go.Figure(
        go.Heatmap(
            z=small(compared.difference),
            zmin=-end,
            zmax=end,
            colorscale=diverging(look),
            xgap=1 if n <= 40 else 0,
            ygap=1 if n <= 40 else 0,
            hovertemplate="%{y} → %{x}: %{z:+.1%}<extra></extra>",
            colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": "+.2~p", "tickfont": {"color": look.faint}},
        ),
        layout(
            look,
            _height(n),
            xaxis=words_axis(compared.second_units, look, side="top", tickangle=-60),
            yaxis=words_axis(compared.second_units, look, autorange="reversed"),
            plot_bgcolor=translucent(look.faint, 0.07),
        ),
    )
    table = matrix_frame(compared.first, compared.first_units).rename(columns={"weight": names[0]})
    table[names[1]] = compared.second.flatten().tolist()
    table["difference"] = compared.difference.flatten().tolist()
    return View(title, figure, f"{title}: {_largest_difference(compared)}", table)


def _largest_difference(compared: Compared) -> str:
    """Where the two differ most, in words."""
    if not len(compared.first_units):
        return "the two share no word."
    row, column = divmod(int(compared.difference.abs().argmax()), len(compared.second_units))
    points = 100 * float(compared.difference[row, column])
    if round(points) == 0:
        return "nowhere do the two differ by as much as a point."
    return (
        f"the largest difference is from {isolated(compared.first_units[row].text)} to "
        f"{isolated(compared.second_units[column].text)}: {signed(round(points))} points."
    )


# -- queries and keys --------------------------------------------------------------------------------------------------


def query_key(record: QueryKey, *, colour: str, look: Look, title: str) -> View:
    """A query times every key, feature by feature: blue features pull towards a key, orange ones push away from it."""
    import pandas

    units = record.units
    end = max(float(record.products.abs().max()), 1e-9)
    edge = max(float(record.query.abs().max()), 1e-9)
    height = 130 + 22 * len(units)
    figure = go.Figure(
        [
            go.Heatmap(
                z=small(record.query[None]),
                zmin=-edge,
                zmax=edge,
                colorscale=diverging(look),
                showscale=False,
                yaxis="y2",
                hovertemplate="query, feature %{x}: %{z:.3f}<extra></extra>",
            ),
            go.Heatmap(
                z=small(record.products),
                zmin=-end,
                zmax=end,
                colorscale=diverging(look),
                showscale=False,
                customdata=small(record.keys),
                ygap=1,
                hovertemplate="%{y}, feature %{x}: query × key = %{z:.3f}, key %{customdata:.3f}<extra></extra>",
            ),
            go.Bar(
                x=small(record.weights),
                y=list(range(len(units))),
                orientation="h",
                xaxis="x2",
                marker={"color": colour, "line": {"width": 0}},
                customdata=small(record.scores),
                text=[percent(w) for w in record.weights.tolist()],
                textposition="outside",
                cliponaxis=False,
                textfont={"size": 11, "color": look.faint},
                hovertemplate="%{y}: score %{customdata:.2f}, attention %{x:.2%}<extra></extra>",
            ),
        ],
        _query_key_layout(record, look, height),
    )
    table = pandas.DataFrame(
        {"key": [unit.text for unit in units], "score": record.scores.tolist(), "attention": record.weights.tolist()}
        | {f"feature {n}": record.products[:, n].tolist() for n in range(len(record.query))}
    )
    return View(title, figure, f"{title}: {_best_key(record)}", table)


def _query_key_layout(record: QueryKey, look: Look, height: int) -> dict[str, Any]:
    """The query above the products, and the attention weights beside them."""
    return layout(
        look,
        height,
        xaxis=plain_axis(look, domain=[0, 0.74], title="feature"),
        xaxis2=plain_axis(
            look,
            domain=[0.77, 1],
            range=[0, float(record.weights.max()) * 1.3],
            showticklabels=False,
            side="top",
            title="attention",
            colour=look.ink,
        ),
        yaxis=words_axis(record.units, look, domain=[0, 1 - 46 / height], autorange="reversed"),
        yaxis2=plain_axis(look, domain=[1 - 26 / height, 1], tickvals=[0], ticktext=["<b>query</b>"]),
        plot_bgcolor=translucent(look.faint, 0.05),
        bargap=0.25,
    )


def _best_key(record: QueryKey) -> str:
    """Where a query looks most, and by which feature, in words."""
    best = int(record.weights.argmax())
    feature = int(record.products[best].abs().argmax())
    return (
        f"{isolated(record.units[record.position].text)} looks most at {isolated(record.units[best].text)}, with "
        f"{percent(float(record.weights[best]))}; feature {feature} adds most to its score."
    )
