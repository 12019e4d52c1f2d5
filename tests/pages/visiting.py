"""A visitor of the pages, by AppTest: going to one, what holds on any, and what is seen there."""

from __future__ import annotations

import html
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from bortlab.ui import shared
from bortlab.ui.history import SCRIPT

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
FOREIGN = ("![", ":material/home:", "$x$", ":red[", "<script")
"""Mark-up of the hostile texts, which no page may obey."""
TWICE = "&#38;&#35;"
"""What a text has that was escaped twice, so that readers see references."""

HOSTILE = {
    "empty": "",
    "spaces": "   ",
    "tabs and lines": "\t\n\r\n ",
    "no blank": "Paris is the capital of France.",
    "a blank alone": "[MASK]",
    "many blanks": "[MASK]" * 40 + " [MASK]" * 40,
    "a mask of another case": "[mask] <mask> [MASK ]",
    "longer than a model reads": "the cat sat on the mat " * 60 + "[MASK]",
    "longer, the blank in front": "[MASK] " + "the cat sat on the mat " * 60,
    "10,000 words": "[MASK] " + "word " * 10_000,
    "one long word": "[MASK] " + "x" * 15_000,
    "emoji": "I like 😀 and 👩🏽‍🚀 [MASK] 🏳️‍🌈",
    "joiners": "a\u200db\u200c\u2060\ufeff [MASK]",
    "right to left": "שלום [MASK] مرحبا",
    "turned round": "\u202e\u2066[MASK] txet\u202c evil",
    "combining marks": "e" + "\u0301" * 500 + " [MASK]",
    "control characters": "a\x01\x08\x1b[31m\x7f\x85 [MASK]",
    "private and unassigned": "\ue000\ufffe\U0010ffff [MASK]",
    "script": "</script><script>alert(1)</script> [MASK]",
    "image": "<img src=x onerror=alert(1)> [MASK]",
    "special tokens": "<s> </s> <pad> <unk> <mask> [CLS] [SEP] [PAD] [UNK] [MASK]",
    "templates": "{{}} {% x %} ${7*7} %s {0} [MASK]",
    "icons and colours": ":material/home: :smile: :red[x] :streamlit: [MASK]",
    "formulas": "$x$ $$y$$ \\(z\\) [MASK]",
    "markdown": "![](http://x/y.png) [a](http://x) **b** `c` # d [MASK]",
    "spreadsheet": "=1+1 @x +1 -1 [MASK]",
    "equal words": "the the The THE the [MASK] the [MASK]",
}


def visit(page: str = "predict", *, run: bool = True, **query: Any) -> AppTest:
    """app.py, open at a page, with these values in the link."""
    at = AppTest.from_file(ROOT / "app.py", default_timeout=180)
    at.query_params.update(query)
    if page != "home":  # which opens by itself
        at.switch_page(f"pages/{page}.py")
    return check(at.run()) if run else at


def check(at: AppTest, *, well: bool = True) -> AppTest:
    """What holds for every page at any time. well: nothing went wrong that nobody foresaw."""
    assert not at.exception, [e.value for e in at.exception]
    assert at.caption and at.caption[-1].value == shared.FOOTER
    assert len(at.title) == 1
    assert not well or not any("went wrong" in e.value for e in at.error), [e.value for e in at.error]
    for element in elements(at._tree):
        proto = getattr(element, "proto", None)
        if element.type in ("plotly_chart", "dataframe", "iframe"):
            assert proto.alt.strip(), f"a {element.type} without words"
        elif element.type in ("imgs", "image"):
            assert all(image.alt.strip() for image in proto.imgs)
        elif element.type in ("markdown", "caption", "info", "warning", "error"):
            assert not any(mark in element.value for mark in FOREIGN), element.value
            assert TWICE not in element.value, element.value
    assert not [body for body in bodies(at) if re.search("<script|<img", body)]
    for value in at.session_state.to_dict().values():
        assert not re.search("Tensor|Module|Figure|Model|DataFrame", " ".join(types_of(value)))
    assert len(pickle.dumps(at.session_state.to_dict())) < 1_000_000
    return at


def types_of(value: Any) -> set[str]:
    """Names of the types in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else ()
    bases = {base.__name__ for base in type(value).__mro__} if not isinstance(value, str) else set()
    return bases.union(*map(types_of, inner))


def elements(block: Any) -> Iterator[Any]:
    """Everything on the page."""
    for child in getattr(block, "children", {}).values():
        yield child
        yield from elements(child)


def bodies(at: AppTest) -> list[str]:
    """The HTML on the page, from the top, but for what keeps the browser's history and for style sheets."""
    html = [e.proto.body for e in elements(at._tree) if e.type == "html" and e.proto.body != SCRIPT]
    return [body for body in html if not body.endswith("</style>")]


def charts(at: AppTest, start: str = "") -> list[Any]:
    """The pictures on the page that plotly draws, from the top; start: of their keys."""
    return [e for e in elements(at._tree) if e.type == "plotly_chart" and e.key.startswith(start)]


def sentences(at: AppTest) -> list[str]:
    """What the page says instead of showing something, as it is read."""
    return [html.unescape(e.value).replace("\u2060", "") for kind in (at.info, at.warning, at.error) for e in kind]
