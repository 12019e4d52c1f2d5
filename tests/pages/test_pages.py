"""Every page through Streamlit's own test runner: whatever is typed, clicked or linked, it runs to its end.

What models answer is left open: the tests take the minis that are bundled, however well trained they are.
"""

from __future__ import annotations

import json
import logging
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
import streamlit as st
import torch
from plotly.graph_objects import Figure
from streamlit import deprecation_util
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from bortlab import registry, serving
from bortlab.analysis.predict import MAX_WORDS
from bortlab.ui import examples, predict, shared
from bortlab.ui.contents import CONTENTS
from bortlab.ui.history import SCRIPT
from bortlab.ui.startup import bundled
from bortlab.views import escape

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
FIRST = examples.DEFAULT_TEXT

each_page = pytest.mark.parametrize("page", PAGES)

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


def lab(page: str = "predict", *, run: bool = True, **query: Any) -> AppTest:
    """app.py, open at a page, with these values in the link."""
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    at.query_params.update(query)
    if page != "home":  # which opens by itself
        at.switch_page(f"pages/{page}.py")
    return check(at.run()) if run else at


def elements(block: Any) -> Iterator[Any]:
    """Everything on the page."""
    for child in getattr(block, "children", {}).values():
        yield child
        yield from elements(child)


def check(at: AppTest) -> AppTest:
    """What holds for every page at any time."""
    assert not at.exception, [e.value for e in at.exception]
    assert at.caption and at.caption[-1].value == shared.FOOTER
    assert len(at.title) == 1
    for element in elements(at._tree):
        proto = getattr(element, "proto", None)
        if element.type in ("plotly_chart", "dataframe", "iframe"):
            assert proto.alt.strip(), f"a {element.type} without words"
        elif element.type in ("imgs", "image"):
            assert all(image.alt.strip() for image in proto.imgs)
    for value in at.session_state.to_dict().values():
        assert not re.search("Tensor|Module|Figure|Model|DataFrame", " ".join(_types(value)))
    assert len(pickle.dumps(at.session_state.to_dict())) < 1_000_000
    return at


