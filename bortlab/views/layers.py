"""Layers, words and sentences as tables of tinted cells, curves over the layers, and maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas
import plotly.graph_objects as go

from bortlab.analysis.embeddings import Array, Plane
from bortlab.analysis.lens import Lens, Use, frame
from bortlab.analysis.surprise import Surprise, WordSurprise
from bortlab.analysis.surprise import frame as surprise_frame
from bortlab.system.numbers import percent
from bortlab.views.cells import Cell, grid, style
from bortlab.views.escape import plotly, visible
from bortlab.views.figures import grid_axis, layout, legend_above
from bortlab.views.theme import Look, translucent
from bortlab.views.view import Fragment, View

SHOWN = 60
"""Pieces that a table shows; the numbers below have all."""
MEASURES: Mapping[str, str] = {
    "guess": "The likeliest piece",
    "probability": "Probability of the final answer",
    "rank": "Rank of the final answer",
    "entropy": "Entropy (bits)",
    "divergence": "KL to the final distribution (bits)",
    "similarity": "Similarity to the layer before",
    "norm": "Length of the state",
}
"""What a cell can show, and what it is called."""
OF_THE_HEAD = ("guess", "probability", "rank", "entropy", "divergence")
"""Measures that depend on the lens."""
_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")


# -- the lens ----------------------------------------------------------------------------------------------------------


def value(lens: Lens, measure: str, row: int, position: int) -> float:
    """The number that a measure gives there; the guess's is its probability."""
    if measure == "guess":
        return lens.guess(row, position)[1]
    return float(getattr(lens, measure)[row, position])


def written(measure: str, number: float) -> str:
    """A number of a measure, as people read it."""
    if math.isnan(number):
        return "–"
    if measure in ("guess", "probability"):
        return percent(number)
    if measure == "rank":
        return f"{number:,.0f}"
    return f"{number:.2f}" if measure == "similarity" else f"{number:.1f}"


def lens_table(lens: Lens, *, measure: str, focus: int | None, family: str, title: str, look: Look) -> View:
    """Layers below each other, pieces side by side: what the head would say, or a number of it. focus: a position."""
    drawn = positions(lens, focus)
    cells = [
        [_lens_cell(lens, measure, row, position, _largest(lens, measure, drawn)) for position in drawn]
        for row in range(lens.depth + 1)
    ]
    kind = "tuned lens" if lens.tuned else "plain lens"
    label = f"{title}, {kind}: {MEASURES[measure]} in every layer"
    body = grid(
        "layer",
        [_piece(lens, position) for position in drawn],
        list(zip(["in", *map(_row, lens.uses)], cells, strict=True)),
        colours=[look.family(family)] * (lens.depth + 1),
        label=label,
        focus=drawn.index(focus) if focus in drawn else None,
    )
    return View(title, Fragment(body, style(look)), label, frame([(title, lens)]))


def _row(use: Use) -> str:
    """A row's name, as short as can be."""
    return f"{use.layer} (block {use.block}, use {use.use})" if use.uses > 1 else str(use.layer)


