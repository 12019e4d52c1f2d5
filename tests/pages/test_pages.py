"""Every page through Streamlit's own test runner: whatever is typed, clicked or linked, it runs to its end.

What models answer is left open: the tests take the minis that are bundled, however well trained they are.
"""

from __future__ import annotations

import itertools
import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import nbformat
import pandas
import pytest
import streamlit as st
import torch
from plotly.graph_objects import Figure
from streamlit.testing.v1 import AppTest

from bortlab import registry
from bortlab.analysis.predict import MAX_WORDS
from bortlab.models import FAMILIES
from bortlab.system.errors import BusyError
from bortlab.ui import examples, predict, shared
from bortlab.ui.contents import CONTENTS, title
from bortlab.ui.startup import minis
from bortlab.views import escape
from bortlab.work.pool import Pool
from tests.pages.visiting import HOSTILE, PAGES, ROOT, bodies, charts, check, elements, sentences, types_of, visit

WORDLESS = {"Agora", "Fine_tune", "home", "latency", "Lessons", "models", "parameters", "Search"}
"""The pages that read no text."""
FIRST = examples.DEFAULT_TEXT

each_page = pytest.mark.parametrize("page", PAGES)
bars = partial(charts, start="bars-")


def word(at: AppTest, text: str, nth: int = 0) -> AppTest:
    """Click the nth pill of this word."""
    words = [w for w in predict.analysis.words_of(at.text_input(key="text").value) if not w.is_mark]
    number = [n for n, w in enumerate(words) if w.text == text][nth]
    return check(at.button_group(key="word").select(number).run())


# -- every page --------------------------------------------------------------------------------------------------------


@each_page
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_opens_with_something_to_see(page: str, theme: str) -> None:
    at = visit(page, run=False)
    at.context = {"theme": theme, "url": "http://localhost:8501/"}
    check(at.run())
    assert bodies(at) or any(e.type in ("plotly_chart", "dataframe", "imgs", "image") for e in elements(at._tree))
    assert not at.error and not at.warning


@each_page
def test_a_page_runs_alone(page: str) -> None:
    at = AppTest.from_file(ROOT / "pages" / f"{page}.py", default_timeout=60).run()
    assert not at.exception and len(at.title) == 1 and not at.error


@each_page
@pytest.mark.parametrize("first_visit", [True, False])
def test_a_link_to_a_page_opens_it_inside_the_lab(page: str, first_visit: bool) -> None:
    """Also as the very first visit, when Streamlit still takes pages/ for its older kind of pages."""
    at = visit(page)
    names = {about["page_name"] for about in at._registered_pages.values()}
    assert names == {title(name) for name in PAGES}


def test_every_page_is_in_the_navigation() -> None:
    assert sorted(CONTENTS) == PAGES


@pytest.mark.parametrize("page", sorted(WORDLESS))
def test_a_text_is_nothing_to_a_page_that_reads_none(page: str) -> None:
    at = visit(page, text=HOSTILE["image"])
    assert not [field for field in at.text_input if field.key == "text"]


@pytest.mark.parametrize("page", sorted({*PAGES} - WORDLESS - {"attribution", "tokens"}))  # their own tests take all
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_in_the_link_is_survived(page: str, text: str) -> None:
    at = visit(page, text=text)
    if page != "predict":
        return
    assert at.text_input(key="text").value == text
    blanks = text[: shared.LONGEST_TEXT].count("[MASK]")
    assert bars(at) or sentences(at), "nothing shown and nothing said"
    assert not any("went wrong" in said for said in sentences(at))
    assert len(bars(at)) <= predict.BLANKS * len(minis())
    if not blanks:
        assert not bars(at) and at.info


@each_page
def test_bytes_that_are_no_text_are_survived(page: str) -> None:
    visit(page, text=b"\xed\xa0\x80 \xff [MASK]")  # half a surrogate pair, and no UTF-8 at all


@each_page
def test_foreign_values_in_the_link_are_survived(page: str) -> None:
    visit(
        page, top=b"\xff", models=["\x00", "<script>", "x" * 5000], ask="\x00,,,", word="7", example="3", nonsense="1"
    )
    for top in ("nan", "-1", "1e9", "5.5", "21"):
        visit(page, top=top)


