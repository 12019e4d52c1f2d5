"""Foreign text stays text: in HTML, in plotly's labels, in Markdown and in CSV, whatever it holds."""

from __future__ import annotations

import csv
import html
import io
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bortlab.views import escape

NASTY = [
    "",
    " ",
    "   ",
    "    four",
    "a\tb\nc\r\nd",
    "<s>",
    "</s>",
    "<pad>",
    "<b>bold</b>",
    "&amp;",
    "&lt;",
    "&#60;",
    "</script>",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='x",
    "<!--",
    "]]>",
    "![](http://x/y.png)",
    "[a](http://x)",
    "<http://x>",
    "http://x.example/y",
    "**b**",
    "__b__",
    "`code`",
    "# head",
    "- item",
    "1. item",
    "1) item",
    "> quote",
    "***",
    "---",
    "===",
    "| a | b |",
    "\\",
    "\\*",
    "$x$",
    "$$x$$",
    ":smile:",
    ":material/home:",
    ":red[x]",
    ":red-background[x]",
    ":streamlit:",
    "[^1]",
    "~~x~~",
    "->",
    "<-",
    "<->",
    "--",
    ">=",
    "<=",
    "~=",
    ":+1:",
    ":-1:",
    ":material_home:",
    "HTTPS://X.EXAMPLE",
    "WwW.x.example",
    "a@x.example",
    "{{}}",
    "${7*7}",
    "%s",
    "[CLS]",
    "[MASK]",
    "\u202eevil",
    "a\u200db",
    "\u200b",
    "\u00ad",
    "e\u0301\u0301",
    "👩\u200d👩\u200d👧",
    "שלום",
    "\x00",
    "\x1b[0m",
    "\ud800",
    "\ufffe",
    "\u2028",
    "\u2029",
    "\u00a0",
    "\u3000x",
    "=1+1",
    "+1",
    "-1",
    "@x",
    "\t=1",
    "\r=1",
    "a,b",
    'a"b',
    "'",
]
"""What has broken pages, spreadsheets and labels elsewhere."""

PIECES = st.sampled_from(
    ["<", ">", "&", '"', "'", "*", "_", "`", "[", "]", "(", ")", "!", ":", "$", "#", " ", "\\", "a", "1", "."]
)
TEXTS = st.one_of(st.text(), st.sampled_from(NASTY), st.lists(PIECES, max_size=12).map("".join))


