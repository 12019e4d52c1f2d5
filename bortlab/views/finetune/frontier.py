"""Quality by speed and by size: which of the compared are worth their time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from bortlab.analysis.evaluation import NAMES
from bortlab.system.numbers import data_size, milliseconds, short_count
from bortlab.training.finetune.comparison import Comparison, Entry
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, labels_beside, layout
from bortlab.views.finetune.tables import table, with_interval
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

HEIGHT = 420
USUAL_WIDTH = 480
"""Pixels that names are kept apart by: between a telephone's and a laptop's."""
LARGEST_POINT = 34
"""Pixels of the largest model's circle."""
TIMES = [digit * 10.0**power for power in range(-3, 5) for digit in (1, 2, 5)]
"""Milliseconds that stand on the axis."""
CONSTANT = "majority"
"""The baseline that answers the same whatever the text is."""


def frontier(comparison: Comparison, look: Look) -> View:
    """Quality against the time of a text on this data's own lengths, with the Pareto front; the area shows the size.

    What answers the same whatever the text is, and takes no time, is a line across.
    """
    constant = [entry for entry in comparison.entries if entry.key == CONSTANT]
    timed = [entry for entry in comparison.entries if entry.ms is not None and entry.key != CONSTANT]
    measure = comparison.measure
    front = pareto(timed, measure)
    texts = [_says(entry, measure) for entry in timed]
    figure = go.Figure(
        [
            _front_line(front, measure, look),
            *(_point(entry, comparison, says, look) for entry, says in zip(timed, texts, strict=True)),
        ],
        layout(
            look,
            HEIGHT,
            margin={"l": 4, "r": 8, "t": 24, "b": 44},
            xaxis=grid_axis(
                look,
                "milliseconds for a text: faster to the left",
                type="log",
                range=_x_range(timed),
                tickvals=TIMES,
                ticktext=[f"{ms:g}" for ms in TIMES],
            ),
            yaxis=grid_axis(look, NAMES[measure], range=_y_range([*timed, *constant], measure)),
            annotations=_labels(timed, [*timed, *constant], measure, look),
        ),
    )
    for entry in constant:
        figure.add_hline(
            entry.figures[measure].value,
            line={"color": look.faint, "width": 1, "dash": "dash"},
            annotation={"text": plotly(entry.title), "font": {"size": 12, "color": look.faint}},
            annotation_position="top left",
        )
    titles = ", ".join(entry.title for entry in front)
    pairs = "; ".join(f"{entry.title}: {says}" for entry, says in zip(timed, texts, strict=True))
    alt = f"Quality and speed: {pairs}. On the Pareto front: {titles}."
    return View("Quality and speed", figure, alt, table(comparison), height=HEIGHT)


def pareto(entries: Sequence[Entry], measure: str) -> list[Entry]:
    """Those that no other beats in both time and quality, the fastest first."""
    front: list[Entry] = []
    for entry in sorted(entries, key=lambda e: (e.ms.value if e.ms else math.inf, -e.figures[measure].value)):
        if not front or entry.figures[measure].value > front[-1].figures[measure].value:
            front.append(entry)
    return front


def _says(entry: Entry, measure: str) -> str:
    assert entry.ms is not None
    size = data_size(entry.n_bytes) if not entry.is_baseline else f"{short_count(entry.parameters)} numbers"
    return f"{with_interval(entry, measure)}, {milliseconds(entry.ms.value)}, {size}"


def _front_line(front: Sequence[Entry], measure: str, look: Look) -> go.Scatter:
    return go.Scatter(
        x=[entry.ms.value for entry in front if entry.ms],
        y=[entry.figures[measure].value for entry in front],
        mode="lines",
        line={"color": look.faint, "width": 1.5, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
    )


def _point(entry: Entry, comparison: Comparison, says: str, look: Look) -> go.Scatter:
    figure = entry.figures[comparison.measure]
    colour = look.faint if entry.family is None else look.family(entry.family)
    largest = max((other.n_bytes for other in comparison.models), default=1)
    size = 11 if entry.is_baseline else 12 + (LARGEST_POINT - 12) * (entry.n_bytes / largest) ** 0.5
    assert entry.ms is not None
    return go.Scatter(
        x=[entry.ms.value],
        y=[figure.value],
        mode="markers",
        cliponaxis=False,
        marker={
            "size": size,
            "symbol": "diamond" if entry.is_baseline else "circle",
            "color": translucent(colour, 0.5),
            "line": {"width": 1.5, "color": colour},
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [figure.high - figure.value],
            "arrayminus": [figure.value - figure.low],
            "color": look.faint,
            "thickness": 1.2,
            "width": 4,
        },
        hovertext=plotly(f"{entry.title}: {says}"),
        hoverinfo="text",
    )


def _labels(timed: Sequence[Entry], shown: Sequence[Entry], measure: str, look: Look) -> list[dict[str, object]]:
    """The names of the points as annotations that keep apart, each with a line to its point."""
    (left, right), (low, high) = _x_range(timed), _y_range(shown, measure)
    places = [(_log_ms(entry), entry.figures[measure].value) for entry in timed]
    across, down = USUAL_WIDTH / (right - left), -HEIGHT / (high - low)
    offsets = labels_beside(
        [(x * across, y * down) for x, y in places], [entry.title for entry in timed], room=LARGEST_POINT
    )
    return [
        {
            "x": x,
            "y": y,
            "ax": right,
            "ay": below,
            "text": plotly(entry.title),
            "font": {"size": 13, "color": look.faint if entry.is_baseline else look.ink},
            "arrowcolor": look.faint,
            "arrowwidth": 0.8,
            "arrowhead": 0,
            "standoff": LARGEST_POINT / 3,
        }
        for entry, (x, y), (right, below) in zip(timed, places, offsets, strict=True)
    ]


def _log_ms(entry: Entry) -> float:
    assert entry.ms is not None
    return math.log10(max(entry.ms.value, 1e-3))


def _x_range(entries: Sequence[Entry]) -> list[float]:
    """Of the logarithms of the times, with room for the names; at least a factor of two."""
    times = [_log_ms(entry) for entry in entries] or [0.0]
    room = max(0.15, 0.2 * (max(times) - min(times)))
    return [min(times) - room, max(times) + room]


def _y_range(entries: Sequence[Entry], measure: str) -> list[float]:
    """Of the figures and their intervals, with room for the names."""
    figures = [entry.figures[measure] for entry in entries]
    low, high = min(figure.low for figure in figures), max(figure.high for figure in figures)
    room = 0.12 * ((high - low) or 1.0)
    return [low - room, high + room]
