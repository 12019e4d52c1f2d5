"""Figures and headings: the numbers are the data's, labels are escaped, colours can be read in both themes."""

from __future__ import annotations

import html
import json
import math
import tomllib
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.analysis.predict import Agreement, WordScore
from bortlab.model import Blank, Candidate
from bortlab.models import FAMILIES
from bortlab.system.numbers import percent
from bortlab.views import cards, escape, ideas, theme
from bortlab.views import predict as view
from bortlab.views.figures import CONFIG, LABEL_LINE, labels_beside, labels_that_fit
from bortlab.views.theme import Look

LOOKS = [Look("light"), Look("dark")]
WORDS = ["<s>", "<b>", "</script>", "<a href='http://x'>y</a>", "the", " ", "‮", "a<br>b", "&lt;", "\ud800"]

each_look = pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.mode)
each_family = pytest.mark.parametrize("family", FAMILIES)


def blank(words: list[str]) -> Blank:
    """A blank with these candidates, each half as probable as the one before."""
    chances = [0.5 ** (n + 1) for n in range(len(words))]
    pairs = enumerate(zip(words, chances, strict=True))
    return Blank(1, 0, 6, tuple(Candidate(w, w, n, p, math.log(p)) for n, (w, p) in pairs))


# -- percent -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (1, "100%"),
        (0.61, "61%"),
        (0.0995, "10%"),
        (0.0994, "9.9%"),
        (0.032, "3.2%"),
        (0.00995, "1.0%"),
        (0.00994, "0.99%"),
        (0.0004, "0.04%"),
        (0.0001, "0.01%"),
        (0.00009, "< 0.01%"),
        (1e-30, "< 0.01%"),
        (0, "0%"),
    ],
)
def test_percent_by_example(probability: float, said: str) -> None:
    assert percent(probability) == said


@given(st.floats(0, 1))
def test_percent_is_short_and_close(probability: float) -> None:
    said = percent(probability)
    assert said.endswith("%") and len(said) <= 8
    if not said.startswith("<"):
        number = said.removesuffix("%")
        assert float(number) == pytest.approx(100 * probability, rel=0.051, abs=0.0051)
        assert sum(c.isdigit() for c in number.lstrip("0.")) <= 3
    else:
        assert probability < 1e-4


@given(st.lists(st.floats(0, 1), min_size=2).map(sorted))
def test_percent_never_turns_the_order_round(chances: list[float]) -> None:
    shown = [float(percent(p).removesuffix("%").replace("< 0.01", "0")) for p in chances]
    assert all(a <= b for a, b in pairwise(shown))


# -- bars --------------------------------------------------------------------------------------------------------------


@each_look
@each_family
def test_bars_show_the_numbers_and_the_words(look: Look, family: str) -> None:
    data = blank(WORDS)
    drawn = view.candidate_bars(data, title="BERT mini", family=family, largest=0.8, look=look)
    figure = drawn.picture
    assert drawn.table["probability"].tolist() == [candidate.probability for candidate in data.candidates]
    bars, labels, numbers = figure.data
    chances = [candidate.probability for candidate in data.candidates]
    assert list(bars.x) == chances
    assert list(numbers.text) == [percent(p) for p in chances]
    assert [html.unescape(t).strip() for t in labels.text] == [escape.visible(w) for w in WORDS]
    assert list(bars.y) == list(labels.y) == list(numbers.y) == list(range(len(WORDS)))
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the best on top
    assert figure.layout.xaxis.range[0] == 0 and figure.layout.xaxis.range[1] >= 0.8  # one scale for all models
    assert labels.textfont.color == look.ink


@each_look
@each_family
def test_bars_of_named_words_keep_their_order(look: Look, family: str) -> None:
    chances = [0.01, 0.7, 0.0]
    pairs = zip(["b", "a", "<s>"], chances, strict=True)
    scores = [WordScore(w, (w,), math.log(p or 1e-300), 1, True) for w, p in pairs]
    bars, labels, _ = view.word_bars(scores, title="t", family=family, largest=0.7, look=look).picture.data
    assert list(bars.x) == pytest.approx(chances)
    assert [t.strip() for t in labels.text] == ["b", "a", "&lt;s&gt;"]
    view.word_bars(scores[2:], title="t", family=family, largest=0.0, look=look)  # no scale of length 0


@each_look
def test_no_label_of_a_figure_holds_a_tag(look: Look) -> None:
    figure = view.candidate_bars(blank(WORDS), title="t", family="bort", largest=1, look=look).picture
    texts = [t for trace in figure.data for t in [*(trace.text or ()), *(trace.hovertext or ())]]
    assert len(texts) == 3 * len(WORDS)
    assert not any("<" in text.replace("< 0.01%", "") for text in texts)
    json.dumps(figure.to_plotly_json(), default=list).encode()  # it can be sent


