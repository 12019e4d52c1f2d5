"""Engines side by side: a picture of their times at each length, and what can be read from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby

import plotly.graph_objects as go

from bortlab.analysis.latency import (
    Case,
    Measured,
    Run,
    engine_frame,
    engine_groups,
    fastest_engines,
    ratios_to_torch,
    resolution,
)
from bortlab.analysis.latency.cases import title
from bortlab.analysis.latency.engines import RUNTIME_OF, TORCH
from bortlab.runtimes import RUNTIMES
from bortlab.system.numbers import factor, milliseconds, percent
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, layout
from bortlab.views.latency.labels import condition, differing, interval_bars, words_from
from bortlab.views.prose import counted, names
from bortlab.views.theme import Look
from bortlab.views.view import View

ROW, HEADING = 44, 36
"""Heights in pixels: of an engine, and of the line above those of one length."""
Groups = Mapping[Case, Sequence[Measured]]
"""torch's case -> torch and the engines beside it, as `engine_groups` gives them."""


def engine_times(run: Run, model: str, look: Look) -> View:
    """The median time of each engine at each length, with its interval, and how many times as fast as torch it is."""
    groups = groups_of(run, model)
    texts = {
        case: [f"{engine_title(entry)} {_numbers(run, entry)}" for entry in group] for case, group in groups.items()
    }
    places = _places(list(groups))
    alt = f"Times of {title(model)} by engine. " + " ".join(
        f"{places[case]}: {', '.join(texts[case])}." for case in groups
    )
    frame = engine_frame(run)
    table = frame[(frame["model"] == title(model)) & (frame["error"] == "")].reset_index(drop=True)
    figure = _figure(groups, places, texts, look)
    return View(f"Engines for {title(model)}", figure, alt, table, height=figure.layout.height)


def groups_of(run: Run, model: str) -> dict[Case, tuple[Measured, ...]]:
    """The groups of one model, short texts first."""
    groups = engine_groups(run)
    cases = sorted(groups, key=lambda case: (case.seq, case.batch, case.threads))
    return {case: groups[case] for case in cases if case.model == model}


def engine_title(measured: Measured) -> str:
    """What people call the engine of a case: torch (packed weights)."""
    name, _, kind = RUNTIMES[measured.case.runtime].title.partition(", ")
    return f"{name} ({kind})" if kind and measured.case.runtime != TORCH else name


def _places(cases: Sequence[Case]) -> dict[Case, str]:
    """What tells torch's cases apart: 16 pieces, and the batch or the threads where they differ."""
    conditions = differing(cases)
    varies = len({case.batch for case in cases}) > 1
    places = {}
    for case in cases:
        batch = f"batch {case.batch}" if varies else ""
        places[case] = ", ".join(filter(None, [counted(case.seq, "piece"), batch, condition(case, conditions)]))
    return places


def _numbers(run: Run, measured: Measured) -> str:
    """A time, and how many times as fast as torch that is."""
    ratio = ratios_to_torch(run).get(measured.case)
    if ratio is None:
        return milliseconds(measured.p50.value)
    doubt = "" if ratio.significant else ", no significant difference"
    return f"{milliseconds(measured.p50.value)} ({factor(ratio.speedup.value)} as fast{doubt})"


def _figure(groups: Groups, places: Mapping[Case, str], texts: Mapping[Case, Sequence[str]], look: Look) -> go.Figure:
    """A dot with its interval for each engine, its name and time above it, and a line where torch's time is."""
    ends = [end for group in groups.values() for entry in group for end in (entry.p50.low, entry.p50.high)]
    low, high = 0.9 * min(ends), 1.1 * max(ends)
    figure, top = go.Figure(), 0
    for case, group in groups.items():
        rows = [top + HEADING + ROW * (number + 0.7) for number in range(len(group))]
        bottom = top + HEADING + ROW * len(group)
        torch_ms = group[0].p50.value
        line = {"color": look.faint, "width": 1, "dash": "dot"}
        for row in rows:  # beside the dots, and not through the words above them
            y0, y1 = row - 0.25 * ROW, row + 0.25 * ROW
            figure.add_shape(type="line", x0=torch_ms, x1=torch_ms, y0=y0, y1=y1, line=line, layer="below")
        figure.add_trace(words_from([low], [top + HEADING / 2], [f"<b>{plotly(places[case])}</b>"], look))
        above = [row - 0.42 * ROW for row in rows]
        figure.add_trace(words_from([low] * len(group), above, [plotly(text) for text in texts[case]], look))
        figure.add_trace(_dots(group, rows, texts[case], look))
        top = bottom
    ticks = [digit * 10.0**power for power in range(-3, 7) for digit in (1, 2, 5)]
    shown = [tick for tick in ticks if low <= tick <= high]
    figure.update_layout(
        layout(
            look,
            top + 62,
            margin={"l": 4, "r": 12, "t": 6, "b": 56},
            xaxis=grid_axis(look, "milliseconds (p50), logarithmic; dotted: torch")
            | {"type": "log", "range": [math.log10(low), math.log10(high)], "tickvals": shown},
            yaxis={"visible": False, "range": [top, 0], "fixedrange": True},
        )
    )
    return figure