def _types(value: Any) -> set[str]:
    """Names of the types in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else ()
    bases = {base.__name__ for base in type(value).__mro__} if not isinstance(value, str) else set()
    return bases.union(*map(_types, inner))


def charts(at: AppTest, start: str = "bars-") -> list[Any]:
    """The bars on the page, from the top."""
    return [e for e in elements(at._tree) if e.type == "plotly_chart" and e.key.startswith(start)]


def sentences(at: AppTest) -> list[str]:
    """What the page says instead of showing something, as it is read."""
    import html

    return [html.unescape(e.value).replace("\u2060", "") for kind in (at.info, at.warning, at.error) for e in kind]


def word(at: AppTest, text: str, nth: int = 0) -> AppTest:
    """Click the nth pill of this word."""
    words = [w for w in predict.analysis.words_of(at.text_input(key="text").value) if not w.is_mark]
    number = [n for n, w in enumerate(words) if w.text == text][nth]
    return check(at.button_group(key="word").select(number).run())


@pytest.fixture
def first_visit() -> bool:
    """Whether app.py has not run yet in this process; a test asks for another value by parametrize."""
    return False


@pytest.fixture(autouse=True)
def frame_of_the_lab(first_visit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest forgets before every run that app.py has called st.navigation; a server does not."""
    start = PagesManager.__init__

    def started(self: PagesManager, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        PagesManager.uses_pages_directory = first_visit

    monkeypatch.setattr(PagesManager, "uses_pages_directory", first_visit)
    monkeypatch.setattr(PagesManager, "__init__", started)


@pytest.fixture(autouse=True)
def nothing_outdated(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    """No test may make Streamlit, plotly or pandas say that something is deprecated."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    deprecation_util._shown_warnings.clear()
    deprecation_util._LOGGER.addHandler(handler)
    yield
    deprecation_util._LOGGER.removeHandler(handler)
    assert not said
    outdated = [w for w in recwarn if "deprecat" in str(w.message).lower() and "streamlit/" not in w.filename]
    assert not [f"{w.filename}: {w.message}" for w in outdated if "/asyncio/" not in w.filename]


# -- every page --------------------------------------------------------------------------------------------------------


@each_page
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_opens_with_something_to_see(page: str, theme: str) -> None:
    at = lab(page, run=False)
    at.context = {"theme": theme, "url": "http://localhost:8501/"}
    check(at.run())
    assert any(e.type in ("plotly_chart", "dataframe", "imgs", "image", "html") for e in elements(at._tree))
    assert not at.error and not at.warning


@each_page
def test_a_page_runs_alone(page: str) -> None:
    at = AppTest.from_file(ROOT / "pages" / f"{page}.py", default_timeout=60).run()
    assert not at.exception and len(at.title) == 1 and not at.error


@each_page
@pytest.mark.parametrize("first_visit", [True, False])
def test_a_link_to_a_page_opens_it_inside_the_lab(page: str, first_visit: bool) -> None:
    """Also as the very first visit, when Streamlit still takes pages/ for its older kind of pages."""
    at = lab(page)
    names = {about["page_name"] for about in at._registered_pages.values()}
    assert names == {name.capitalize() for name in PAGES}


def test_every_page_is_in_the_navigation() -> None:
    source = (ROOT / "app.py").read_text(encoding="utf-8")
    assert sorted(re.findall(r'"pages/(\w+)\.py"', source)) == PAGES


@each_page
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_in_the_link_is_survived(page: str, text: str) -> None:
    at = lab(page, text=text)
    if page != "predict":
        return
    assert at.text_input(key="text").value == text
    blanks = text[: shared.LONGEST_TEXT].count("[MASK]")
    assert charts(at) or sentences(at), "nothing shown and nothing said"
    assert not any("went wrong" in said for said in sentences(at))
    assert len(charts(at)) <= predict.BLANKS * len(bundled())
    if not blanks:
        assert not charts(at) and at.info


@each_page
def test_bytes_that_are_no_text_are_survived(page: str) -> None:
    lab(page, text=b"\xed\xa0\x80 \xff [MASK]")  # half a surrogate pair, and no UTF-8 at all


@each_page
def test_foreign_values_in_the_link_are_survived(page: str) -> None:
    lab(page, top=b"\xff", models=["\x00", "<script>", "x" * 5000], ask="\x00,,,", word="7", example="3", nonsense="1")
    for top in ("nan", "-1", "1e9", "5.5", "21"):
        lab(page, top=top)


@each_page
def test_no_label_of_a_page_is_foreign_markdown(page: str) -> None:
    foreign = "![](http://x/y.png) :material/home: :smile: $x$ :red[x] <s> [MASK]"
    at = lab(page, text=foreign, ask="![](http://x/y.png), $x$, :smile:")
    for element in elements(at._tree):
        proto = getattr(element, "proto", None)
        labels = [option.content for option in proto.options] if element.type == "button_group" else []
        labels += [proto.label] if element.type == "button" else []
        labels += [element.value] if element.type in ("markdown", "caption", "error", "info", "warning") else []
        for label in labels:
            assert "![" not in label and ":material/home:" not in label and "$x$" not in label and ":red[" not in label


# -- Predict: guesses --------------------------------------------------------------------------------------------------


def test_every_model_answers_at_once_with_a_chart_a_blank() -> None:
    at = lab(text="The [MASK] sat on the [MASK].")
    assert [chart.key for chart in charts(at)] == [f"bars-{key}-{n}" for key in bundled() for n in (1, 2)]
    assert at.slider(key="top").value == 5
    headings = [e.value for e in elements(at._tree) if e.type == "html" and e.proto.body != SCRIPT]
    for key, heading in zip(bundled(), headings, strict=True):
        assert registry.find(key)[1].title in heading and "ms" in heading and "head" in heading


@pytest.mark.parametrize("top", [3, 5, 20])
def test_the_charts_and_the_table_show_what_the_model_says(top: int) -> None:
    at = lab(top=str(top))
    table = at.dataframe[0].value
    assert len(table) == top * len(bundled())
    for key, chart in zip(bundled(), charts(at), strict=True):
        said = registry.load(key).fill_mask(FIRST, top_k=top).blanks[0].candidates
        mine = table[table["model"] == key]
        assert mine["piece"].tolist() == [c.token for c in said]
        assert mine["probability"].tolist() == pytest.approx([c.probability for c in said], rel=1e-3)
        assert mine["rank"].tolist() == list(range(1, top + 1))
        labels = json.loads(chart.proto.spec)["data"][1]["text"]
        assert [label.strip() for label in labels] == [escape.plotly(c.text.strip()) for c in said]
        for candidate in said:
            assert escape.visible(candidate.text) in chart.proto.alt


def test_the_slider_changes_the_number_of_guesses() -> None:
    at = lab()
    check(at.slider(key="top").set_value(11).run())
    assert len(at.dataframe[0].value) == 11 * len(bundled())


def test_models_can_be_left_out_and_none_is_a_sentence() -> None:
    at = lab()
    last = bundled()[-1]
    check(at.multiselect(key="models").set_value([last]).run())
    assert [chart.key for chart in charts(at)] == [f"bars-{last}-1"]
    check(at.multiselect(key="models").set_value([]).run())
    assert not charts(at) and any("at least one model" in said for said in sentences(at))


def test_a_model_in_the_link_that_nobody_knows_is_a_sentence() -> None:
    at = lab(models=["brot", bundled()[0]])
    assert any("Unknown model 'brot'" in said for said in sentences(at))
    assert at.multiselect(key="models").value == [bundled()[0]] and charts(at)


@pytest.mark.parametrize("key", ["bort", "bert-base-uncased", "albert-xxlarge-v2"])
def test_a_known_model_that_is_not_here_is_a_sentence_and_is_not_loaded(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda key, **options: asked.append(key) or load(key, **options))
    at = lab(models=[key])
    assert any("is not loaded here" in said for said in sentences(at))
    assert key not in asked and charts(at)


def test_no_models_in_the_link_are_no_models() -> None:
    at = lab(models="")
    assert at.multiselect(key="models").value == [] and not at.error


def test_what_a_model_does_not_read_is_said() -> None:
    at = lab(text="[MASK] " + "the cat sat on the mat " * 60)
    assert charts(at) and any("left out the last" in said for said in sentences(at))
    at = lab(text="the cat sat on the mat " * 60 + "[MASK]")
    assert not charts(at) and any("beyond" in said for said in sentences(at))
    at = lab(text="[MASK] " + "word " * 10_000)
    assert any("characters; the first" in said for said in sentences(at))


def test_more_blanks_than_can_be_drawn_are_said() -> None:
    at = lab(text="[MASK] and " * (predict.BLANKS + 2))
    assert len(charts(at)) == predict.BLANKS * len(bundled())
    assert any(f"first {predict.BLANKS} blanks" in said for said in sentences(at))
    assert at.dataframe[0].value["blank"].max() == predict.BLANKS + 2


def test_a_busy_lab_says_so_and_offers_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise serving.BusyError("The lab is busy: 64 requests are waiting.", 64)

    with monkeypatch.context() as patched:
        patched.setattr(serving.Pool, "run", busy)
        at = lab()
        assert any("busy" in said for said in sentences(at)) and not charts(at)
        assert [b.label for b in at.button].count("Try again") == len(bundled())
    check(at.button[0].click().run())
    assert charts(at)


def test_an_unforeseen_error_is_a_sentence_without_details(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("/secret/path is gone")

    monkeypatch.setattr(serving.Pool, "run", broken)
    at = lab()
    assert any("went wrong" in said for said in sentences(at))
    assert not any("secret" in said for said in sentences(at))
    assert "/secret/path is gone" in caplog.text


# -- Predict: hiding words ---------------------------------------------------------------------------------------------


def test_a_word_is_hidden_by_a_click_and_brought_back_by_another() -> None:
    at = lab(text="Paris is the capital of France.")
    assert not charts(at)
    word(at, "capital")
    assert at.text_input(key="text").value == "Paris is the [MASK] of France." and charts(at)
    assert at.button_group(key="word").value is None
    word(at, "[MASK]")
    assert at.text_input(key="text").value == "Paris is the capital of France." and not charts(at)


def test_words_come_back_in_any_order() -> None:
    before = "In the beginning God created the heavens."
    at = lab(text=before)
    for hidden in ("heavens", "beginning", "God"):
        word(at, hidden)
    assert at.text_input(key="text").value == "In the [MASK] [MASK] created the [MASK]."
    word(at, "[MASK]", 1)
    assert at.text_input(key="text").value == "In the [MASK] God created the [MASK]."
    word(at, "[MASK]", 1)
    word(at, "[MASK]", 0)
    assert at.text_input(key="text").value == before


@pytest.mark.parametrize("nth", [0, 1, 2])
def test_of_equal_words_the_clicked_one_is_hidden(nth: int) -> None:
    at = lab(text="the cat the dog the end")
    word(at, "the", nth)
    parts = ["the cat", "the dog", "the end"]
    parts[nth] = parts[nth].replace("the", "[MASK]")
    assert at.text_input(key="text").value == " ".join(parts)
    options = at.button_group(key="word").options
    assert len(set(options)) == len(options)


def test_typing_keeps_what_is_hidden_and_a_typed_blank_hides_nothing() -> None:
    at = lab(text="Paris is the capital of France.")
    word(at, "capital")
    check(at.text_input(key="text").set_value("Rome is the [MASK] of Italy!").run())
    word(at, "[MASK]")
    assert at.text_input(key="text").value == "Rome is the capital of Italy!"
    check(at.text_input(key="text").set_value("A [MASK] and a cat").run())
    word(at, "[MASK]")
    assert at.text_input(key="text").value == "A [MASK] and a cat"
    assert any("No word is known" in toast.value for toast in at.toast)


def test_an_example_replaces_the_text_and_what_was_hidden() -> None:
    at = lab(text="Paris is the capital of France.")
    word(at, "France")
    for example in examples.EXAMPLES:
        check(at.button_group(key="example").select(example).run())
        assert at.text_input(key="text").value == example and charts(at)
        assert at.button_group(key="example").value is None
    word(at, "[MASK]")
    assert at.text_input(key="text").value == examples.EXAMPLES[-1]


def test_what_is_typed_wins_over_a_click_on_what_stood_there_before() -> None:
    at = lab(text="Paris is the capital of France.")
    at.text_input(key="text").set_value("Something else is here.")
    check(at.button_group(key="word").select(0).run())
    assert at.text_input(key="text").value == "Something else is here."


# -- Predict: how likely -----------------------------------------------------------------------------------------------


def test_named_words_are_scored_by_every_model() -> None:
    named = ["France", "the United Kingdom", "antidisestablishmentarianism", "🐉"]
    at = lab(ask=", ".join(named))
    assert [chart.key for chart in charts(at, "words-")] == [f"words-{key}" for key in bundled()]
    table = at.dataframe[0].value
    assert table["word"].tolist() == named * len(bundled())
    for key in bundled():
        scores = predict.analysis.score_words(registry.load(key), FIRST, named)
        mine = table[table["model"] == key]
        assert mine["probability"].tolist() == pytest.approx([s.probability for s in scores], rel=1e-3, abs=1e-12)
        assert (scores[2].rank is None) == bool(pandas.isna(mine["rank"].iloc[2]))
        assert any(f"{registry.find(key)[1].title}: France" in chart.proto.alt for chart in charts(at, "words-"))
    if not table["known"].all():
        assert any("Not in this vocabulary" in caption.value for caption in at.caption)


@pytest.mark.parametrize("named", ["", " ", ",", " , ,, ", "France,,France, France"])
def test_commas_and_doubles_are_no_words(named: str) -> None:
    at = lab(ask=named)
    found = [chart for chart in charts(at, "words-")]
    assert len(found) == (len(bundled()) if "France" in named else 0)
    if found:
        assert at.dataframe[0].value["word"].tolist() == ["France"] * len(bundled())


def test_too_many_words_are_said_and_the_first_are_scored() -> None:
    at = lab(ask=",".join(f"word{n}" for n in range(MAX_WORDS + 1)))
    assert any(f"Up to {MAX_WORDS} words" in said for said in sentences(at))
    assert len(at.dataframe[0].value) == MAX_WORDS * len(bundled())


def test_a_word_too_long_to_score_is_a_sentence() -> None:
    at = lab(ask="x1 y2 " * 30)
    assert any("can be scored" in said for said in sentences(at)) and charts(at) and not charts(at, "words-")


def test_with_several_blanks_one_is_chosen() -> None:
    at = lab(text="The [MASK] sat on the [MASK].", ask="cat")
    first = at.dataframe[0].value["probability"].tolist()
    check(at.selectbox(key="blank").set_value(1).run())
    second = at.dataframe[0].value["probability"].tolist()
    expected = [
        predict.analysis.score_words(registry.load(key), "The [MASK] sat on the [MASK].", ["cat"], blank=1)[0]
        for key in bundled()
    ]
    assert second == pytest.approx([score.probability for score in expected], rel=1e-3) and first != second


# -- taking it away ----------------------------------------------------------------------------------------------------


def test_the_link_holds_what_is_shown() -> None:
    at = lab(text="A & b = [MASK]?", top="7", models=[bundled()[0]])
    link = next(code.value for code in at.code if code.value.startswith("?"))
    from urllib.parse import parse_qs

    again = parse_qs(link[1:])
    assert again == {"text": ["A & b = [MASK]?"], "top": ["7"], "models": [bundled()[0]]}
    other = lab(**{name: values if name == "models" else values[0] for name, values in again.items()})
    for key, kind in (("text", "text_input"), ("top", "slider"), ("models", "multiselect")):
        assert getattr(other, kind)(key=key).value == getattr(at, kind)(key=key).value
    nobody = lab(models="")
    assert all("models=" in code.value for code in nobody.code if code.value.startswith("?"))


def test_the_python_of_a_view_gives_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    text = "He said: \"[MASK]\" \\n 'x'"
    at = lab(text=text, top="3")
    python = next(code.value for code in at.code if code.value.startswith("import"))
    exec(compile(python, "as python", "exec"), {})
    printed = capsys.readouterr().out
    for key in bundled():
        assert key in printed and str(registry.load(key).fill_mask(text, top_k=3)) in printed


def test_the_download_is_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    saved: list[bytes] = []
    button = st.download_button
    monkeypatch.setattr(
        st, "download_button", lambda label, data, *a, **k: saved.append(data) or button(label, data, *a, **k)
    )
    at = lab(text="=1+[MASK]")
    again = pandas.read_csv(io.BytesIO(saved[-1]), encoding="utf-8-sig", keep_default_na=False)
    shown = at.dataframe[0].value
    assert list(again.columns) == list(shown.columns) and len(again) == len(shown)
    assert again["probability"].tolist() == pytest.approx(shown["probability"].tolist())
    assert again["piece"].tolist() == [escape.csv_cell(piece) for piece in shown["piece"]]
    assert not again["candidate"].str.match(r"[=+\-@\t\r]").any()


# -- Home --------------------------------------------------------------------------------------------------------------


def test_home_shows_the_ideas_and_the_bundled_models() -> None:
    at = lab("home")
    table = at.dataframe[0].value
    assert len(table) == len(bundled())
    assert at.button and all(b.key.startswith(("try-", "open-")) for b in at.button)


def test_home_leads_to_every_page_by_its_question() -> None:
    assert CONTENTS.keys() == set(PAGES) - {"home"}
    for page, (_, question) in CONTENTS.items():
        assert check(lab("home").button(key=f"open-{page}").click().run()).title[0].value == question


@pytest.mark.parametrize("number", range(len(examples.EXAMPLES)))
def test_a_sentence_of_home_opens_predict_with_it(number: int) -> None:
    at = lab("home")
    at.button(key=f"try-{number}").click().run()
    check(at)
    assert at.text_input(key="text").value == examples.EXAMPLES[number] and charts(at)


# -- nothing is left in models -----------------------------------------------------------------------------------------


def test_pages_leave_the_models_as_they_were() -> None:
    before = {key: registry.load(key).network.state_dict() for key in bundled()}
    copies = {key: {name: tensor.clone() for name, tensor in state.items()} for key, state in before.items()}
    lab(text="The [MASK] sat on the [MASK].", ask="cat, unkindness")
    for key in bundled():
        network = registry.load(key).network
        assert not network.training and not any(p.requires_grad for p in network.parameters())
        assert all(torch.equal(tensor, copies[key][name]) for name, tensor in network.state_dict().items())


def test_the_types_that_the_check_of_the_session_would_find() -> None:
    assert "Tensor" in _types({"a": [torch.zeros(1)]}) and "Module" in _types(torch.nn.Linear(1, 1))
    assert "Figure" in _types((Figure(),))
