"""The Tokens page through Streamlit's test runner: pieces, numbers and tables of any text, any link."""

from __future__ import annotations

import html
import io
import re
from dataclasses import replace
from functools import partial
from typing import Any

import pandas
import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as st_h
from streamlit.testing.v1 import AppTest

from bortlab import registry
from bortlab.analysis import tokens as analysis
from bortlab.ui import shared, tokens
from bortlab.ui.startup import minis
from bortlab.views import escape
from bortlab.views import tokens as view
from tests.pages.visiting import HOSTILE, bodies, visit

lab = partial(visit, "tokens")


def strip(at: AppTest) -> str:
    """The strip of pieces."""
    return next(body for body in bodies(at) if "bt-strip" in body and "<ol" in body)


def table(at: AppTest) -> pandas.DataFrame:
    """One row a piece."""
    return next(frame.value for frame in at.dataframe if "position" in frame.value)


def test_every_model_has_its_row_at_once() -> None:
    at = lab()
    assert not at.error and not at.warning and not at.info
    said = strip(at)
    for key in minis():
        assert f'aria-label="{registry.find(key)[1].title}: ' in said
    assert said.count("<ol") == len(minis()) + 1
    assert len(at.markdown[1].value) > 20


def test_the_table_and_the_strip_show_what_the_tokenizer_says() -> None:
    text = "Paris is the [MASK] of naïve cafés 😀."
    at = lab(text=text)
    rows = table(at)
    for key in minis():
        encoding = registry.load(key).tokenizer.encode(text)
        mine = rows[rows["model"] == key]
        assert tuple(mine["id"]) == encoding.ids and tuple(mine["piece"]) == encoding.tokens
        assert tuple(zip(mine["start"], mine["end"], strict=True)) == encoding.offsets
        for number in set(encoding.ids):
            assert f"· id {number}" in strip(at)
    counts = next(frame.value for frame in at.dataframe if "pieces per word" in frame.value)
    assert counts["model"].tolist() == minis() and (counts["words"] == 6).all()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    for at in (lab(text=text), lab(text=text, second=text)):
        assert at.text_input(key="text").value == text
        assert strip(at).count("<ol") == len(minis()) + 1
        if len(text) > shared.LONGEST_TEXT:
            assert any("characters; the first" in e.value for e in at.warning)
        if len(text) > view.MOST_DRAWN:
            assert any("are drawn" in e.value for e in at.info)
        assert len(strip(at)) < 6_000_000


def test_an_empty_text_is_a_sentence() -> None:
    at = lab(text="")
    assert any("empty" in e.value for e in at.info) and "[CLS]" in strip(at)


def test_no_models_are_a_sentence() -> None:
    at = lab(models="")
    assert any("at least one model" in e.value for e in at.info) and not bodies(at)
    one = lab(models=[minis()[0]])
    assert strip(one).count("<ol") == 2 and not any("vocabularies share" in e.value for e in one.header)


def test_a_second_text_shows_the_templates() -> None:
    at = lab(second="It is [MASK]; </script>")
    templates = html.unescape(next(e.value for e in at.markdown if "token type" in e.value))
    for key in minis():
        cut = analysis.cut(registry.load(key).tokenizer, "a", "b")
        assert f"{registry.find(key)[1].title}: **{cut.template}**" in templates
    assert set(table(at)["part"].dropna()) == {0, 1}
    assert not any("token type 0 for A, 1" in e.value for e in lab().markdown)


def test_separators_are_asked_for_where_they_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    bytewise = [key for key in minis() if registry.load(key).tokenizer.kind == "byte-bpe"]
    at = lab(second="two")
    assert bool(at.get("button_group")) == bool(bytewise)
    for key in bytewise:
        at = lab(second="two", separators="double")
        mine = table(at)[table(at)["model"] == key]
        assert mine["special"].sum() == 4
        assert 'with_pair_format("double")' in _python(at) or "with_pair_format('double')" in _python(at)


@pytest.mark.parametrize("wrong", ["\x00", "triple", "x" * 5000])
def test_foreign_values_in_the_link_are_survived(wrong: str) -> None:
    lab(second=wrong, separators=wrong, models=[wrong, minis()[0]])


def test_what_a_model_does_not_read_is_said() -> None:
    at = lab(text="the cat sat on the mat " * 60)
    said = next(e.value for e in at.caption if "leaves out" in e.value)
    assert all(registry.find(key)[1].title in said for key in minis())


