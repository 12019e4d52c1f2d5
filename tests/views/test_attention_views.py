"""Pictures of attention and kernels: any text stays text, tables hold the numbers, BertViz is whole and compact."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import plotly.io
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter

from bortlab.analysis import attention as analysis
from bortlab.analysis import flow
from bortlab.analysis import heads as heads_of
from bortlab.analysis import kernels as convolution
from bortlab.analysis.attention import Attention, Unit
from bortlab.analysis.kernels import Ablated, Change, Contributions, Kernels, Survey
from bortlab.model import Candidate
from bortlab.views import attention as draw
from bortlab.views import bertviz, kernel_numbers
from bortlab.views import heads as draw_heads
from bortlab.views import kernels as draw_kernels
from bortlab.views.theme import Look
from bortlab.views.view import Fragment, View, page

LOOKS = (Look("light"), Look("dark"))
NASTY = [
    "</script><img src=x onerror=alert(1)>",
    "<s>",
    "<mask>",
    "<b>x</b>",
    "<a href='javascript:alert(1)'>y</a>",
    "&lt;",
    "\u2028",
    "\u202ex",
    " ",
    "",
    "%{x}",
    "$x$",
    "]]>",
    "<!--",
    "<br>",
    '" onload="x',
    "naïve",
    "日本語",
    "=1+1",
]
words = st.lists(st.sampled_from(NASTY) | st.text(max_size=6), min_size=3, max_size=5)
OURS = re.compile(r"</?(?:i|b|br|extra)>")


def attention(texts: list[str], layers: int = 2, heads: int = 2, *, pair: bool = False, seed: int = 0) -> Attention:
    n = len(texts)
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(layers, heads, n, n, generator=generator).mul(2).softmax(-1)
    parts = [None if i in (0, n - 1) else int(pair and i > n // 2) for i in range(n)]
    return Attention(weights, tuple(Unit(texts[i], ("word", i), parts[i]) for i in range(n)))


def views(texts: list[str], look: Look) -> Iterator[View]:
    """Every view there is, of a text."""
    found = attention(texts)
    units, colour = found.units, look.family("convbert")
    heads = heads_of.of(found)
    same: dict[str, Any] = {"look": look, "title": texts[1]}
    yield draw.heat(found.mean(0), units, colour=colour, **same)
    yield draw.from_one(found.mean(0), units, 1, colour=colour, **same)
    yield draw_heads.thumbnails(found, heads, colour=colour, **same)
    yield draw_heads.measures(heads, colour=colour, **same)
    yield draw_heads.likeness(heads, colour=colour, **same)
    yield draw_heads.head_map(heads, **same)
    yield draw.through(found, 1, flow.flow(found, 1), colour=colour, **same)
    yield draw.difference(
        analysis.compare((found, found.mean(0)), (found, found.mean(1))), names=("first", "second"), **same
    )
    query, keys = torch.tensor([1.0, -1, 2]), torch.randn(len(texts), 3, generator=torch.Generator().manual_seed(1))
    scores = keys @ query
    yield draw.query_key(
        analysis.QueryKey(units, 1, query, keys, keys * query, scores, scores.softmax(0)), colour=colour, **same
    )
    kernels = Kernels(torch.rand(2, 2, len(texts), 5, generator=torch.Generator().manual_seed(2)).softmax(-1), units)
    kernel = kernels.weights[0, 0, 1]
    yield draw_kernels.laid_over(kernel, units, 1, colour=colour, other=(texts[2], kernel.flip(0)), **same)
    yield draw_kernels.heat(kernels, 0, 1, colour=colour, **same)
    yield draw_kernels.heat(kernels, 0, None, colour=colour, **same)
    yield draw_kernels.mixed_block(found, kernels, 1, colour=colour, **same)
    numbers = convolution.statistics(kernels.weights.mean(2))
    yield kernel_numbers.measures(numbers, 5, colour=colour, **same)
    survey = Survey(kernels.weights.mean(2), torch.rand(2, 2), numbers, 3, 9)
    yield kernel_numbers.preferences(survey, colour=colour, **same)
    yield kernel_numbers.fixed_filters(torch.randn(2, 7, 5), 1, **same)
    pairs = tuple((i, i) for i in range(len(texts)))
    yield draw_kernels.changes(Change(kernels, kernels, (kernels.weights, kernels.weights.flip(-1)), pairs), **same)
    lengths = torch.rand(2, len(texts)) + 0.1
    yield kernel_numbers.halves(Contributions(*[lengths] * 6, units), colour=colour, **same)
    blank = tuple(Candidate(t, t, i, 0.5, -0.7) for i, t in enumerate(texts[:3]))
    some = [Ablated(name, (blank,), 0.5) for name in convolution.ABLATIONS]
    yield kernel_numbers.ablated(some, colour=colour, **same)


def strings(value: Any) -> Iterator[str]:
    """Every text in a figure."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("bdata", "path"):
                yield from strings(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        yield from strings(value.tolist())


class Elements(HTMLParser):
    """Names of the elements of a document, and the text of each script."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.names: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.scripts: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes.append(dict(attrs))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.names and self.names[-1] == "script":
            self.scripts[-1] += data


# -- any text ----------------------------------------------------------------------------------------------------------


@given(words, st.sampled_from(LOOKS))
@settings(max_examples=8)
def test_no_text_becomes_markup_in_any_figure(texts: list[str], look: Look) -> None:
    for view in views(texts, look):
        assert not isinstance(view.picture, str)
        for said in strings(view.picture.to_dict()):
            rest = OURS.sub("", said)
            assert "<" not in rest and ">" not in rest, said
        assert view.alt and len(view.table)


def test_special_tokens_are_literal_labels() -> None:
    view = draw.heat(torch.eye(3), attention(["<s>", "a", "</s>"]).units, colour="#123456", look=LOOKS[0], title="t")
    assert list(view.picture.layout.xaxis.ticktext) == ["<i>&lt;s&gt;</i>", "a", "<i>&lt;/s&gt;</i>"]  # type: ignore[union-attr]


@given(words, st.sampled_from(("head", "model")), st.booleans(), st.sampled_from(LOOKS))
@settings(max_examples=30)
def test_bertviz_has_exactly_its_own_elements_for_any_text(texts: list[str], kind: str, pair: bool, look: Look) -> None:
    found = attention(texts, pair=pair and len(texts) > 3)
    document = (bertviz.head_view if kind == "head" else bertviz.model_view)(found, look=look, title=texts[1]).picture
    assert isinstance(document, str)
    tree = Elements(document)
    assert tree.names.count("script") == 5 and "img" not in tree.names and "iframe" not in tree.names
    selects = (kind == "head") + (len(bertviz._sides(found)[1]) > 1)
    assert tree.names.count("select") == selects and tree.names.count("div") == 2
    assert not any(name.startswith("on") or name in ("src", "href") for a in tree.attributes for name in a)
    data = json.loads(tree.scripts[0])
    assert data["tokens"] == [bertviz._label(text) for text in texts]
    weights = np.frombuffer(zlib.decompress(base64.b64decode(data["weights"])), dtype=np.uint8).reshape(
        2, 2, len(texts), -1
    )
    np.testing.assert_allclose(weights / 255, found.weights.numpy(), atol=0.5 / 255 + 1e-6)


@given(words)
@settings(max_examples=10)
def test_a_page_of_views_has_exactly_its_own_elements(texts: list[str]) -> None:
    found = attention(texts)
    several = [
        bertviz.head_view(found, look=LOOKS[0], title=texts[1]),
        bertviz.model_view(found, look=LOOKS[0], title="x"),
    ]
    tree = Elements(page(several))
    assert tree.names.count("section") == tree.names.count("iframe") == 2
    assert "script" not in tree.names and "img" not in tree.names
    inside = [a["srcdoc"] for a in tree.attributes if "srcdoc" in a]
    assert inside == [html.unescape(html.escape(str(view.picture))) for view in several]


# -- the same numbers --------------------------------------------------------------------------------------------------


def test_tables_hold_what_is_drawn() -> None:
    found = attention(["[CLS]", "a", "b", "[SEP]"])
    view = draw.heat(found.mean(1, [0]), found.units, colour="#123456", look=LOOKS[0], title="t")
    assert not isinstance(view.picture, str)
    np.testing.assert_allclose(view.picture.data[0].z.flatten(), view.table["weight"], rtol=1e-6)
    bars = draw.from_one(found.mean(1), found.units, 2, colour="#123456", look=LOOKS[0], title="t")
    assert not isinstance(bars.picture, str)
    np.testing.assert_allclose(bars.picture.data[0].x, bars.table["is looked at"], rtol=1e-6)
    np.testing.assert_allclose(bars.picture.data[1].x, bars.table["looks at it"], rtol=1e-6)


def test_thumbnails_name_their_heads() -> None:
    found = attention([str(n) for n in range(70)], layers=3, heads=4)
    view = draw_heads.thumbnails(found, heads_of.of(found), colour="#123456", look=LOOKS[0], title="t")
    assert not isinstance(view.picture, str)
    picture, points = view.picture.data
    assert [tuple(place) for place in points.customdata] == [(a, b) for a in range(3) for b in range(4)]
    step = draw_heads.THUMBNAIL + 3
    for (layer, head), x, y in zip(points.customdata, points.x, points.y, strict=True):
        block = picture.z[layer * step : layer * step + 32, head * step : head * step + 32]
        assert block.max() == round(255 * float(found.weights[layer, head].max()) ** 0.5)
        assert abs(x - (head * step + 15.5)) < 1e-9 and abs(y - (layer * step + 15.5)) < 1e-9


def test_taps_beyond_the_ends_are_named_padding() -> None:
    kernels = Kernels(torch.full((1, 1, 3, 5), 0.2), attention(["[CLS]", "a", "[SEP]"]).units)
    view = draw_kernels.laid_over(
        kernels.weights[0, 0, 0], kernels.units, 0, colour="#123456", look=LOOKS[0], title="t"
    )
    assert not isinstance(view.picture, str)
    assert list(view.picture.data[0].marker.pattern.shape) == ["/", "/", "", "", ""]
    assert [said.startswith("<i>padding") for said in view.picture.layout.xaxis.ticktext] == [True, True, *[False] * 3]
    assert view.table["token"].tolist() == [draw_kernels.EDGE] * 2 + ["[CLS]", "a", "[SEP]"]


# -- size and source ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sharpness", [0.0, 0.7, 1.5, 4.0])
def test_bertviz_of_twelve_by_twelve_heads_and_128_pieces_is_at_most_2_mb(sharpness: float) -> None:
    weights = torch.randn(12, 12, 128, 128, generator=torch.Generator().manual_seed(0)).mul(sharpness).softmax(-1)
    units = attention(["x" * 12] * 128).units
    view = bertviz.model_view(Attention(weights, units), look=LOOKS[0], title="t")
    assert len(view.picture) <= 2_000_000  # type: ignore[arg-type]


def test_no_view_of_128_positions_sends_more_than_8_mb() -> None:
    texts = [f"word{n}" for n in range(128)]
    weights = torch.rand(12, 12, 128, 128, generator=torch.Generator().manual_seed(0)).softmax(-1)
    found = Attention(weights, attention(texts).units)
    heads = heads_of.of(found)
    for view in (
        draw_heads.thumbnails(found, heads, colour="#123456", look=LOOKS[0], title="t"),
        draw_heads.likeness(heads, colour="#123456", look=LOOKS[0], title="t"),
        draw.heat(found.mean(0), found.units, colour="#123456", look=LOOKS[0], title="t"),
    ):
        assert len(view.picture.to_json()) <= 8_000_000  # type: ignore[union-attr]


def test_long_texts_leave_room_for_some_layers() -> None:
    found = Attention(torch.full((12, 12, 512, 512), 1 / 512), attention(["x"] * 512).units)
    fit = bertviz.layers_that_fit(found)
    assert fit == 1
    with pytest.raises(ValueError, match="1 to 1 layers"):
        bertviz.head_view(found, look=LOOKS[0], title="t")
    assert len(bertviz.head_view(found, look=LOOKS[0], title="t", layers=[7]).picture) < 8_000_000  # type: ignore[arg-type]


def test_bertviz_lets_only_its_own_scripts_run() -> None:
    document = bertviz.head_view(attention(["a", "b", "c"]), look=LOOKS[1], title="t").picture
    tree = Elements(str(document))
    policy = next(a["content"] for a in tree.attributes if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and "default-src 'none'" in policy
    for script in tree.scripts[1:]:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "cdnjs" not in str(document).split("require.config")[0]


def test_vendored_scripts_are_those_of_the_readme() -> None:
    said = (bertviz.ASSETS / "README.md").read_text(encoding="utf-8")
    for name in bertviz.LIBRARIES:
        data = (bertviz.ASSETS / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() in said
        assert b"</script" not in data.lower()
    assert (bertviz.ASSETS / "LICENSE-d3.txt").is_file() and (bertviz.ASSETS / "LICENSE-jquery.txt").is_file()


def test_bertviz_is_read_and_neither_it_nor_what_it_drags_in_is_imported() -> None:
    code = (
        "import sys\nfrom bortlab.views import bertviz\nbertviz._template('head'), bertviz._template('model')\n"
        "dragged_in = {'bertviz', 'transformers', 'boto3', 'matplotlib', 'IPython'}\n"
        "assert not dragged_in & set(sys.modules), dragged_in & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)


def test_another_bertviz_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bertviz._template.cache_clear()
    monkeypatch.setitem(bertviz._PATCHES, "head", (("no such line", 1, ""),))
    with pytest.raises(ValueError, match=r"not BertViz 1\.4\.1"):
        bertviz._template("head")
    bertviz._template.cache_clear()


def test_a_view_shows_itself_in_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("bortlab.views.view.webbrowser.open", opened.append)
    found = attention(["a", "b", "c"])
    draw.heat(found.mean(0), found.units, colour="#123456", look=LOOKS[0], title="<who>").show()
    path = Path(opened[0].removeprefix("file://"))
    said = path.read_text(encoding="utf-8")
    path.unlink()
    assert "&lt;who&gt;" in said and "Plotly.newPlot" in said and "<who>" not in said


def test_a_view_shows_itself_and_its_table_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[Any] = []
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", lambda *things: displayed.extend(things))
    view = draw.heat(*matrix(), colour="#123456", look=LOOKS[0], title="t")
    view.show()
    assert displayed[0] is view and displayed[1] is view.table


def matrix() -> tuple[torch.Tensor, tuple[Any, ...]]:
    heads = attention(["a", "b</iframe>", "c"])
    return heads.mean(0), heads.units


def test_a_figure_is_what_plotly_shows_in_this_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    view = draw.heat(*matrix(), colour="#123456", look=LOOKS[0], title="t")
    monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")
    bundle = view._repr_mimebundle_()
    assert bundle["application/vnd.plotly.v1+json"]["data"] and bundle["text/plain"] == view.alt
    formatted, _ = DisplayFormatter().format(view)  # as a cell's last expression
    assert {"text/plain", "application/vnd.plotly.v1+json"} <= set(formatted)


def test_where_plotly_knows_no_notebook_a_view_is_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plotly.io.renderers, "default", "")
    view = draw.heat(*matrix(), colour="#123456", look=LOOKS[0], title="t")
    frame = Elements(view._repr_mimebundle_()["text/html"])
    assert frame.names == ["iframe"] and frame.attributes[0]["srcdoc"].startswith("<!doctype html>")


def test_a_document_is_shown_in_a_frame_and_a_fragment_as_it_is() -> None:
    heads = attention(["a", "b</iframe>", "c"])
    document = bertviz.head_view(heads, look=LOOKS[0], title="t")
    frame = Elements(document._repr_mimebundle_()["text/html"])
    assert frame.names == ["iframe"] and frame.attributes[0]["srcdoc"] == document.picture
    fragment = View("t", Fragment("<p>a</p>", "<style>p {}</style>"), "t: a.", document.table)
    assert fragment._repr_mimebundle_() == {"text/plain": "t: a.", "text/html": "<style>p {}</style><p>a</p>"}
    assert "<p>a</p>" in fragment.page() and "<style>p {}</style>" in fragment.page()