class Elements(HTMLParser):
    """Every tag, comment and declaration that a browser would see, and the text between."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.ends: list[str] = []
        self.other: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.ends.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def every_example(test):  # type: ignore[no-untyped-def]
    """The list above, always, beside what hypothesis thinks of."""
    for text in NASTY:
        test = example(text)(test)
    return test


@every_example
@given(TEXTS)
def test_html_is_one_bdi_with_the_text(text: str) -> None:
    found = Elements(escape.html(text))
    assert found.tags == [("bdi", [])] and found.ends == ["bdi"] and not found.other
    assert found.text == escape.visible(text)


@every_example
@given(TEXTS)
def test_an_attribute_stays_within_its_quotes(text: str) -> None:
    found = Elements(f'<p title="{escape.attribute(text)}">x</p>')
    assert [tag for tag, _ in found.tags] == ["p"] and found.text == "x" and len(found.tags[0][1]) == 1
    assert found.tags[0][1][0][0] == "title"
    assert (found.tags[0][1][0][1] or "") == html.unescape(html.escape(text))
    single = Elements(f"<p title='{escape.attribute(text)}'>x</p>")
    assert [tag for tag, _ in single.tags] == ["p"] and len(single.tags[0][1]) == 1


@every_example
@given(TEXTS)
def test_no_tag_survives_in_a_plotly_label(text: str) -> None:
    label = escape.plotly(text)
    assert "<" not in label and ">" not in label
    assert re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt);)*", label, re.DOTALL)  # nothing but our own entities
    assert html.unescape(label) == escape.visible(text) or "&" in escape.visible(text)
    assert label.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == escape.visible(text)


MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
STREAMLIT_READS = re.compile(r":[a-z]|\$|:\w+:|[\[\]]")
"""What Streamlit reads beyond Markdown: colours, icons, emoji, formulas."""
STREAMLIT_REPLACES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(https?://|www(?=\.))([-.\w]+)",
        r"[-.\w+]+@[-\w]+\.[-\w]",
        r":streamlit:",
        r":material_\w+:",
        r":[\w-]+:",
        r":\+1:",
        r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)",
    )
]
"""What it replaces in the text that Markdown gave (1.67, StreamlitMarkdown): references do not protect from it."""


@every_example
@given(TEXTS)
def test_markdown_is_one_paragraph_with_exactly_the_text(text: str) -> None:
    source = escape.markdown(text)
    tokens = MARKDOWN.parse(source)
    if not text:
        assert not tokens
        return
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert {child.type for child in children} <= {"text", "text_special"}
    shown = "".join(child.content for child in children)
    assert shown.translate(dict.fromkeys(map(ord, "\u2060\u2068\u2069"))) == escape.visible(text)
    assert not STREAMLIT_READS.search(source)
    assert not any(pattern.search(shown) for pattern in STREAMLIT_REPLACES)


@given(TEXTS, st.text("\u05d0\u0628\u0661", min_size=1, max_size=3))
def test_right_to_left_words_are_isolated_in_markdown(text: str, turned: str) -> None:
    """As <bdi> does in HTML: what is said after the word stays after it. Plain words carry nothing invisible."""
    source = escape.markdown(text + turned)
    assert source[0] == "\u2068" and source[-1] == "\u2069" and source.count("\u2068") == source.count("\u2069") == 1
    left_to_right = "".join(c for c in text if unicodedata.bidirectional(c) not in ("R", "AL", "AN"))
    assert not {"\u2068", "\u2069"} & set(escape.markdown(left_to_right))


@every_example
@given(TEXTS)
def test_foreign_words_inside_a_sentence_stay_isolated(text: str) -> None:
    """From the plain text of a picture's alt to Markdown and HTML: no mark of ours is named, no foreign one obeyed."""
    sentence = f"Most is {escape.isolated(text)} (+3), then {escape.isolated('שלום')}."
    for source in (escape.markdown_sentence(sentence), escape.html_sentence(sentence)):
        shown = re.sub("[\u2060\u2068\u2069]", "", Elements(source).text)
        assert shown == f"Most is {escape.visible(text)} (+3), then שלום."
    isolates = escape.markdown_sentence(sentence).count("\u2068")
    assert isolates == escape.markdown_sentence(sentence).count("\u2069") == 1 + (escape.isolated(text)[:1] == "\u2068")


@every_example
@given(TEXTS)
def test_markdown_in_bold_and_inside_a_sentence_is_bold_and_nothing_else(text: str) -> None:
    tokens = MARKDOWN.parse(f"Surest is **{escape.markdown(text)}** (it is), **{escape.markdown(text)}**.")
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    kinds = [child.type for child in tokens[1].children or []]
    assert set(kinds) <= {"text", "text_special", "strong_open", "strong_close"}
    if text and text.strip() == text:  # emphasis cannot begin or end with a space
        assert kinds.count("strong_open") == kinds.count("strong_close") == 2


@every_example
@given(TEXTS)
def test_a_csv_cell_is_no_formula_and_comes_back(text: str) -> None:
    cell = escape.csv_cell(text)
    assert cell in (text, "'" + text)
    assert not re.match(r"[=+\-@\t\r]", cell)
    buffer = io.StringIO()
    csv.writer(buffer).writerow([cell, "next"])
    assert next(csv.reader(io.StringIO(buffer.getvalue(), newline=""))) == [cell, "next"]


@every_example
@given(TEXTS)
def test_nothing_invisible_is_left(text: str) -> None:
    shown = escape.visible(text)
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"), f"{character!r}"
    shown.encode()  # no lone surrogate: it can be sent
    plain = [c for c in text if unicodedata.category(c)[0] in "LMNPS"]
    assert [c for c in shown if c in plain] == plain or set("U+⟨⟩␣↵⇥0123456789ABCDEFNSPHYZWJLRMDOI") & set(plain)
    assert not text.strip() or " " not in text or " " in shown
    assert " " not in escape.visible(text, spaces=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the cat", "the cat"),
        (" ", "␣"),
        ("   ", "␣␣␣"),
        ("a\nb", "a↵b"),
        ("a\u202eb", "a⟨RLO⟩b"),
        ("\x00", "⟨U+0000⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("👩\u200d👧", "👩⟨ZWJ⟩👧"),
        ("a\u3000b", "a⟨U+3000⟩b"),
        ("", ""),
    ],
)
def test_visible_by_example(text: str, shown: str) -> None:
    assert escape.visible(text) == shown
