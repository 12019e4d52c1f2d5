"""Agora's rounds as a picture: which sets were trained and which left, how good they were, and how the data grew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from bortlab.system.numbers import percent
from bortlab.training.agora import History, Round, Theta, kept
from bortlab.views.escape import isolated, plotly
from bortlab.views.figures import grid_axis, layout, plain_axis
from bortlab.views.prose import counted, names
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

if TYPE_CHECKING:
    import pandas

HEIGHT = 460
SPREAD = 0.5
"""Of the room of a round, the share that its sets stand in side by side, so that none covers another."""
FAMILY = "bort"
"""Whose colour the pictures have: the model that Agora was published with."""


def rounds(history: History, look: Look, *, shown: int | None = None) -> View:
    """The first `shown` rounds, all unless told: above, each set's accuracy on E, with those that leave crossed out;
    below, the examples that the round's sets learned from. The axes are those of all rounds, so that a picture of one
    round more is the same with one round more.
    """
    until = history.rounds[: len(history.rounds) if shown is None else max(1, shown)]
    last = max(2, len(history.rounds))
    figure = go.Figure(
        [*_scores(history, until, look), *_bars(history, until, look)],
        layout(
            look,
            HEIGHT,
            margin={"l": 4, "r": 8, "t": 30, "b": 40},
            showlegend=True,
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
            barmode="stack",
            xaxis=plain_axis(look, "round", range=[0.45, last + 0.55], tickvals=list(range(1, last + 1)))
            | {"anchor": "y2"},
            yaxis=grid_axis(look, "accuracy on E", tickformat=".0%", domain=[0.36, 1], range=_range(history)),
            yaxis2=grid_axis(
                look,
                "examples to learn from",
                domain=[0, 0.26],
                nticks=3,
                range=[0, 1.15 * history.examples(len(history.rounds))],
            ),
        ),
    )
    title = "Agora round by round"
    alt = f"{title}: " + " ".join(_plain(history, number) for number in range(len(until)))
    return View(title, figure, alt, rounds_frame(history), height=HEIGHT)


def named(theta: Theta, axes: tuple[str, ...]) -> str:
    """A set for people: "rate × 0.5 · dropout 0.1 · batch 8 · seed 1"."""
    return " · ".join(
        f"{axis} {'× ' if axis == 'rate' else ''}{value}" for axis, value in zip(axes, theta, strict=True)
    )


def round_sentences(history: History, number: int) -> list[str]:
    """A round in sentences of plain text. number: from 0."""
    this = history.rounds[number]
    n, made = history.examples(number), history.examples(number) - history.learned
    of_them = f", {counted(made, 'made point')} among them" if made else ""
    best = best_of(this)
    sentences = [
        f"Round {number + 1} trains {counted(len(this.scores), 'set')} on {n:,} examples{of_them}.",
        f"The best, {named(best, history.axes)}, is right in {percent(this.scores[best])} of E and makes "
        f"{counted(this.mistakes, 'mistake')}.",
    ]
    new, refused = kept(this), [point.refused for point in this.points if point.refused]
    if this.points:
        reasons = [f"“{reason}” ({refused.count(reason)})" for reason in dict.fromkeys(refused)]
        sentences.append(
            f"Of {counted(len(this.points), 'point')} made near them {len(new)} "
            f"{'is' if len(new) == 1 else 'are'} kept" + (f" (refused as {names(reasons)})." if reasons else ".")
        )
        other = sum(point.example.label != point.mistake.label for point in new)
        if new:
            sentences.append(f"The labeller gives {other} of them another label than that of the mistake.")
    left = len(this.scores) - len(this.removed)
    leaves = f"{counted(len(this.removed), 'set')} {'leaves' if len(this.removed) == 1 else 'leave'}"
    sentences.append(f"{leaves}, {left or 'none'} {'stays' if left < 2 else 'stay'}.")
    return sentences


def best_of(this: Round) -> Theta:
    """The set with the highest score, the first of equals."""
    return max(this.scores, key=lambda theta: this.scores[theta])


def rounds_frame(history: History) -> pandas.DataFrame:
    """One row a training."""
    import pandas

    return pandas.DataFrame(
        [
            {
                "round": this.number + 1,
                **dict(zip(history.axes, map(str, theta), strict=True)),
                "examples to learn from": history.examples(place),
                "accuracy on E": score,
                "best of its round": theta == best_of(this),
                "leaves": theta in this.removed,
                "mistakes of the best": this.mistakes,
                "points kept": len(kept(this)),
                "points refused": len(this.points) - len(kept(this)),
            }
            for place, this in enumerate(history.rounds)
            for theta, score in this.scores.items()
        ]
    )


def _plain(history: History, number: int) -> str:
    return isolated(" ".join(round_sentences(history, number)))


def _range(history: History) -> list[float]:
    scores = [score for this in history.rounds for score in this.scores.values()]
    room = max(0.03, 0.15 * (max(scores) - min(scores)))
    return [min(scores) - room, max(scores) + room]


def _scores(history: History, until: tuple[Round, ...], look: Look) -> list[go.Scatter]:
    """A line for each set through its rounds, and marks for the sets that leave and for the best of each round."""
    colour = look.family(FAMILY)
    every = list(dict.fromkeys(theta for this in history.rounds for theta in this.scores))
    offset = {theta: SPREAD * ((place + 0.5) / len(every) - 0.5) for place, theta in enumerate(every)}

    def places(theta: Theta) -> list[tuple[float, float]]:
        return [
            (this.number + 1 + offset[theta], this.scores[theta]) for this in until if theta in this.scores
        ]  # a replay brings a set back

    lines = [
        go.Scatter(
            x=[x for x, _ in places(theta)],
            y=[y for _, y in places(theta)],
            mode="lines+markers",
            line={"color": translucent(colour, 0.35), "width": 1.5},
            marker={"size": 9, "color": colour},
            hovertext=[plotly(f"{named(theta, history.axes)}: {percent(y)} of E") for _, y in places(theta)],
            hoverinfo="text",
            showlegend=False,
        )
        for theta in every
        if places(theta)
    ]
    leaving = [(this.number + 1 + offset[theta], this.scores[theta]) for this in until for theta in this.removed]
    best = [(this.number + 1 + offset[best_of(this)], max(this.scores.values())) for this in until]
    crosses = _marks(leaving, "leaves after the round", look, symbol="x-thin", size=13, width=2.5, colour=look.ink)
    rings = _marks(best, "the round's best, whose mistakes are used", look, symbol="circle-open", size=19, width=2.2)
    return [*lines, crosses, rings]


def _marks(
    places: list[tuple[float, float]],
    name: str,
    look: Look,
    *,
    symbol: str,
    size: int,
    width: float,
    colour: str | None = None,
) -> go.Scatter:
    return go.Scatter(
        x=[x for x, _ in places],
        y=[y for _, y in places],
        mode="markers",
        name=name,
        hoverinfo="skip",
        marker={
            "symbol": symbol,
            "size": size,
            "color": colour or look.family(FAMILY),
            "line": {"width": width, "color": colour or look.family(FAMILY)},
        },
    )


def _bars(history: History, until: tuple[Round, ...], look: Look) -> list[go.Bar]:
    """The examples that each round's sets learned from."""
    numbers = [this.number + 1 for this in until]
    made = [history.examples(place) - history.learned for place in range(len(until))]
    shared: dict[str, Any] = {"yaxis": "y2", "width": SPREAD, "hoverinfo": "text", "textfont": {"size": 12}}
    return [
        go.Bar(
            x=numbers,
            y=[history.learned] * len(until),
            name="labelled by people",
            marker={"color": translucent(look.faint, 0.45)},
            hovertext=[f"{history.learned:,} labelled examples"] * len(until),
            **shared,
        ),
        go.Bar(
            x=numbers,
            y=made,
            name="made, and labelled by the labeller",
            marker={"color": translucent(look.family(FAMILY), 0.6)},
            text=[f"+{count:,}" if count else "" for count in made],
            textposition="outside",
            cliponaxis=False,
            hovertext=[f"{count:,} made points" for count in made],
            **shared,
        ),
    ]
