"""Quality by speed and by size: which of the compared are worth their time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from bortlab.analysis.evaluation import NAMES
from bortlab.system.numbers import data_size, milliseconds, short_count
from bortlab.training.finetune.comparison import Comparison, Entry
from bortlab.views.escape import plotly
from bortlab.views.figures import layout, plain_axis, text_positions
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

if TYPE_CHECKING:
    import pandas

HEIGHT = 420


def frontier(comparison: Comparison, look: Look) -> View:
    """Quality against the time of a text on this data's own lengths, with the Pareto front; the area shows the size."""
    timed = [entry for entry in comparison.entries if entry.ms is not None]
    name = NAMES[comparison.measure]
    front = pareto(timed, comparison.measure)
    texts = [_says(entry, comparison.measure) for entry in timed]
    places = text_positions(
        [entry.ms.value for entry in timed if entry.ms], [entry.figures[comparison.measure].value for entry in timed]
    )
    figure = go.Figure(
        [
            _front_line(front, comparison.measure, look),
            *(
                _point(entry, comparison, says, place, look)
                for entry, says, place in zip(timed, texts, places, strict=True)
            ),
        ],
        layout(
            look,
            HEIGHT,
            margin={"l": 4, "r": 8, "t": 24, "b": 44},
            xaxis=plain_axis(look, type="log", title="milliseconds for a text: faster to the left", gridcolor=look.grid)
            | {"showgrid": True, "range": _log_range(timed)},
            yaxis=plain_axis(look, title=name, gridcolor=look.grid) | {"showgrid": True},
        ),
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


def table(comparison: Comparison) -> pandas.DataFrame:
    """Everything that was measured of each, best first."""
    import pandas

    rows = []
    for entry in comparison.entries:
        row: dict[str, object] = {"model": entry.title}
        for name, figure in entry.figures.items():
            row |= {NAMES[name]: figure.value, f"{NAMES[name]}, from": figure.low, f"{NAMES[name]}, to": figure.high}
        row |= {
            "ms a text": entry.ms.value if entry.ms else None,
            "MB": entry.n_bytes / 1e6,
            "parameters": entry.parameters,
            "seeds": len(entry.runs),
            "training, s": sum(run.get("seconds", 0.0) for run in entry.runs.values()),
        }
        rows.append(row)
    return pandas.DataFrame(rows)


def _says(entry: Entry, measure: str) -> str:
    figure, ms = entry.figures[measure], entry.ms
    assert ms is not None
    size = data_size(entry.n_bytes) if not entry.is_baseline else f"{short_count(entry.parameters)} numbers"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}), {milliseconds(ms.value)}, {size}"


def _front_line(front: Sequence[Entry], measure: str, look: Look) -> go.Scatter:
    return go.Scatter(
        x=[entry.ms.value for entry in front if entry.ms],
        y=[entry.figures[measure].value for entry in front],
        mode="lines",
        line={"color": look.faint, "width": 1.5, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
    )


def _point(entry: Entry, comparison: Comparison, says: str, place: str, look: Look) -> go.Scatter:
    figure = entry.figures[comparison.measure]
    colour = look.faint if entry.family is None else look.family(entry.family)
    largest = max((other.n_bytes for other in comparison.models), default=1)
    size = 11 if entry.is_baseline else 12 + 22 * (entry.n_bytes / largest) ** 0.5
    assert entry.ms is not None
    return go.Scatter(
        x=[entry.ms.value],
        y=[figure.value],
        mode="markers+text",
        text=[plotly(entry.title)],
        textposition=place,
        textfont={"size": 13, "color": look.ink if not entry.is_baseline else look.faint},
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


def _log_range(entries: Sequence[Entry]) -> list[float]:
    times = [math.log10(max(entry.ms.value, 1e-3)) for entry in entries if entry.ms]
    room = 0.15 * ((max(times) - min(times)) or 1.0)
    return [min(times) - room, max(times) + room]
