"""What the figures of all pages share: fonts, the mode bar, colour scales, axes with words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from bortlab.analysis.attention import Unit
from bortlab.views.escape import plotly, visible
from bortlab.views.theme import Look, mixed

FONT = '"Source Sans", "Source Sans Pro", sans-serif'
"""The page's own, which Streamlit serves."""
CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale"],
}
"""The mode bar keeps the picture's download; Streamlit adds the way to the full screen."""
MONO = '"Source Code Pro", ui-monospace, "DejaVu Sans Mono", Consolas, monospace'
LONGEST_LABEL = 16
"""Characters of a word on an axis; the table has all."""
MOST_LABELS = 160
"""Words that are written along an axis; of a longer text the pointer names them."""

PALE = 0.55
"""How strong a colour may be where numbers are written on it in the theme's ink."""


def shortened(text: str) -> str:
    """A label for an axis, as it may stand in plotly."""
    label = visible(text, spaces=True) or "␣"
    return plotly(label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…")


def scale(colour: str, look: Look, *, most: float = 1.0) -> list[list[Any]]:
    """From nearly the page's colour to a colour, at most so strong."""
    return [[step, mixed(colour, look.paper, max(0.04, share * most))] for step, share in ((0, 0), (0.5, 0.55), (1, 1))]


def diverging(look: Look, *, most: float = 1.0) -> list[list[Any]]:
    """From less, through nearly nothing, to more."""
    ends = (mixed(colour, look.paper, most) for colour in (look.less, look.more))
    return [[0, next(ends)], [0.5, mixed(look.faint, look.paper, 0.05)], [1, next(ends)]]


def layout(look: Look, height: int, **more: Any) -> dict[str, Any]:
    """What all figures share."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "showlegend": False,
        "dragmode": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "color": look.ink},
        "hoverlabel": {"font": {"family": FONT}},
        "modebar": {"bgcolor": look.paper, "color": look.faint, "activecolor": look.ink},
        **more,
    }


def words_axis(units: Sequence[Unit], look: Look, *, room: int = 26, **more: Any) -> dict[str, Any]:
    """An axis with a word at each whole number, those of the template in a fainter colour by italics."""
    labels = [f"<i>{shortened(unit.text)}</i>" if unit.template else shortened(unit.text) for unit in units]
    size = 12 if len(units) <= room else 10 if len(units) <= 2 * room else 8
    return {
        "tickmode": "array",
        "tickvals": list(range(len(units))),
        "ticktext": labels,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"family": MONO, "size": size, "color": look.ink},
        "ticks": "",
        "automargin": True,
        "showticklabels": len(units) <= MOST_LABELS,
        **more,
    }


def plain_axis(look: Look, title: str = "", *, colour: str = "", **more: Any) -> dict[str, Any]:
    """An axis with little ink. colour: of its title, faint unless given."""
    return {
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "ticks": "",
        "automargin": True,
        "tickfont": {"size": 11, "color": look.faint},
        "title": {"text": title, "font": {"size": 12, "color": colour or look.faint}, "standoff": 8},
        **more,
    }


def grid_axis(look: Look, title: str = "", **more: Any) -> dict[str, Any]:
    """An axis of numbers that are read off: a line of the grid at each tick."""
    return plain_axis(look, title, **{"showgrid": True, "gridcolor": look.grid, **more})


def small(matrix: Tensor) -> np.ndarray[Any, Any]:
    """The numbers as they are sent: float32, which plotly packs."""
    return matrix.detach().to(torch.float32).numpy()


def panel_heading(text: str, look: Look, *, x: float, y: float, size: int = 12) -> dict[str, Any]:
    """An annotation above one of several panels. x, y: its left lower corner, as shares of the figure."""
    return {
        "x": x,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "text": text,
        "showarrow": False,
        "font": {"size": size, "color": look.ink},
    }


LABEL_LINE = 16
"""Pixels of a line of a label."""
LABEL_REACH = ((0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1))
"""Where a point's label may stand, the best first: above, below, right, left, and in the corners."""


Box = tuple[float, float, float, float]
"""A box in pixels: its middle, and half of its width and height."""
Offset = tuple[float, float]


def labels_beside(points: Sequence[tuple[float, float]], texts: Sequence[str], *, room: float) -> list[tuple[int, int]]:
    """Where labels stand, as pixels from their points to their middles, so that none covers a label or a point.

    points: in pixels, as the picture is usually drawn. room: pixels around a point that are its own. A label goes as
    near as it can; where all is full it goes above its point.
    """
    taken = _own_rooms(points, room)
    places: list[tuple[int, int]] = []
    for point, text in zip(points, texts, strict=True):
        offsets = _label_offsets(text, room, rings=4)
        across, down = _free_offset(point, text, offsets, taken) or offsets[0]
        taken.append(_label_box(point, text, (across, down)))
        places.append((round(across), round(down)))
    return places


def labels_that_fit(
    points: Sequence[tuple[float, float]], texts: Sequence[str], *, room: float, within: tuple[float, float]
) -> list[tuple[int, int] | None]:
    """As `labels_beside`, but None for one with no room right above, below or beside its point; the first choose.

    within: the width and height of the picture, which no label leaves; points count from its upper left corner.
    """
    width, height = within
    around = [(-width, 0.0, width, math.inf), (2 * width, 0.0, width, math.inf)]
    around += [(0.0, -height, math.inf, height), (0.0, 2 * height, math.inf, height)]
    taken = [*_own_rooms(points, room), *around]
    places: list[tuple[int, int] | None] = []
    for point, text in zip(points, texts, strict=True):
        straight = _label_offsets(text, room, rings=1)[:4]  # in a corner it would be taken for a neighbour's
        offset = _free_offset(point, text, straight, taken)
        if offset is not None:
            taken.append(_label_box(point, text, offset))
        places.append(None if offset is None else (round(offset[0]), round(offset[1])))
    return places


def _own_rooms(points: Sequence[tuple[float, float]], room: float) -> list[Box]:
    return [(x, y, room / 2, room / 2) for x, y in points]


def _label_offsets(text: str, room: float, *, rings: int) -> list[Offset]:
    """From a point to the middle of its label, the best first."""
    half_width, half_height = _label_halves(text)
    return [
        (right * (room * near + half_width * bool(right)), down * (room * near + half_height))
        for near in range(1, rings + 1)
        for right, down in LABEL_REACH
    ]


def _free_offset(
    point: tuple[float, float], text: str, offsets: Sequence[Offset], taken: Sequence[Box]
) -> Offset | None:
    """The first offset at which a label covers nothing that is taken."""
    return next((offset for offset in offsets if not _covers(_label_box(point, text, offset), taken)), None)


def _label_halves(text: str) -> tuple[float, float]:
    """Half of the width and height of a label, in pixels."""
    return 4.0 * len(text), LABEL_LINE / 2


def _label_box(point: tuple[float, float], text: str, offset: Offset) -> Box:
    return (point[0] + offset[0], point[1] + offset[1], *_label_halves(text))


def _covers(box: Box, boxes: Sequence[Box]) -> bool:
    x, y, width, height = box
    return any(abs(x - left) < width + half and abs(y - top) < height + tall for left, top, half, tall in boxes)


def legend_above() -> dict[str, Any]:
    """The part of a layout that shows the legend in a row above the picture, from its left edge."""
    return {"showlegend": True, "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}}


def enlarged(figure: go.Figure, factor: float) -> go.Figure:
    """A copy with all type, the height and the margins so many times as large."""
    drawn = figure.to_dict()
    drawn.get("layout", {}).setdefault("font", {}).setdefault("size", 12)  # plotly's own
    return go.Figure(_enlarged(drawn, factor, within=""), skip_invalid=False)


_SIZES = {"font": {"size"}, "layout": {"height"}, "margin": {"l", "r", "t", "b"}}
"""What is a size of type or of the room for it, by the part of a figure that it stands in."""


def _enlarged(part: Any, factor: float, *, within: str) -> Any:
    if isinstance(part, list | tuple):
        return [_enlarged(item, factor, within=within) for item in part] if _has_parts(part) else part
    if not isinstance(part, dict):
        return part
    sizes = _SIZES.get("font" if within.endswith("font") else within, set())
    return {
        name: value * factor
        if name in sizes and isinstance(value, int | float)
        else _enlarged(value, factor, within=name)
        for name, value in part.items()
    }


def _has_parts(items: Sequence[Any]) -> bool:
    return any(isinstance(item, dict) for item in items)
