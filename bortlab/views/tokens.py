"""Pieces as chips: models below each other, aligned on the characters of the text; small tables of words and numbers.

The strip of pieces has one list a model, and every list breaks its lines at the same places, because its items, the
columns of `align`, are equally wide in all of them. The lists lie on top of each other, each moved down by a row, so
that the lines of one model stand between the lines of the others: any width of the page will do, no script is needed,
and a screen reader still reads one model after the other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bortlab.analysis.alignment import Column, Group, align
from bortlab.analysis.tokens import Cut, Difference, Overlap, Piece, frame
from bortlab.views.chips import BLANK, GAP, UNIT, Place, chip, label, places, style, variables
from bortlab.views.escape import attribute, html, visible
from bortlab.views.prose import counted
from bortlab.views.theme import Look, translucent
from bortlab.views.view import Fragment, View

MOST_DRAWN = 2_000
"""Characters of a text that the strip shows; the table has all."""
CHIPS = 10
"""Pieces of a word in a table of words."""
NARROWEST = 20
"""Characters that the narrowest page has room for beside the names."""


@dataclass(frozen=True, slots=True)
class ModelCut:
    """A model in a strip: its title, the name of its family, and how it cuts the text."""

    title: str
    family: str
    cut: Cut


# -- the strip ---------------------------------------------------------------------------------------------------------


def strip(models: Sequence[ModelCut], look: Look, *, most: int = MOST_DRAWN) -> View:
    """The text and, below it, each model's pieces; at most the first `most` characters of each text."""
    cuts = {str(number): model.cut for number, model in enumerate(models)}
    columns = align(cuts, longest=most)
    widths = [_widths(column, _characters(column, models)) for column in columns]
    rows = len(models) + 1
    parts = [_names(models, look, _lines(widths)), _text_row(columns, widths, models)]
    for number, model in enumerate(models):
        edges = places(model.cut.pieces)
        cells = [
            _cell(column, width, column.groups[str(number)], edges, _right_to_left(column, models))
            for column, width in zip(columns, widths, strict=True)
        ]
        parts.append(
            f'<ol style="--k:{number + 1};{variables(model.family, look)}" '
            f'aria-label="{attribute(f"{model.title}: {len(model.cut.own)} pieces")}">{"".join(cells)}</ol>'
        )
    body = (
        '<div class="bt-box" tabindex="0" role="region" aria-label="The pieces of each model">'
        f'<div class="bt-strip" style="--rows:{rows}">{"".join(parts)}</div></div>'
    )
    numbers = "; ".join(f"{visible(model.title)} {counted(len(model.cut.own), 'piece')}" for model in models)
    title = "The pieces of each model"
    table = frame({model.title: model.cut for model in models})
    return View(title, Fragment(body, style(look)), f"{title}: {numbers}.", table)


def _characters(column: Column, models: Sequence[ModelCut]) -> str:
    """The visitor's characters of a column; empty for the template."""
    if column.part is None:
        return ""
    cut = models[0].cut
    return ((cut.pair or "") if column.part else cut.text)[column.start : column.end]


def _right_to_left(column: Column, models: Sequence[ModelCut]) -> bool:
    directions = {unicodedata.bidirectional(character) for character in _characters(column, models)}
    return bool(directions & {"R", "AL"}) and "L" not in directions


def columns_of(text: str) -> int:
    """How many letters of a monospaced face a text is wide."""
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _need(piece: Piece) -> float:
    """Room for a piece's chip."""
    room = columns_of(label(piece))
    return 0.85 * room + 0.4 if piece.fragment or piece.role == "template" else max(1.0, float(room))