def test_what_a_figure_says_to_those_who_cannot_see_it() -> None:
    words = [("the", 0.5), ("the", 0.25), (" ", 0.1), ("\ud800", 0.00001)]
    candidates = tuple(Candidate(word, word, n, p, math.log(p)) for n, (word, p) in enumerate(words))
    drawn = view.candidate_bars(
        Blank(1, 0, 6, candidates), title="BERT mini, blank 1", family="bert", largest=1, look=LOOKS[0]
    )
    assert drawn.alt == "BERT mini, blank 1: the 50%, the 25%, ␣ 10%, ⟨U+D800⟩ < 0.01%."


def test_the_mode_bar_keeps_nothing_but_the_download() -> None:
    assert CONFIG["displaylogo"] is False and "toImage" not in CONFIG["modeBarButtonsToRemove"]


SPELLED = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)


@given(st.lists(st.tuples(SPELLED, st.sampled_from([0.1, 0.5])), min_size=1, max_size=4), st.lists(SPELLED, max_size=3))
def test_what_models_agree_on_is_said_for_any_words(first: list[tuple[str, float]], common: list[str]) -> None:
    guesses = {str(number): guess for number, guess in enumerate(first)}
    best = max(guesses, key=lambda key: guesses[key][1])
    titles = {key: f"Model {key}" for key in guesses}
    sentence = view.agreement(Agreement(guesses, best, tuple(common)), titles)
    words = {word for word, _ in first}
    assert ("First guesses differ" in sentence) == (len(words) > 1)
    assert ("Both models" in sentence) == (len(first) == 2 and len(words) == 1)
    assert all(f"**{escape.markdown(word)}**" in sentence for word in words)
    assert percent(guesses[best][1]) in sentence and sentence.endswith(".") and ".." not in sentence
    if len(words) > 1:
        assert all(title in sentence for title in titles.values())
        assert ("No guess is shared" in sentence) == (not common)


# -- headings and drawings ---------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Tags and text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert all(name in ("style", "title") for name, _ in attrs)
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@each_look
@each_family
@pytest.mark.parametrize("head", [None, *cards.HEADS])
def test_a_heading_says_title_head_and_facts(look: Look, family: str, head: str | None) -> None:
    found = Tags(cards.model_heading("<img src=x>", family, head=head, facts=["<b>1 M", "2 ms"], look=look))
    assert "<img src=x>" in found.text and "<b>1 M · 2 ms" in found.text
    assert set(found.seen) == {"div", "strong", "bdi", "span"}
    assert head is None or cards.HEADS[head][0] in found.text


@each_look
@pytest.mark.parametrize(("accuracy", "sign"), [(0.30, "✓"), (0.07, "⚠"), (None, "✓")])
def test_an_adapted_model_says_so_in_place_of_its_head(look: Look, accuracy: float | None, sign: str) -> None:
    from bortlab.model import Adaptation

    origin = Adaptation(base="<img src=x>", pieces=2_000_000, accuracy=accuracy, frequency=0.065)
    for head in (None, "adapted", "trained"):
        heading = cards.model_heading("A", "bert", head=head, facts=[], look=look, adaptation=origin, here=True)
        assert f"{sign} adapted here from <img src=x>, 2.0 M pieces" in Tags(heading).text
        assert "trained head" not in heading
        assert accuracy is None or f"{100 * accuracy:.2g}" in Tags(heading).text


def test_every_provenance_has_a_badge() -> None:
    from bortlab.model import PROVENANCES

    assert set(cards.HEADS) == set(PROVENANCES)


@each_look
@each_family
def test_every_drawing_is_a_picture_with_words(look: Look, family: str) -> None:
    drawing = ideas.draw(family, look)
    assert drawing is not None and len(drawing.alt) > 20
    root = ET.fromstring(drawing.picture.body)
    assert root.tag.endswith("svg") and root.find("{http://www.w3.org/2000/svg}title").text == drawing.alt
    width, height = (float(size) for size in root.get("viewBox").split()[2:])
    for element in root.iter():
        assert element.tag.split("}")[1] not in ("script", "foreignObject", "image", "a", "style")
        if element.tag.endswith("rect"):
            x, y, w, h = (float(element.get(name)) for name in ("x", "y", "width", "height"))
            assert 0 <= x <= x + w <= width and 0 <= y <= y + h <= height
        if element.tag.endswith("text"):
            assert 0 <= float(element.get("x")) <= width and 0 <= float(element.get("y")) <= height
    assert ideas.draw("no such family", look) is None


# -- colours -----------------------------------------------------------------------------------------------------------


