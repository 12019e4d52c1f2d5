"""The Layers page through Streamlit's test runner: the lens, surprise and sentences of any text, any link; the job."""

from __future__ import annotations

import html as html_module
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from bortlab import checkpoint, registry
from bortlab.analysis import embeddings, lens, surprise
from bortlab.model import HEADS_KEY, Model
from bortlab.models import FAMILIES
from bortlab.registry import Registry, lenses
from bortlab.system import assets
from bortlab.training import lens as tuning
from bortlab.training.vocabulary import train_tokenizer
from bortlab.ui import layers
from bortlab.ui import sentences as sentences_ui
from bortlab.ui import surprise as surprise_ui
from bortlab.ui.examples import DEFAULT_TEXT
from bortlab.ui.startup import minis
from bortlab.views import layers as view
from bortlab.work.jobs import Job
from tests.pages.visiting import HOSTILE, bodies, charts, check, sentences, visit

PARTS = list(layers.PARTS.values())


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))


def tables(at: AppTest, *, guesses: bool = False) -> list[str]:
    """The tables of cells on the page, as HTML: the main ones, or those of the first guesses at a word."""
    found = [body for body in bodies(at) if "<table" in body]
    return [html[html.index("<table") :] for html in found if ("first guesses" in html) == guesses]


def cells(table: str) -> list[list[str]]:
    """The words of a table, row by row."""
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]
    return [[re.sub("<small>.*?</small>|<[^>]+>", "", cell) for cell in row] for row in rows if row]


def said(at: AppTest) -> str:
    return " ".join(e.value for e in at.markdown).replace("\u2060", "")


# -- the lens ----------------------------------------------------------------------------------------------------------


def test_every_models_layers_are_there_at_once_and_say_what_the_lens_says() -> None:
    at = visit("layers")
    assert len(tables(at)) == len(minis())
    table = at.dataframe[0].value
    for key, html in zip(minis(), tables(at), strict=True):
        found = lens.lens(registry.load(key), DEFAULT_TEXT)
        shown = cells(html)
        assert len(shown) == found.depth + 1
        for row, line in enumerate(shown):
            words = [found.guess(row, position)[0].strip() for position in found.own]
            assert [html_module.unescape(cell) for cell in line] == words
        mine = table[table["model"] == key]
        assert len(mine) == found.rank.size and set(mine["lens"]) == {"plain"}
        assert html.count("bl-settled") == len(found.own)
        (blank,) = found.encoding.mask_positions
        answer = found.guess(found.depth, blank)[0].strip().lower()
        assert answer in said(at)
    for key, html in zip(minis(), tables(at, guesses=True), strict=True):
        found = lens.lens(registry.load(key), DEFAULT_TEXT)
        (blank,) = found.encoding.mask_positions
        expected = [[found.guess(row, blank, k)[0].strip() for k in range(1, 6)] for row in range(found.depth + 1)]
        assert [[html_module.unescape(cell) for cell in line] for line in cells(html)] == expected
    assert [chart.key for chart in charts(at, "curves")] == ["curves"]


@pytest.mark.parametrize("measure", view.MEASURES)
def test_every_number_can_be_shown(measure: str) -> None:
    at = visit("layers")
    check(at.selectbox(key="measure").set_value(measure).run())
    assert len(tables(at)) == len(minis()) and charts(at, "curves")
    check(at.segmented_control(key="lens").set_value("tuned").run())
    assert not at.error


def test_another_word_can_be_looked_at() -> None:
    at = visit("layers", text="The cat sat on the mat.")
    for number in (1, 5):
        check(at.selectbox(key="word").set_value(number).run())
        word = ["The", "cat", "sat", "on", "the", "mat"][number]
        assert f"At **{word}**:" in said(at)
    check(at.text_input(key="text").set_value("A dog.").run())  # the word that was chosen is gone
    assert "At **A**:" in said(at)


def test_a_link_opens_the_same_view() -> None:
    at = visit("layers", measure=view.MEASURES["entropy"], word="3. the", lens="tuned", models=[minis()[0]])
    assert at.selectbox(key="measure").value == "entropy" and at.selectbox(key="word").value == 2
    assert at.segmented_control(key="lens").value == "tuned" and len(tables(at)) == 1


def test_albert_says_which_use_of_its_block_a_layer_is() -> None:
    key = next(key for key in minis() if key.startswith("albert"))
    (html,) = tables(visit("layers", models=[key]))
    assert "4 (block 1, use 4)" in html


# -- surprise and sentences --------------------------------------------------------------------------------------------


def test_surprise_shows_what_the_analysis_says() -> None:
    text = "The dog is a tame animal."
    at = visit("layers", part="Surprise", text=text)
    (html,) = tables(at)
    found = {key: surprise.surprise(registry.load(key), text, most=surprise_ui.WORDS) for key in minis()}
    for line, one in zip(cells(html), found.values(), strict=True):
        assert line == [f"{word.bits:.1f}" for word in one.words]
    summary = at.dataframe[0].value
    assert summary["bits per character"].tolist() == pytest.approx([one.bits_per_character for one in found.values()])
    apart = surprise.disagreements(found)
    assert f"disagree most on **{apart[0].word.text}**" in said(at)
    assert len(at.dataframe[1].value) == sum(len(one.words) for one in found.values())


