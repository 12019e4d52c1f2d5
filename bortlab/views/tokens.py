"""Pieces as chips: models below each other, aligned on the characters of the text; small tables of words and numbers.

The strip of pieces has one list a model, and every list breaks its lines at the same places, because its items, the
columns of `analysis.tokens.align`, are equally wide in all of them. The lists lie on top of each other, each moved down
by a row, so that the lines of one model stand between the lines of the others: any width of the page will do, no
script is needed, and a screen reader still reads one model after the other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bortlab.analysis.tokens import Column, Cut, Difference, Group, Overlap, Piece, align
from bortlab.views.escape import attribute, html, visible
from bortlab.views.theme import Look, translucent

SHOWN = 2_000
"""Characters of a text that the strip shows; the table has all."""
CHIPS = 10
"""Pieces of a word in a table of words."""
BLANK = "▁▁▁▁"
NARROWEST = 20
"""Characters that the narrowest page has room for beside the names."""

_ROW, _LINE = 1.8, 0.9  # height of a model's row, and the gap below the rows of a line, in rem
_UNIT = 0.72  # width of a character in rem: the letter of the monospaced face and the space around it
_GAP = 0.5  # between columns, in rem


@dataclass(frozen=True, slots=True)
class Shown:
    """A model in a strip: its title, the name of its family, and how it cuts the text."""

    title: str
    family: str
    cut: Cut


def style(look: Look) -> str:
    """The style sheet of everything here; once a page."""
    return f"""<style>
.bt-box {{ max-height: 34rem; overflow: auto; border: 1px solid {look.grid}; border-radius: .5rem;
  padding: .7rem .8rem; font-size: .9rem; line-height: 1.5rem; }}
.bt-box:focus-visible {{ outline: 2px solid {look.family("convbert")}; outline-offset: 2px; }}
.bt-strip {{ display: grid; grid-template-columns: minmax(4.2rem, max-content) minmax(0, 1fr); column-gap: .8rem; }}
.bt-names {{ grid-area: 1 / 1; position: relative; overflow: hidden; min-width: 4.2rem; max-width: 9rem; }}
.bt-names div {{ position: absolute; inset: 0; }}
.bt-names p, .bt-widest p {{ margin: 0; height: {_ROW}rem; font-size: .78rem; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; color: {look.faint}; }}
.bt-names p.bt-first:not(:first-child) {{ margin-top: {_LINE}rem; }}
.bt-names p b {{ color: {look.ink}; font-weight: 600; border-bottom: 3px solid var(--f); padding-bottom: .05rem; }}
.bt-widest {{ grid-area: 1 / 1; visibility: hidden; height: 0; max-width: 9rem; padding-right: .4rem; }}
.bt-widest p {{ font-weight: 600; }}
.bt-strip ol {{ grid-area: 1 / 2; display: flex; flex-wrap: wrap; align-content: flex-start; list-style: none;
  margin: calc(var(--k) * {_ROW}rem) 0 0; padding: 0; column-gap: {_GAP}rem; pointer-events: none;
  row-gap: calc((var(--rows) - 1) * {_ROW}rem + .3rem + {_LINE}rem); }}
.bt-strip li {{ display: flex; flex: none; height: 1.5rem; margin: 0; padding: 0;
  width: calc(var(--n) * {_UNIT}rem); }}
.bt-strip li > span {{ flex: none; width: calc(var(--n) * {_UNIT}rem); }}
.bt-strip, .bt-chips {{ font-family: "Source Code Pro", ui-monospace, "DejaVu Sans Mono", Consolas, monospace; }}
.bt-names, .bt-widest {{ font-family: "Source Sans", "Source Sans Pro", sans-serif; }}
.bt-text li {{ color: {look.ink}; font-weight: 600; }}
.bt-text span, .bt-p {{ text-align: center; white-space: pre; }}
.bt-p {{ box-sizing: border-box; color: {look.ink}; border: 1px solid var(--f); background: var(--a);
  pointer-events: auto; overflow: hidden; line-height: calc(1.5rem - 2px); }}
