"""The three ideas as drawings: SVG made from the published sizes, with a sentence for people who cannot see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bortlab.models.bort import BortConfig
from bortlab.views.svg import arrow, box, drawing, text
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

if TYPE_CHECKING:
    import pandas


def draw(family: str, look: Look) -> View | None:
    """The drawing of a family's idea; None for a family that has none."""
    drawings = {"albert": _sharing, "convbert": _mixing, "bort": _searching, "bert": _stacking}
    return drawings[family](look) if family in drawings else None


def _stacking(look: Look) -> View:
    colour = look.family("bert")
    blocks = [box(130, 150 - 12 * layer, 100, 9, colour, strength=0.2 + 0.05 * (layer % 4)) for layer in range(12)]
    return drawing(
        look,
        "BERT",
        "BERT base: a table of words, 768 numbers each, and twelve different blocks above it.",
        _table(("BERT base", 12, 12, 768, 768)),
        *blocks,
        box(110, 168, 140, 16, colour),
        text(180, 202, "words, 768 wide"),
        text(242, 90, "12 blocks", anchor="start"),
    )


def _sharing(look: Look) -> View:
    colour, other = look.family("albert"), look.family("bert")
    stack = [box(28, 140 - 11 * layer, 92, 8, other, strength=0.15 + 0.06 * (layer % 4)) for layer in range(12)]
    return drawing(
        look,
        "One block, many times",
        "BERT has twelve different blocks over a wide table of words; ALBERT uses one block twelve times, over a table "
        "of narrow word vectors that one matrix widens.",
        _table(("BERT base", 12, 12, 768, 768), ("ALBERT base", 12, 1, 768, 128)),
        *stack,
        box(18, 160, 112, 14, other),
        text(74, 196, "BERT", colour=look.faint),
        text(162, 96, "→", colour=look.faint),
        box(206, 62, 92, 34, colour, strength=0.5),
        text(252, 84, "one block"),
        arrow("M298 70 C346 62 346 112 300 90", colour),
        text(336, 58, "12 ×"),
        f'<path d="M222 160L282 160L298 126L206 126z" fill="{translucent(colour, 0.2)}" stroke="{colour}"/>',
        text(252, 147, "widen"),
        box(238, 160, 28, 14, colour),
        text(252, 196, "ALBERT", colour=look.faint),
        text(74, 14, "12 blocks"),
    )


def _mixing(look: Look) -> View:
    colour = look.family("convbert")
    xs = [30 + 30 * i for i in range(5)]
    parts = [text(90, 20, "attention: everything"), text(270, 20, "convolution: neighbours")]
    for x in xs:
        parts.append(f'<line x1="90" y1="76" x2="{x}" y2="142" stroke="{colour}" stroke-width="2" opacity=".55"/>')
    for offset in (0, 180):
        parts.extend(box(x - 11 + offset, 142, 22, 16, colour, strength=0.2) for x in xs)
        parts.append(box(79 + offset, 58, 22, 18, colour, strength=0.55))
    taps = (0.35, 1.0, 0.6)
    for tap, x in zip(taps, xs[1:4], strict=True):
        height = 34 * tap
        parts.append(box(x + 180 - 7, 136 - height, 14, height, colour, strength=0.55))
    parts.append(
        f'<path d="M229 100 Q229 84 270 78 Q311 84 311 100" fill="none" stroke="{colour}" stroke-width="2" '
        'stroke-dasharray="4 3"/>'
    )
    parts.append(text(90, 186, "half of the width", colour=look.faint))
    parts.append(text(270, 186, "half of the width", colour=look.faint))
    parts.append(text(270, 50, "a kernel for this word", colour=look.faint))
    return drawing(
        look,
        "Attention and convolution",
        "One half of a ConvBERT block joins a word to all words by attention; the other half weighs its neighbours "
        "with a small kernel that is made for this word from the span around it.",
        _table(("ConvBERT base", 12, 12, 768, 768)),
        *parts,
    )


def _searching(look: Look) -> View:
    colour, other = look.family("bort"), look.family("bert")
    scale = 110 / 4096
    big = [box(95 - 4096 * scale / 2, 152 - 6 * layer, 4096 * scale, 4.5, other, strength=0.25) for layer in range(24)]
    width = BortConfig().intermediate_size * scale
    small = [box(265 - width / 2, 152 - 6 * layer, width, 4.5, colour, strength=0.7) for layer in range(4)]
    return drawing(
        look,
        "Layers and widths, searched",
        "Drawn to scale: BERT large has 24 layers with a feed-forward part 4,096 wide; Bort, the best of the "
        "sizes that were searched, has 4 layers, 768 wide.",
        _table(("BERT large", 24, 24, 1024, 1024), ("Bort", 4, 4, 1024, 1024)),
        *big,
        *small,
        text(95, 178, "BERT large", colour=look.faint),
        text(95, 198, "24 layers, 4096"),
        text(200, 110, "search →", colour=look.faint),
        text(265, 178, "Bort", colour=look.faint),
        text(265, 198, "4 layers, 768"),
    )


def _table(*sizes: tuple[str, int, int, int, int]) -> pandas.DataFrame:
    import pandas

    return pandas.DataFrame(sizes, columns=["model", "layers", "stored blocks", "width", "width of the words"])
