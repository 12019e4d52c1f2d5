"""Agora beside its rivals: differences on the sealed test set with intervals, all splits of a task, and E minus H."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from bortlab.analysis.intervals import Interval
from bortlab.system.numbers import fixed, percent
from bortlab.training.agora.rivals import Record, by_round, differences
from bortlab.views.escape import plotly
from bortlab.views.figures import grid_axis, layout, legend_above, plain_axis
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

if TYPE_CHECKING:
    import pandas

ROW, HEIGHT = 34, 340
FAMILY = "bort"


def rivals(record: Record, look: Look) -> View:
    """How much better Agora is than each rival on H, with intervals; the primary contrast on top."""
    contrasts = contrasts_of(record)
    rows = [(f"{rival}*" if place == 0 else rival, its) for place, (rival, its) in enumerate(contrasts.items())]
    figure = _forest(rows, look, axis="Agora minus this rival, points")
    title = "Agora and its rivals"
    clauses = "; ".join(f"against {rival} {points(its['mean'], its)}" for rival, its in contrasts.items())
    alt = f"{title}: how much better Agora is on H, in points of accuracy, with 95% intervals. {clauses}."
    return View(title, figure, alt, rivals_frame(record), height=int(figure.layout.height))


def by_task(record: Record, look: Look) -> View:
    """The primary contrast in each task, a dot for each split, the mean with its interval."""
    verdict, opponent = record["verdict"], record["primary"][1]
    its_splits = differences(record, opponent)
    contrasts = {task: verdict["by task"].get(task, verdict["primary"]) for task in its_splits}
    dots = [(task, 100 * value) for task, values in its_splits.items() for value in values]
    figure = _forest(list(contrasts.items()), look, axis=f"Agora minus {opponent}, points", dots=dots, marked=False)
    title = "Task by task"
    clauses = "; ".join(f"{task} {points(its['mean'], its)}" for task, its in contrasts.items())
    alt = f"{title}: Agora minus {opponent} in each task. {clauses}."
    return View(title, figure, alt, splits_frame(record), height=int(figure.layout.height))


def common_rounds(record: Record) -> list[dict[str, Any]]:
    """`by_round` without the late rounds that fewer than half of the splits reached: they say little."""
    rows = by_round(record)
    return [row for row in rows if 2 * row["splits"] >= rows[0]["splits"]]


def over_fitting(record: Record, look: Look) -> View:
    """How good the best model of each round is on E, which chose it, and on H, which nothing was chosen by."""
    rows = common_rounds(record)
    xs = [row["round"] for row in rows]
    lines = [
        go.Scatter(
            x=xs,
            y=[row[name] for row in rows],
            mode="lines+markers",
            name=title,
            line={"color": colour, "width": 2.5, "dash": dash},
            marker={"size": 9},
            hoverinfo="text",
            hovertext=[f"round {row['round']}, {title}: {percent(row[name])}, {row['splits']} splits" for row in rows],
            fill=fill,
            fillcolor=translucent(look.less, 0.12),
        )
        for name, title, colour, dash, fill in (
            ("search", "on E, which chose it", look.less, "solid", None),
            ("test", "on H, sealed", look.more, "dash", "tonexty"),
        )
    ]
    gaps = [
        {
            "x": row["round"],
            "y": (row["search"] + row["test"]) / 2,
            "text": points(row["gap"].value),
            "showarrow": False,
            "xshift": 20,
            "font": {"size": 12, "color": look.ink},
        }
        for row in rows
    ]
    figure = go.Figure(
        lines,
        layout(
            look,
            HEIGHT,
            margin={"l": 4, "r": 8, "t": 28, "b": 40},
            **legend_above(),
            xaxis=plain_axis(look, "round", dtick=1, range=[0.7, max(xs, default=1) + 0.6]),
            yaxis=grid_axis(look, tickformat=".0%"),
            annotations=gaps,
        ),
    )
    title = "E minus H by round"
    clauses = "; ".join(
        f"round {row['round']} ({row['splits']} splits) {percent(row['search'])} on E, {percent(row['test'])} on H, "
        f"{points(row['gap'].value, _ends(row['gap']))} apart"
        for row in rows
    )
    return View(title, figure, f"{title}: {clauses}.", over_fitting_frame(record), height=HEIGHT)


def contrasts_of(record: Record) -> dict[str, Mapping[str, Any]]:
    """Rival -> Agora's contrast with it; the primary one first, the others by their means."""
    verdict = record["verdict"]
    others = sorted(verdict["secondary"].items(), key=lambda item: -item[1]["mean"])
    return {verdict["primary"]["contrast"][1]: verdict["primary"], **dict(others)}


def points(share: float, interval: Mapping[str, Any] | None = None) -> str:
    """A difference of shares in points with its sign, and its interval: "+1.2 (−0.3 to +2.6)"."""
    ends = "" if interval is None else f" ({points(interval['low'])} to {points(interval['high'])})"
    sign = "+" if round(100 * share, 1) > 0 else ""
    return f"{sign}{fixed(100 * share, 1)}{ends}"