@each_page
def test_no_label_of_a_page_is_foreign_markdown(page: str) -> None:
    foreign = "![](http://x/y.png) :material/home: :smile: $x$ :red[x] <s> [MASK]"
    at = visit(page, text=foreign, ask="![](http://x/y.png), $x$, :smile:")
    for element in elements(at._tree):
        proto = getattr(element, "proto", None)
        labels = [option.content for option in proto.options] if element.type == "button_group" else []
        labels += [proto.label] if element.type == "button" else []
        labels += [element.value] if element.type in ("markdown", "caption", "error", "info", "warning") else []
        for label in labels:
            assert "![" not in label and ":material/home:" not in label and "$x$" not in label and ":red[" not in label


# -- Predict: guesses --------------------------------------------------------------------------------------------------


def test_every_model_answers_at_once_with_a_chart_a_blank() -> None:
    at = visit(text="The [MASK] sat on the [MASK].")
    assert [chart.key for chart in bars(at)] == [f"bars-{key}-{n}" for key in minis() for n in (1, 2)]
    assert at.slider(key="top").value == 5
    headings = bodies(at)
    for key, heading in zip(minis(), headings, strict=True):
        assert registry.find(key)[1].title in heading and "M parameters" in heading and "head" in heading


@pytest.mark.parametrize("top", [3, 5, 20])
def test_the_charts_and_the_table_show_what_the_model_says(top: int) -> None:
    at = visit(top=str(top))
    table = at.dataframe[0].value
    assert len(table) == top * len(minis())
    for key, chart in zip(minis(), bars(at), strict=True):
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
    at = visit()
    check(at.slider(key="top").set_value(11).run())
    assert len(at.dataframe[0].value) == 11 * len(minis())


def test_models_can_be_left_out_and_none_is_a_sentence() -> None:
    at = visit()
    last = minis()[-1]
    check(at.multiselect(key="models").set_value([last]).run())
    assert [chart.key for chart in bars(at)] == [f"bars-{last}-1"]
    check(at.multiselect(key="models").set_value([]).run())
    assert not bars(at) and any("at least one model" in said for said in sentences(at))


def test_a_model_in_the_link_that_nobody_knows_is_a_sentence() -> None:
    at = visit(models=["brot", minis()[0]])
    assert any("Unknown model 'brot'" in said for said in sentences(at))
    assert at.multiselect(key="models").value == [minis()[0]] and bars(at)


@pytest.mark.parametrize("key", ["bort", "bert-base-uncased", "albert-xxlarge-v2"])
def test_a_known_model_that_is_not_here_is_a_sentence_and_is_not_loaded(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda key, **options: asked.append(key) or load(key, **options))
    at = visit(models=[key])
    assert any("is not loaded here" in said for said in sentences(at))
    assert key not in asked and bars(at)


def test_no_models_in_the_link_are_no_models() -> None:
    at = visit(models="")
    assert at.multiselect(key="models").value == [] and not at.error


def test_what_a_model_does_not_read_is_said() -> None:
    at = visit(text="[MASK] " + "the cat sat on the mat " * 60)
    assert bars(at) and any("left out the last" in said for said in sentences(at))
    at = visit(text="the cat sat on the mat " * 60 + "[MASK]")
    assert not bars(at) and any("beyond" in said for said in sentences(at))
    at = visit(text="[MASK] " + "word " * 10_000)
    assert any("characters; the first" in said for said in sentences(at))


LONG = "The [MASK] sat on the mat. " + "the cat sat on the mat " * 60


@pytest.mark.parametrize("page", ["predict", "attention", "kernels", "attribution", "layers"])
def test_every_page_says_what_a_model_did_not_read(page: str) -> None:
    key = "convbert-mini"
    left_out = registry.load(key).encode(LONG).truncated
    at = visit(page, text=LONG, models=[key])
    told = [said for said in sentences(at) if "longer than a model reads" in said]
    assert len(told) == 1 and f"{registry.find(key)[1].title} left out the last {left_out:,} pieces" in told[0]
    assert not any("longer than a model reads" in said for said in sentences(visit(page, models=[key])))


