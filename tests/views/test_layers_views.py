"""Tables of cells, curves and planes: the numbers are the data's, foreign text is escaped, every cell can be read."""

from __future__ import annotations

import html
import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.analysis.embeddings import Plane
from bortlab.analysis.lens import Lens, Use
from bortlab.analysis.predict import Word
from bortlab.analysis.surprise import Surprise, WordSurprise
from bortlab.models import FAMILIES
from bortlab.text import Encoding
from bortlab.views import cells, escape, theme
from bortlab.views import layers as view
from bortlab.views.cells import Cell
from bortlab.views.layers import Row
from bortlab.views.theme import Look
from tests.views.test_figures import contrast

LOOKS = [Look("light"), Look("dark")]
HOSTILE = ["<script>", "<b>", '"onload="x', "&lt;", "\u202e", "</table>", "a<br>b"]
each_look = pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.mode)


def encoding(words: list[str]) -> Encoding:
    """A text of these words, each one piece, between two template pieces."""
    text = " ".join(words)
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    spans = [(int(end) - len(word), int(end)) for word, end in zip(words, ends, strict=True)]
    n = len(words)
    return Encoding(
        text=text,
        pair=None,
        ids=(0, *range(1, n + 1), 0),
        type_ids=(0,) * (n + 2),
        tokens=("<s>", *words, "</s>"),
        offsets=((0, 0), *spans, (0, 0)),
        special=(True, *[False] * n, True),
        words=(None, *range(n), None),
        mask_positions=(),
    )


def a_lens(words: list[str], *, guess: str = "x", depth: int = 2, tuned: bool = False) -> Lens:
    """A lens of `depth` layers over a text, with numbers of its own in every place."""
    n, rng = len(words) + 2, np.random.default_rng(0)
    shape = (depth + 1, n)
    uses = tuple(Use(k + 1, 1, k + 1, depth) for k in range(depth))
    similarity = rng.uniform(-1, 1, shape)
    similarity[0] = math.nan
    return Lens(
        encoding=encoding(words),
        uses=uses,
        tuned=tuned,
        ids=np.zeros((*shape, 1), dtype=np.int64),
        log_probabilities=np.log(rng.uniform(0.01, 1, (*shape, 1))),
        texts={0: guess},
        answer=np.zeros(n, dtype=np.int64),
        probability=rng.uniform(0, 1, shape),
        rank=rng.integers(1, 9, shape),
        entropy=rng.uniform(0, 9, shape),
        divergence=rng.uniform(0, 9, shape),
        similarity=similarity,
        norm=rng.uniform(1, 9, shape),
        settled=rng.integers(0, depth + 1, n),
    )


