"""Candidates by operations and milliseconds: a picture, and what it says in sentences of Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import plotly.graph_objects as go

from bortlab.search.latency import FeedForwardPair, Timed, TimedCandidate
from bortlab.search.space import FEED_FORWARD
from bortlab.search.study import bort_shapes
from bortlab.system.numbers import fixed, milliseconds, short_count
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, labels_that_fit
from bortlab.views.latency.labels import interval_bars
from bortlab.views.prose import counted, names
from bortlab.views.search.axes import FAMILY, SYMBOLS, chart_layout
from bortlab.views.theme import Look, mixed
from bortlab.views.view import View

HEIGHT = 420
NARROWEST = (310.0, 285.0)
"""Pixels of the picture within its axes on a telephone: names that keep apart there do so everywhere."""
POINT = 10
"""Pixels of a point."""
NEARLY, ROUGHLY = 0.9, 0.7
"""Rank correlations from which operations order candidates nearly, or roughly, as a clock does."""


def operations_and_milliseconds(timed: Timed, look: Look) -> View:
    """Every candidate with the interval of its median time. Wider feed-forward parts are drawn stronger."""
    traces = [_equal_rates(timed, look)]
    groups = _by_feed_forward(timed)
    for number, (title, members) in enumerate(groups.items()):
        colour = mixed(look.family(FAMILY), look.paper, (number + 1) / len(groups))
        traces.append(_points(title, members, colour, SYMBOLS[number % len(SYMBOLS)], look))
    ranges = _range([entry.operations for entry in timed.candidates]), _range(_all_ms(timed))
    figure = go.Figure(
        traces,
        chart_layout(
            look,
            HEIGHT,
            xaxis=grid_axis(look, "operations of one text")
            | {"type": "log", "dtick": "D2", "tickformat": "~s", "range": ranges[0]},
            yaxis=grid_axis(look, "milliseconds, median")
            | {"type": "log", "dtick": "D2", "tickformat": "~g", "range": ranges[1], "automargin": True},
            annotations=_names(timed, ranges, look),
        ),
    )
    title = "Operations and milliseconds"
    clauses = "; ".join(
        f"{entry.name} {short_count(entry.operations)} in {milliseconds(entry.ms.value)}" for entry in timed.candidates
    )
    alt = f"{title} of {counted(len(timed.candidates), 'candidate')}: {clauses}."
    return View(title, figure, alt, timed.frame(), height=HEIGHT)


def _all_ms(timed: Timed) -> list[float]:
    return [ms for entry in timed.candidates for ms in (entry.ms.low, entry.ms.high)]


def _by_feed_forward(timed: Timed) -> Mapping[str, list[TimedCandidate]]:
    """The candidates by the width of their feed-forward part, the narrowest first; all together where it is fixed."""
    if FEED_FORWARD not in timed.space.sizes:
        return {"candidates": list(timed.candidates)}
    place = list(timed.space.sizes).index(FEED_FORWARD)
    groups: dict[str, list[TimedCandidate]] = {}
    for entry in sorted(timed.candidates, key=lambda entry: entry.candidate.sizes[place]):
        groups.setdefault(f"feed-forward width {entry.candidate.sizes[place]:,}", []).append(entry)
    return groups


def _points(title: str, members: Sequence[TimedCandidate], colour: str, symbol: str, look: Look) -> go.Scatter:
    return go.Scatter(
        x=[entry.operations for entry in members],
        y=[entry.ms.value for entry in members],
        mode="markers",
        name=title,
        marker={"size": POINT, "color": colour, "symbol": symbol, "line": {"width": 1, "color": look.family(FAMILY)}},
        error_y=interval_bars([entry.ms for entry in members], look),
        hoverinfo="text",
        hovertext=[
            plotly(
                f"{entry.name}: {short_count(entry.operations)} operations, {milliseconds(entry.ms.value)} "
                f"({entry.ms.low:.3g} to {entry.ms.high:.3g}), {short_count(entry.rate)} a second"
            )
            for entry in members
        ],
    )


def _equal_rates(timed: Timed, look: Look) -> go.Scatter:
    """The line on which all would lie if every operation took as long as at the median candidate."""
    rate = median(entry.rate for entry in timed.candidates)
    ends = [10**end for end in _range([entry.operations for entry in timed.candidates])]
    return go.Scatter(
        x=ends,
        y=[operations / rate * 1000 for operations in ends],
        mode="lines",
        name=f"{short_count(rate)} operations a second",
        line={"color": look.faint, "width": 1.2, "dash": "dash"},
        hoverinfo="skip",
    )


def _range(values: Sequence[float]) -> list[float]:
    """Of the logarithms, with room for the names."""
    logarithms = [math.log10(value) for value in values]
    room = max(0.05, 0.07 * (max(logarithms) - min(logarithms)))
    return [min(logarithms) - room, max(logarithms) + room]


def _names(timed: Timed, ranges: tuple[list[float], list[float]], look: Look) -> list[dict[str, Any]]:
    """The names of those beside whose points there is room, those that the sentences speak of first."""
    told = {entry.name for pair in _told_pairs(timed) for entry in (pair.narrow, pair.wide)} | {*timed.winners}
    entries = sorted(timed.candidates, key=lambda entry: entry.name not in told)
    points = [(math.log10(entry.operations), math.log10(entry.ms.value)) for entry in entries]
    (left, right), (low, high) = ranges
    across, down = NARROWEST[0] / (right - left), NARROWEST[1] / (high - low)
    places = labels_that_fit(
        [((x - left) * across, (high - y) * down) for x, y in points],
        [entry.name for entry in entries],
        room=POINT,
        within=NARROWEST,
    )
    return [
        {
            "x": x,
            "y": y,
            "xshift": place[0],
            "yshift": -place[1],
            "text": plotly(entry.name),
            "showarrow": False,
            "font": {"size": 12, "color": look.ink if entry.name in told else look.faint},
        }
        for entry, (x, y), place in zip(entries, points, places, strict=True)
        if place is not None
    ]


# -- in words ----------------------------------------------------------------------------------------------------------


def timed_sentences(timed: Timed) -> list[str]:
    """What a measurement says: are operations a good estimate, does the winner change, and what do they leave out?"""
    sentences = [rank_sentence(timed), winners_sentence(timed), feed_forward_sentence(timed), *timed.disturbed]
    return [sentence for sentence in sentences if sentence]


def rank_sentence(timed: Timed) -> str:
    """How far operations and milliseconds rank the candidates alike."""
    rho = timed.spearman
    if rho.low >= NEARLY:
        judgement = "operations order them nearly as the clock does"
    elif rho.low >= ROUGHLY:
        judgement = "operations order them roughly as the clock does"
    else:
        judgement = "operations are no safe guide to which is faster"
    return (
        f"One text of {counted(timed.pieces, 'piece')} was timed with {counted(len(timed.candidates), 'candidate')}. "
        f"Spearman's rank correlation of operations and milliseconds is **{fixed(rho.value, 2)}** "
        f"({fixed(rho.low, 2)} to {fixed(rho.high, 2)} with the candidates drawn again): {judgement}."
    )


def winners_sentence(timed: Timed) -> str:
    """Does the winner change where i is milliseconds?"""
    if not timed.winners or not timed.winners_by_operations:
        return ""
    by_clock, by_operations = (
        names([f"**{name}**" for name in each], most=3) for each in (timed.winners, timed.winners_by_operations)
    )
    if set(timed.winners) == set(timed.winners_by_operations):
        sentence = f"The largest W stays that of {by_clock} when milliseconds take the place of operations"
    else:
        sentence = f"By operations the largest W is that of {by_operations}, by milliseconds that of {by_clock}"
    return f"{sentence} (error: {timed.error})."


def feed_forward_sentence(timed: Timed) -> str:
    """Which feed-forward parts do more operations a second, and what that means for one as narrow as Bort's."""
    pairs = timed.feed_forward_pairs
    if not pairs:
        return ""
    gains = [pair.wide.rate / pair.narrow.rate for pair in pairs]
    (told, *_) = _told_pairs(timed)
    whose = ", which has Bort's proportions," if told.narrow.name in bort_shapes(timed.space) else ""
    example = (
        f"**{told.narrow.name}**{whose} does {short_count(told.narrow.rate)} operations a second, "
        f"**{told.wide.name}** {short_count(told.wide.rate)}: {told.operations:.2f} times the operations take "
        f"{told.ms:.2f} times as long."
    )
    if min(gains) > 1:
        rule = (
            f"Operations are not equally dear: of candidates that differ in nothing else, the widest feed-forward part "
            f"does {min(gains):.2f} to {max(gains):.2f} times as many a second as the narrowest "
            f"({counted(len(pairs), 'pair')})."
        )
        return f"{rule} {example} What a narrow feed-forward part such as Bort's saves is less than its operations say."
    if max(gains) < 1:
        rule = (
            f"Of candidates that differ in nothing else, the widest feed-forward part does only {min(gains):.2f} to "
            f"{max(gains):.2f} times as many operations a second as the narrowest ({counted(len(pairs), 'pair')})."
        )
        return f"{rule} {example} A narrow feed-forward part such as Bort's saves more than its operations say."
    wins = sum(gain > 1 for gain in gains)
    return (
        f"Of candidates that differ in nothing else, the widest feed-forward part does more operations a second than "
        f"the narrowest in {wins} of {counted(len(pairs), 'pair')}. {example}"
    )


def _told_pairs(timed: Timed) -> list[FeedForwardPair]:
    """The pairs that are examples: those whose narrow one has Bort's proportions, else that with the largest gap."""
    pairs = {pair.narrow.name: pair for pair in timed.feed_forward_pairs}
    own = [pairs[name] for name in bort_shapes(timed.space) if name in pairs]
    if own or not pairs:
        return own
    return [max(pairs.values(), key=lambda pair: abs(math.log(pair.wide.rate / pair.narrow.rate)))]