def channels(colour: str) -> list[int]:
    """#rrggbb as three numbers."""
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def luminance(rgb: list[float]) -> float:
    """WCAG 2.2's relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(front: str, back: str, *, under: str | None = None, alpha: float = 1.0) -> float:
    """WCAG 2.2's contrast of front on back, where `under` of this opacity lies between."""
    behind = [alpha * c + (1 - alpha) * b for c, b in zip(channels(under or back), channels(back), strict=True)]
    light, dark = sorted((luminance(list(map(float, channels(front)))), luminance(behind)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


STREAMLIT = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text(encoding="utf-8"))[
    "theme"
]


@each_look
def test_our_text_can_be_read(look: Look) -> None:
    paper = theme.PAPER[look.mode]
    assert contrast(look.ink, paper) >= 7
    assert contrast(look.faint, paper) >= 4.5
    for family in FAMILIES:
        colour = look.family(family)
        assert contrast(colour, paper) >= 4.5
        assert contrast(look.ink, paper, under=colour, alpha=0.30) >= 4.5  # a word on its bar
        assert contrast(look.faint, paper, under=colour, alpha=0.30) >= 3.0
        assert contrast(look.ink, paper, under=colour, alpha=0.18) >= 4.5  # a badge
    assert len({look.family(family) for family in FAMILIES}) == len(FAMILIES)


@each_look
def test_the_pages_own_colours_can_be_read(look: Look) -> None:
    colours = STREAMLIT[look.mode]
    sidebar = colours["sidebar"]
    assert colours["backgroundColor"] == theme.PAPER[look.mode] and colours["textColor"] == look.ink
    for back in (
        colours["backgroundColor"],
        colours["secondaryBackgroundColor"],
        sidebar["backgroundColor"],
        sidebar["secondaryBackgroundColor"],
        colours["codeBackgroundColor"],
    ):
        assert contrast(colours["textColor"], back) >= 7
        assert contrast(colours["linkColor"], back) >= 4.5
        assert contrast(colours["primaryColor"], back) >= 3  # frames and marks
        assert contrast(look.faint, back) >= 4.5


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_translucent_is_the_same_colour(alpha: float) -> None:
    assert theme.translucent("#0a10ff", alpha) == f"rgba(10,16,255,{alpha:g})"


# -- names beside points -----------------------------------------------------------------------------------------------

places = st.tuples(st.floats(0, 400), st.floats(0, 300))


@given(st.lists(places, min_size=1, max_size=6, unique=True), st.integers(8, 30))
def test_names_of_few_points_never_cover_each_other(points: list[tuple[float, float]], room: int) -> None:
    names = ["TF-IDF + linear", "ConvBERT mini", "BERT mini", "ALBERT mini", "Bort mini", "MiniLM"][: len(points)]
    boxes = []
    for (x, y), (across, down), name in zip(points, labels_beside(points, names, room=room), names, strict=True):
        boxes.append((x + across, y + down, 4.0 * len(name)))
    for place, (x, y, half) in enumerate(boxes):
        for left, top, other in boxes[:place]:
            assert abs(x - left) > half + other - 2 or abs(y - top) > LABEL_LINE - 2  # pixels are whole numbers


def test_a_name_of_a_point_by_itself_stands_above_it() -> None:
    assert labels_beside([(100.0, 100.0)], ["Bort"], room=20) == [(0, -28)]
    beside = labels_beside([(100.0, 100.0), (100.0, 100.0)], ["Bort", "BERT"], room=20)
    assert beside[1] == (0, 28)


@given(st.lists(places, min_size=1, max_size=30), st.integers(8, 30))
def test_names_that_fit_cover_no_name_and_no_point(points: list[tuple[float, float]], room: int) -> None:
    name, boxes = "2-4-224-168", []
    fitting = labels_that_fit(points, [name] * len(points), room=room, within=(400, 300))
    for (x, y), place in zip(points, fitting, strict=True):
        if place is not None:
            boxes.append((x + place[0], y + place[1], 4.0 * len(name)))
    for number, (x, y, half) in enumerate(boxes):
        assert half - 1 <= x <= 401 - half and LABEL_LINE / 2 - 1 <= y <= 301 - LABEL_LINE / 2
        for left, top, other in boxes[:number]:
            assert abs(x - left) > half + other - 2 or abs(y - top) > LABEL_LINE - 2
        for left, top in points:
            assert abs(x - left) > half + room / 2 - 2 or abs(y - top) > (LABEL_LINE + room) / 2 - 2


def test_a_name_without_room_is_left_out() -> None:
    assert labels_that_fit([(100.0, 100.0)], ["Bort"], room=20, within=(400, 300)) == [(0, -28)]
    assert labels_that_fit([(100.0, 10.0)], ["Bort"], room=20, within=(400, 300)) == [(0, 28)]
    assert labels_that_fit([(100.0, 10.0)], ["Bort"], room=20, within=(400, 20)) == [(36, 0)]
    assert labels_that_fit([(100.0, 10.0)], ["Bort" * 30], room=20, within=(400, 300)) == [None]
    crowd = [(100.0 + 3 * n, 100.0) for n in range(40)]
    assert None in labels_that_fit(crowd, ["a long name"] * 40, room=10, within=(400, 300))
