"""Where the weights are, as pictures: stacked bars, sunburst and treemap, curves, and architectures drawn to scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

from bortlab.analysis.parameters import Share, Sizes
from bortlab.models import Config
from bortlab.models.formula import COMPONENTS
from bortlab.system.numbers import short_count
from bortlab.views.escape import plotly
from bortlab.views.figures import FONT
from bortlab.views.svg import Drawing, area, arrow, box, drawing, text
from bortlab.views.theme import PAPER, Look, Mode, translucent

COLOURS: Mapping[Mode, tuple[str, ...]] = {
    "light": ("#9aa3b5", "#5b8def", "#21a583", "#e8962e", "#c4ad10", "#c07ab8", "#e0665c"),
    "dark": ("#77819a", "#7ba4ff", "#34bd96", "#f0a04b", "#d6c23a", "#cf86c8", "#ff8a80"),
}
"""Of the components, in their order; neighbours in a bar differ in lightness too."""
ROW = 62


@dataclass(frozen=True, slots=True)
class Shown:
    """A model in a picture: its title, the name of its family, its configuration, its sizes."""

    title: str
    family: str
    config: Config
    sizes: Sizes


def colour_of(component: str, look: Look) -> str:
    """The colour of a component."""
    return COLOURS[look.mode][COMPONENTS.index(component)]


def _layout(look: Look, height: int, **changes: Any) -> dict[str, Any]:
    return {
        "height": height, "margin": {"l": 0, "r": 0, "t": 4, "b": 4}, "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)", "dragmode": False, "font": {"family": FONT, "color": look.ink, "size": 13},
        "hoverlabel": {"font": {"family": FONT}}, **changes,
    }  # fmt: skip


# -- several models ----------------------------------------------------------------------------------------------------


def stacked_bars(models: Sequence[Shown], look: Look) -> go.Figure:
    """Two bars a model, by component: what is stored, and below it, thinner, what a text passes through."""
    end = max(shown.sizes.executed for shown in models)
    traces = []
    used = [c for c in COMPONENTS if any(c in shown.sizes.by_component() for shown in models)]
    for component in used:
        for executed in (False, True):
            values = [shown.sizes.by_component(executed=executed).get(component, 0) for shown in models]
            kind = "executed" if executed else "stored"
            colour = colour_of(component, look)
            traces.append(
                go.Bar(
                    x=values, y=[n + (0.3 if executed else 0.05) for n in range(len(models))], orientation="h",
                    width=0.12 if executed else 0.34, name=component, legendgroup=component, showlegend=not executed,
                    marker={"color": translucent(colour, 0.5) if executed else colour, "line": {"width": 0}},
                    hoverinfo="text", hovertext=[
                        f"{plotly(shown.title)}: {component}, {kind}, {value:,} ({100 * value / whole:.1f} %)"
                        for shown, value in zip(models, values, strict=True)
                        for whole in [shown.sizes.executed if executed else shown.sizes.stored]
                    ],
                )
            )  # fmt: skip
    totals = go.Scatter(
        x=[shown.sizes.executed for shown in models], y=[n + 0.15 for n in range(len(models))], mode="text",
        text=[f" {short_count(shown.sizes.stored)}" + (
            f"<br> {short_count(shown.sizes.executed)} executed" if shown.sizes.tied else "") for shown in models],
        textposition="middle right", textfont={"color": look.faint, "size": 12}, hoverinfo="skip", showlegend=False,
        cliponaxis=False,
    )  # fmt: skip
    names = go.Scatter(
        x=[0] * len(models), y=[n - 0.24 for n in range(len(models))], mode="text", hoverinfo="skip",
        text=[f"<b>{plotly(shown.title)}</b>" for shown in models], textposition="middle right", showlegend=False,
        textfont={"color": look.ink, "size": 13}, cliponaxis=False,
    )  # fmt: skip
    layout = _layout(
        look, ROW * len(models) + 60, barmode="stack",
        xaxis={"visible": False, "range": [0, end * 1.02], "fixedrange": True},
        yaxis={"visible": False, "range": [len(models) - 0.5, -0.5], "fixedrange": True},
        legend={"orientation": "h", "y": -0.02, "yanchor": "top", "x": 0, "traceorder": "normal"},
    )  # fmt: skip
    layout["margin"]["r"] = 110
    return go.Figure([*traces, totals, names], layout)


def bars_alternative(models: Sequence[Shown]) -> str:
    """What the bars say, in words."""
    said = "; ".join(
        f"{shown.title} stores {short_count(shown.sizes.stored)} and executes {short_count(shown.sizes.executed)}"
        for shown in models
    )
    return f"Weights of each model by component: {said}."


# -- one model ---------------------------------------------------------------------------------------------------------

_READ = {
    "words": "word table", "project": "projection", "output": "output", "expand": "expand", "contract": "contract",
    "masked_lm": "bias of each word", "span": "bias of the span", "kernel": "kernels", "convolved": "neighbours",
}  # fmt: skip


def hierarchy(shown: Shown) -> list[tuple[str, str, str, int, str]]:
    """(id, parent's id, label, stored weights, component) of each node, the whole first."""
    sizes = shown.sizes
    nodes = [("all", "", shown.title, sizes.stored, "")]
    layers = sum(share.stored for share in sizes.shares if share.block is not None)
    nodes.append(("layers", "all", "layers", layers, ""))
    uses = {block: sizes.layers.count(block) for block in dict.fromkeys(sizes.layers)}
    for block in uses:
        name = f"block {block + 1}" + (f", {uses[block]} ×" if uses[block] > 1 else "")
        nodes.append((f"b{block}", "layers", name, sum(sizes.of_block(block).values()), ""))
        nodes += [(f"b{block}/{c}", f"b{block}", c, n, c) for c, n in sizes.of_block(block).items()]
    outside: dict[str, int] = {}
    for share in sizes.shares:
        if share.block is None:
            outside[share.component] = outside.get(share.component, 0) + share.stored
    nodes += [(component, "all", component, n, component) for component, n in outside.items()]
    nodes += [
        (f"{parent}/{share.name}", parent, _label(share), share.stored, share.component)
        for share in sizes.shares
        for parent in [share.component if share.block is None else f"b{share.block}/{share.component}"]
    ]
    return nodes


def _label(share: Share) -> str:
    last = share.name.rpartition(".")[2]
    return _READ.get(last, last.replace("_", " "))


def proportions(shown: Shown, look: Look, kind: Literal["sunburst", "treemap"] = "sunburst") -> go.Figure:
    """One model's stored weights: the whole, layers and tables, blocks, components, modules. A click goes inside."""
    nodes = hierarchy(shown)
    whole = max(shown.sizes.stored, 1)
    plain = translucent(look.family(shown.family), 0.25)
    trace = (go.Sunburst if kind == "sunburst" else go.Treemap)(
        ids=[node[0] for node in nodes], parents=[node[1] for node in nodes], values=[node[3] for node in nodes],
        labels=[plotly(node[2]) for node in nodes], branchvalues="total", sort=False, hoverinfo="text",
        hovertext=[f"{plotly(node[2])}: {node[3]:,} ({100 * node[3] / whole:.2f} %)" for node in nodes],
        marker={
            "colors": [colour_of(node[4], look) if node[4] else plain for node in nodes],
            "line": {"width": 1, "color": PAPER[look.mode]},
        },
        textfont={"family": FONT, "color": [PAPER["dark"] if node[4] else look.ink for node in nodes]},
        **({"insidetextorientation": "auto", "leaf": {"opacity": 1}} if kind == "sunburst" else {}),
    )  # fmt: skip
    return go.Figure([trace], _layout(look, 430, uniformtext={"minsize": 9, "mode": "hide"}))


def proportions_alternative(shown: Shown) -> str:
    """What the picture of one model says, in words."""
    parts = shown.sizes.by_component()
    said = ", ".join(f"{name} {100 * n / shown.sizes.stored:.1f} %" for name, n in parts.items())
    return f"Stored weights of {shown.title}, {shown.sizes.stored:,} in all: {said}."


# -- curves ------------------------------------------------------------------------------------------------------------


def curve(
    points: Mapping[int, int],
    *,
    here: int | None,
    family: str,
    x: str,
    look: Look,
    bound: tuple[str, int] | None = None,
) -> go.Figure:
    """Weights over one size. here: the value that is marked; bound: a number to compare with, drawn as a line."""
    colour = look.family(family)
    xs, ys = list(points), list(points.values())
    sizes = [13 if value == here else 7 for value in xs]
    traces = [
        go.Scatter(
            x=xs, y=ys, mode="lines+markers", line={"color": colour, "width": 2},
            marker={"color": colour, "size": sizes}, hoverinfo="text", showlegend=False,
            hovertext=[f"{plotly(x)} {value:,}: {weights:,}" for value, weights in points.items()],
        )
    ]  # fmt: skip
    if bound is not None:
        name, value = bound
        traces.append(
            go.Scatter(
                x=[xs[0], xs[-1]], y=[value, value], mode="lines", line={"color": look.faint, "dash": "dash"},
                hoverinfo="text", hovertext=f"{plotly(name)}: {value:,}", showlegend=False,
            )
        )  # fmt: skip
    axis = {"gridcolor": look.grid, "zeroline": False, "fixedrange": True, "color": look.faint}
    notes = [] if bound is None else [{
        "x": 0, "xref": "paper", "xanchor": "left", "y": bound[1], "yanchor": "bottom", "showarrow": False,
        "text": plotly(f"{bound[0]}: {short_count(bound[1])}"), "font": {"color": look.faint, "size": 12},
    }]  # fmt: skip
    layout = _layout(
        look, 280, annotations=notes, xaxis={**axis, "title": {"text": plotly(x)}},
        yaxis={**axis, "rangemode": "tozero", "tickformat": "~s"},
    )  # fmt: skip
    layout["margin"] = {"l": 48, "r": 8, "t": 16, "b": 44}
    return go.Figure(traces, layout)


# -- architectures -----------------------------------------------------------------------------------------------------

WIDTH, HEIGHT = 360, 330
_FLOOR = 236  # where the layers stand


@dataclass(frozen=True, slots=True)
class Scale:
    """What fills a drawing: so many features across, so many layers up."""

    features: int
    layers: int


def scale_of(models: Sequence[Shown]) -> Scale:
    """The scale on which all of these can be drawn."""
    configs = [shown.config for shown in models]
    return Scale(
        max(max(c.hidden_size, c.intermediate_size, c.embed_width) for c in configs), max(c.depth for c in configs)
    )


def stack(shown: Shown, look: Look, scale: Scale) -> Drawing:
    """A model from words to the last layer, to scale: what is wider or deeper in a model is so in its drawing.

    Each executed layer is attention (H wide) below feed-forward (I wide); one whose block was used before is pale.
    """
    config, colour, layers = shown.config, look.family(shown.family), shown.sizes.layers
    unit, centre = 300 / scale.features, WIDTH / 2
    row = min(18.0, 200 / scale.layers)
    parts, seen = [], set()
    for number, block in enumerate(layers):
        bottom = _FLOOR - row * number
        again = block in seen
        seen.add(block)
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
        parts.append(arrow(f"M{right:g} {top + 8:g}C{right + 24:g} {top + 8:g} {right + 24:g} {_FLOOR - 8} "
                           f"{right:g} {_FLOOR - 8}", colour))  # fmt: skip
    depth = f"{len(layers)} layer{'s' if len(layers) > 1 else ''}"
    stored = "as many blocks" if blocks == len(layers) else f"{blocks} block{'s' if blocks > 1 else ''}, used again"
    sizes = f"H {config.hidden_size:,} · I {config.intermediate_size:,}"
    parts += [
        text(centre, _FLOOR - row * len(layers) - 12, f"{depth}, {stored}"),
        text(centre, _FLOOR + 54, f"word vectors {config.embed_width:,} wide × {config.vocab_size:,}"),
        text(centre, _FLOOR + 72, f"{sizes} · {short_count(shown.sizes.stored)} weights", colour=look.faint),
    ]
    alt = (
        f"{shown.title}, drawn to scale: word vectors {config.embed_width:,} wide"
        f"{', widened' if config.projects else ''}, then {depth} {config.hidden_size:,} wide with a feed-forward part "
        f"{config.intermediate_size:,} wide; {stored}."
    )
    return drawing(look, alt, *parts, width=WIDTH, height=HEIGHT)


def one_block(shown: Shown, look: Look) -> Drawing:
    """Inside a block: its matrices, with their shapes."""
    mixed = "k" in shown.config.symbols
    return (_mixed_block if mixed else _plain_block)(shown, look)


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


def _plain_block(shown: Shown, look: Look) -> Drawing:
    config = shown.config
    h, heads, colour = config.hidden_size, config.num_attention_heads, colour_of("attention", look)
    square = f"{h:,} × {h:,}"
    parts = [
        *(_matrix(24 + 106 * n, 262, 100, name, square, colour, look)
          for n, name in enumerate(("query", "key", "value"))),
        text(180, 246, f"{heads} heads, each {h // heads:,} wide", size=12),
        _matrix(90, 196, 180, "output", square, colour, look),
        text(180, 188, "add, norm", size=11, colour=look.faint),
        *_feedforward(config, 140, look),
        text(180, 318, f"each piece: {h:,} numbers", size=12, colour=look.faint),
    ]  # fmt: skip
    alt = (
        f"A block of {shown.title}: query, key and value, {square} each; {heads} heads; an output matrix {square}; a "
        f"feed-forward part that expands to {config.intermediate_size:,} and contracts again."
    )
    return drawing(look, alt, *parts, width=WIDTH, height=HEIGHT)


def _mixed_block(shown: Shown, look: Look) -> Drawing:
    config, s = shown.config, shown.config.symbols
    attention, convolution = colour_of("attention", look), colour_of("convolution", look)
    h, half, heads, taps = s["H"], s["h"], s["A"], s["k"]
    down = f"{h:,} × {half:,}"
    parts = [
        *(_matrix(2 + 68 * n, 262, 64, name, down, attention, look)
          for n, name in enumerate(("value", "key", "query"))),
        _matrix(208, 262, 72, "span", f"{taps} taps, {half:,}", convolution, look),
        _matrix(284, 262, 74, "neighbours", down, convolution, look),
        _matrix(138, 208, 142, "kernels, query × span", f"{half:,} × {heads * taps:,}", convolution, look),
        text(66, 222, "attention", size=12), text(66, 238, f"{heads} heads of {half // heads:,}", size=12),
        text(323, 222, "convolution", size=12), text(323, 238, f"{heads} heads", size=12),
        _matrix(20, 156, 320, "output, of both halves side by side", f"{h:,} × {h:,}", attention, look),
        text(180, 149, "add, norm", size=11, colour=look.faint),
        *_feedforward(config, 102, look),
        text(180, 318, f"each piece: {h:,} numbers", size=12, colour=look.faint),
    ]  # fmt: skip
    alt = (
        f"A block of {shown.title}: one half is attention with {heads} heads, query, key and value {down}; the "
        f"other half convolves {taps} neighbours with kernels that a matrix {half:,} × {heads * taps:,} makes of query "
        f"and span; both halves meet in an output matrix {h:,} × {h:,}, and a feed-forward part follows."
    )
    return drawing(look, alt, *parts, width=WIDTH, height=HEIGHT)
