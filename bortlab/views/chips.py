"""A piece of text as a chip: its tint, its edges, what stands on it, and the style sheet of all chips and strips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bortlab.analysis.tokens import Piece
from bortlab.views.escape import attribute, html, visible
from bortlab.views.theme import Look, translucent

BLANK = "▁▁▁▁"
ROW, LINE = 1.8, 0.9  # height of a model's row, and the gap below the rows of a line, in rem
UNIT = 0.72  # width of a character in rem: the letter of the monospaced face and the space around it
GAP = 0.5  # between columns, in rem


def style(look: Look) -> str:
    """The style sheet of everything here; once a page."""
    return f"""<style>
.bt-box {{ max-height: 34rem; overflow: auto; border: 1px solid {look.grid}; border-radius: .5rem;
  padding: .7rem .8rem; font-size: .9rem; line-height: 1.5rem; }}
.bt-box:focus-visible {{ outline: 2px solid {look.family("convbert")}; outline-offset: 2px; }}
.bt-strip {{ display: grid; grid-template-columns: minmax(4.2rem, max-content) minmax(0, 1fr); column-gap: .8rem; }}
.bt-names {{ grid-area: 1 / 1; position: relative; overflow: hidden; min-width: 4.2rem; max-width: 9rem; }}
.bt-names div {{ position: absolute; inset: 0; }}
.bt-names p, .bt-widest p {{ margin: 0; height: {ROW}rem; font-size: .78rem; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; color: {look.faint}; }}
.bt-names p.bt-first:not(:first-child) {{ margin-top: {LINE}rem; }}
.bt-names p b {{ color: {look.ink}; font-weight: 600; border-bottom: 3px solid var(--f); padding-bottom: .05rem; }}
.bt-widest {{ grid-area: 1 / 1; visibility: hidden; height: 0; max-width: 9rem; padding-right: .4rem; }}
.bt-widest p {{ font-weight: 600; }}
.bt-strip ol {{ grid-area: 1 / 2; display: flex; flex-wrap: wrap; align-content: flex-start; list-style: none;
  margin: calc(var(--k) * {ROW}rem) 0 0; padding: 0; column-gap: {GAP}rem; pointer-events: none;
  row-gap: calc((var(--rows) - 1) * {ROW}rem + .3rem + {LINE}rem); }}
.bt-strip li {{ display: flex; flex: none; height: 1.5rem; margin: 0; padding: 0;
  width: calc(var(--n) * {UNIT}rem); }}
.bt-strip li > span {{ flex: none; width: calc(var(--n) * {UNIT}rem); }}
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
.bt-heat small {{ display: block; line-height: 1.1; }}
</style>"""


def variables(family: str, look: Look) -> str:
    colour = look.family(family)
    return f"--f:{colour};--a:{translucent(colour, 0.13)};--b:{translucent(colour, 0.32)}"


def label(piece: Piece) -> str:
    """What stands on a piece's chip: its text, its bytes in hexadecimal if they are no character, or the blank."""
    if piece.role == "mask":
        return BLANK
    if piece.fragment:
        return piece.data.hex().upper()
    return visible(piece.text, spaces=True)


def about(piece: Piece) -> str:
    """What a piece is, in words: as the vocabulary spells it, id, characters, bytes."""
    facts = [visible(piece.token, spaces=True), f"id {piece.id}"]
    if piece.role == "template":
        return " · ".join([*facts, "template", f"token type {piece.type_id}"])
    facts += {"mask": ["the mask"], "unknown": ["unknown to this vocabulary"], "piece": []}[piece.role]
    if piece.end > piece.start:
        facts.append(f"characters {piece.start}–{piece.end}")
    if piece.data:
        first = piece.data[:16].hex(" ").upper() + (" …" if len(piece.data) > 16 else "")
        facts.append(f"bytes {first}")
    return " · ".join(facts)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece stands: among others (for its tint), and whether it begins or ends a word of the text."""

    number: int
    begins: bool
    ends: bool


def places(pieces: Sequence[Piece]) -> list[Place]:
    words = [None, *((piece.part, piece.word) for piece in pieces), None]
    return [
        Place(n, piece.word is None or words[n] != words[n + 1], piece.word is None or words[n + 1] != words[n + 2])
        for n, piece in enumerate(pieces)
    ]


def chip(piece: Piece, place: Place, *, width: float | None = None, goes_on: bool = False, more: bool = False) -> str:
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
