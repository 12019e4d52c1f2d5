"""Small pieces of safe HTML: a model's heading, a badge, a sentence with marked words."""

from __future__ import annotations

from collections.abc import Sequence

from bortlab.model import Adaptation
from bortlab.system.numbers import percent
from bortlab.views.escape import attribute, html
from bortlab.views.theme import Look, translucent

HEADS = {
    "trained": ("✓ trained head", "The masked-LM head was trained with the encoder.", None),
    "adapted": (
        "✓ adapted",
        "Trained further to fill blanks: weights, attention and kernels are not the published ones.",
        None,
    ),
    "random": (
        "⚠ random head: noise",
        "The masked-LM head has random weights, so these words mean nothing. The encoder's insides may still be real.",
        "warn",
    ),
}
"""What a head's provenance is called, why it matters, and whether to warn."""


def model_heading(
    title: str,
    family: str,
    *,
    head: str | None,
    facts: Sequence[str],
    look: Look,
    adaptation: Adaptation | None = None,
    here: bool = False,
) -> str:
    """A model's name under a line in its family's colour, a badge for its head, and a line of facts.

    adaptation: of a model that was trained further, whose badge says so on every page; here: in this lab.
    """
    colour = look.family(family)
    lines = [f'<strong style="font-size:1.08rem">{html(title)}</strong>']
    if adaptation is not None:
        lines.append(_badge(*_adapted(adaptation, here), colour=colour, look=look))
    elif head is not None:
        lines.append(_badge(*HEADS[head], colour=colour, look=look))
    if facts:
        line = " · ".join(map(html, facts))
        lines.append(f'<span style="color:{look.faint};font-size:.85rem">{line}</span>')
    body = "".join(f"<div>{line}</div>" for line in lines)  # a line each, so that models side by side stay level
    return f'<div style="border-top:4px solid {colour};padding:.45rem 0 .1rem;line-height:1.45">{body}</div>'


def _adapted(adaptation: Adaptation, here: bool) -> tuple[str, str, str | None]:
    """The badge of an adapted model: what it says, why it matters, whether to warn."""
    label = f"adapted {'here ' if here else ''}from {adaptation.origin}"
    if adaptation.accuracy is not None:
        label += f": {percent(adaptation.accuracy)} of held-out pieces right"
    why = HEADS["adapted"][1]
    if adaptation.is_weak:
        frequency = percent(adaptation.frequency or 0.0)
        return f"⚠ {label}", f"Hardly better than guessing by frequency ({frequency}). {why}", "warn"
    return f"✓ {label}", why, None


def _badge(text: str, why: str, kind: str | None, *, colour: str, look: Look) -> str:
    tint = {"light": "#b42318", "dark": "#ff9a8d"}[look.mode] if kind == "warn" else colour
    return (
        f'<span title="{attribute(why)}" style="font-size:.78rem;padding:.05rem .45rem;border-radius:999px;'
        f"-webkit-box-decoration-break:clone;box-decoration-break:clone;"
        f'color:{look.ink};background:{translucent(tint, 0.18)};border:1px solid {tint}">{html(text)}</span>'
    )
