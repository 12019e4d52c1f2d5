"""The strip of pieces: exactly the expected elements for any text, the text preserved, lists that break alike."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab.analysis import alignment
from bortlab.analysis import tokens as analysis
from bortlab.models import FAMILIES
from bortlab.text import Tokenizer, TokenizerKind
from bortlab.training.vocabulary import train_tokenizer
from bortlab.views import chips as chips_of
from bortlab.views import escape
from bortlab.views import tokens as view
from bortlab.views.theme import Look

LOOK = Look("light")
CORPUS = ["Paris is the capital of France; a naïve café, the city, 1,000 words!"] * 30
KINDS: tuple[TokenizerKind, ...] = ("unigram", "wordpiece", "byte-bpe")
NASTY = [
    "",
    " ",
    "the city",
    "naïve café e\u0301\u0301",
    "😀 👨\u200d👩\u200d👧",
    "שלום the مرحبا",
    "日本語",
    "a\u202eb\u200b",
    "</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="x',
    "' x='",
    "<s> </s> <pad>",
    "[CLS] [SEP]",
    ":smile:",
    "[MASK] [MASK]x",
    "&lt;b&gt;",
    "x" * 150,
    "two  spaces\n",
    "\x00\x1b\ud800",
    "<!-- -->",
    "½ ﬁ",
    "\u0301",
]
texts = st.lists(st.sampled_from(NASTY) | st.text(max_size=8), max_size=4).map(" ".join)
VOID = {"br", "img", "hr", "input", "meta", "link"}


class Tree(HTMLParser):
    """Every element as (tag, attributes, text inside), in the order in which they begin."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str], list[str], list[int]]] = []
        self.open: list[int] = []
        self.feed(source)
        self.close()
        assert not self.open, "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in VOID
        self.elements.append((tag, {name: value or "" for name, value in attrs}, [], [*self.open]))
        self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self.open.pop()][0] == tag, "elements overlap"

    def handle_data(self, data: str) -> None:
        for number in self.open:
            self.elements[number][2].append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment

    def inside(self, number: int, tag: str) -> list[tuple[int, dict[str, str], str]]:
        return [
            (n, attributes, "".join(text))
            for n, (name, attributes, text, above) in enumerate(self.elements)
            if name == tag and number in above
        ]


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {kind: train_tokenizer(kind, CORPUS, vocab_size=400) for kind in KINDS}


def shown(
    tokenizers: dict[str, Tokenizer], text: str, pair: str | None = None, title: str = "A <b>"
) -> list[view.ModelCut]:
    families = ["albert", "bert", "bort"]
    return [
        view.ModelCut(title, family, analysis.cut(tokenizer, text, pair))
        for family, tokenizer in zip(families, tokenizers.values(), strict=True)
    ]


def lists(tree: Tree) -> list[int]:
    return [n for n, (tag, *_) in enumerate(tree.elements) if tag == "ol"]


def chips(tree: Tree, number: int) -> list[tuple[int, dict[str, str], str]]:
    return [found for found in tree.inside(number, "span") if "bt-p" in found[1].get("class", "").split()]


def check(models: list[view.ModelCut], source: str) -> Tree:
    tree = Tree(source)
    assert {tag for tag, *_ in tree.elements} <= {"div", "p", "b", "bdi", "ol", "li", "span"}
    for tag, attributes, *_ in tree.elements:
        assert set(attributes) <= {"class", "style", "title", "aria-label", "aria-hidden", "role", "tabindex", "dir"}
        assert re.fullmatch(r"[-#\w:;.,() ]*", attributes.get("style", "")), tag
        assert attributes.get("class", "") == "" or attributes["class"].startswith("bt-")
    rows = lists(tree)
    assert len(rows) == len(models) + 1
    widths = [[a["style"] for _, a, _ in tree.inside(row, "li")] for row in rows]
    assert all(own == widths[0] for own in widths)  # so that all lists break their lines alike
    for row, model in zip(rows[1:], models, strict=True):
        whole = [found for found in chips(tree, row) if found[2] != "…" or "…" in found[1]["title"].split(" ·")[0]]
        expected = [chips_of.label(p) + ("blank" if p.role == "mask" else "") for p in model.cut.pieces]
        assert [text for _, _, text in whole] == expected
        assert [a["title"] for _, a, _ in whole] == [chips_of.about(p) for p in model.cut.pieces]
    return tree


@settings(max_examples=100, deadline=None)
@given(text=texts, pair=st.none() | texts)
def test_any_text_gives_exactly_the_expected_elements(tokenizers: dict[str, Tokenizer], text: str, pair: Any) -> None:
    models = shown(tokenizers, text, pair)
    tree = check(models, view.strip(models, LOOK, most=10_000).picture.body)
    said = [t for _, _, t in tree.inside(lists(tree)[0], "li")]
    sources = {None: "", 0: models[0].cut.text, 1: models[0].cut.pair or ""}
    columns = alignment.align({str(n): model.cut for n, model in enumerate(models)})
    assert said == [escape.visible(sources[c.part][c.start : c.end], spaces=True) for c in columns]


@pytest.mark.parametrize("text", NASTY)
def test_nasty_texts_one_by_one(tokenizers: dict[str, Tokenizer], text: str) -> None:
    for models in (shown(tokenizers, text), shown(tokenizers, text, text)):
        check(models, view.strip(models, LOOK).picture.body)
        check(models[:1], view.strip(models[:1], LOOK).picture.body)


