"""Drawings: architectures to one scale, and the inside of a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bortlab.analysis.parameters import layers_frame
from bortlab.models import Config
from bortlab.system.numbers import short_count
from bortlab.views.parameters.counted import CountedModel, colour_of
from bortlab.views.svg import area, arrow, box, drawing, text
from bortlab.views.theme import Look
from bortlab.views.view import View

if TYPE_CHECKING:
    import pandas

WIDTH, HEIGHT = 360, 330
_FLOOR = 236
"""Where the layers stand."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What fills a drawing: so many features across, so many layers up."""

    features: int
    layers: int


def scale_of(models: Sequence[CountedModel]) -> Scale:
    """The scale on which all of these can be drawn."""
    configs = [model.config for model in models]
    return Scale(
        max(max(c.hidden_size, c.intermediate_size, c.embed_width) for c in configs), max(c.depth for c in configs)
    )


def stack(model: CountedModel, look: Look, scale: Scale) -> View:
    """A model from words to the last layer, to scale: what is wider or deeper in a model is so in its drawing.

    Each executed layer is attention (H wide) below feed-forward (I wide); one whose block was used before is pale.
    """
    config, colour, layers = model.config, look.family(model.family), model.sizes.layers
    unit, centre = 300 / scale.features, WIDTH / 2
    row = min(18.0, 200 / scale.layers)
    parts, drawn_blocks = [], set[int]()
    for number, block in enumerate(layers):
        bottom = _FLOOR - row * number
        again = block in drawn_blocks
        drawn_blocks.add(block)
        for width, top, height in (
            (config.hidden_size, bottom - 0.42 * row, 0.32 * row),
            (config.intermediate_size, bottom - 0.86 * row, 0.36 * row),
        ):
            drawn = max(width * unit, 2)
            parts.append(box(centre - drawn / 2, top, drawn, height, colour, strength=0.06 if again else 0.6))
    hidden, embed = (max(size * unit, 2) / 2 for size in (config.hidden_size, config.embed_width))
    if config.projects:
        ends = [(centre - hidden, _FLOOR + 4), (centre + hidden, _FLOOR + 4)]
        parts.append(area([*ends, (centre + embed, _FLOOR + 20), (centre - embed, _FLOOR + 20)], colour))
    parts.append(box(centre - embed, _FLOOR + 22, 2 * embed, 14, colour))
    blocks = len(set(layers))
    if blocks < len(layers):
        top, right = _FLOOR - row * len(layers), min(centre + max(hidden, config.intermediate_size * unit / 2), 330) + 4
        parts.append(
            arrow(
                f"M{right:g} {top + 8:g}C{right + 24:g} {top + 8:g} {right + 24:g} {_FLOOR - 8} {right:g} {_FLOOR - 8}",
                colour,
            )
        )
    depth = f"{len(layers)} layer{'s' if len(layers) > 1 else ''}"
    stored = "as many blocks" if blocks == len(layers) else f"{blocks} block{'s' if blocks > 1 else ''}, used again"
    sizes = f"H {config.hidden_size:,} · I {config.intermediate_size:,}"
    parts += [
        text(centre, _FLOOR - row * len(layers) - 12, f"{depth}, {stored}"),
        text(centre, _FLOOR + 54, f"word vectors {config.embed_width:,} wide × {config.vocab_size:,}"),
        text(centre, _FLOOR + 72, f"{sizes} · {short_count(model.sizes.stored)} weights", colour=look.faint),
    ]
    alt = (
        f"{model.title}, drawn to scale: word vectors {config.embed_width:,} wide"
        f"{', widened' if config.projects else ''}, then {depth} {config.hidden_size:,} wide with a feed-forward part "
        f"{config.intermediate_size:,} wide; {stored}."
    )
    return drawing(
        look, f"{model.title}, drawn to scale", alt, layers_frame(model.sizes), *parts, width=WIDTH, height=HEIGHT
    )


def one_block(model: CountedModel, look: Look) -> View:
    """Inside a block: its matrices, with their shapes."""
    has_kernels = "k" in model.config.symbols
    return (_mixed_block if has_kernels else _plain_block)(model, look)