def positions(lens: Lens, focus: int | None) -> list[int]:
    """The pieces that a table shows: those of the text, in a window around the focus where there are too many."""
    own = list(lens.own)
    if len(own) <= SHOWN:
        return own
    middle = own.index(focus) if focus in own else 0
    start = min(max(0, middle - SHOWN // 2), len(own) - SHOWN)
    return own[start : start + SHOWN]


def _piece(lens: Lens, position: int) -> str:
    return lens.encoding.source(position) or lens.encoding.tokens[position]


def _largest(lens: Lens, measure: str, drawn: Sequence[int]) -> float:
    numbers = [value(lens, measure, row, position) for row in range(lens.depth + 1) for position in drawn]
    return max([number for number in numbers if not math.isnan(number)], default=1.0)


def _lens_cell(lens: Lens, measure: str, row: int, position: int, largest: float) -> Cell:
    number = value(lens, measure, row, position)
    guesses = [lens.guess(row, position, rank) for rank in range(1, min(5, lens.ids.shape[-1]) + 1)]
    about = ", ".join(f"{text.strip() or text} {percent(chance)}" for text, chance in guesses)
    if measure in ("guess", "probability", "similarity"):
        tint = 0.0 if math.isnan(number) else number
    elif measure == "rank":
        tint = 1 / number
    else:
        tint = number / largest if largest > 0 else 0.0
    word = guesses[0][0].strip() or guesses[0][0]
    title = f"{_piece(lens, position)}, {lens.rows[row]}: {about}"
    settled = row == lens.settled[position]
    if measure == "guess":
        return Cell(word, written(measure, number), tint, title, settled)
    return Cell(written(measure, number), "", tint, title, settled)


def guesses_table(lens: Lens, position: int, *, family: str, title: str, look: Look) -> View:
    """The likeliest pieces at one position, best first, layer after layer."""
    ranks = range(1, lens.ids.shape[-1] + 1)
    guesses = [[lens.guess(row, position, rank) for rank in ranks] for row in range(lens.depth + 1)]
    cells = [[Cell(text.strip() or text, percent(chance), chance) for text, chance in line] for line in guesses]
    label = f"{title}: the first guesses in every layer"
    body = grid(
        "layer",
        [f"{rank}." for rank in ranks],
        list(zip(["in", *map(_row, lens.uses)], cells, strict=True)),
        colours=[look.family(family)] * len(cells),
        label=label,
    )
    table = frame([(title, lens)])
    return View(title, Fragment(body, style(look)), label, table[table["position"] == position])


@dataclass(frozen=True, slots=True)
class Curve:
    """A model's numbers from the embeddings (0) to its last layer: title, family, and whether the lens is tuned."""

    title: str
    family: str
    tuned: bool
    values: tuple[float, ...]
    hover: tuple[str, ...]


def curve(lens: Lens, *, measure: str, position: int, title: str, family: str) -> Curve:
    """A measure at one position, layer after layer."""
    numbers = tuple(value(lens, measure, row, position) for row in range(lens.depth + 1))
    hover = tuple(
        f"{title}, {name}: {written(measure, number)} ({_guessed(lens, row, position)})"
        for row, (name, number) in enumerate(zip(lens.rows, numbers, strict=True))
    )
    return Curve(title, family, lens.tuned, numbers, hover)


def _guessed(lens: Lens, row: int, position: int) -> str:
    text, chance = lens.guess(row, position)
    return f"says {text.strip() or text}, {percent(chance)}"


def curves(lines: Sequence[Curve], *, measure: str, look: Look) -> View:
    """Models over their layers; told apart by colour and by mark, a tuned lens dashed."""
    symbols = {line.title: _SYMBOLS[n % len(_SYMBOLS)] for n, line in enumerate({c.title: c for c in lines}.values())}
    shares = measure in ("guess", "probability")
    deepest = max((len(line.values) for line in lines), default=1) - 1
    figure = go.Figure(
        [
            go.Scatter(
                x=list(range(len(line.values))),
                y=list(line.values),
                mode="lines+markers",
                name=plotly(f"{line.title}, tuned" if line.tuned else line.title),
                line={"color": look.family(line.family), "width": 2.5, "dash": "dash" if line.tuned else "solid"},
                marker={
                    "symbol": symbols[line.title] + ("-open" if line.tuned else ""),
                    "size": 10,
                    "color": look.family(line.family),
                },
                hovertext=[plotly(text) for text in line.hover],
                hoverinfo="text",
            )
            for line in lines
        ],
        layout(
            look,
            330,
            **legend_above(),
            xaxis=grid_axis(
                look,
                "layer (0: embeddings)",
                tickvals=list(range(0, deepest + 1, 1 + deepest // 12)),
                range=[-0.2, deepest + 0.2],
            ),
            yaxis=grid_axis(
                look,
                MEASURES[measure],
                **({"tickformat": ".0%", "range": [-0.04, 1.06]} if shares else {}),
                **({"type": "log", "autorange": "reversed"} if measure == "rank" else {}),
                **({"rangemode": "tozero"} if measure in ("entropy", "divergence", "norm") else {}),
            ),
        ),
    )
    parts = [
        f"{line.title}{', tuned lens' if line.tuned else ''}: "
        + ", ".join(written(measure, number) for number in line.values)
        for line in lines
    ]
    title = MEASURES[measure]
    alt = visible(f"{title}, from the embeddings to the last layer. {'; '.join(parts)}.")
    return View(title, figure, alt, _curves_frame(lines))


def _curves_frame(lines: Sequence[Curve]) -> pandas.DataFrame:
    """One row for each model, lens and layer."""
    return pandas.DataFrame(
        [
            (line.title, "tuned" if line.tuned else "plain", layer, number)
            for line in lines
            for layer, number in enumerate(line.values)
        ],
        columns=["model", "lens", "layer", "value"],
    )


# -- surprise ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A model in a table of words or sentences: its title and its family."""

    title: str
    family: str


def surprise_table(scores: Sequence[tuple[Row, Surprise]], look: Look) -> View:
    """Models below each other, words side by side: how many bits each word costs each model."""
    words = {word.number: word.word.text for _, score in scores for word in score.words}
    largest = max([word.bits for _, score in scores for word in score.words if word.known], default=1.0)
    rows = []
    for row, score in scores:
        scored = {word.number: word for word in score.words}
        rows.append((row.title, [_surprise_cell(scored.get(number), row.title, largest) for number in sorted(words)]))
    label = "How many bits each word costs each model"
    body = grid(
        "bits",
        [words[number] for number in sorted(words)],
        rows,
        colours=[look.family(row.family) for row, _ in scores],
        label=label,
    )
    table = surprise_frame({row.title: score for row, score in scores})
    return View("Surprise", Fragment(body, style(look)), label, table)


def _surprise_cell(word: WordSurprise | None, title: str, largest: float) -> Cell:
    if word is None:
        return Cell("–", title=f"{title} has no piece that begins here, or does not read so far")
    about = f"{title}: {word.word.text} has probability {percent(math.exp(word.log_probability))}"
    about += f", as {' '.join(word.pieces)}"
    if not word.known:
        return Cell("?", title=f"{about}; its vocabulary cannot write it, so the number says nothing")
    return Cell(f"{word.bits:.1f}", tint=word.bits / largest if largest > 0 else 0.0, title=about)


# -- sentences ---------------------------------------------------------------------------------------------------------


def similarity_table(cosines: Array, row: Row, look: Look) -> View:
    """Sentences by number against each other; 1 is the same direction."""
    names = [str(number + 1) for number in range(len(cosines))]
    cells = [
        [Cell(f"{value:.2f}", tint=value, title=f"{a} and {b}: {value:.3f}") for b, value in enumerate(line, 1)]
        for a, line in enumerate(cosines.tolist(), 1)
    ]
    label = f"{row.title}: cosine similarity of the sentences"
    body = grid(
        "",
        names,
        list(zip(names, cells, strict=True)),
        colours=[look.family(row.family)] * len(names),
        label=label,
    )
    table = pandas.DataFrame(cosines, index=names, columns=names)
    return View(row.title, Fragment(body, style(look)), label, table)


def plane_map(plane: Plane, texts: Sequence[str], row: Row, look: Look) -> View:
    """The sentences as numbered points; both axes have one scale."""
    names = ["", ""] if plane.shares is None else [f"{percent(share)} of the variance" for share in plane.shares]
    figure = go.Figure(
        [
            go.Scatter(
                x=plane.points[:, 0].tolist(),
                y=plane.points[:, 1].tolist(),
                mode="markers+text",
                text=[str(number + 1) for number in range(len(texts))],
                textposition="middle center",
                textfont={"size": 13, "color": look.ink},
                marker={
                    "size": 26,
                    "color": translucent(look.family(row.family), 0.3),
                    "line": {"width": 1.5, "color": look.family(row.family)},
                },
                hovertext=[f"{n}. {plotly(_cut(text))}" for n, text in enumerate(texts, 1)],
                hoverinfo="text",
                cliponaxis=False,
            )
        ],
        layout(
            look,
            300,
            margin={"l": 24, "r": 16, "t": 16, "b": 24},
            xaxis=grid_axis(look, names[0], showticklabels=False),
            yaxis=grid_axis(look, names[1], showticklabels=False, scaleanchor="x"),
        ),
    )
    points = ", ".join(f"{n} at {x:.1f} and {y:.1f}" for n, (x, y) in enumerate(plane.points.tolist(), 1))
    table = pandas.DataFrame({"sentence": list(texts), "x": plane.points[:, 0], "y": plane.points[:, 1]})
    title = f"{row.title}, the sentences on a plane"
    return View(title, figure, visible(f"{title}: {points}."), table)


def _cut(text: str, longest: int = 80) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def mean_curves(lines: Sequence[tuple[Row, Sequence[float]]], look: Look) -> View:
    """The mean similarity of two sentences, layer after layer."""
    drawn = [
        Curve(
            row.title,
            row.family,
            False,
            tuple(values),
            tuple(f"{row.title}, {'embeddings' if n == 0 else f'layer {n}'}: {x:.2f}" for n, x in enumerate(values)),
        )
        for row, values in lines
    ]
    view = curves(drawn, measure="similarity", look=look)
    assert isinstance(view.picture, go.Figure)
    view.picture.layout.yaxis.title.text = "Mean similarity"
    view.picture.layout.height = 280
    numbers = "; ".join(f"{row.title}: {', '.join(f'{x:.2f}' for x in values)}" for row, values in lines)
    alt = visible(f"Mean similarity of two sentences, from the embeddings to the last layer. {numbers}.")
    return replace(view, title="Mean similarity", alt=alt)
