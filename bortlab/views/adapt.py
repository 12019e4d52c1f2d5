"""An adapted model: what it learned while it read, and in words what that is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from bortlab.model import Adaptation
from bortlab.system.numbers import percent, short_count
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, layout, plain_axis
from bortlab.views.theme import Look
from bortlab.views.view import View

HEIGHT = 260


def learning_curve(
    points: Sequence[Mapping[str, float]], *, frequency: float, title: str, family: str, look: Look
) -> View:
    """Share of held-out hidden pieces guessed first, by pieces read, above that of guessing by frequency.

    points: each with "pieces", "accuracy" and "loss", in the order of reading.
    """
    import pandas

    shares = [100 * point["accuracy"] for point in points]
    pieces = [point["pieces"] for point in points]
    hover = [f"{short_count(n)} pieces: {share:.1f}%" for n, share in zip(pieces, shares, strict=True)]
    colour = look.family(family)
    line = go.Scatter(
        x=pieces,
        y=shares,
        mode="lines+markers",
        line={"color": colour, "width": 2.5},
        marker={"color": colour, "size": 8},
        hovertext=hover,
        hoverinfo="text",
    )
    floor = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": 100 * frequency,
        "y1": 100 * frequency,
        "line": {"color": look.faint, "width": 1.5, "dash": "dot"},
    }
    name = {
        "text": plotly(f"guessing by frequency {percent(frequency)}"),
        "xref": "paper",
        "x": 1,
        "y": 100 * frequency,
        "xanchor": "right",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12, "color": look.faint},
    }
    top = max([*shares, 100 * frequency]) * 1.15 + 1
    axes = {
        "xaxis": plain_axis(look, "pieces read", rangemode="tozero"),
        "yaxis": grid_axis(look, "held-out pieces right, %", range=[0, top]),
    }
    figure = go.Figure([line], layout(look, HEIGHT, shapes=[floor], annotations=[name], **axes))
    table = pandas.DataFrame([{key: point[key] for key in ("pieces", "accuracy", "loss")} for point in points])
    return View(title, figure, f"{title}: {_in_words(points, frequency)}", table)


def _in_words(points: Sequence[Mapping[str, float]], frequency: float) -> str:
    by_frequency = f"Guessing by frequency gives {percent(frequency)}."
    if not points:
        return f"nothing is measured yet. {by_frequency}"
    first, last = points[0], points[-1]
    if len(points) == 1:
        return f"{percent(last['accuracy'])} of the held-out pieces right before the first step. {by_frequency}"
    return (
        f"{percent(first['accuracy'])} of the held-out pieces right before the first step, "
        f"{percent(last['accuracy'])} after {short_count(last['pieces'])} pieces. {by_frequency}"
    )


def worth(adaptation: Adaptation) -> str:
    """How good an adapted model is on text that it did not read, in a sentence; empty where nobody measured it."""
    if adaptation.accuracy is None:
        return ""
    after, before = adaptation.accuracy, adaptation.before
    sentence = f"It guesses {percent(after)} of the held-out pieces right"
    if before is not None:
        change = after - before
        sentence += (
            ", as before" if abs(change) < 0.0005 else f", {'up' if change > 0 else 'down'} from {percent(before)}"
        )
    if adaptation.frequency is not None:
        sentence += f"; always guessing the commonest piece gives {percent(adaptation.frequency)}"
    return f"{sentence}."


def advice(adaptation: Adaptation) -> str:
    """What to do about a model that is hardly better than guessing by frequency; empty for a better one."""
    if not adaptation.is_weak:
        return ""
    more = {
        "all": "Give it more pieces, or more text.",
        "head": "A head on a frozen encoder stays weak: train the upper layers too, or all weights.",
    }.get(adaptation.trained, "Train all weights, or more pieces.")
    return f"Its words mean little: it is hardly better than guessing by frequency. {more}"