class Tags(HTMLParser):
    """Tags, attributes and text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag in ("div", "table", "thead", "tbody", "tr", "th", "td", "small", "bdi"), tag
        assert {name for name, _ in attrs} <= {"class", "style", "title", "scope", "role", "tabindex", "aria-label"}
        self.open.append(tag)
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def tinted(source: str) -> list[float]:
    """Opacity of each cell."""
    return [
        float(re.search(r"([\d.]+)\)$", about["style"])[1]) if "style" in about else 0.0  # type: ignore[index]
        for tag, about in Tags(source).attributes
        if tag == "td"
    ]


@each_look
@pytest.mark.parametrize("measure", view.MEASURES)
def test_a_lens_table_shows_every_piece_in_every_layer(look: Look, measure: str) -> None:
    found = a_lens(HOSTILE, guess="<img src=x>")
    source = view.lens_table(found, measure=measure, focus=3, family="albert", title="<i>", look=look).picture.body
    tags = Tags(source)
    assert sum(tag == "td" for tag, _ in tags.attributes) == 3 * len(HOSTILE)
    for word in HOSTILE:
        assert escape.visible(word) in tags.text
    for row in range(3):
        for position in found.own:
            assert view.written(measure, view.value(found, measure, row, position)) in tags.text
    settled = [about.get("class") == "bl-settled" for tag, about in tags.attributes if tag == "td"]
    assert settled == [found.settled[p] == row for row in range(3) for p in found.own]
    assert all(0 <= alpha <= cells.STRONGEST for alpha in tinted(source))
    focused = [about.get("class") for tag, about in tags.attributes if tag == "th" and "scope" in about]
    assert focused[: len(HOSTILE)].index("bl-focus") == 2  # position 3 is the third word
    assert "2 (block 1, use 2)" in tags.text


def test_a_long_text_is_shown_around_the_word_that_is_looked_at() -> None:
    found = a_lens([f"w{n}" for n in range(200)])
    for focus in (None, 1, 100, 200):
        shown = view.positions(found, focus)
        assert len(shown) == view.SHOWN and shown == list(range(shown[0], shown[0] + view.SHOWN))
        assert focus is None or focus in shown
    assert view.positions(a_lens(["a"]), None) == [1]


@each_look
def test_every_cell_can_be_read_and_not_by_colour_alone(look: Look) -> None:
    paper = theme.PAPER[look.mode]
    for family in FAMILIES:
        assert contrast(look.ink, paper, under=look.family(family), alpha=cells.STRONGEST) >= 4.5
    assert f"color: {look.ink}" in cells.style(look)


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=40))
def test_any_cell_is_safe(tint: float, text: str) -> None:
    source = cells.grid("", [text], [(text, [Cell(text, text, tint, text)])], colours=["#0a10ff"], label=text)
    Tags(source)
    (alpha,) = tinted(source)
    assert alpha == pytest.approx(cells.STRONGEST * min(1, max(0, tint)), abs=0.006)


@each_look
@pytest.mark.parametrize("measure", view.MEASURES)
def test_curves_are_the_numbers_and_tell_models_apart_without_colour(look: Look, measure: str) -> None:
    plain, tuned = a_lens(HOSTILE), a_lens(HOSTILE, tuned=True)
    lines = [
        view.curve(found, measure=measure, position=2, title=title, family=family)
        for found, title, family in ((plain, "<A>", "albert"), (tuned, "<A>", "albert"), (plain, "B", "bert"))
    ]
    drawn = view.curves(lines, measure=measure, look=look)
    figure = drawn.picture
    for trace, line in zip(figure.data, lines, strict=True):
        numbers = [view.value(plain, measure, row, 2) for row in range(3)]
        assert list(trace.x) == [0, 1, 2] and np.array_equal(trace.y, numbers, equal_nan=True)
        assert trace.line.dash == ("dash" if line.tuned else "solid")
    assert [trace.name for trace in figure.data] == ["&lt;A&gt;", "&lt;A&gt;, tuned", "B"]
    assert figure.data[0].marker.symbol != figure.data[2].marker.symbol
    assert "<A>" not in json.dumps(figure.to_plotly_json(), default=list)
    words = drawn.alt
    assert view.MEASURES[measure] in words and "tuned lens" in words


@each_look
def test_surprise_shows_bits_and_what_is_not_known(look: Look) -> None:
    bits = {"<b>": 4.0, "the": 1.0, "漢": 9.0}
    words = tuple(
        WordSurprise(Word(text, 0, 1), n, (text,), -b * math.log(2), text != "漢")
        for n, (text, b) in enumerate(bits.items())
    )
    one, part = Surprise(encoding(list(bits)), words, 9, 0), Surprise(encoding(list(bits)), words[:1], 3, 2)
    source = view.surprise_table([(Row("A", "albert"), one), (Row("<B>", "bert"), part)], look).picture.body
    found = [html.unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", source)]
    assert found == ["4.0", "1.0", "?", "4.0", "–", "–"]
    assert tinted(source)[0] == pytest.approx(cells.STRONGEST) and tinted(source)[2] == 0
    assert "says nothing" in source and "&lt;B&gt;" in source


@each_look
def test_planes_and_similarities_show_every_sentence(look: Look) -> None:
    texts = [*HOSTILE, "x" * 500]
    points = np.random.default_rng(0).normal(size=(len(texts), 2))
    row = Row("<A>", "bort")
    for shares in ((0.5, 0.25), None):
        figure = view.plane_map(Plane(points, shares), texts, row, look).picture
        (trace,) = figure.data
        assert np.allclose(np.stack([trace.x, trace.y], 1), points)
        assert list(trace.text) == [str(n + 1) for n in range(len(texts))]
        assert not any("<" in text for text in trace.hovertext) and max(map(len, trace.hovertext)) < 100
        assert ("50%" in figure.layout.xaxis.title.text) == (shares is not None)
    assert view.plane_map(Plane(points, None), texts, row, look).alt.count(" at ") == len(texts)
    cosines = np.array([[1.0, -0.4], [-0.4, 1.0]])
    source = view.similarity_table(cosines, row, look).picture.body
    assert re.findall(r"-?\d\.\d\d(?=<)", source) == ["1.00", "-0.40", "-0.40", "1.00"]
    assert tinted(source)[1] == 0
    figure = view.mean_curves([(row, [0.1, 0.2])], look).picture
    assert list(figure.data[0].y) == [0.1, 0.2] and "&lt;A&gt;" in figure.data[0].name