def _dots(group: Sequence[Measured], rows: Sequence[float], texts: Sequence[str], look: Look) -> go.Scatter:
    colours = [look.group(list(RUNTIME_OF.values()).index(entry.case.runtime)) for entry in group]
    intervals = [entry.p50 for entry in group]
    return go.Scatter(
        x=[interval.value for interval in intervals],
        y=rows,
        mode="markers",
        cliponaxis=False,
        marker={"size": 12, "color": colours},
        error_x=interval_bars(intervals, look),
        hovertext=[
            plotly(
                f"{text}; 95% interval {milliseconds(entry.p50.low)} to {milliseconds(entry.p50.high)}, "
                f"shortest {milliseconds(entry.shortest)}"
            )
            for text, entry in zip(texts, group, strict=True)
        ],
        hoverinfo="text",
    )


# -- the sentences -----------------------------------------------------------------------------------------------------


def engine_findings(run: Run, model: str) -> list[str]:
    """What can be read from the comparison for one model, as plain sentences; [] where it was not compared."""
    groups = groups_of(run, model)
    if not groups:
        return []
    return [_verdict(run, model, groups), *_in_eight_bits(run, groups), *_agreements(groups)]


def _verdict(run: Run, model: str, groups: Groups) -> str:
    """Which engine is the fastest at which length; neighbours of one answer together."""
    places = _places(list(groups))
    answers = [(places[case], *_fastest(run, group)) for case, group in groups.items()]
    parts = []
    for winners, same in groupby(answers, key=lambda answer: answer[1]):
        together = list(same)
        speedups = [speedup for *_, speedup in together if speedup is not None]
        low, high = (factor(end) for end in (min(speedups, default=1.0), max(speedups, default=1.0)))
        gain = "" if not speedups else f", {low if low == high else f'{low} to {high}'} as fast as torch"
        where = names([place for place, *_ in together])
        if len(winners) == 1:
            parts.append(f"{winners[0]} is the fastest at {where}{gain}")
        else:
            parts.append(f"{names(winners)} are not told apart at {where}{gain and f' (the first{gain[1:]})'}")
    cases = [entry.case for group in groups.values() for entry in group]
    limit = percent(resolution(run, cases))
    return (
        f"On this processor, for {title(model)}: {'; '.join(parts)}. Differences to torch below {limit} are not told "
        "apart by this measurement."
    )


def _fastest(run: Run, group: Sequence[Measured]) -> tuple[tuple[str, ...], float | None]:
    """The fastest engines of a group, and how many times as fast as torch the first is; None where torch is one."""
    fastest = fastest_engines(run, group)
    ratio = ratios_to_torch(run).get(fastest[0].case)
    with_torch = any(entry.case.runtime == TORCH for entry in fastest)
    return tuple(map(engine_title, fastest)), None if ratio is None or with_torch else ratio.speedup.value


def _in_eight_bits(run: Run, groups: Groups) -> list[str]:
    """How fast the engines are that round otherwise than torch."""
    ratios = ratios_to_torch(run)
    speedups: dict[str, list[float]] = {}
    for group in groups.values():
        for entry in group:
            if not RUNTIMES[entry.case.runtime].exact:
                speedups.setdefault(engine_title(entry), []).append(ratios[entry.case].speedup.value)
    return [
        f"{name} is {low if low == high else f'{low} to {high}'} as fast as torch, and rounds more coarsely."
        for name, values in speedups.items()
        for low, high in [(factor(min(values)), factor(max(values)))]
    ]


def _plain(value: float) -> str:
    """One digit of a small number, without an exponent: 0.00002."""
    return format(Decimal(f"{value:.1g}"), "f")


def _agreements(groups: Groups) -> list[str]:
    """How far the engines' logits are from torch's, on a few sentences where the model has weights of its own."""
    entries = {engine_title(entry): entry for group in groups.values() for entry in group[1:]}
    exact = [entry for entry in entries.values() if RUNTIMES[entry.case.runtime].exact]
    agreements = [entry.agreement for entry in exact if entry.agreement is not None]
    sentences = []
    if agreements:
        worst = max(agreements, key=lambda agrees: agrees.largest_difference)
        engines = "engines agree" if len(agreements) > 1 else "engine agrees"
        sentences.append(
            f"In float32 the {engines} with torch: on {worst.texts} sentences logits differ by at most "
            f"{_plain(worst.largest_difference)} (the largest is {worst.largest_value:.3g})."
        )
    for name, entry in entries.items():
        if entry.agreement is not None and entry not in exact and entry.agreement.decisions:
            agrees = entry.agreement
            sentences.append(
                f"{name} differs by up to {agrees.largest_difference:.2g} and gives the same top answer in "
                f"{agrees.same} of {agrees.decisions} places ({percent(agrees.same / agrees.decisions)})."
            )
    if not agreements and all(entry.agreement is None for entry in entries.values()):
        differences = [entry.difference for entry in exact if entry.difference is not None]
        if differences:
            sentences.append(
                "It was timed with random weights, so its answers mean nothing: on random pieces the outputs of the "
                f"float32 engines differ from torch's by at most {_plain(max(differences))} of the largest number."
            )
    return sentences
