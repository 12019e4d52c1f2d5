"""Small pieces of safe HTML: a model's heading, a badge, a sentence with marked words."""

from __future__ import annotations

from collections.abc import Sequence

from bortlab.views.escape import attribute, html
from bortlab.views.theme import Look, translucent

HEADS = {
    "trained": ("✓ trained head", "The masked-LM head was trained with the encoder.", None),
    "adapted": ("✓ adapted", "Trained further to fill blanks: it no longer has the weights that were published.", None),
    "random": (
        "⚠ random head: noise",
        "The masked-LM head has random weights, so these words mean nothing. The encoder's insides may still be real.",
        "warn",
    ),
}
"""What a head's provenance is called, why it matters, and whether to warn."""


def model_heading(title: str, family: str, *, head: str | None, facts: Sequence[str], look: Look) -> str:
    """A model's name under a line in its family's colour, a badge for its head, and a line of facts."""
    colour = look.family(family)
    lines = [f'<strong style="font-size:1.08rem">{html(title)}</strong>']
    if head is not None:
        lines.append(_badge(*HEADS[head], colour=colour, look=look))
    if facts:
        line = " · ".join(map(html, facts))
        lines.append(f'<span style="color:{look.faint};font-size:.85rem">{line}</span>')
    body = "".join(f"<div>{line}</div>" for line in lines)  # a line each, so that models side by side stay level
    return f'<div style="border-top:4px solid {colour};padding:.45rem 0 .1rem;line-height:1.45">{body}</div>'


def _badge(text: str, why: str, kind: str | None, *, colour: str, look: Look) -> str:
    tint = {"light": "#b42318", "dark": "#ff9a8d"}[look.mode] if kind == "warn" else colour
    return (
        f'<span title="{attribute(why)}" style="font-size:.78rem;padding:.05rem .45rem;border-radius:999px;'
        f'color:{look.ink};background:{translucent(tint, 0.18)};border:1px solid {tint}">{html(text)}</span>'
    )
