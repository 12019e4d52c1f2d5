"""Learning curves of a trained grid: the error of each candidate by the pieces it was trained on."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from bortlab.search.learning_curves import LearningCurves
from bortlab.system.numbers import short_count
from bortlab.views.figures import grid_axis
from bortlab.views.search.axes import chart_layout
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

if TYPE_CHECKING:
    import pandas

HEIGHT = 420


def learning(curves: LearningCurves, front: Collection[str], colour: str, look: Look) -> View:
    """A line for each candidate, the mean of its seeds. front: candidates in colour."""
    groups = (("not on the front", False, translucent(look.faint, 0.55), 1.3), ("on the front", True, colour, 2.0))
    traces = []
    for title, member, ink, width in groups:
        rows = [row for row, name in enumerate(curves.names) if (name in front) is member]
        traces += [
            go.Scatter(
                x=curves.pieces,
                y=curves.means[row],
                mode="lines+markers",
                name=title,
                legendgroup=title,
                showlegend=row == rows[0],
                line={"color": ink, "width": width},
                marker={"size": 6},
                hoverinfo="text",
                hovertext=[
                    f"{curves.names[row]}, {short_count(count)} pieces: {error:.3f}"
                    for count, error in zip(curves.pieces, curves.means[row], strict=True)
                ],
            )
            for row in rows
        ]
    figure = go.Figure(
        traces,
        chart_layout(
            look,
            HEIGHT,
            xaxis=grid_axis(look, "pieces trained on")
            | {
                "type": "log",
                "tickvals": list(curves.pieces),
                "ticktext": [short_count(count) for count in curves.pieces],
            },
            yaxis=grid_axis(look, "error, nats (less is better)") | {"automargin": True},
        ),
    )
    title = "Learning curves"
    clauses = "; ".join(
        f"after {short_count(count)} pieces {column.min():.3f} ({curves.names[int(column.argmin())]}) to "
        f"{column.max():.3f} ({curves.names[int(column.argmax())]})"
        for count, column in zip(curves.pieces, curves.means.T, strict=True)
    )
    return View(
        title, figure, f"{title} of {len(curves.names)} candidates: errors {clauses}.", curves.frame(), height=HEIGHT
    )


def agreements_frame(curves: LearningCurves) -> pandas.DataFrame:
    """One row for every two grades: how far their rankings, after so many pieces and after more, agree."""
    import pandas

    return pandas.DataFrame(
        [
            {
                "pieces": entry.before,
                "against": entry.after,
                "τ": entry.tau.value,
                "from": entry.tau.low,
                "to": entry.tau.high,
            }
            for entry in curves.agreements
        ]
    )