def test_the_text_stands_above(tokenizers: dict[str, Tokenizer]) -> None:
    tree = check(models := shown(tokenizers, "naïve <s> cafe\u0301"), view.strip(models, LOOK).picture.body)
    row = lists(tree)[0]
    assert [text for _, _, text in tree.inside(row, "li") if text.strip("␣")] == ["naïve", "<s>", "cafe\u0301"]


def test_chips_are_told_apart_without_colour(tokenizers: dict[str, Tokenizer]) -> None:
    models = shown(tokenizers, "the 日 [MASK] é", "x")
    tree = check(models, view.strip(models, LOOK).picture.body)
    for row, model in zip(lists(tree)[1:], models, strict=True):
        for (_, attributes, _), piece in zip(chips(tree, row), model.cut.pieces, strict=True):
            names = attributes["class"].split()
            assert ("bt-t" in names) == (piece.role == "template") and ("bt-u" in names) == (piece.role == "unknown")
            assert ("bt-m" in names) == (piece.role == "mask") and ("bt-hex" in names) == piece.fragment
    sheet = chips_of.style(LOOK)
    assert "dashed" in sheet and "repeating-linear-gradient" in sheet and "border: 1px solid" in sheet


def test_bytes_are_shown(tokenizers: dict[str, Tokenizer]) -> None:
    pieces = analysis.cut(tokenizers["byte-bpe"], "日").own
    assert [chips_of.label(piece) for piece in pieces] == ["E6", "97", "A5"]
    assert "bytes E6" in chips_of.about(pieces[0]) and "characters 0–1" in chips_of.about(pieces[0])
    assert chips_of.label(analysis.cut(tokenizers["wordpiece"], "[MASK]").own[0]) == chips_of.BLANK


def test_right_to_left_words_run_from_the_right(tokenizers: dict[str, Tokenizer]) -> None:
    models = shown(tokenizers, "the שלום city")
    tree = check(models, view.strip(models, LOOK).picture.body)
    for row in lists(tree):
        directions = [attributes.get("dir") for _, attributes, _ in tree.inside(row, "li")]
        assert directions.count("rtl") == 1


def test_columns_are_wide_enough(tokenizers: dict[str, Tokenizer]) -> None:
    models = shown(tokenizers, "the 日 é city [MASK]")
    tree = check(models, view.strip(models, LOOK).picture.body)
    for row in lists(tree)[1:]:
        for _, attributes, text in chips(tree, row):
            width = float(attributes["style"].removeprefix("--n:"))
            small = 0.8 if {"bt-hex", "bt-t"} & set(attributes["class"].split()) else 1.0
            assert width >= small * view.columns_of(text.removesuffix("blank")) - 1e-6


def test_a_long_text_is_cut(tokenizers: dict[str, Tokenizer]) -> None:
    models = shown(tokenizers, "the city " * 2000)
    tree = Tree(source := view.strip(models, LOOK).picture.body)
    said = "".join(t for _, _, t in tree.inside(lists(tree)[0], "li"))
    assert len(said.replace("␣", "")) == view.MOST_DRAWN // 9 * 7 + len("th") and len(source) < 1_500_000


def test_a_title_and_a_family_are_text(tokenizers: dict[str, Tokenizer]) -> None:
    models = shown(tokenizers, "the", title='"><script>alert(1)</script>')
    assert 'x"><script' not in view.strip(models, LOOK).picture.body
    tree = check(models, view.strip(models, LOOK).picture.body)
    assert tree.elements[lists(tree)[1]][1]["aria-label"].startswith('"><script>')


@settings(max_examples=40, deadline=None)
@given(text=texts)
def test_tables_of_any_text(tokenizers: dict[str, Tokenizer], text: str) -> None:
    models = {m.family: m for m in shown(tokenizers, text)}
    found = analysis.differences({name: m.cut for name, m in models.items()}, most=100)
    tree = Tree(view.differences_table(found, models, LOOK).picture.body)
    names = [tag for tag, *_ in tree.elements]
    assert set(names) <= {"div", "table", "thead", "tbody", "tr", "th", "td", "span", "bdi", "b"}
    assert names.count("tr") == len(found) + 1 and names.count("td") == len(found) * len(models)


def test_the_table_of_vocabularies(tokenizers: dict[str, Tokenizer]) -> None:
    models = {m.family: m for m in shown(tokenizers, "the")}
    words = {"albert": frozenset("abcd"), "bert": frozenset("ab"), "bort": frozenset("a")}
    tree = Tree(view.overlap_table(analysis.overlap(words), models, LOOK).picture.body)
    cells = ["".join(text) for tag, _, text, _ in tree.elements if tag == "td"]
    assert cells == ["4words", "50%2", "25%1", "100%2", "2words", "50%1", "100%1", "100%1", "1words"]
    heads = [attributes for tag, attributes, *_ in tree.elements if tag == "th"]
    assert all(attributes["scope"] in ("col", "row") for attributes in heads)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_style_sheet_is_whole(mode: Any) -> None:
    sheet = chips_of.style(Look(mode))
    assert sheet.count("{") == sheet.count("}") and "<" not in sheet.removeprefix("<style>").removesuffix("</style>")
    assert Look(mode).ink in sheet and "url(" not in sheet and "import" not in sheet
    assert len(FAMILIES) >= 3 and view.key(Look(mode)).count("<li>") == 5
