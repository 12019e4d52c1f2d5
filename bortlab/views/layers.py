"""Layers, words and sentences as tables of tinted cells, curves over the layers, and maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from bortlab.analysis.embeddings import Array, Plane
from bortlab.analysis.lens import Lens, Use
from bortlab.analysis.surprise import Surprise, WordSurprise
from bortlab.system.numbers import percent
from bortlab.views.escape import attribute, html, plotly, visible
from bortlab.views.figures import FONT
from bortlab.views.theme import Look, translucent

STRONGEST = 0.42
"""Opacity of a cell of value 1; the words on it can still be read."""
SHOWN = 60
"""Pieces that a table shows; the numbers below have all."""
LONGEST = 14
"""Characters of a word in a cell."""
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
SPOKEN = ("guess", "probability", "rank", "entropy", "divergence")
"""Those that depend on the lens."""
_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, a smaller second line, its tint (0 to 1), what it says on demand, and its marks."""

    text: str
    small: str = ""
    tint: float = 0.0
    title: str = ""
    settled: bool = False


def style(look: Look) -> str:
    """The style sheet of the tables; once a page."""
    return f"""<style>
.bl-box {{ overflow-x: auto; width: fit-content; max-width: 100%;
  border: 1px solid {look.grid}; border-radius: .5rem; margin: .2rem 0 .4rem; }}
.bl-box:focus-visible {{ outline: 2px solid {look.family("convbert")}; outline-offset: 2px; }}
.bl.bl {{ border-collapse: separate; border-spacing: 2px; font-size: .84rem; line-height: 1.2rem; margin: 0;
  color: {look.ink}; }}
.bl.bl th, .bl.bl td {{ border: 0; padding: .16rem .45rem; font-weight: 400; text-align: center; white-space: nowrap; }}
.bl.bl th {{ color: {look.faint}; }}
.bl.bl thead th {{ color: {look.ink}; font-weight: 600; }}
.bl.bl thead th.bl-focus {{ border-bottom: 3px solid {look.ink}; }}
.bl.bl tbody th {{ position: sticky; left: 0; background: {look.paper}; text-align: left; font-size: .78rem; }}
.bl.bl td {{ border: 1px solid transparent; border-radius: .3rem; min-width: 3.2rem; }}
.bl.bl td.bl-settled {{ border-color: {look.ink}; font-weight: 600; }}
.bl.bl small {{ display: block; color: {look.ink}; opacity: .86; font-size: .72rem; line-height: .95rem; }}
</style>"""


