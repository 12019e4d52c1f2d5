"""Drawings as SVG: boxes, lines and words in the colours of a theme, with a sentence for people who cannot see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bortlab.views.escape import attribute
from bortlab.views.theme import Look, translucent
from bortlab.views.view import Fragment, View

if TYPE_CHECKING:
    import pandas


def drawing(
    look: Look, title: str, alt: str, table: pandas.DataFrame, *parts: str, width: float = 360, height: float = 210
) -> View:
    """A picture made of these parts. table: the numbers that it shows."""
    font = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
    body = "".join(parts)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'width="100%" font-family="{font}" font-size="13" fill="{look.ink}">'
        f"<title>{attribute(alt)}</title>{body}</svg>"
    )
    return View(title, Fragment(svg), alt, table)


def box(x: float, y: float, width: float, height: float, colour: str, *, strength: float = 0.35) -> str:
    """A rectangle with round corners."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{min(3, height / 3):g}" '
        f'fill="{translucent(colour, strength)}" stroke="{colour}" stroke-opacity="{min(1, 0.3 + 2 * strength):g}"/>'
    )


def text(
    x: float, y: float, words: str, *, anchor: str = "middle", colour: str | None = None, size: float | None = None
) -> str:
    """Words at a place."""
    fill = f' fill="{colour}"' if colour else ""
    fill += f' font-size="{size:g}"' if size else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{fill}>{attribute(words)}</text>'


def arrow(path: str, colour: str) -> str:
    """A line with a head at its end."""
    return (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker></defs>'
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2" marker-end="url(#head)"/>'
    )


def area(points: Sequence[tuple[float, float]], colour: str, *, strength: float = 0.2) -> str:
    """A filled polygon."""
    path = "L".join(f"{x:g} {y:g}" for x, y in points)
    return f'<path d="M{path}z" fill="{translucent(colour, strength)}" stroke="{colour}"/>'
