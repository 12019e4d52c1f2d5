"""The lab in a real Chromium: what visitors do, what attackers type, keyboard, themes, phones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from bortlab.registry import find
from bortlab.ui.contents import CONTENTS
from bortlab.ui.examples import DEFAULT_TEXT, EXAMPLES
from bortlab.ui.startup import minis
from bortlab.views.escape import visible
from tests.browser.conftest import PAGES, Visit, serving, watch

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]

TWO = "The [MASK] sat on the [MASK]."
PAGES_WITH_TEXT = ("predict", "tokens", "attention", "kernels", "attribution", "layers")
each_page = pytest.mark.parametrize("page", PAGES)

HOSTILE = {
    "script": "</script><script>alert(1)</script> [MASK]",
    "image": "<img src=x onerror=alert(1)><svg onload=alert(1)> [MASK]",
    "frame": "<iframe src=javascript:alert(1)></iframe><a href=javascript:alert(1)>x</a> [MASK]",
    "markdown": "![](http://x/y.png) [a](http://x) <http://x> http://x.example **b** [MASK]",
    "icons": ":smile: :material/home: :red[x] :streamlit: $x$ [MASK]",
    "special tokens": "<s> </s> [CLS] [SEP] <pad> {{}} ${7*7} [MASK]",
    "turned round": "\u202eevil\u202c שלום e\u0301\u0301 👩\u200d👧 [MASK]",
    "control characters": "a\x01\x08\x1b[31m\x7f [MASK]",
    "equal words": "the the the [MASK] the",
}
LABELS = [
    ":smile:",
    ":material/home:",
    ":red[x]",
    ":red-background[x]",
    ":streamlit:",
    "$x$",
    "$$x$$",
    "![](http://x/y.png)",
    "[a](http://x)",
    "http://x.example",
    "www.x.example",
    "a@x.example",
    "**b**",
    "__b__",
    "~~b~~",
    "`c`",
    "# d",
    "1. e",
    "- f",
    ":material_home:",
    "HTTPS://X.EXAMPLE/y",
    "WwW.x.example",
    ":+1:",
    "a <-> b",
    "a >= b",
    "a ~= b",
    "-> b",
    "> g",
    "    h",
    "<b>i</b>",
    "&amp;",
    "&#60;",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[MASK]",
    "a -> b <- c -- d",
    "| a | b |",
    "\u202eevil",
    "=1+1",
    "{{}}",
    "^x^",
    "[^1]",
    ":small[x]",
    "#123",
]


def test_the_very_first_visit_is_of_a_link_straight_to_a_page(tmp_path: Path, browser: Browser) -> None:
    """Of a server that has shown nothing: Streamlit then takes pages/ for its older kind of pages; the lab must not."""
    with serving(tmp_path / "log.txt", "-m", "bortlab", "lab") as server:
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        visitor = Visit(server.url, context.new_page(), context)
        watch(visitor)
        visitor.open("predict")
        expect(visitor.charts).to_have_count(len(minis()))
        expect(visitor.page.get_by_test_id("stSidebarNavLink")).to_have_count(len(PAGES))
        context.close()
        visitor.clean()


# -- a newcomer --------------------------------------------------------------------------------------------------------


def test_a_newcomer_types_and_sees_every_models_guesses_without_pressing_enter(visit: Arrive) -> None:
    lab = visit().open("home")
    lab.page.get_by_test_id("stSidebarNavLink").filter(has_text="Predict").click()
    expect(lab.text).to_have_value(DEFAULT_TEXT)
    lab.settled()
    expect(lab.charts).to_have_count(len(minis()))
    lab.text.click()
    lab.page.keyboard.press("Control+a")
    lab.page.keyboard.type(TWO)
    expect(lab.charts).to_have_count(2 * len(minis()))
    lab.settled()
    for key in minis():
        for number in (1, 2):
            chart = lab.page.get_by_role("figure", name=re.compile(f"^{find(key)[1].title}, blank {number}:"))
            expect(chart.locator(".textpoint, .text").first).to_be_attached()
            said = (chart.get_attribute("aria-label") or "").split(": ", 1)[1]
            first = re.match(r"(.*?) (?:< )?[\d.]+%", said)
            assert first is not None and first.group(1) in chart.locator("svg").first.text_content()
    assert lab.page.evaluate("document.activeElement.value") == TWO  # the cursor stays in the box


def test_words_are_hidden_by_click_and_come_back(visit: Arrive) -> None:
    lab = visit().open(text="the cat saw the dog")
    expect(lab.charts).to_have_count(0)
    words = lab.pills("Click a word")
    words.nth(0).click()
    expect(lab.text).to_have_value("[MASK] cat saw the dog")
    expect(lab.charts).to_have_count(len(minis()))
    lab.settled()
    words.nth(4).click()
    expect(lab.text).to_have_value("[MASK] cat saw the [MASK]")
    lab.settled()
    words.nth(0).click()
    expect(lab.text).to_have_value("the cat saw the [MASK]")
    lab.settled()
    words.nth(4).click()
    expect(lab.text).to_have_value("the cat saw the dog")
    expect(lab.charts).to_have_count(0)


def test_an_example_and_how_likely(visit: Arrive) -> None:
    lab = visit().open()
    lab.pills("Try").filter(has_text="cup").click()
    expect(lab.text).to_have_value(next(text for text in EXAMPLES if "cup" in text))
    lab.settled()
    ask = lab.page.get_by_label("Words, separated by commas")
    ask.click()
    lab.page.keyboard.type("dog, unkindnesses")
    for key in minis():
        expect(
            lab.page.get_by_role("figure", name=re.compile(f"^{find(key)[1].title}: dog .*, unkindnesses"))
        ).to_have_count(1)


def test_a_sentence_of_home_opens_predict_with_it(visit: Arrive) -> None:
    lab = visit().open("home")
    box = lab.page.get_by_label("A sentence with a [MASK], the word to guess")
    box.fill(TWO)
    box.press("Enter")
    expect(lab.text).to_have_value(TWO)
    lab.settled()
    expect(lab.charts).to_have_count(2 * len(minis()))


def test_home_is_one_screen_of_a_laptop(visit: Arrive) -> None:
    """All that it offers, without scrolling."""
    lab = visit(viewport={"width": 1440, "height": 900}).open("home")
    for key in ("start-lesson", "try", "choose-parameters", "open-models"):
        expect(lab.page.locator(f".st-key-{key} button").first).to_be_in_viewport(ratio=1)


# -- links -------------------------------------------------------------------------------------------------------------


def test_a_link_opens_exactly_this_state(visit: Arrive) -> None:
    key = minis()[-1]
    lab = visit().open(text="A & b = [MASK]?", models=key, top="7", ask="cat")
    expect(lab.text).to_have_value("A & b = [MASK]?")
    expect(lab.page.get_by_label("Words, separated by commas")).to_have_value("cat")
    expect(lab.page.get_by_role("slider")).to_have_value("7")
    expect(lab.charts).to_have_count(2)  # the guesses, and the named word
    assert (lab.charts.first.get_attribute("aria-label") or "").count("%") == 7
    lab.page.get_by_role("button", name="Link").click()
    link = lab.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    assert link.startswith(f"{lab.url}/predict?")
    other = visit()
    other.page.goto(link)
    other.settled()
    expect(other.text).to_have_value("A & b = [MASK]?")
    expect(other.page.get_by_role("slider")).to_have_value("7")
    expect(other.charts).to_have_count(2)


def test_the_address_follows_the_text_and_a_reload_keeps_it(visit: Arrive) -> None:
    lab = visit().open()
    lab.text.fill(TWO)
    expect(lab.charts).to_have_count(2 * len(minis()))
    lab.page.wait_for_url(re.compile("text=The.*sat"))
    lab.page.reload()
    lab.settled()
    expect(lab.text).to_have_value(TWO)
    expect(lab.charts).to_have_count(2 * len(minis()))


def test_back_and_forward_and_from_page_to_page(visit: Arrive) -> None:
    lab = visit().open("home")
    nav = lab.page.get_by_test_id("stSidebarNavLink")
    nav.filter(has_text="Predict").click()
    lab.settled()
    lab.text.fill(TWO)
    expect(lab.charts).to_have_count(2 * len(minis()))
    nav.filter(has_text="Home").click()
    expect(lab.page.get_by_role("heading", level=1, name="Three ideas")).to_be_visible()
    lab.settled()
    nav.filter(has_text="Predict").click()
    expect(lab.text).to_have_value(TWO)  # kept from page to page
    lab.settled()
    lab.page.go_back()
    expect(lab.page.get_by_role("heading", level=1, name="Three ideas")).to_be_visible()
    lab.settled()
    lab.page.go_back()  # one step a page, with what was written there
    expect(lab.text).to_have_value(TWO)
    expect(lab.charts).to_have_count(2 * len(minis()))
    lab.settled()
    lab.page.go_back()
    expect(lab.page.get_by_role("heading", level=1, name="Three ideas")).to_be_visible()
    lab.settled()
    for heading in ("What does each model", "Three ideas", "What does each model"):
        lab.page.go_forward()
        expect(lab.page.get_by_role("heading", level=1, name=heading)).to_be_visible()
        lab.settled()
    expect(lab.text).to_have_value(TWO)
    expect(lab.charts).to_have_count(2 * len(minis()))
    lab.settled()


def test_back_and_forward_between_pages_that_share_a_text_keep_what_was_written_on_each(visit: Arrive) -> None:
    """From page to page directly, not by way of Home, which has no box: each step of the history has its own text."""
    model = "convbert-mini"
    texts = {page: f"A {page} sat on the [MASK]." for page in PAGES_WITH_TEXT}
    lab = visit().open(PAGES_WITH_TEXT[0], models=model)
    for page in PAGES_WITH_TEXT:
        if page != PAGES_WITH_TEXT[0]:
            lab.page.get_by_test_id("stSidebarNavLink").filter(has_text=page.capitalize()).click()
            expect(lab.page.get_by_role("heading", level=1, name=CONTENTS[page].question)).to_be_visible()
            lab.settled()
        lab.text.fill(texts[page])
        lab.page.wait_for_url(re.compile(f"/{page}\\?.*text=A\\+{page}\\+sat"))
        lab.settled()
    back, forth = PAGES_WITH_TEXT[-2::-1], PAGES_WITH_TEXT[1:]
    for go, pages in ((lab.page.go_back, back), (lab.page.go_forward, forth), (lab.page.reload, forth[-1:])):
        for page in pages:
            go()
            expect(lab.page.get_by_role("heading", level=1, name=CONTENTS[page].question)).to_be_visible()
            expect(lab.text).to_have_value(texts[page])
            lab.settled()
            expect(lab.text).to_have_value(texts[page])
            query = parse_qs(urlsplit(lab.page.url).query)
            assert query["text"] == [texts[page]] and query["models"] == [model]


def test_back_and_forward_keep_the_view_of_each_page(visit: Arrive) -> None:
    lab = visit().open("attention", models="convbert-mini", view="All heads")
    lab.page.get_by_test_id("stSidebarNavLink").filter(has_text="Kernels").click()
    expect(lab.page.get_by_role("heading", level=1, name=CONTENTS["kernels"].question)).to_be_visible()
    lab.settled()
    assert "view=" not in lab.page.url  # the view of another page is no view of this one
    lab.pills("View").filter(has_text="Whole text").click()
    lab.page.wait_for_url(re.compile("view=Whole"))
    lab.settled()
    for go, page, view in (
        (lab.page.go_back, "attention", "All heads"),
        (lab.page.go_forward, "kernels", "Whole text"),
        (lab.page.reload, "kernels", "Whole text"),
    ):
        go()
        expect(lab.page.get_by_role("heading", level=1, name=CONTENTS[page].question)).to_be_visible()
        expect(lab.pills("View").filter(has_text=view)).to_be_checked()
        lab.settled()
        assert parse_qs(urlsplit(lab.page.url).query)["view"] == [view]


def test_a_link_with_an_unknown_model_says_so_in_plain_text(visit: Arrive) -> None:
    name = ":smile:![](http://x/y.png)<img src=x>$x$"
    lab = visit().open(models=name)
    expect(lab.page.get_by_role("alert")).to_contain_text("Unknown model")
    assert f"Unknown model '{name}'" in lab.page.get_by_role("alert").inner_text().replace("\u2060", "")


# -- attackers ---------------------------------------------------------------------------------------------------------

COUNT = """() => Object.fromEntries(
    ["img", "script", "iframe", "a[href]", "object", "embed", "form", "[onerror]", "[onload]"]
    .map(name => [name, document.querySelectorAll(name).length]))"""


def test_hostile_texts_bring_nothing_into_the_page(visit: Arrive) -> None:
    lab = visit().open(text="some plain words [MASK]", ask="plain, words")
    before = lab.page.evaluate(COUNT)
    for text in HOSTILE.values():
        lab.open(text=text, ask=f"{text.replace(',', ' ')[:60]}, :smile:, $x$, <b>y</b>")
        expect(lab.text).to_have_value(text)
        expect(lab.charts.first).to_be_visible()
        assert lab.page.evaluate(COUNT) == before, text
        lab.clean()


def test_a_hostile_text_typed_and_hidden_word_by_word(visit: Arrive) -> None:
    text = "<img src=x onerror=alert(1)> </script> $x$ :smile: :material/home:"
    lab = visit().open(text="plain")
    before = lab.page.evaluate(COUNT)
    lab.text.fill(text)
    words = lab.pills("Click a word")
    expect(words.filter(has_text="onerror")).to_have_count(1)
    lab.settled()
    words.filter(has_text="smile").click()
    expect(lab.text).to_have_value(text.replace("smile", "[MASK]"))
    lab.settled()
    now = lab.page.evaluate(COUNT)
    assert now == before


def test_no_label_is_read_as_markdown(visit: Arrive, tmp_path: Path) -> None:
    script = tmp_path / "labels.py"
    script.write_text(
        "import streamlit as st\n"
        "from bortlab.views.escape import markdown\n"
        f"labels = {LABELS!r}\n"
        "st.pills('pills', labels, format_func=markdown)\n"
        "for n, label in enumerate(labels):\n"
        "    st.button(markdown(label), key=f'b{n}')\n"
        "    st.markdown(markdown(label))\n"
        "    st.caption(f'**{markdown(label)}**')\n"
        "    st.error(markdown(label))\n"
        "st.caption('nothing you write leaves it')\n",
        encoding="utf-8",
    )
    shown = [" ".join(visible(label).split()) for label in LABELS]
    with serving(tmp_path / "log.txt", "-m", "streamlit", "run", str(script)) as server:
        lab = visit(server.url)
        try:
            lab.open("home")
            assert _texts(lab, '[data-testid="stButtonGroup"] [role="radio"]') == shown
            assert _texts(lab, '[data-testid="stButton"] button') == shown
            assert _texts(lab, '[data-testid="stAlert"] [data-testid="stMarkdownContainer"]') == shown
            assert _texts(lab, '[data-testid="stCaptionContainer"] strong') == shown
            assert set(shown) <= set(_texts(lab, '[data-testid="stMarkdown"] p'))
            expect(lab.page.get_by_test_id("stMain").locator("img, iframe, a, script, .katex")).to_have_count(0)
            expect(lab.page.locator("[role=radio], .stButton").get_by_test_id("stIconMaterial")).to_have_count(0)
        finally:
            lab.page.goto("about:blank")  # or it would miss its server


def _texts(lab: Visit, selector: str) -> list[str]:
    """What is read in these elements, without the joiners that nobody sees."""
    return [" ".join(text.replace("\u2060", "").split()) for text in lab.page.locator(selector).all_text_contents()]


# -- keyboard, eyes, phones --------------------------------------------------------------------------------------------

FOCUS = """(e => { e ||= document.activeElement; const s = getComputedStyle(e);
    return {text: e.innerText || e.value || "", role: e.getAttribute("role"),
            ring: [s.outline, s.boxShadow, s.borderColor, s.backgroundColor].join("|")} })"""


def test_the_keyboard_alone_hides_a_word_and_brings_it_back(visit: Arrive) -> None:
    lab = visit().open(text="Paris is the capital of France.")
    resting = lab.pills("Click a word").filter(has_text="capital").evaluate(FOCUS)
    lab.text.focus()
    focus = _tab_to(lab, "capital")
    assert focus["ring"] != resting["ring"], "the focus cannot be seen"
    lab.page.keyboard.press("Enter")
    expect(lab.text).to_have_value("Paris is the [MASK] of France.")
    expect(lab.charts).to_have_count(len(minis()))
    lab.settled()
    lab.text.focus()
    _tab_to(lab, "▁▁▁▁")
    lab.page.keyboard.press("Enter")
    expect(lab.text).to_have_value("Paris is the capital of France.")


def _tab_to(lab: Visit, text: str) -> dict[str, str]:
    """Press Tab, and the arrows within a group, until the focus is on this."""
    for _ in range(20):
        lab.page.keyboard.press("Tab")
        focus = lab.page.evaluate(FOCUS)
        for _ in range(10 if focus["role"] == "radio" else 0):
            if focus["text"].strip() == text:
                break
            lab.page.keyboard.press("ArrowRight")
            focus = lab.page.evaluate(FOCUS)
        if focus["text"].strip() == text:
            return focus
    raise AssertionError(f"Tab does not reach {text!r}")


NAMELESS = """() => [...document.querySelectorAll(
        "button, a[href], input, textarea, select, img, [role=slider], [role=radio], [role=figure]")]
    .filter(e => e.getClientRects().length && getComputedStyle(e).visibility != "hidden")
    .filter(e => !e.closest("[aria-hidden=true]"))
    .filter(e => !(e.getAttribute("aria-label") || e.getAttribute("alt") || e.title
                   || (e.checkVisibility() ? e.innerText : e.textContent)  // innerText is empty in a closed expander
                   || (e.getAttribute("aria-labelledby") || "").split(" ")
                        .some(id => document.getElementById(id)?.innerText)
                   || [...(e.labels || [])].some(l => l.innerText || l.getAttribute("aria-label"))))
    .map(e => e.outerHTML.slice(0, 200))"""


def test_larger_type_is_kept_from_page_to_page_and_ends_where_it_is_switched_off(visit: Arrive) -> None:
    size = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    lab = visit().open("home")
    usual = lab.page.evaluate(size)
    lab.open("home", big="1")
    larger = lab.page.evaluate(size)
    assert larger > 1.2 * usual
    lab.page.get_by_test_id("stSidebarNavLink").filter(has_text="Predict").click()
    expect(lab.charts).to_have_count(len(minis()))
    lab.settled()
    assert lab.page.evaluate(size) == larger and parse_qs(urlsplit(lab.page.url).query)["big"]
    lab.page.get_by_test_id("stSidebar").get_by_text("Larger type").click()
    lab.page.wait_for_function(f"{size} == {usual}")


@each_page
def test_everything_has_a_name_and_nothing_is_too_wide_in_both_themes(visit: Arrive, page: str) -> None:
    lab = visit().open(page, text=TWO, ask="cat")
    assert lab.page.evaluate(NAMELESS) == []
    lab.audit()
    for chart in lab.charts.all():
        assert len(chart.get_attribute("aria-label") or "") > 20
    for table in lab.page.get_by_test_id("stDataFrame").all():
        assert table.evaluate("e => !!(e.getAttribute('aria-label') || e.querySelector('[aria-label]'))")
    for width in (1400, 1024, 390):
        lab.page.set_viewport_size({"width": width, "height": 900})
        lab.page.wait_for_function(
            "w => innerWidth == w && document.documentElement.scrollWidth <= w"
            " && [...document.querySelectorAll('[data-testid=stMain]')].every(e => e.scrollWidth <= e.clientWidth)"
            " && [...document.querySelectorAll('.main-svg, [data-testid=stImage] img')].every("
            "       e => !e.getClientRects().length || e.getBoundingClientRect().right <= w + 1)",
            arg=width,
        )


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("Lessons", {"lesson": "masked-word", "guess": "1:tea"}),
        ("Lessons", {"lesson": "pieces", "teacher": "true"}),
        ("Lessons", {"lesson": "bort", "teacher": "true"}),
        ("Lessons", {"lesson": "attribution", "teacher": "true"}),
        ("Agora", {"view": "How it works"}),
        ("Agora", {"view": "On your data"}),
    ],
)
def test_what_stands_behind_a_choice_is_audited_too(visit: Arrive, page: str, query: dict[str, str]) -> None:
    visit().open(page, **query).audit()


def test_a_phone_can_do_it_too(visit: Arrive) -> None:
    lab = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).open(text="Paris is nice.")
    lab.pills("Click a word").filter(has_text="nice").tap()
    expect(lab.text).to_have_value("Paris is [MASK].")
    expect(lab.charts).to_have_count(len(minis()))
    lab.settled()