def _widths(column: Column, text: str) -> list[float]:
    """The width of each character of a column; a template's place has one width.

    A character is as wide as it looks, and wider where a model's chips need more room for what they say.
    """
    if column.part is None:
        return [max((sum(_need(p) for g in groups for p in g.pieces) for groups in column.groups.values()), default=0)]
    widths = [float(columns_of(visible(character, spaces=True))) for character in text]
    for groups in column.groups.values():
        for group in groups:
            if group.start < column.start:
                continue  # what it says stands in an earlier column
            here = range(group.start - column.start, min(group.end, column.end) - column.start)
            lacking = sum(map(_need, group.pieces)) - sum(widths[c] for c in here)
            if lacking > 0:
                for c in here:
                    widths[c] += lacking / len(here)
    if sum(widths) < 1:
        widths[-1] += 1
    return widths


def _lines(widths: Iterable[Sequence[float]]) -> int:
    """At most so many lines on the narrowest page: two lines in a row are together wider than one."""
    total = sum(sum(width) + GAP / UNIT for width in widths)
    return int(2 * total / NARROWEST) + 2


def _names(models: Sequence[ModelCut], look: Look, lines: int) -> str:
    """Whose row is whose, again at each line; for the eye, since every list has its name."""
    titles = "".join(f'<p style="--f:{look.family(model.family)}"><b>{html(model.title)}</b></p>' for model in models)
    line = f'<p class="bt-first">text</p>{titles}'
    return (
        f'<div class="bt-widest" aria-hidden="true">{titles}</div>'
        f'<div class="bt-names" aria-hidden="true"><div>{line * lines}</div></div>'
    )


def _text_row(columns: Sequence[Column], widths: Sequence[list[float]], models: Sequence[ModelCut]) -> str:
    """The visitor's own characters."""
    cells = []
    for column, width in zip(columns, widths, strict=True):
        text = _characters(column, models)
        if _right_to_left(column, models) or not text:
            inner = f'<span style="--n:{sum(width):.4g}">{html(text, spaces=True)}</span>' if text else ""
            cells.append(_item(width, inner, bool(text)))
            continue
        spans = [
            f'<span style="--n:{sum(width[first:last]):.4g}">{html(text[first:last], spaces=True)}</span>'
            for first, last in _clusters(text)
        ]
        cells.append(_item(width, "".join(spans), False))
    return f'<ol class="bt-text" style="--k:0" aria-label="The text">{"".join(cells)}</ol>'


def _clusters(text: str) -> list[tuple[int, int]]:
    """Characters with the marks that stand on them."""
    starts = [n for n, character in enumerate(text) if n == 0 or _columns_of(character)]
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _item(width: Sequence[float], inner: str, right_to_left: bool) -> str:
    return f'<li style="--n:{sum(width):.4g}"{" dir=rtl" if right_to_left else ""}>{inner}</li>'


def _cell(
    column: Column, widths: list[float], groups: Sequence[Group], edges: Sequence[Place], right_to_left: bool
) -> str:
    """A model's chips of one column; characters that the model drops leave a gap."""
    parts: list[str] = []
    if column.part is None:
        for group in groups:
            parts += [chip(piece, edges[piece.position], width=_need(piece)) for piece in group.pieces]
        return _item(widths, "".join(parts), False)
    place = column.start
    for group in groups:
        first, last = max(group.start, column.start), min(group.end, column.end)
        if first > place:
            parts.append(_space(widths, place - column.start, first - column.start))
        room = sum(widths[first - column.start : last - column.start])
        needs = [_need(piece) for piece in group.pieces]
        for piece, need in zip(group.pieces, needs, strict=True):
            goes_on, more = group.end > column.end, group.start < column.start
            width = room * need / sum(needs)
            parts.append(chip(piece, edges[piece.position], width=width, goes_on=goes_on, more=more))
        place = last
    return _item(widths, "".join(parts), right_to_left)


def _space(widths: Sequence[float], first: int, last: int) -> str:
    width = sum(widths[first:last])
    return f'<span style="--n:{width:.4g}"></span>' if width else ""