# -- tables ------------------------------------------------------------------------------------------------------------


def rivals_frame(record: Record) -> pandas.DataFrame:
    """One row a rival, Agora first: its accuracy on H, what it cost, and Agora's difference from it."""
    import pandas

    ours, _ = record["primary"]
    means, contrasts = record["verdict"]["means"], contrasts_of(record)
    return pandas.DataFrame([_row(rival, means[rival], contrasts.get(rival)) for rival in (ours, *contrasts)])


def _row(rival: str, mean: Mapping[str, Any], contrast: Mapping[str, Any] | None) -> dict[str, Any]:
    row = {
        "rival": rival,
        "accuracy on H": mean["mean"],
        "from": mean["low"],
        "to": mean["high"],
        "trainings": mean["trainings"],
        "processor seconds": mean["seconds"],
    }
    names = {"mean": "mean", "low": "low", "high": "high", "p": "Wilcoxon p", "p_holm": "Holm p"}
    names |= {"splits": "splits", "better": "Agora better", "worse": "Agora worse"}
    of = {"mean": "Agora minus it", "low": "minus it, from", "high": "minus it, to"}
    return row | {of.get(name, title): (contrast or {}).get(name) for name, title in names.items()}


def splits_frame(record: Record) -> pandas.DataFrame:
    """One row a split and rival: what it reached on E and H."""
    import pandas

    return pandas.DataFrame(
        [
            {
                "task": task,
                "split": number,
                "rival": rival,
                **{f"accuracy on {letter}": result[name] for letter, name in (("E", "search"), ("H", "test"))},
                "trainings": result["trainings"],
                "processor seconds": result["seconds"],
            }
            for task, its in record["tasks"].items()
            for number, split in enumerate(its["splits"], 1)
            for rival, result in split.items()
        ]
    )


def over_fitting_frame(record: Record) -> pandas.DataFrame:
    """One row a round."""
    import pandas

    names = {"round": "round", "splits": "splits", "sets": "sets", "mistakes": "mistakes", "kept": "points kept"}
    return pandas.DataFrame(
        [
            {
                **{title: row[name] for name, title in names.items()},
                "accuracy on E": row["search"],
                "accuracy on H": row["test"],
                "E minus H": row["gap"].value,
                "from": row["gap"].low,
                "to": row["gap"].high,
            }
            for row in by_round(record)
        ]
    )


# -- drawing -----------------------------------------------------------------------------------------------------------


def _forest(
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    look: Look,
    *,
    axis: str,
    dots: Sequence[tuple[str, float]] = (),
    marked: bool = True,
) -> go.Figure:
    """Means with intervals, one below the other, in points. marked: the first one is the primary contrast."""
    labels = [plotly(name) for name, _ in rows]
    colours = [look.family(FAMILY) if place == 0 or not marked else look.faint for place in range(len(rows))]
    every = [100 * its[end] for _, its in rows for end in ("low", "high")] + [value for _, value in dots] + [0.0]
    room = 0.08 * (max(every) - min(every)) + 0.2
    small = go.Scatter(
        x=[value for _, value in dots],
        y=[plotly(name) for name, _ in dots],
        mode="markers",
        marker={"size": 7, "color": translucent(look.faint, 0.55)},
        hovertext=[f"{plotly(name)}, a split: {fixed(value, 1)}" for name, value in dots],
        hoverinfo="text",
    )
    spans = [
        go.Scatter(
            x=[100 * its["low"], 100 * its["high"]],
            y=[label, label],
            mode="lines",
            line={"color": colour, "width": 3},
            hoverinfo="skip",
        )
        for label, colour, (_, its) in zip(labels, colours, rows, strict=True)
    ]
    means = go.Scatter(
        x=[100 * its["mean"] for _, its in rows],
        y=labels,
        mode="markers",
        marker={"size": 12, "symbol": "diamond", "color": colours},
        hovertext=[f"{label}: {points(its['mean'], its)}" for label, (_, its) in zip(labels, rows, strict=True)],
        hoverinfo="text",
    )
    figure = go.Figure(
        [small, *spans, means],
        layout(
            look,
            ROW * len(rows) + 60,
            margin={"l": 4, "r": 8, "t": 8, "b": 44},
            xaxis=grid_axis(look, axis, range=[min(every) - room, max(every) + room]),
            yaxis=plain_axis(look, type="category", categoryorder="array", categoryarray=labels[::-1])
            | {"tickfont": {"size": 13, "color": look.ink}},
        ),
    )
    figure.add_vline(0, line={"color": look.faint, "width": 1.5})
    return figure


def _ends(interval: Interval) -> Mapping[str, Any]:
    return {"low": interval.low, "high": interval.high}
