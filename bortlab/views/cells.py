"""Tables of tinted cells as safe HTML, which scroll sideways by pointer and by keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bortlab.views.escape import attribute, html, visible
from bortlab.views.theme import Look, translucent

STRONGEST = 0.42
"""Opacity of a cell of value 1; the words on it can still be read."""
LONGEST = 14
"""Characters of a word in a cell."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, a smaller second line, its tint (0 to 1), its tooltip, and whether it is framed."""

    text: str
    small: str = ""
    tint: float = 0.0
    title: str = ""
    settled: bool = False


def style(look: Look) -> str:
    """The style sheet of the tables."""
    return f"""<style>
.bl-box {{ overflow-x: auto; width: fit-content; max-width: 100%; scrollbar-color: auto;
  border: 1px solid {look.grid}; border-radius: .5rem; margin: .2rem 0 .4rem; }}
.bl-box::-webkit-scrollbar {{ height: 9px; }}
.bl-box::-webkit-scrollbar-track {{ background: {look.grid}; border-radius: 5px; }}
.bl-box::-webkit-scrollbar-thumb {{ background: {look.faint}; border-radius: 5px; }}
.bl-box:focus-visible {{ outline: 2px solid {look.family("convbert")}; outline-offset: 2px; }}
.bl.bl {{ border-collapse: separate; border-spacing: 2px; font-size: .84rem; line-height: 1.2rem; margin: 0;
  color: {look.ink}; }}
.bl.bl th, .bl.bl td {{ border: 0; padding: .16rem .3rem; font-weight: 400; text-align: center; white-space: nowrap; }}
.bl.bl th {{ color: {look.faint}; }}
.bl.bl thead th {{ color: {look.ink}; font-weight: 600; }}
.bl.bl thead th.bl-focus {{ border-bottom: 3px solid {look.ink}; }}
.bl.bl tbody th {{ position: sticky; left: 0; background: {look.paper}; text-align: left; font-size: .78rem; }}
.bl.bl td {{ border: 1px solid transparent; border-radius: .3rem; min-width: 2.6rem; }}
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