def test_sentences_hold_what_the_data_say() -> None:
    at = lab(text="the 日 the", models=[minis()[0]])
    cut = analysis.cut(registry.load(minis()[0]).tokenizer, "the 日 the")
    said = html.unescape(" ".join(e.value for e in at.markdown))
    assert f"needs {len(cut.own)} pieces" in said and "2 of the 3 words are one piece" in said
    if any(piece.role == "unknown" for piece in cut.pieces):
        assert "does not know **日**" in said


MODELS = {"a": "A", "b": "B", "c": "C"}
counts = st_h.builds(
    analysis.Counts,
    **dict.fromkeys(("pieces", "words", "word_pieces", "whole"), st_h.integers(0, 3)),
    **dict.fromkeys(("unknown", "fragments", "characters", "n_bytes"), st_h.just(0)),
)


@given(st_h.lists(counts, min_size=1, max_size=3), st_h.integers(0, 3))
def test_sizes_are_said_in_any_case(numbers: list[analysis.Counts], n_words: int) -> None:
    pairs = zip(MODELS, numbers, strict=False)
    by_model = {key: replace(c, words=n_words, whole=min(c.whole, n_words)) for key, c in pairs}
    sentence = tokens.sizes(by_model, MODELS)
    low, high = min(c.pieces for c in numbers), max(c.pieces for c in numbers)
    assert re.search(rf"needs? {low} piece{'s' if low != 1 else ''}[.,;]", sentence)
    assert (f"** {high}" in sentence) == (high > low)
    assert all(f"**{MODELS[key]}**" in sentence for key, c in by_model.items() if c.pieces in (low, high))
    whole = {c.whole for c in by_model.values()}
    if n_words > 1:
        spread = f"{min(whole)} to {max(whole)}" if len(whole) > 1 else f"{min(whole)}"
        assert f"; {spread} of the {n_words} words " in sentence
    assert "1 words" not in sentence and ("word" in sentence) == bool(n_words)


def test_the_word_that_is_cut_most_differently_names_all_models_at_both_ends() -> None:
    piece = analysis.cut(registry.load(minis()[0]).tokenizer, "cat").own[0]
    word = analysis.words_of("cat")[0]
    difference = analysis.Difference(word, {"a": (piece,), "b": (piece,) * 3, "c": (piece,)})
    said = tokens.widest([difference], MODELS)
    assert said == "Cut most differently is **cat**: 1 piece for A and C, 3 for B."
    assert tokens.widest([analysis.Difference(word, {"a": (piece,), "b": (piece,)})], MODELS) == ""


def _python(at: AppTest) -> str:
    return next(code.value for code in at.code if code.value.startswith("import"))


def test_the_python_of_a_view_gives_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    at = lab(text='it\'s "café" \\n', second="b'c")
    found: dict[str, Any] = {}
    exec(compile(_python(at), "as python", "exec"), found)
    shown = table(at).reset_index(drop=True)
    pandas.testing.assert_frame_equal(analysis.frame(found["cuts"]), shown, check_dtype=False)
    assert capsys.readouterr().out.strip()


def test_the_link_opens_the_same_view() -> None:
    at = lab(text="a & b = c?", second="d+e", models=[minis()[0]])
    link = next(code.value for code in at.code if "text=" in code.value and not code.value.startswith("import"))
    assert "text=a+%26+b" in link and "second=d%2Be" in link and f"models={minis()[0]}" in link


def test_the_download_is_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[bytes] = []
    button = st.download_button
    monkeypatch.setattr(
        st, "download_button", lambda label, data, *a, **k: saved.append(data) or button(label, data, *a, **k)
    )
    at = lab(text="=1+1 @x")
    again = pandas.read_csv(io.BytesIO(saved[0]), encoding="utf-8-sig", keep_default_na=False)
    assert list(again.columns) == list(table(at).columns) and again["id"].tolist() == table(at)["id"].tolist()
    assert again["piece"].tolist() == [escape.csv_cell(piece) for piece in table(at)["piece"]]
    assert not again["text"].astype(str).str.match(r"[=+@]").any()


def test_vocabularies_are_compared() -> None:
    if len(minis()) < 2:
        pytest.skip("one model alone shares nothing; un-skip when two minis are bundled")
    body = next(body for body in bodies(lab()) if '"bt-table bt-heat"' in body)
    assert body.count("<td") == len(minis()) ** 2
    first, second = (analysis.vocabulary_words(registry.load(key).tokenizer) for key in minis()[:2])
    assert f"{len(first):,}<" in body and f"{len(first & second):,}<" in body
    assert re.search(r"\d+%", body)