def test_a_model_that_answers_is_leased_by_its_request_and_not_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    in_use: list[set[str]] = []
    run = Pool.run

    def watch(self: Pool, *args: Any, **kwargs: Any) -> Any:
        in_use.append({model.key for model in registry.loaded() if model.in_use})
        return run(self, *args, **kwargs)

    monkeypatch.setattr(Pool, "run", watch)
    monkeypatch.setattr(registry.Registry, "in_use", lambda *_: pytest.fail("searched for by identity"))
    visit(text="The [MASK] sat.", ask="cat")
    assert [{key} for key in minis()] * 2 == in_use
    assert not any(model.in_use for model in registry.loaded())


def test_more_blanks_than_can_be_drawn_are_said() -> None:
    at = visit(text="[MASK] and " * (predict.BLANKS + 2))
    assert len(bars(at)) == predict.BLANKS * len(minis())
    assert any(f"first {predict.BLANKS} blanks" in said for said in sentences(at))
    assert at.dataframe[0].value["blank"].max() == predict.BLANKS + 2


def test_a_busy_lab_says_so_and_offers_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> None:
        raise BusyError("The lab is busy: 64 requests are waiting.", 64)

    with monkeypatch.context() as patched:
        patched.setattr(Pool, "run", busy)
        at = visit()
        assert any("busy" in said for said in sentences(at)) and not bars(at)
        assert [b.label for b in at.button].count("Try again") == len(minis())
    check(at.button[0].click().run())
    assert bars(at)


