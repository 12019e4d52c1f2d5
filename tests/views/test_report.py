"""A report as a file: all that was saved comes back, nothing in it acts, and what is no report is a sentence."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from typing import Any

import pandas
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bortlab
from bortlab.analysis import tokens
from bortlab.models import FAMILIES
from bortlab.views import ideas
from bortlab.views import tokens as draw_tokens
from bortlab.views.report import saved
from bortlab.views.report.reading import NotAReportError, read
from bortlab.views.report.saved import Report, SavedPicture, SavedTable, SavedView
from bortlab.views.report.writing import to_html
from bortlab.views.theme import Look
from bortlab.views.view import View

LIGHT = Look("light")
TABLE = pandas.DataFrame({"word": ["a", "=1+1"], "share": [0.123456789, float("nan")], "number": [1, 2_000]})
FIGURE = View("Bars", go.Figure(go.Bar(x=["a", "b"], y=[1, 2])), "Bars: a 1, b 2.", TABLE)
PROGRAM = View("BertViz", "<!doctype html><script>alert(1)</script>", "BertViz: lines.", TABLE)


def strip() -> View:
    model = bortlab.load("bert-mini")
    cut = tokens.cut(model.tokenizer, "An unbelievable [MASK] <b>.")
    return draw_tokens.strip([draw_tokens.ModelCut("BERT mini", "bert", cut)], LIGHT)


def view(*pictures: View, **changes: Any) -> SavedView:
    given: dict[str, Any] = {
        "name": "Predict",
        "page": "predict",
        "question": "What does each model put in the blank?",
        "base": "http://localhost:8501/predict",
        "query": {"text": ["Paris is the [MASK]."], "models": ["bert-mini", "albert-mini"]},
        "saved": "2026-11-26T10:00:00+00:00",
        "models": {"BERT mini": "bundled, fingerprint 123"},
        "versions": {"bortlab": bortlab.__version__},
        "pictures": tuple(saved.picture_of(picture, "light") for picture in pictures),
        "tables": tuple(saved.table_of(picture.title, picture.table) for picture in pictures),
        "python": ("import bortlab\n",),
        "note": "Look\nat <this>.",
    }
    return SavedView(**(given | changes))


class Markup(HTMLParser):
    """The tags of a page, and what its scripts are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attributes if name.startswith("on")]
        assert not [
            value
            for name, value in attributes
            if name in ("src", "href") and value and ":" in value[:11] and not value.startswith("http")
        ]


def packed(content: bytes) -> bytes:
    block = base64.b64encode(gzip.compress(content, mtime=0)).decode()  # the same name of the test in every process
    return f'<script type="application/octet-stream" id="bortlab-report">{block}</script>'.encode()


def test_everything_comes_back() -> None:
    drawings = [idea for family in FAMILIES if (idea := ideas.draw(family, LIGHT)) is not None]
    report = Report("Ä <b>visit</b>", (view(FIGURE, strip(), PROGRAM, *drawings), view(name="שלום", note="")))
    page = to_html(report)
    again = read(page.encode())
    assert replace(again, views=()) == replace(report, views=())
    for before, after in zip(report.views, again.views, strict=True):
        assert replace(after, pictures=()) == replace(before, pictures=())
        for picture, kept in zip(before.pictures, after.pictures, strict=True):
            assert (kept.title, kept.alt, kept.mode, kept.style) == (
                picture.title,
                picture.alt,
                picture.mode,
                picture.style,
            )
            assert re.findall("<[a-z]+", kept.body) == re.findall("<[a-z]+", picture.body)
            attributes = r' ([\w-]+="[^"]*")'
            assert sorted(re.findall(attributes, kept.body)) == sorted(re.findall(attributes, picture.body))
            if picture.figure:
                assert json.loads(kept.figure)["data"] == json.loads(picture.figure)["data"]
    assert read(to_html(again).encode()) == again


def test_a_page_shows_what_was_saved() -> None:
    long = pandas.DataFrame({"n": range(1_000)})
    tables = (saved.table_of("Predictions", TABLE), saved.table_of("Long", long))
    page = to_html(Report("Visit", (view(FIGURE, tables=tables),)))
    for words in (
        "Paris is the [MASK].",
        "0.123457",
        "2,000",
        "import bortlab",
        "Look",
        "at &lt;this&gt;.",
        "26 November",
    ):
        assert words in page
    assert "1,000 rows, the first 200 here" in page and page.count("<tr>") == 2 + 1 + 1 + saved.MOST_ROWS
    assert 'href="http://localhost:8501/predict?text=Paris+is+the+%5BMASK%5D.&amp;models=bert-mini' in page
    assert "alert(1)" not in to_html(Report("Visit", (view(PROGRAM),)))


