"""What cases are called beside each other, and the axes, words and intervals that pictures of times share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import plotly.graph_objects as go

from bortlab.analysis.intervals import Interval
from bortlab.analysis.latency.cases import Case, title
from bortlab.runtimes import RUNTIMES
from bortlab.views.theme import Look


def condition(case: Case, names: Sequence[str]) -> str:
    """These conditions of a case in words: 1 thread, int8."""
    words = {
        "threads": f"{case.threads} thread{'' if case.threads == 1 else 's'}",
        "device": case.device,
        "dtype": case.dtype,
        "runtime": RUNTIMES[case.runtime].title.removeprefix("torch, ") if case.runtime in RUNTIMES else case.runtime,
        "output": case.output,
    }
    return ", ".join(words[name] for name in names)


def differing(cases: Sequence[Case]) -> list[str]:
    """The conditions, other than model and shape, that are not the same for all cases."""
    names = [field.name for field in fields(Case) if field.name not in ("model", "batch", "seq")]
    return [name for name in names if len({getattr(case, name) for case in cases}) > 1]


def label(case: Case, cases: Sequence[Case]) -> str:
    """A case's name among others: its model, and the conditions in which they differ."""
    words = condition(case, differing(cases))
    return f"{title(case.model)}, {words}" if words else title(case.model)


def words_from(x: Sequence[float], y: Sequence[float], text: Sequence[str], look: Look) -> go.Scatter:
    """Text that begins at each point."""
    return go.Scatter(
        x=x,
        y=y,
        mode="text",
        text=text,
        textposition="middle right",
        textfont={"size": 14, "color": look.ink},
        hoverinfo="skip",
        cliponaxis=False,
    )


def interval_bars(intervals: Sequence[Interval], look: Look) -> dict[str, Any]:
    """plotly's error bars for the intervals of values."""
    return {
        "type": "data",
        "symmetric": False,
        "color": look.ink,
        "thickness": 1.5,
        "width": 5,
        "array": [max(0.0, interval.high - interval.value) for interval in intervals],
        "arrayminus": [max(0.0, interval.value - interval.low) for interval in intervals],
    }