def grid(
    corner: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Cell]]],
    *,
    colours: Sequence[str],
    label: str,
    focus: int | None = None,
) -> str:
    """A table of tinted cells as safe HTML, which scrolls sideways by keyboard too. colours: of each row's tint."""
    heads = "".join(
        f'<th scope="col"{" class=bl-focus" if number == focus else ""}>{html(_short(name))}</th>'
        for number, name in enumerate(columns)
    )
    body = "".join(
        f'<tr><th scope="row">{html(name)}</th>{"".join(_cell(cell, colour) for cell in cells)}</tr>'
        for (name, cells), colour in zip(rows, colours, strict=True)
    )
    return (
        f'<div class="bl-box" role="region" tabindex="0" aria-label="{attribute(visible(label))}"><table class="bl">'
        f"<thead><tr><th>{html(corner)}</th>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell, colour: str) -> str:
    alpha = STRONGEST * min(1.0, max(0.0, cell.tint))
    tint = f' style="background:{translucent(colour, round(alpha, 3))}"' if alpha > 0.005 else ""
    about = f' title="{attribute(visible(cell.title))}"' if cell.title else ""
    small = f"<small>{html(cell.small)}</small>" if cell.small else ""
    return f"<td{' class=bl-settled' if cell.settled else ''}{tint}{about}>{html(_short(cell.text))}{small}</td>"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


# -- the lens ----------------------------------------------------------------------------------------------------------


def value(found: Lens, measure: str, row: int, position: int) -> float:
    """The number that a measure gives there; the guess's is its probability."""
    if measure == "guess":
        return found.guess(row, position)[1]
    return float(getattr(found, measure)[row, position])


def said(measure: str, number: float) -> str:
    """A number of a measure, as people read it."""
    if math.isnan(number):
        return "–"
    if measure in ("guess", "probability"):
        return percent(number)
    if measure == "rank":
        return f"{number:,.0f}"
    return f"{number:.2f}" if measure == "similarity" else f"{number:.1f}"


def lens_table(found: Lens, *, measure: str, focus: int | None, family: str, title: str, look: Look) -> str:
    """Layers below each other, pieces side by side: what the head would say, or a number of it. focus: a position."""
    shown = positions(found, focus)
    cells = [
        [_lens_cell(found, measure, row, position, _largest(found, measure, shown)) for position in shown]
        for row in range(found.depth + 1)
    ]
    lens = "tuned lens" if found.tuned else "plain lens"
    return grid(
        "layer",
        [_piece(found, position) for position in shown],
        list(zip(["in", *map(_row, found.uses)], cells, strict=True)),
        colours=[look.family(family)] * (found.depth + 1),
        label=f"{title}, {lens}: {MEASURES[measure]} in every layer",
        focus=shown.index(focus) if focus in shown else None,
    )


def _row(use: Use) -> str:
    """A row's name, as short as can be."""
    return f"{use.layer} (block {use.block}, use {use.use})" if use.uses > 1 else str(use.layer)


def positions(found: Lens, focus: int | None) -> list[int]:
    """The pieces that a table shows: those of the text, in a window around the focus where there are too many."""
    own = list(found.own)
    if len(own) <= SHOWN:
        return own
    middle = own.index(focus) if focus in own else 0
    start = min(max(0, middle - SHOWN // 2), len(own) - SHOWN)
    return own[start : start + SHOWN]


def _piece(found: Lens, position: int) -> str:
    return found.encoding.source(position) or found.encoding.tokens[position]


def _largest(found: Lens, measure: str, shown: Sequence[int]) -> float:
    numbers = [value(found, measure, row, position) for row in range(found.depth + 1) for position in shown]
    return max([number for number in numbers if not math.isnan(number)], default=1.0)


def _lens_cell(found: Lens, measure: str, row: int, position: int, largest: float) -> Cell:
    number = value(found, measure, row, position)
    guesses = [found.guess(row, position, rank) for rank in range(1, min(5, found.ids.shape[-1]) + 1)]
    about = ", ".join(f"{text.strip() or text} {percent(chance)}" for text, chance in guesses)
    if measure in ("guess", "probability", "similarity"):
        tint = 0.0 if math.isnan(number) else number
    elif measure == "rank":
        tint = 1 / number
    else:
        tint = number / largest if largest > 0 else 0.0
    word = guesses[0][0].strip() or guesses[0][0]
    title = f"{_piece(found, position)}, {found.rows[row]}: {about}"
    settled = row == found.settled[position]
    if measure == "guess":
        return Cell(word, said(measure, number), tint, title, settled)
    return Cell(said(measure, number), "", tint, title, settled)


def guesses_table(found: Lens, position: int, *, family: str, title: str, look: Look) -> str:
    """The likeliest pieces at one position, best first, layer after layer."""
    ranks = range(1, found.ids.shape[-1] + 1)
    guesses = [[found.guess(row, position, rank) for rank in ranks] for row in range(found.depth + 1)]
    cells = [[Cell(text.strip() or text, percent(chance), chance) for text, chance in line] for line in guesses]
    return grid(
        "layer",
        [f"{rank}." for rank in ranks],
        list(zip(["in", *map(_row, found.uses)], cells, strict=True)),
        colours=[look.family(family)] * len(cells),
        label=f"{title}: the first guesses in every layer",
    )


@dataclass(frozen=True, slots=True)
class Curve:
    """A model's numbers from the embeddings (0) to its last layer: title, family, and whether the lens is tuned."""

    title: str
    family: str
    tuned: bool
    values: tuple[float, ...]
    hover: tuple[str, ...]


def curve(found: Lens, *, measure: str, position: int, title: str, family: str) -> Curve:
    """A measure at one position, layer after layer."""
    numbers = tuple(value(found, measure, row, position) for row in range(found.depth + 1))
    hover = tuple(
        f"{title}, {name}: {said(measure, number)} ({_guessed(found, row, position)})"
        for row, (name, number) in enumerate(zip(found.rows, numbers, strict=True))
    )
    return Curve(title, family, found.tuned, numbers, hover)


def _guessed(found: Lens, row: int, position: int) -> str:
    text, chance = found.guess(row, position)
    return f"says {text.strip() or text}, {percent(chance)}"


def curves(lines: Sequence[Curve], *, measure: str, look: Look) -> go.Figure:
    """Models over their layers; told apart by colour and by mark, a tuned lens dashed."""
    symbols = {line.title: _SYMBOLS[n % len(_SYMBOLS)] for n, line in enumerate({c.title: c for c in lines}.values())}
    shares = measure in ("guess", "probability")
    deepest = max((len(line.values) for line in lines), default=1) - 1
    axis = {"gridcolor": look.grid, "zeroline": False, "linecolor": look.grid, "fixedrange": True}
    return go.Figure(
        [
            go.Scatter(
                x=list(range(len(line.values))), y=list(line.values), mode="lines+markers",
                name=plotly(f"{line.title}, tuned" if line.tuned else line.title),
                line={"color": look.family(line.family), "width": 2.5, "dash": "dash" if line.tuned else "solid"},
                marker={
                    "symbol": symbols[line.title] + ("-open" if line.tuned else ""), "size": 10,
                    "color": look.family(line.family),
                },
                hovertext=[plotly(text) for text in line.hover], hoverinfo="text",
            )
            for line in lines
        ],
        {
            "height": 330, "margin": {"l": 8, "r": 12, "t": 8, "b": 8}, "dragmode": False,
            "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 14, "color": look.ink},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "xaxis": axis | {
                "title": {"text": "layer (0: embeddings)"}, "tickmode": "array", "automargin": True,
                "tickvals": list(range(0, deepest + 1, 1 + deepest // 12)), "range": [-0.2, deepest + 0.2],
            },
            "yaxis": axis | {
                "title": {"text": MEASURES[measure]}, "automargin": True,
                **({"tickformat": ".0%", "range": [-0.04, 1.06]} if shares else {}),
                **({"type": "log", "autorange": "reversed"} if measure == "rank" else {}),
                **({"rangemode": "tozero"} if measure in ("entropy", "divergence", "norm") else {}),
            },
            "hoverlabel": {"font": {"family": FONT}},
        },
    )  # fmt: skip


def curves_alternative(lines: Sequence[Curve], measure: str) -> str:
    """What the curves show, for people who cannot see them."""
    parts = [
        f"{line.title}{', tuned lens' if line.tuned else ''}: "
        + ", ".join(said(measure, number) for number in line.values)
        for line in lines
    ]
    return visible(f"{MEASURES[measure]}, from the embeddings to the last layer. {'; '.join(parts)}.")


# -- surprise ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A model in a table of words or sentences: its title and its family."""

    title: str
    family: str


def surprise_table(found: Sequence[tuple[Row, Surprise]], look: Look) -> str:
    """Models below each other, words side by side: how many bits each word costs each model."""
    words = {word.number: word.word.text for _, one in found for word in one.words}
    largest = max([word.bits for _, one in found for word in one.words if word.known], default=1.0)
    rows = []
    for row, one in found:
        scored = {word.number: word for word in one.words}
        rows.append((row.title, [_surprise_cell(scored.get(number), row.title, largest) for number in sorted(words)]))
    return grid(
        "bits",
        [words[number] for number in sorted(words)],
        rows,
        colours=[look.family(row.family) for row, _ in found],
        label="How many bits each word costs each model",
    )


def _surprise_cell(word: WordSurprise | None, title: str, largest: float) -> Cell:
    if word is None:
        return Cell("–", title=f"{title} has no piece that begins here, or does not read so far")
    about = f"{title}: {word.word.text} has probability {percent(math.exp(word.log_probability))}"
    about += f", as {' '.join(word.pieces)}"
    if not word.known:
        return Cell("?", title=f"{about}; its vocabulary cannot write it, so the number says nothing")
    return Cell(f"{word.bits:.1f}", tint=word.bits / largest if largest > 0 else 0.0, title=about)


# -- sentences ---------------------------------------------------------------------------------------------------------


def similarity_table(cosines: Array, row: Row, look: Look) -> str:
    """Sentences by number against each other; 1 is the same direction."""
    names = [str(number + 1) for number in range(len(cosines))]
    cells = [
        [Cell(f"{value:.2f}", tint=value, title=f"{a} and {b}: {value:.3f}") for b, value in enumerate(line, 1)]
        for a, line in enumerate(cosines.tolist(), 1)
    ]
    return grid(
        "",
        names,
        list(zip(names, cells, strict=True)),
        colours=[look.family(row.family)] * len(names),
        label=f"{row.title}: cosine similarity of the sentences",
    )


def plane(found: Plane, texts: Sequence[str], row: Row, look: Look) -> go.Figure:
    """The sentences as numbered points; both axes have one scale."""
    axes = {"showgrid": True, "gridcolor": look.grid, "zeroline": False, "showticklabels": False, "fixedrange": True}
    names = ["", ""] if found.shares is None else [f"{percent(share)} of the variance" for share in found.shares]
    return go.Figure(
        [
            go.Scatter(
                x=found.points[:, 0].tolist(), y=found.points[:, 1].tolist(), mode="markers+text",
                text=[str(number + 1) for number in range(len(texts))], textposition="middle center",
                textfont={"size": 13, "color": look.ink},
                marker={"size": 26, "color": translucent(look.family(row.family), 0.3),
                        "line": {"width": 1.5, "color": look.family(row.family)}},
                hovertext=[f"{n}. {plotly(_cut(text))}" for n, text in enumerate(texts, 1)], hoverinfo="text",
                cliponaxis=False,
            )
        ],
        {
            "height": 300, "margin": {"l": 24, "r": 16, "t": 16, "b": 24}, "dragmode": False, "showlegend": False,
            "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 12, "color": look.faint},
            "xaxis": axes | {"title": {"text": names[0], "standoff": 4}},
            "yaxis": axes | {"title": {"text": names[1], "standoff": 4}, "scaleanchor": "x"},
            "hoverlabel": {"font": {"family": FONT}},
        },
    )  # fmt: skip


def _cut(text: str, longest: int = 80) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def plane_alternative(found: Plane, row: Row) -> str:
    """Where the points lie, for people who cannot see them."""
    points = ", ".join(f"{n} at {x:.1f} and {y:.1f}" for n, (x, y) in enumerate(found.points.tolist(), 1))
    return visible(f"{row.title}, the sentences on a plane: {points}.")


def mean_curves(lines: Sequence[tuple[Row, Sequence[float]]], look: Look) -> go.Figure:
    """The mean similarity of two sentences, layer after layer."""
    drawn = [
        Curve(row.title, row.family, False, tuple(values),
              tuple(f"{row.title}, {'embeddings' if n == 0 else f'layer {n}'}: {x:.2f}" for n, x in enumerate(values)))
        for row, values in lines
    ]  # fmt: skip
    figure = curves(drawn, measure="similarity", look=look)
    figure.layout.yaxis.title.text = "Mean similarity"
    figure.layout.height = 280
    return figure