def key(look: Look) -> str:
    """What the looks of chips mean."""

    def sample(kind: str, text: str) -> str:
        return f'<span class="bt-chips" aria-hidden="true"><span class="bt-p {kind}">{text}</span></span>'

    entries = [
        (sample("bt-w", "re") + sample("bt-b bt-e", "used"), "pieces of a word; a round edge begins and ends it"),
        (sample("bt-t", "[CLS]"), "template"),
        (sample("bt-m", BLANK), "mask"),
        (sample("bt-u", "[UNK]"), "unknown"),
        (sample("bt-hex bt-w bt-e", "C3"), "a byte of a character"),
    ]
    return f'<ul class="bt-key">{"".join(f"<li>{picture} {words}</li>" for picture, words in entries)}</ul>'


# -- small tables ------------------------------------------------------------------------------------------------------


def differences_table(differences: Sequence[Difference], models: Mapping[str, ModelCut], look: Look) -> View:
    """One row a word, one column a model."""
    import pandas

    heads = "".join(f'<th scope="col">{html(model.title)}</th>' for model in models.values())
    rows = []
    for difference in differences:
        cells = "".join(_chips(difference.pieces[key], model.family, look) for key, model in models.items())
        word = html(shortened(difference.word.text), spaces=True)
        rows.append(f'<tr><th scope="row"><b>{word}</b></th>{cells}</tr>')
    title = "Words that are cut differently"
    words = ", ".join(visible(shortened(difference.word.text)) for difference in differences)
    table = pandas.DataFrame(
        [
            (visible(difference.word.text), model.title, " ".join(map(label, difference.pieces[key])))
            for difference in differences
            for key, model in models.items()
        ],
        columns=["word", "model", "pieces"],
    )
    body = _table("bt-table", f'<th scope="col">Word</th>{heads}', rows, title)
    return View(title, Fragment(body, style(look)), f"{title}: {words}.", table)


def _chips(pieces: Sequence[Piece], family: str, look: Look) -> str:
    """A cell with a word's pieces, the first CHIPS of them."""
    chips = [chip(piece, place) for piece, place in zip(pieces[:CHIPS], places(pieces), strict=False)]
    chips += [f"<span>&nbsp;… {len(pieces):,} pieces</span>"] if len(pieces) > CHIPS else []
    return f'<td><span class="bt-chips" style="{variables(family, look)}">{"".join(chips)}</span></td>'


def shortened(text: str, most: int = 40) -> str:
    """A text, or its beginning."""
    return text if len(text) <= most else f"{text[:most]}…"


def overlap_table(overlap: Overlap, models: Mapping[str, ModelCut], look: Look) -> View:
    """How many of the row's words the column's vocabulary has too; the stronger the colour, the more."""
    import pandas

    heads = "".join(f'<th scope="col">{html(model.title)}</th>' for model in models.values())
    rows = []
    for a, row in models.items():
        cells = "".join(_shared_words(overlap, a, b, look.family(row.family)) for b in models)
        rows.append(f'<tr><th scope="row"><b>{html(row.title)}</b></th>{cells}</tr>')
    title = "Words that vocabularies share"
    table = pandas.DataFrame(
        [(models[a].title, models[b].title, overlap.shared[a, b], overlap.share(a, b)) for a in models for b in models],
        columns=["model", "other model", "shared words", "share of the model's words"],
    )
    sizes = "; ".join(f"{visible(model.title)} has {overlap.sizes[key]:,} words" for key, model in models.items())
    body = _table("bt-table bt-heat", f'<th scope="col">of the words in</th>{heads}', rows, title)
    return View(title, Fragment(body, style(look)), f"{title}: {overlap.common:,} are in all; {sizes}.", table)


def _shared_words(overlap: Overlap, a: str, b: str, colour: str) -> str:
    """A cell with the share of a's words that b has too, or the number of a's words where both are one."""
    if a == b:
        return f"<td>{overlap.sizes[a]:,}<small>words</small></td>"
    share = overlap.share(a, b)
    tint = translucent(colour, 0.45 * share)
    return f'<td style="background:{tint}">{100 * share:.0f}%<small>{overlap.shared[a, b]:,}</small></td>'


def _table(names: str, head: str, rows: Sequence[str], title: str) -> str:
    return (
        f'<div class="bt-scroll" tabindex="0" role="region" aria-label="{title}"><table class="{names}">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
