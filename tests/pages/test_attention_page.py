"""The Attention and Kernels pages through Streamlit's test runner: every view, any text, any link."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from bortlab import registry
from bortlab.analysis.kernels import has_kernels
from bortlab.ui import attention, kernels
from bortlab.ui.startup import minis
from tests.pages.visiting import HOSTILE, bodies, check, elements, visit

TEXT = "The doctor treats the [MASK] patient."
EVERY = [("attention", view) for view in attention.VIEWS] + [("kernels", view) for view in kernels.VIEWS]
each_view = pytest.mark.parametrize(("page", "view"), EVERY, ids=lambda value: value)


def lab(page: str, **query: Any) -> AppTest:
    """The page, with a text and these values in the link."""
    return visit(page, **{"text": TEXT, **query})


def pictures(at: AppTest) -> list[Any]:
    return [e for e in elements(at._tree) if e.type in ("plotly_chart", "iframe")]


def table(at: AppTest) -> pandas.DataFrame:
    return next(e for e in elements(at._tree) if e.type == "dataframe").value


@each_view
def test_every_view_has_pictures_a_table_and_sentences_at_once(page: str, view: str) -> None:
    at = lab(page, view=view)
    assert pictures(at) and len(table(at)) and not at.error
    # The heading's facts, a computed sentence, the link and the Python lines.
    assert any("**" in m.value or "prefers" in m.value for m in at.markdown) or page == "kernels"
    code = next(c.value for c in at.code if c.language == "python")
    compile(code, view, "exec")


@each_view
def test_the_python_lines_make_the_view(page: str, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at = lab(page, view=view)
    shown: list[Any] = []
    monkeypatch.setattr("bortlab.views.view.View.show", lambda view: shown.append(view))
    exec(next(c.value for c in at.code if c.language == "python"), {})
    assert shown and all(len(view.table) for view in shown)
    if page == "attention" and "BertViz" not in view and view != "Compare":
        assert len(shown) == len(minis())  # every model's, with its own layers and heads


@each_view
@pytest.mark.parametrize(
    "name", ["empty", "one long word", "script", "special tokens", "right to left", "icons and colours"]
)
def test_any_text_runs_to_the_end(page: str, view: str, name: str) -> None:
    lab(page, view=view, text=HOSTILE[name])


def test_a_long_text_and_a_pair() -> None:
    for view in attention.VIEWS:
        at = lab("attention", view=view, text="word " * 3000, models=minis()[:2])
        assert pictures(at), (view, [e.value for e in at.info], [e.value for e in at.error])
    at = lab("attention", view="BertViz heads", second="It is late.")
    assert "Sentence A" in pictures(at)[0].proto.srcdoc


def test_a_choice_beyond_what_the_models_have_is_cut_off() -> None:
    at = lab("attention", layer="6", heads=["4"])
    assert "layer 6" in table(at)["view"].iloc[0]
    at.multiselect(key="models").set_value(["bort-mini"])
    check(at.run())
    assert at.selectbox(key="layer").value == registry.load("bort-mini").config.depth == 4
    for query in ({"layer": "99"}, {"layer": "x"}, {"heads": ["77"]}, {"view": "No such view"}, {"between": "x"}):
        lab("attention", **query)


def test_several_heads_are_averaged() -> None:
    at = lab("attention", models="bert-mini", heads=["1", "3"])
    assert "heads 1, 3" in table(at)["view"].iloc[0]
    model = registry.load("bert-mini")
    from bortlab.analysis import attention as analysis

    found = analysis.of_words(model.trace(TEXT)).mean(0, [0, 2])
    assert table(at)["weight"].head(len(found) ** 2).tolist() == pytest.approx(found.flatten().tolist())


def test_thumbnails_can_be_clicked() -> None:
    at = lab("attention", view="All heads", models="bert-mini")
    chart = next(e for e in pictures(at) if e.key == "grid-bert-mini")
    spec = json.loads(chart.proto.spec)
    assert [2, 1] in spec["data"][1]["customdata"] and spec["layout"]["clickmode"] == "event+select"


def test_masking_a_word_and_two_models() -> None:
    at = lab("attention", view="Compare", models=minis()[:2])
    assert {"first", "second", "difference"} <= set(table(at).columns)
    frame = table(at)
    assert (frame["second"] - frame["first"]).tolist() == pytest.approx(frame["difference"].tolist())
    at.button_group(key="compare").set_value("A word hidden")
    check(at.run())
    assert {"before", "hidden", "difference"} <= set(table(at).columns)
    at = lab("attention", view="Compare", models=minis()[:1])
    assert "at least two models" in at.info[0].value


def test_facts_about_shared_blocks_and_halved_heads_come_from_the_model() -> None:
    at = lab("attention", models=["albert-mini", "convbert-mini"])
    assert any("one block, used 6 times" in body for body in bodies(at))
    assert any("2 of 4 heads remain" in body for body in bodies(at))


def test_the_changed_text_follows_the_text_until_somebody_edits_it() -> None:
    at = lab("kernels", view="Why a span?", models=kernels.USUAL, text="The nurse treats the patient.")
    assert at.text_input(key="edited").value == "The water treats the patient."
    check(at.text_input(key="text").set_value("A dog barks.").run())
    assert at.text_input(key="edited").value == "A dog water."
    check(at.text_input(key="edited").set_value("A cat barks.").run())
    check(at.text_input(key="text").set_value("A dog sleeps.").run())
    assert at.text_input(key="edited").value == "A cat barks."


def test_kernels_of_models_without_convolution_are_a_sentence_and_a_button() -> None:
    without = [key for key in minis() if not has_kernels(registry.load(key))]
    at = lab("kernels", models=without)
    assert "have no kernels" in at.info[0].value and not pictures(at)
    check(next(b for b in at.button if b.label.startswith("Look at")).click().run())
    assert pictures(at) and kernels.USUAL in at.multiselect(key="models").value
    at = lab("kernels", models="")
    assert not pictures(at) and at.button


def test_an_edited_neighbour_moves_the_spans_kernel_alone() -> None:
    at = lab("kernels", view="Why a span?", models=kernels.USUAL, edited="The nurse treats the [MASK] patient.")
    frame = table(at)
    first = frame[(frame["layer"] == 1) & frame["span"].notna()]
    assert first["span"].max() > 0.005 and first["token alone"].max() < 1e-6
    at.text_input(key="edited").set_value("nothing alike").run()
    check(at)


@pytest.mark.parametrize(("page", "view"), [("attention", "One head"), ("kernels", "By layer")])
def test_downloads_hold_the_tables_numbers(page: str, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, Any] = {}
    monkeypatch.setattr(st, "download_button", lambda label, data, name, *_, **__: files.update({name: data}))
    frame = table(lab(page, view=view, models="convbert-mini"))
    csv, page_of = (next(data for name, data in files.items() if name.endswith(end)) for end in (".csv", ".html"))
    read = pandas.read_csv(io.BytesIO(csv))
    assert list(read.columns) == list(frame.columns)
    for name in frame.columns:
        expected = frame[name].astype(str if frame[name].dtype == "category" else frame[name].dtype)
        pandas.testing.assert_series_equal(read[name], expected, check_dtype=False)
    said = page_of()
    assert said.count("Plotly.newPlot(") >= 1 and said.count("<section>") == frame["view"].nunique()
