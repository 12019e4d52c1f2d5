"""BertViz's head view and model view, offline, compact and safe.

BertViz (Vig 2019, arXiv 1906.05714) writes its numbers into its script as text, twice: 105 MB for 12 layers of 12 heads
and 128 pieces. Here its own templates get the same numbers from a block of data: a byte a weight (a line's opacity
has no more), deflated. A row sums to 1, so 128 weights carry at most 2.8 bits each, whatever the model. The scripts
that it loads from elsewhere come from assets/javascript, and the document lets nothing else run or load.

The package itself is never imported, for it imports transformers; its templates are read as files.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch

from bortlab.analysis.attention import Attention, matrix_frame
from bortlab.system import assets
from bortlab.views.escape import attribute, visible
from bortlab.views.prose import counted
from bortlab.views.theme import Look
from bortlab.views.view import View

ASSETS = assets.JAVASCRIPT
LIBRARIES = ("jquery-3.7.1.min.js", "d3-5.7.0.min.js")
MOST_WEIGHTS = 4_800_000
"""Weights in one document: all 12 x 12 heads for 182 pieces, or one layer of 18 heads for 512."""
MOST_LINES = 60_000
"""Lines that a browser draws in about a second: each head gets its share, its strongest weights."""
HIGHEST = 820

Kind = Literal["head", "model"]


# (where the template says this, so many times) -> what it says here
_PATCHES: dict[Kind, tuple[tuple[str, int, str], ...]] = {
    "head": (
        ('.selectAll("line")\n            .data(d => d)', 1, '.selectAll("line")\n            .data(strongest)'),
        ("(d, rightTokenIndex) => TEXT_TOP + rightTokenIndex *", 1, "d => TEXT_TOP + d.place *"),
        ('.attr("right-token-index", (d, i) => i)', 1, '.attr("right-token-index", d => d.place)'),
        ("return d / activeHeads()", 1, "return d.weight / activeHeads()"),
    ),
    "model": (
        (
            '.selectAll("line")\n                .data(function (d) {',
            2,
            '.selectAll("line")\n                .data(function (row) { const d = strongest(row);',
        ),
        ("(targetIndex + .5)", 2, "(d.place + .5)"),
        (
            '.attr("stroke-opacity", function (d) {\n                    return d;',
            2,
            '.attr("stroke-opacity", function (d) {\n                    return d.weight;',
        ),
        ("'background': 'black'", 1, "'background': document.body.dataset.paper"),
        ("'background': 'white'", 1, "'background': document.body.dataset.paper"),
    ),
}

_READ = """
"use strict";
const ready = (async () => {
    const data = JSON.parse(document.getElementById("data").textContent);
    const packed = Uint8Array.from(atob(data.weights), letter => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const [layers, heads, n] = data.shape;
    const share = Math.max(n, Math.floor(data.lines / (layers * heads)));
    const matrix = (start, from, to) => {
        const counts = new Array(256).fill(0);
        const rows = [];
        for (const i of from) {
            const row = [];
            for (const j of to) { const byte = bytes[start + i * n + j]; counts[byte] += 1; row.push(byte / 255); }
            rows.push(row);
        }
        let least = 255, lines = counts[255];  // the weakest that is drawn, so that the head keeps to its share
        while (least > 1 && lines + counts[least - 1] <= share) { least -= 1; lines += counts[least]; }
        const every = Math.ceil(counts[least - 1] / Math.max(1, share - lines));  // of those just below, evenly some
        rows.forEach((row, i) => { row.least = least; row.every = least > 1 ? every : Infinity; row.number = i; });
        return rows;
    };
    const grid = (from, to) => Array.from({length: layers}, (_, layer) => Array.from({length: heads},
        (_, head) => matrix((layer * heads + head) * n * n, from, to)));
    const sides = data.sides.map(([start, end]) => Array.from({length: end - start}, (_, i) => start + i));
    data.params.attention = data.views.map(([name, left, right]) => ({
        name, left_text: sides[left].map(i => data.tokens[i]), right_text: sides[right].map(i => data.tokens[i]),
        get attn() { return this.made ??= grid(sides[left], sides[right]); },
    }));
    return data.params;
})();
ready.catch(error => { document.getElementById("vis").textContent =
    "This browser is too old for BertViz here (" + error.message + "). The other views work without it."; });
const strongest = row => row.map((weight, place) => ({weight, place})).filter(({weight, place}) => {
    const byte = Math.round(255 * weight);
    return byte >= row.least || (byte === row.least - 1 && (place + row.number) % row.every === 0);
});
let params;
function requirejs(names, run) { ready.then(given => { params = given; run(jQuery, d3);
    requestAnimationFrame(() => requestAnimationFrame(() => { document.documentElement.dataset.drawn = "yes"; })); }); }
requirejs.config = () => {};
const require = requirejs;
console.log = () => {};
"""


def head_view(
    attention: Attention, *, look: Look, title: str, layer: int | None = None, layers: Sequence[int] | None = None
) -> View:
    """BertViz's head view: lines between words, a colour a head. layer: shown first; layers: to choose from."""
    return _view("head", attention, look=look, title=title, layers=layers, layer=layer)


def model_view(attention: Attention, *, look: Look, title: str, layers: Sequence[int] | None = None) -> View:
    """BertViz's model view: all heads of all layers as thumbnails; a click enlarges one."""
    return _view("model", attention, look=look, title=title, layers=layers)


def layers_that_fit(attention: Attention) -> int:
    """How many layers of this text one document holds."""
    layers, heads, n, _ = attention.weights.shape
    return min(layers, MOST_WEIGHTS // (heads * n * n))


def _view(
    kind: Kind,
    attention: Attention,
    *,
    look: Look,
    title: str,
    layers: Sequence[int] | None,
    layer: int | None = None,
) -> View:
    chosen = list(range(len(attention.weights))) if layers is None else list(layers)
    if not chosen or len(chosen) > (fit := layers_that_fit(attention)):
        raise ValueError(
            f"BertViz can show 1 to {fit} layers of a text of {len(attention.units)} pieces at once, got {len(chosen)}."
        )
    drawn = attention.layers(chosen)
    _, heads, n, _ = drawn.weights.shape
    params: dict[str, Any] = {
        "default_filter": "0",
        "root_div_id": "bertviz",
        "include_layers": [number + 1 for number in chosen],
    }
    if kind == "head":
        params |= {"layer": layer + 1 if layer in chosen and layer is not None else chosen[0] + 1, "heads": None}
        height = n * 22.5 + 110
    else:
        wide = max(heads, 8)  # few heads would make huge thumbnails
        params |= {"display_mode": look.mode, "include_heads": list(range(1, heads + 1)), "total_heads": wide}
        height = max(len(chosen) * (n * 84 / wide + 10) + 45, n * 18 + 60) + 70
    document = _document(kind, drawn, params, look=look, title=title)
    about = "lines between words, a colour for each head" if kind == "head" else "all heads as thumbnails"
    size = f"{counted(len(chosen), 'layer')} of {counted(heads, 'head')}, {counted(n, 'piece')}"
    alt = f"{title}: BertViz's {kind} view, {about}, {size}."
    return View(
        title, document, alt, _table(attention, chosen[0] if layer is None else layer), min(HIGHEST, int(height))
    )


def _table(attention: Attention, layer: int) -> Any:
    """Every weight of one layer: a row a pair of pieces, a column a head."""
    heads = attention.weights[layer]
    table = matrix_frame(heads[0], attention.units, layer=layer + 1).rename(columns={"weight": "head 1"})
    for head, matrix in enumerate(heads[1:], 2):
        table[f"head {head}"] = matrix.flatten().tolist()
    return table


def _document(kind: Kind, attention: Attention, params: Mapping[str, Any], *, look: Look, title: str) -> str:
    weights = (255 * attention.weights.float()).round().clamp(0, 255).to(torch.uint8).numpy()
    sides, views = _sides(attention)
    data = {
        "shape": attention.weights.shape[:3],
        "tokens": [_label(text) for text in attention.texts],
        "weights": base64.b64encode(zlib.compress(weights.tobytes(), 6)).decode(),
        "sides": sides,
        "views": views,
        "lines": MOST_LINES,
        "params": params,
    }
    scripts = [*_libraries(), _READ, _template(kind)]
    allowed = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    options = "".join(f'<option value="{number}">{name}</option>' for number, (name, _, _) in enumerate(views))
    choose = "".join(
        [
            'Layer: <select id="layer" aria-label="Layer"></select> ' if kind == "head" else "",
            f'Attention: <select id="filter" aria-label="Sentences">{options}</select>' if len(views) > 1 else "",
        ]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        f'script-src {allowed}">'
        f"<title>{attribute(title)}</title><style>{_style(look)}</style></head>"
        f'<body data-paper="{look.paper}"><div id="bertviz"><span>{choose}</span><div id="vis"></div></div>'
        f'<script type="application/json" id="data">{in_script(data)}</script>'
        + "".join(f"<script>{script}</script>" for script in scripts)
        + "</body></html>"
    )


def in_script(data: object) -> str:
    """JSON that nothing can leave: no tag, comment or line end of JavaScript is in it."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False)  # ASCII: U+2028 and U+2029 are escaped too
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _label(text: str) -> str:
    label = visible(text) or "␣"
    return label if len(label) <= 14 else f"{label[:13]}…"


def _sides(attention: Attention) -> tuple[list[tuple[int, int]], list[tuple[str, int, int]]]:
    """Ranges of positions, and the views between them: the second text begins at its first own piece."""
    n = len(attention.units)
    second = next((number for number, unit in enumerate(attention.units) if unit.part == 1), None)
    if second is None:
        return [(0, n)], [("All", 0, 0)]
    names = ("Sentence A", "Sentence B")
    pairs = [(a, b) for a in (0, 1) for b in (0, 1)]
    return [(0, n), (0, second), (second, n)], [
        ("All", 0, 0),
        *((f"{names[a]} → {names[b]}", a + 1, b + 1) for a, b in pairs),
    ]


def _style(look: Look) -> str:
    return f"""
html {{ color-scheme: {look.mode}; }}
body {{ margin: 0; padding: 6px; overflow: auto; background: {look.paper}; color: {look.ink};
  font: 14px "Source Sans", "Helvetica Neue", Helvetica, Arial, sans-serif; }}
#bertviz > span {{ user-select: none; }}
select {{ font: inherit; color: {look.ink}; background: {look.paper}; border: 1px solid {look.faint};
  border-radius: 4px; padding: 1px 4px; margin: 0 10px 6px 0; }}
svg text {{ fill: {look.ink}; }}
svg .background {{ fill: {look.grid}; }}
"""


@cache
def _libraries() -> tuple[str, ...]:
    return tuple((ASSETS / name).read_text(encoding="utf-8") for name in LIBRARIES)


@cache
def _template(kind: Kind) -> str:
    """BertViz's script, which takes its parameters from here and draws only the strongest lines."""
    package = importlib.util.find_spec("bertviz")  # finds it, does not import it
    if package is None or not package.submodule_search_locations:
        raise ValueError("BertViz is not installed: pip install -r requirements.txt.")
    script = Path(package.submodule_search_locations[0], f"{kind}_view.js").read_text(encoding="utf-8")
    lines = [line for line in script.split("\n") if "PYTHON_PARAMS" not in line]  # `params` is ours
    script = "\n".join(lines)
    for old, times, new in _PATCHES[kind]:
        if script.count(old) != times:
            raise ValueError(f"This is not BertViz 1.4.1: its {kind}_view.js has no {old!r}. Install 1.4.1.")
        script = script.replace(old, new)
    return script