def test_a_long_text_is_scored_in_part_and_says_so() -> None:
    at = visit("layers", part="Surprise", text="the cat sat on the mat " * 60)
    assert any(f"first {surprise_ui.WORDS} words" in s for s in sentences(at)) and tables(at)


def test_sentences_are_compared_in_any_layer() -> None:
    at = visit("layers", part="Sentences")
    assert len(tables(at)) == len(minis()) == len(charts(at, "plane-")) and charts(at, "means")
    for layer, centred in ((0, False), (1, True)):
        at.slider(key="layer").set_value(layer)
        check(at.toggle(key="centred").set_value(centred).run())
        for key, html in zip(minis(), tables(at), strict=True):
            found = embeddings.embed(registry.load(key), sentences_ui.DEFAULT)
            expected = found.similarity(layer, centred=centred).tolist()
            shown = [[float(cell) for cell in line] for line in cells(html)]
            assert shown == [pytest.approx(line, abs=0.0051) for line in expected]
    check(at.segmented_control(key="pool").set_value("first").run())
    check(at.text_area(key="sentences").set_value("One alone.").run())
    assert len(tables(at)) == len(minis()) and not charts(at, "bars-")
    check(at.text_area(key="sentences").set_value(" \n ").run())
    assert not tables(at) and any("empty" in s for s in sentences(at))
    check(at.text_area(key="sentences").set_value("same\n" * 20).run())
    assert any("left out" in s for s in sentences(at)) and tables(at)


@pytest.mark.parametrize("part", PARTS[1:])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_in_the_link_is_survived_by_every_part(part: str, text: str) -> None:
    key = minis()[-1]
    at = visit("layers", part=part, models=[key], **{"sentences" if part == "Sentences" else "text": text})
    assert tables(at) or sentences(at), "nothing shown and nothing said"
    assert not any("went wrong" in s for s in sentences(at))
    assert not any("<script" in html or "<img" in html for html in tables(at))


@pytest.mark.parametrize("part", PARTS)
def test_no_models_are_a_sentence_in_every_part(part: str) -> None:
    at = visit("layers", part=part)
    check(at.multiselect(key="models").set_value([]).run())
    assert any("at least one model" in s for s in sentences(at)) and not tables(at)


def test_foreign_values_in_the_link_are_survived_by_every_part() -> None:
    for part in (*PARTS, "\x00"):
        visit(
            "layers", part=part, word="99. x", measure="<b>", lens="x", layer="99", pool="-", centred="maybe", map="x"
        )


# -- the tuned lens ----------------------------------------------------------------------------------------------------

KEY = "bort-mini"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """tiny(head): one bundled model, tiny, whose head has this provenance."""

    def make(head: str) -> Model:
        family = FAMILIES["bort"]
        texts = ["Paris is the capital of France.", "A cat sat."] * 9
        tokenizer = train_tokenizer(family.tokenizer, texts, vocab_size=300)
        config = replace(
            family.mini,
            vocab_size=tokenizer.vocab_size,
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=32,
            initializer_range=0.3,
            extra={HEADS_KEY: {"masked-lm": head}},
        )
        network = family.network(config).initialise(torch.Generator().manual_seed(1))
        checkpoint.save(tmp_path / KEY, family, config, network, tokenizer)
        monkeypatch.setattr(assets, "CHECKPOINTS", tmp_path)
        monkeypatch.setattr(registry.loading, "REGISTRY", Registry())
        return registry.load(KEY)

    return make


def captions(at: AppTest) -> str:
    return " ".join(e.value for e in at.caption)


def test_a_lens_is_fitted_by_a_button_and_shown_with_its_gain(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny("trained")
    whole = tuning.job

    def short(model: Model) -> Job:
        asked = whole(model, pieces=3_000)
        added = {"checkpoints": str(tmp_path)}
        return replace(asked, function="tests.jobs_work:fit_lens_elsewhere", arguments={**asked.arguments, **added})

    monkeypatch.setattr(tuning, "job", short)
    at = visit("layers", models=[KEY], lens="tuned")
    assert "it has no tuned one yet" in captions(at)
    button = next(b for b in at.button if b.key and b.key.startswith("start-"))
    assert button.label == "Train a lens here"
    check(button.click().run())
    job = short(registry.load(KEY))
    assert job.wait(120).state == "done", job.log()
    check(at.run())
    assert "hidden pieces that it has not read" in captions(at) and "→" in captions(at)
    assert set(at.dataframe[0].value["lens"]) == {"plain", "tuned"}
    (chart,) = charts(at, "curves")
    assert [line["name"] for line in json.loads(chart.proto.spec)["data"]][1].endswith(", tuned")
    assert lenses.stamp(KEY, registry.load(KEY).revision)
    check(at.segmented_control(key="lens").set_value("plain").run())
    assert "not read" not in captions(at)


def test_the_bundled_models_bring_a_tuned_lens() -> None:
    at = visit("layers", lens="tuned")
    check(at)
    assert captions(at).count("hidden pieces that it has not read") == len(minis())
    assert not [b for b in at.button if (b.key or "").startswith("start-")]
    assert set(at.dataframe[0].value["lens"]) == {"plain", "tuned"}


def test_no_lens_is_offered_for_a_random_head(tiny: Any) -> None:
    tiny("random")
    at = visit("layers", models=[KEY], lens="tuned")
    assert "tuned to noise" in captions(at) and not [b for b in at.button if (b.key or "").startswith("start-")]