def test_all_questions_of_a_run_have_one_patience_together(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float] = []

    def busy(*_: Any, timeout: float, **__: Any) -> None:
        timeouts.append(timeout)
        raise BusyError("The lab is busy: 64 requests are waiting.", 64)

    clock = itertools.count(0, 8)
    monkeypatch.setattr("bortlab.ui.shared.asking.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(Pool, "run", busy)
    at = visit()
    assert timeouts[: len(minis())] == [22, 14, 6, 0]
    timeouts.clear()
    at.run()
    assert timeouts[0] == 22  # another run, another patience


def test_an_unforeseen_error_is_a_sentence_without_details(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("/secret/path is gone")

    monkeypatch.setattr(Pool, "run", broken)
    at = check(visit(run=False).run(), well=False)
    assert any("went wrong" in said for said in sentences(at))
    assert not any("secret" in said for said in sentences(at))
    assert "/secret/path is gone" in caplog.text


# -- Predict: hiding words ---------------------------------------------------------------------------------------------


def test_a_word_is_hidden_by_a_click_and_brought_back_by_another() -> None:
    at = visit(text="Paris is the capital of France.")
    assert not bars(at)
    word(at, "capital")
    assert at.text_input(key="text").value == "Paris is the [MASK] of France." and bars(at)
    assert at.button_group(key="word").value is None
    word(at, "[MASK]")
    assert at.text_input(key="text").value == "Paris is the capital of France." and not bars(at)


def test_words_come_back_in_any_order() -> None:
    before = "In the beginning God created the heavens."
    at = visit(text=before)
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
    at = visit(text="the cat the dog the end")
    word(at, "the", nth)
    parts = ["the cat", "the dog", "the end"]
    parts[nth] = parts[nth].replace("the", "[MASK]")
    assert at.text_input(key="text").value == " ".join(parts)
    options = at.button_group(key="word").options
    assert len(set(options)) == len(options)


def test_typing_keeps_what_is_hidden_and_a_typed_blank_hides_nothing() -> None:
    at = visit(text="Paris is the capital of France.")
    word(at, "capital")
    check(at.text_input(key="text").set_value("Rome is the [MASK] of Italy!").run())
    word(at, "[MASK]")
    assert at.text_input(key="text").value == "Rome is the capital of Italy!"
    check(at.text_input(key="text").set_value("A [MASK] and a cat").run())
    word(at, "[MASK]")
    assert at.text_input(key="text").value == "A [MASK] and a cat"
    assert any("No hidden word to restore" in toast.value for toast in at.toast)


def test_an_example_replaces_the_text_and_what_was_hidden() -> None:
    at = visit(text="Paris is the capital of France.")
    word(at, "France")
    for example in examples.EXAMPLES:
        check(at.button_group(key="example").select(example).run())
        assert at.text_input(key="text").value == example and bars(at)
        assert at.button_group(key="example").value is None
    word(at, "[MASK]")
    assert at.text_input(key="text").value == examples.EXAMPLES[-1]


def test_what_is_typed_wins_over_a_click_on_what_stood_there_before() -> None:
    at = visit(text="Paris is the capital of France.")
    at.text_input(key="text").set_value("Something else is here.")
    check(at.button_group(key="word").select(0).run())
    assert at.text_input(key="text").value == "Something else is here."


# -- Predict: how likely -----------------------------------------------------------------------------------------------


def test_named_words_are_scored_by_every_model() -> None:
    named = ["France", "the United Kingdom", "antidisestablishmentarianism", "🐉"]
    at = visit(ask=", ".join(named))
    assert [chart.key for chart in charts(at, "words-")] == [f"words-{key}" for key in minis()]
    table = at.dataframe[0].value
    assert table["word"].tolist() == named * len(minis())
    for key in minis():
        scores = predict.analysis.score_words(registry.load(key), FIRST, named)
        mine = table[table["model"] == key]
        assert mine["probability"].tolist() == pytest.approx([s.probability for s in scores], rel=1e-3, abs=1e-12)
        assert (scores[2].rank is None) == bool(pandas.isna(mine["rank"].iloc[2]))
        assert any(f"{registry.find(key)[1].title}: France" in chart.proto.alt for chart in charts(at, "words-"))
    if not table["known"].all():
        assert any("Not in this vocabulary" in caption.value for caption in at.caption)


@pytest.mark.parametrize("named", ["", " ", ",", " , ,, ", "France,,France, France"])
def test_commas_and_doubles_are_no_words(named: str) -> None:
    at = visit(ask=named)
    found = [chart for chart in charts(at, "words-")]
    assert len(found) == (len(minis()) if "France" in named else 0)
    if found:
        assert at.dataframe[0].value["word"].tolist() == ["France"] * len(minis())


def test_too_many_words_are_said_and_the_first_are_scored() -> None:
    at = visit(ask=",".join(f"word{n}" for n in range(MAX_WORDS + 1)))
    assert any(f"Up to {MAX_WORDS} words" in said for said in sentences(at))
    assert len(at.dataframe[0].value) == MAX_WORDS * len(minis())


def test_a_word_too_long_to_score_is_a_sentence() -> None:
    at = visit(ask="x1 y2 " * 30)
    assert any("can be scored" in said for said in sentences(at)) and bars(at) and not charts(at, "words-")


def test_with_several_blanks_one_is_chosen() -> None:
    at = visit(text="The [MASK] sat on the [MASK].", ask="cat")
    first = at.dataframe[0].value["probability"].tolist()
    check(at.selectbox(key="blank").set_value(1).run())
    second = at.dataframe[0].value["probability"].tolist()
    expected = [
        predict.analysis.score_words(registry.load(key), "The [MASK] sat on the [MASK].", ["cat"], blank=1)[0]
        for key in minis()
    ]
    assert second == pytest.approx([score.probability for score in expected], rel=1e-3) and first != second


# -- taking it away ----------------------------------------------------------------------------------------------------


def test_the_link_holds_what_is_shown() -> None:
    at = visit(text="A & b = [MASK]?", top="7", models=[minis()[0]])
    link = next(code.value for code in at.code if code.value.startswith("?"))
    from urllib.parse import parse_qs

    again = parse_qs(link[1:])
    assert again == {"text": ["A & b = [MASK]?"], "top": ["7"], "models": [minis()[0]]}
    other = visit(**{name: values if name == "models" else values[0] for name, values in again.items()})
    for key, kind in (("text", "text_input"), ("top", "slider"), ("models", "multiselect")):
        assert getattr(other, kind)(key=key).value == getattr(at, kind)(key=key).value
    nobody = visit(models="")
    assert all("models=" in code.value for code in nobody.code if code.value.startswith("?"))


def test_the_python_of_a_view_gives_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    text = "He said: \"[MASK]\" \\n 'x'"
    at = visit(text=text, top="3")
    python = next(code.value for code in at.code if code.value.startswith("import"))
    exec(compile(python, "as python", "exec"), {})
    printed = capsys.readouterr().out
    for key in minis():
        assert key in printed and str(registry.load(key).fill_mask(text, top_k=3)) in printed


def test_the_download_is_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    saved: list[bytes] = []
    button = st.download_button
    monkeypatch.setattr(
        st, "download_button", lambda label, data, *a, **k: saved.append(data) or button(label, data, *a, **k)
    )
    at = visit(text="=1+[MASK]")
    again = pandas.read_csv(io.BytesIO(saved[0]), encoding="utf-8-sig", keep_default_na=False)
    shown = at.dataframe[0].value
    assert list(again.columns) == list(shown.columns) and len(again) == len(shown)
    assert again["probability"].tolist() == pytest.approx(shown["probability"].tolist())
    assert again["piece"].tolist() == [escape.csv_cell(piece) for piece in shown["piece"]]
    assert not again["candidate"].str.match(r"[=+\-@\t\r]").any()


# -- Home --------------------------------------------------------------------------------------------------------------


def test_home_shows_the_ways_in_and_the_ideas() -> None:
    at = visit("home")
    assert {b.key for b in at.button} >= {"start-lesson", "try", "choose-parameters", "choose-latency"}
    drawings = [e for e in elements(at._tree) if e.type in ("imgs", "image")]
    assert len(drawings) == sum(not family.reference for family in FAMILIES.values())


def test_home_leads_into_the_first_lesson_and_back_to_where_it_was_left() -> None:
    at = check(visit("home").button(key="start-lesson").click().run())
    first = at.title[0].value
    assert at.header[0].value.startswith("1. ")
    check(at.button(key="next").click().run())
    at.switch_page("pages/home.py")
    check(at.run())
    check(at.button(key="start-lesson").click().run())
    assert at.title[0].value == first and at.header[0].value.startswith("2. ")


def test_home_leads_to_every_page_by_its_question() -> None:
    for page, entry in list(CONTENTS.items())[1:]:
        assert check(visit("home").button(key=f"open-{page}").click().run()).title[0].value == entry.question


@pytest.mark.parametrize("text", [FIRST, "The cat sat on the [MASK].", HOSTILE["markdown"], ""])
def test_a_sentence_of_home_opens_predict_with_it(text: str) -> None:
    at = visit("home")
    at.text_input(key="first-sentence").set_value(text)
    check(at.button(key="try").click().run())
    assert at.title[0].value == CONTENTS["predict"].question and at.text_input(key="text").value == text


# -- nothing is left in models -----------------------------------------------------------------------------------------


def test_pages_leave_the_models_as_they_were() -> None:
    before = {key: registry.load(key).network.state_dict() for key in minis()}
    copies = {key: {name: tensor.clone() for name, tensor in state.items()} for key, state in before.items()}
    visit(text="The [MASK] sat on the [MASK].", ask="cat, unkindness")
    for key in minis():
        network = registry.load(key).network
        assert not network.training and not any(p.requires_grad for p in network.parameters())
        assert all(torch.equal(tensor, copies[key][name]) for name, tensor in network.state_dict().items())


def test_the_types_that_the_check_of_the_session_would_find() -> None:
    assert "Tensor" in types_of({"a": [torch.zeros(1)]}) and "Module" in types_of(torch.nn.Linear(1, 1))
    assert "Figure" in types_of((Figure(),))


# -- notebooks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted({*PAGES} - {"home"}))  # which leads to the others
def test_a_view_can_be_opened_as_a_notebook(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: dict[str, Any] = {}
    button = st.download_button

    def note(label: str, data: Any, name: str, *rest: Any, **more: Any) -> bool:
        saved.setdefault(label, (data, name))
        return button(label, data, name, *rest, **more)

    monkeypatch.setattr(st, "download_button", note)
    at = visit(page, **({"lesson": "heads", "step": "2", "teacher": "true"} if page == "Lessons" else {}))
    python = next(code.value for code in at.code if code.language == "python")
    data, name = saved["Open as notebook"]
    assert name.endswith(".ipynb")
    node = nbformat.reads(data(), as_version=4)
    nbformat.validate(node)
    about, link, lines = node.cells
    assert "pip install" in about.source and "view of the lab" in about.source and "?" in link.source
    assert lines.source == python.strip("\n")