def _matrix(x: float, y: float, width: float, name: str, shape: str, colour: str, look: Look) -> str:
    middle = x + width / 2
    return (
        box(x, y, width, 36, colour, strength=0.28)
        + text(middle, y + 15, name, size=11.5)
        + text(middle, y + 30, shape, size=11, colour=look.ink)
    )


def _feedforward(config: Config, y: float, look: Look) -> list[str]:
    colour = colour_of("feed-forward", look)
    groups = config.symbols.get("g", 1)
    times = f" in {groups} groups" if groups > 1 else ""
    return [
        area([(100, y + 22), (260, y + 22), (320, y), (40, y)], colour, strength=0.28),
        area([(40, y - 6), (320, y - 6), (260, y - 28), (100, y - 28)], colour, strength=0.28),
        text(180, y + 15, f"expand {config.hidden_size:,} × {config.intermediate_size:,}{times}", size=12),
        text(180, y - 13, f"contract {config.intermediate_size:,} × {config.hidden_size:,}{times}", size=12),
        text(180, y - 38, "add, norm", size=11, colour=look.faint),
    ]


def _plain_block(model: CountedModel, look: Look) -> View:
    config = model.config
    h, heads, colour = config.hidden_size, config.num_attention_heads, colour_of("attention", look)
    square = f"{h:,} × {h:,}"
    parts = [
        *(
            _matrix(24 + 106 * n, 262, 100, name, square, colour, look)
            for n, name in enumerate(("query", "key", "value"))
        ),
        text(180, 246, f"{heads} heads, each {h // heads:,} wide", size=12),
        _matrix(90, 196, 180, "output", square, colour, look),
        text(180, 188, "add, norm", size=11, colour=look.faint),
        *_feedforward(config, 140, look),
        text(180, 318, f"each piece: {h:,} numbers", size=12, colour=look.faint),
    ]
    alt = (
        f"A block of {model.title}: query, key and value, {square} each; {heads} heads; an output matrix {square}; a "
        f"feed-forward part that expands to {config.intermediate_size:,} and contracts again."
    )
    return drawing(look, f"A block of {model.title}", alt, _block_table(model), *parts, width=WIDTH, height=HEIGHT)


def _mixed_block(model: CountedModel, look: Look) -> View:
    config, s = model.config, model.config.symbols
    attention, convolution = colour_of("attention", look), colour_of("convolution", look)
    h, half, heads, taps = s["H"], s["h"], s["A"], s["k"]
    down = f"{h:,} × {half:,}"
    parts = [
        *(
            _matrix(2 + 68 * n, 262, 64, name, down, attention, look)
            for n, name in enumerate(("value", "key", "query"))
        ),
        _matrix(208, 262, 72, "span", f"{taps} taps, {half:,}", convolution, look),
        _matrix(284, 262, 74, "neighbours", down, convolution, look),
        _matrix(138, 208, 142, "kernels, query × span", f"{half:,} × {heads * taps:,}", convolution, look),
        text(66, 222, "attention", size=12),
        text(66, 238, f"{heads} heads of {half // heads:,}", size=12),
        text(323, 222, "convolution", size=12),
        text(323, 238, f"{heads} heads", size=12),
        _matrix(20, 156, 320, "output, of both halves side by side", f"{h:,} × {h:,}", attention, look),
        text(180, 149, "add, norm", size=11, colour=look.faint),
        *_feedforward(config, 102, look),
        text(180, 318, f"each piece: {h:,} numbers", size=12, colour=look.faint),
    ]
    alt = (
        f"A block of {model.title}: one half is attention with {heads} heads, query, key and value {down}; the "
        f"other half convolves {taps} neighbours with kernels that a matrix {half:,} × {heads * taps:,} makes of query "
        f"and span; both halves meet in an output matrix {h:,} × {h:,}, and a feed-forward part follows."
    )
    return drawing(look, f"A block of {model.title}", alt, _block_table(model), *parts, width=WIDTH, height=HEIGHT)


def _block_table(model: CountedModel) -> pandas.DataFrame:
    """The modules of a block and their stored weights."""
    import pandas

    return pandas.DataFrame(
        [
            {"component": share.component, "part": share.name, "weights": share.stored}
            for share in model.sizes.shares
            if share.block == 0
        ]
    )