def test_plotly_is_there_once_and_only_where_it_draws() -> None:
    with_figures, without = to_html(Report("", (view(FIGURE), view(FIGURE)))), to_html(Report("", (view(strip()),)))
    assert with_figures.count("bortlab-plotly") == without.count("bortlab-plotly") + 1
    assert len(with_figures) < 2_500_000 and len(without) < 50_000


@given(st.text(max_size=80), st.text(max_size=80), st.dictionaries(st.text(max_size=9), st.lists(st.text(max_size=9))))
def test_any_text_is_text(name: str, note: str, query: dict[str, list[str]]) -> None:
    plain = SavedView("", "", "", "", {}, "", {}, {}, (), (), ())
    text = replace(plain, name=name, note=note, query=query, question=note, base=name, saved=note, models={name: note})
    text = replace(text, tables=(SavedTable(name, (note,), ((name,),), 1),), python=(note,))
    report = Report(name, (text,))
    page = to_html(report)
    assert read(page.encode("utf-8", "surrogatepass")) == report
    tags = Markup(page).tags
    assert tags.count("script") == 2 and tags.count("section") == 1 and tags.count("img") == 0


ATTACKS = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</template><script>alert(1)</script>",
    '<a href="javascript:alert(1)">x</a>',
    '<svg><a href="javascript:alert(1)"><text>x</text></a><foreignObject><iframe></iframe></foreignObject></svg>',
    '<div onclick="alert(1)" style="color:red">x</div>',
    "<form action=http://evil.example><input name=a></form>",
    "<style>@import 'http://evil.example'</style><link rel=stylesheet href=http://evil.example>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
]


@pytest.mark.parametrize("body", ATTACKS)
def test_nothing_of_a_foreign_picture_acts(body: str) -> None:
    attack = SavedPicture("x", "x", "light", body=body, style="</style><script>alert(1)</script>")
    report = read(to_html(Report("x", (view(pictures=(attack,), tables=()),))).encode())
    (picture,) = report.views[0].pictures
    assert picture.style == ""
    page = to_html(report)
    assert not {"img", "iframe", "form", "input", "link", "math", "foreignobject"} & set(Markup(page).tags)
    assert Markup(page).tags.count("script") == 2
    assert "default-src 'none'" in page and "unsafe-eval" not in page and page.count("'unsafe-inline'") == 1


@pytest.mark.parametrize(
    "style", ["a{background:url(http://evil.example)}", "@import 'x'", "a{background:u\\72l(x)}", "</style><b>"]
)
def test_a_foreign_style_sheet_fetches_nothing(style: str) -> None:
    picture = SavedPicture("x", "x", "light", body="<p>x</p>", style=style)
    report = read(to_html(Report("x", (view(pictures=(picture,), tables=()),))).encode())
    assert report.views[0].pictures[0].style == ""


def changed(**changes: Any) -> bytes:
    values = asdict(Report("x", (view(FIGURE),)))
    return packed(json.dumps(values | changes, default=str).encode())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a report of the lab"),
        (b"\x00\xff" * 100, "not a report of the lab"),
        (b"<!doctype html><title>Another page</title>", "not a report of the lab"),
        (b"x" * (saved.MOST_BYTES + 1), "at most 5 MB"),
        (packed(b"{"), "damaged"),
        (packed(b"[" * 100_000), "damaged"),
        (packed(b"0" * (saved.MOST_VALUES_BYTES + 1)), "damaged"),
        (packed(b"{}")[:-40] + b"</script>", "damaged"),
        (changed(format=2), "newer lab"),
        (changed(title="x" * 201), "damaged"),
        (changed(views=[{}]), "damaged"),
        (changed(views=7), "damaged"),
    ],
)
def test_what_is_no_report_is_a_sentence(content: bytes, words: str) -> None:
    with pytest.raises(NotAReportError, match=words):
        read(content)


def test_a_figure_that_plotly_does_not_know_is_a_sentence() -> None:
    for figure in ("{", "7", '{"data": [{"type": "program"}]}', '{"data": 7}'):
        picture = SavedPicture("Bars", "x", "light", figure=figure)
        content = packed(saved.adapter().dump_json(Report("x", (view(pictures=(picture,), tables=()),))))
        with pytest.raises(NotAReportError, match="Bars"):
            read(content)