.bt-strip ol bdi {{ letter-spacing: .1rem; margin-right: -.1rem; }}
.bt-strip [dir=rtl] bdi, .bt-strip .bt-hex bdi, .bt-strip .bt-t bdi {{ letter-spacing: 0; margin: 0; }}
.bt-p + .bt-p:not(.bt-w, .bt-t, .bt-u) {{ border-left-width: 0; }}
.bt-strip [dir=rtl] .bt-p + .bt-p:not(.bt-w, .bt-t, .bt-u) {{ border-left-width: 1px; border-right-width: 0; }}
.bt-b {{ background: var(--b); }}
.bt-w {{ border-radius: .5rem 0 0 .5rem; }}
.bt-e {{ border-radius: 0 .5rem .5rem 0; }}
.bt-w.bt-e {{ border-radius: .5rem; }}
[dir=rtl] .bt-w:not(.bt-e) {{ border-radius: 0 .5rem .5rem 0; }}
[dir=rtl] .bt-e:not(.bt-w) {{ border-radius: .5rem 0 0 .5rem; }}
.bt-t {{ background: none; border: 1px dashed {look.faint}; color: {look.faint}; font-size: .78rem; border-radius: 0; }}
.bt-u {{ border: 2px dashed var(--f); line-height: calc(1.5rem - 4px); background:
  repeating-linear-gradient(135deg, transparent 0 4px, var(--b) 4px 6px); }}
.bt-m {{ background: none; border-width: 0 0 2px; border-radius: 0; }}
.bt-hex {{ font-size: .74rem; }}
.bt-sr {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }}
.bt-key.bt-key {{ display: flex; flex-wrap: wrap; gap: .35rem 1.1rem; margin: 0; padding: 0; list-style: none;
  color: {look.faint}; font-size: .85rem; --f: {look.faint}; --a: {translucent(look.faint, 0.12)};
  --b: {translucent(look.faint, 0.28)}; }}
.bt-key.bt-key li {{ margin: 0; padding: 0; }}
.bt-chips {{ display: inline-flex; font-size: .85rem; vertical-align: middle; }}
.bt-chips .bt-p {{ padding: 0 .35rem; }}
.bt-scroll {{ overflow-x: auto; }}
.bt-table {{ border-collapse: collapse; font-size: .9rem; }}
.bt-table th, .bt-table td {{ text-align: left; padding: .3rem .9rem .3rem 0; border: 0;
  border-bottom: 1px solid {look.grid}; font-weight: 400; }}
.bt-table thead th {{ color: {look.faint}; }}
.bt-table b {{ font-weight: 600; }}
.bt-heat td {{ text-align: right; padding: .3rem .8rem; font-variant-numeric: tabular-nums; }}
.bt-heat thead th {{ text-align: right; padding-right: .8rem; }}
.bt-heat small {{ color: {look.faint}; display: block; line-height: 1.1; }}
</style>"""


def _variables(family: str, look: Look) -> str:
    colour = look.family(family)
    return f"--f:{colour};--a:{translucent(colour, 0.13)};--b:{translucent(colour, 0.32)}"


# -- a piece -----------------------------------------------------------------------------------------------------------


def label(piece: Piece) -> str:
    """What stands on a piece's chip: its text, its bytes in hexadecimal if they are no character, or the blank."""
    if piece.role == "mask":
        return BLANK
    if piece.fragment:
        return piece.data.hex().upper()
    return visible(piece.text, spaces=True)


