"""Points that Agora made: the text that was answered wrong, the new one with what changed, and the label given."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from bortlab.text import word_spans
from bortlab.training.agora import Point, edited_share
from bortlab.views.escape import html, isolated
from bortlab.views.prose import counted
from bortlab.views.theme import Look, translucent
from bortlab.views.view import Fragment, View

if TYPE_CHECKING:
    import pandas

LONGEST = 400
"""Characters of a text that are shown; the table has all."""


def points(made: Sequence[Point], look: Look, *, most: int = 6) -> View:
    """The first of some points, each with its old text above and its new one below, what changed marked."""
    rows = "".join(map(_row, made[:most]))
    body = f'<div class="bg-points" role="list">{rows}</div>' if made else "<p>No points were made.</p>"
    texts = "; ".join(
        f"“{isolated(_text(point.mistake))}” became “{isolated(_text(point.example))}”, {isolated(_fate(point))}"
        for point in made[:most]
    )
    title = "Points that were made"
    alt = f"{title}: {counted(len(made), 'point')}. {texts}."
    return View(title, Fragment(body, _style(look)), alt, points_frame(made))


def points_frame(made: Sequence[Point]) -> pandas.DataFrame:
    """One row a point."""
    import pandas

    columns = ["old text", "its label", "new text", "words changed", "label given", "refused because"]
    return pandas.DataFrame(
        [
            [
                _text(point.mistake),
                str(point.mistake.label),
                _text(point.example),
                _changed(point),
                "" if point.refused else str(point.example.label),
                point.refused,
            ]
            for point in made
        ],
        columns=columns,
    )


def _text(example: object) -> str:
    return " ‖ ".join(part for part in example.content if part)  # type: ignore[attr-defined]


def _changed(point: Point) -> float:
    pairs = zip(point.mistake.content, point.example.content, strict=False)
    return max((edited_share(old, new) for old, new in pairs if old != new), default=0.0)


def _fate(point: Point) -> str:
    if point.refused:
        return f"refused: {point.refused}"
    same = "as before" if point.example.label == point.mistake.label else f"before {point.mistake.label}"
    return f"labelled {point.example.label} ({same})"


def _row(point: Point) -> str:
    old, new = _marked(_text(point.mistake)[:LONGEST], _text(point.example)[:LONGEST])
    kind = "bg-refused" if point.refused else "bg-same" if point.example.label == point.mistake.label else "bg-other"
    label = f"refused: {html(point.refused)}" if point.refused else f"labelled <b>{html(str(point.example.label))}</b>"
    return (
        f'<div class="bg-point {kind}" role="listitem"><p><span>mistake</span>{old} '
        f"<i>is {html(str(point.mistake.label))}</i></p><p><span>point</span>{new} <i>{label}</i></p></div>"
    )


def _marked(old: str, new: str) -> tuple[str, str]:
    """Both texts as HTML, the words that only one has in <del> and <ins>."""
    spans = [word_spans(text) for text in (old, new)]
    before, after = ([text[a:b].lower() for a, b in its] for text, its in zip((old, new), spans, strict=True))
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    changes = [op for op in matcher.get_opcodes() if op[0] != "equal"]
    return (
        _with_marks(old, [_reach(spans[0], a, b) for _, a, b, _, _ in changes if b > a], "del"),
        _with_marks(new, [_reach(spans[1], c, d) for _, _, _, c, d in changes if d > c], "ins"),
    )


def _reach(spans: Sequence[tuple[int, int]], first: int, after: int) -> tuple[int, int]:
    return spans[first][0], spans[after - 1][1]


def _with_marks(text: str, reaches: Sequence[tuple[int, int]], tag: str) -> str:
    parts, place = [], 0
    for start, end in reaches:
        parts += [html(text[place:start]) if start > place else "", f"<{tag}>{html(text[start:end])}</{tag}>"]
        place = end
    return "".join([*parts, html(text[place:]) if place < len(text) else ""])


def _style(look: Look) -> str:
    return f"""<style>
.bg-points {{ display: grid; gap: .5rem; margin: .2rem 0 .6rem; color: {look.ink}; }}
.bg-point {{ border: 1px solid {look.grid}; border-left: 4px solid {look.family("bort")}; border-radius: .4rem;
  padding: .4rem .7rem; overflow-wrap: anywhere; }}
.bg-point.bg-other {{ border-left-color: {look.less}; }}
.bg-point.bg-refused {{ border-left-color: {look.faint}; border-left-style: dashed; }}
.bg-point p {{ margin: 0; font-size: .92rem; line-height: 1.5rem; }}
.bg-point span {{ display: inline-block; min-width: 4.2rem; font-size: .78rem; color: {look.faint}; }}
.bg-point i {{ font-style: normal; font-size: .82rem; color: {look.faint}; white-space: nowrap; }}
.bg-point i b {{ color: {look.ink}; }}
.bg-point del {{ color: {look.faint}; }}
.bg-point ins {{ text-decoration: none; background: {translucent(look.family("bort"), 0.22)}; border-radius: .2rem;
  padding: 0 .15rem; }}
</style>"""
