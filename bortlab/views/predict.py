"""Predictions as bars: what a model puts in a blank, and how likely named words are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from bortlab.analysis.predict import WordScore
from bortlab.model import Blank
from bortlab.system.numbers import percent
from bortlab.views.escape import plotly, visible
from bortlab.views.figures import FONT
from bortlab.views.theme import Look, translucent

ROW_HEIGHT = 30


def candidate_bars(blank: Blank, *, family: str, largest: float, look: Look) -> go.Figure:
    """The candidates of one blank as bars, the word on each, best on top. largest: end of the shared scale."""
    words = [plotly(candidate.text.strip() or candidate.text) for candidate in blank.candidates]
    return _bars(words, [candidate.probability for candidate in blank.candidates], look.family(family), largest, look)


def word_bars(scores: Sequence[WordScore], *, family: str, largest: float, look: Look) -> go.Figure:
    """Named words as bars, in the order in which they were named."""
    words = [plotly(score.word) for score in scores]
    return _bars(words, [score.probability for score in scores], look.family(family), largest, look)


def _bars(words: Sequence[str], values: Sequence[float], colour: str, largest: float, look: Look) -> go.Figure:
    rows = list(range(len(words)))
    end = max(largest, 1e-9)
    hover = [f"{word}: {100 * value:.4g} %" for word, value in zip(words, values, strict=True)]
    layout = {
        "height": ROW_HEIGHT * len(rows) + 8, "margin": {"l": 0, "r": 62, "t": 4, "b": 4}, "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "dragmode": False, "font": {"family": FONT},
        "xaxis": {"visible": False, "range": [0, end * 1.02], "fixedrange": True},
        "yaxis": {"visible": False, "range": [len(rows) - 0.5, -0.5], "fixedrange": True},
    }  # fmt: skip
    return go.Figure(
        [
            go.Bar(
                x=values, y=rows, orientation="h", width=0.82, hovertext=hover, hoverinfo="text",
                marker={"color": translucent(colour, 0.30), "line": {"width": 0}, "cornerradius": 4},
            ),
            _labels([0] * len(rows), rows, [f" {word}" for word in words], size=15, colour=look.ink),
            _labels([end * 1.02] * len(rows), rows, [percent(v) for v in values], size=13, colour=look.faint),
        ],
        layout,  # at once: update_layout takes twice as long as all the rest
    )  # fmt: skip


def _labels(x: Sequence[float], y: Sequence[float], text: Sequence[str], *, size: int, colour: str) -> go.Scatter:
    """Text that begins at each point."""
    return go.Scatter(
        x=x, y=y, mode="text", text=text, textposition="middle right", textfont={"size": size, "color": colour},
        hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip


def alternative(title: str, words: Iterable[tuple[str, float]]) -> str:
    """What a figure of bars says, for people who cannot see it."""
    said = ", ".join(f"{visible(word)} {percent(value)}" for word, value in words)
    return f"{title}: {said}."