def about(piece: Piece) -> str:
    """What a piece is, in words: as the vocabulary spells it, id, characters, bytes."""
    said = [visible(piece.token, spaces=True), f"id {piece.id}"]
    if piece.role == "template":
        return " · ".join([*said, "template", f"token type {piece.type_id}"])
    said += {"mask": ["the mask"], "unknown": ["unknown to this vocabulary"], "piece": []}[piece.role]
    if piece.end > piece.start:
        said.append(f"characters {piece.start}–{piece.end}")
    if piece.data:
        shown = piece.data[:16].hex(" ").upper() + (" …" if len(piece.data) > 16 else "")
        said.append(f"bytes {shown}")
    return " · ".join(said)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece stands: among others (for its tint), and whether it begins or ends a word of the text."""

    number: int
    begins: bool
    ends: bool


def _places(pieces: Sequence[Piece]) -> list[Place]:
    words = [None, *((piece.part, piece.word) for piece in pieces), None]
    return [
        Place(n, piece.word is None or words[n] != words[n + 1], piece.word is None or words[n + 1] != words[n + 2])
        for n, piece in enumerate(pieces)
    ]


def _chip(piece: Piece, place: Place, *, width: float | None = None, goes_on: bool = False, more: bool = False) -> str:
    """A piece as a chip. goes_on: into the next column; more: it began in an earlier one and its name stands there."""
    kinds = {"template": "bt-t", "unknown": "bt-u", "mask": "bt-m", "piece": "bt-b" if place.number % 2 else ""}
    names = ["bt-p", kinds[piece.role], "bt-hex" if piece.fragment else ""]
    if piece.role in ("piece", "unknown"):
        names += ["bt-w" if place.begins and not more else "", "bt-e" if place.ends and not goes_on else ""]
    inner = html(label(piece), spaces=True)
    if more:
        inner = '<bdi aria-hidden="true">…</bdi>'
    elif piece.role == "mask":
        inner = f'<bdi aria-hidden="true">{BLANK}</bdi><span class="bt-sr">blank</span>'
    size = "" if width is None else f' style="--n:{width:.4g}"'
    return f'<span class="{" ".join(filter(None, names))}"{size} title="{attribute(about(piece))}">{inner}</span>'


# -- the strip ---------------------------------------------------------------------------------------------------------


def strip(models: Sequence[Shown], look: Look, *, shown: int = SHOWN) -> str:
    """The text and, below it, each model's pieces; at most the first `shown` characters of each text."""
    cuts = {str(number): model.cut for number, model in enumerate(models)}
    columns = align(cuts, longest=shown)
    widths = [_widths(column, _characters(column, models)) for column in columns]
    rows = len(models) + 1
    parts = [_names(models, look, _lines(widths)), _text_row(columns, widths, models)]
    for number, model in enumerate(models):
        places = _places(model.cut.pieces)
        cells = [
            _cell(column, width, column.groups[str(number)], places, _right_to_left(column, models))
            for column, width in zip(columns, widths, strict=True)
        ]
        parts.append(
            f'<ol style="--k:{number + 1};{_variables(model.family, look)}" '
            f'aria-label="{attribute(f"{model.title}: {len(model.cut.own)} pieces")}">{"".join(cells)}</ol>'
        )
    return (
        '<div class="bt-box" tabindex="0" role="region" aria-label="The pieces of each model">'
        f'<div class="bt-strip" style="--rows:{rows}">{"".join(parts)}</div></div>'
    )


def _characters(column: Column, models: Sequence[Shown]) -> str:
    """The visitor's characters of a column; empty for the template."""
    if column.part is None:
        return ""
    cut = models[0].cut
    return ((cut.pair or "") if column.part else cut.text)[column.start : column.end]


def _right_to_left(column: Column, models: Sequence[Shown]) -> bool:
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
    total = sum(sum(width) + _GAP / _UNIT for width in widths)
    return int(2 * total / NARROWEST) + 2


def _names(models: Sequence[Shown], look: Look, lines: int) -> str:
    """Whose row is whose, again at each line; for the eye, since every list has its name."""
    titles = "".join(f'<p style="--f:{look.family(model.family)}"><b>{html(model.title)}</b></p>' for model in models)
    line = f'<p class="bt-first">text</p>{titles}'
    return (
        f'<div class="bt-widest" aria-hidden="true">{titles}</div>'
        f'<div class="bt-names" aria-hidden="true"><div>{line * lines}</div></div>'
    )


def _text_row(columns: Sequence[Column], widths: Sequence[list[float]], models: Sequence[Shown]) -> str:
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
    column: Column, widths: list[float], groups: Sequence[Group], places: Sequence[Place], right_to_left: bool
) -> str:
    """A model's chips of one column; characters that the model drops leave a gap."""
    parts: list[str] = []
    if column.part is None:
        for group in groups:
            parts += [_chip(piece, places[piece.position], width=_need(piece)) for piece in group.pieces]
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
            parts.append(_chip(piece, places[piece.position], width=width, goes_on=goes_on, more=more))
        place = last
    return _item(widths, "".join(parts), right_to_left)


def _space(widths: Sequence[float], first: int, last: int) -> str:
    width = sum(widths[first:last])
    return f'<span style="--n:{width:.4g}"></span>' if width else ""


def key(look: Look) -> str:
    """What the looks of chips mean."""

    def chip(kind: str, text: str) -> str:
        return f'<span class="bt-chips" aria-hidden="true"><span class="bt-p {kind}">{text}</span></span>'

    entries = [
        (chip("bt-w", "re") + chip("bt-b bt-e", "used"), "pieces of a word; a round edge begins and ends it"),
        (chip("bt-t", "[CLS]"), "template"),
        (chip("bt-m", BLANK), "mask"),
        (chip("bt-u", "[UNK]"), "unknown"),
        (chip("bt-hex bt-w bt-e", "C3"), "a byte of a character"),
    ]
    return f'<ul class="bt-key">{"".join(f"<li>{picture} {words}</li>" for picture, words in entries)}</ul>'


# -- small tables ------------------------------------------------------------------------------------------------------


def differences_table(found: Sequence[Difference], models: Mapping[str, Shown], look: Look) -> str:
    """One row a word, one column a model."""
    heads = "".join(f'<th scope="col">{html(model.title)}</th>' for model in models.values())
    rows = []
    for difference in found:
        cells = []
        for name, model in models.items():
            pieces = difference.pieces[name]
            chips = [_chip(piece, place) for piece, place in zip(pieces[:CHIPS], _places(pieces), strict=False)]
            chips += [f"<span>&nbsp;… {len(pieces):,} pieces</span>"] if len(pieces) > CHIPS else []
            cells.append(
                f'<td><span class="bt-chips" style="{_variables(model.family, look)}">{"".join(chips)}</span></td>'
            )
        word = shortened(difference.word.text)
        rows.append(f'<tr><th scope="row"><b>{html(word, spaces=True)}</b></th>{"".join(cells)}</tr>')
    return _table("bt-table", f'<th scope="col">Word</th>{heads}', rows, "Words that are cut differently")


def shortened(text: str, most: int = 40) -> str:
    """A text, or its beginning."""
    return text if len(text) <= most else f"{text[:most]}…"


def overlap_table(found: Overlap, models: Mapping[str, Shown], look: Look) -> str:
    """How many of the row's words the column's vocabulary has too; the darker, the more."""
    heads = "".join(f'<th scope="col">{html(model.title)}</th>' for model in models.values())
    rows = []
    for a, row in models.items():
        cells = []
        for b in models:
            share = found.share(a, b)
            if a == b:
                cells.append(f"<td>{found.sizes[a]:,}<small>words</small></td>")
            else:
                tint = translucent(look.family(row.family), 0.45 * share)
                cells.append(
                    f'<td style="background:{tint}">{100 * share:.0f} %<small>{found.shared[a, b]:,}</small></td>'
                )
        rows.append(f'<tr><th scope="row"><b>{html(row.title)}</b></th>{"".join(cells)}</tr>')
    return _table(
        "bt-table bt-heat", f'<th scope="col">of the words in</th>{heads}', rows, "Words that vocabularies share"
    )


def _table(names: str, head: str, rows: Sequence[str], title: str) -> str:
    return (
        f'<div class="bt-scroll" tabindex="0" role="region" aria-label="{title}"><table class="{names}">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
