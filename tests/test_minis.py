"""What the bundled models promise: made alike, small, whole, readable elsewhere, and as good as their cards say."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

import bortlab
from bortlab.analysis import lens as analysis
from bortlab.data.corpus import read
from bortlab.model import Model
from bortlab.models import FAMILIES
from bortlab.system.assets import CHECKPOINTS, LENSES
from bortlab.training import cards
from bortlab.training.encoded import EncodedText, encode_text
from bortlab.training.hiding import Template
from bortlab.training.lens import read_lens
from bortlab.training.masked_lm import Heldout, Recipe, measure
from bortlab.training.minis import ENCODER, SOURCES, recipe_of
from bortlab.training.pairs import share_right

MINIS = [family.mini_key for family in FAMILIES.values()]
KEYS = [*MINIS, ENCODER]
each_model = pytest.mark.parametrize("key", KEYS)
each_mini = pytest.mark.parametrize("key", MINIS)
LARGEST = {key: 12_000_000 for key in MINIS} | {ENCODER: 30_000_000}
"""Bytes of the weights, at most."""
SENTENCE = "A beagle is a kind of hound, and the king of Israel said to him, Go."


@dataclass(frozen=True)
class Bundled:
    """A bundled model: its folder, its card, and the model, loaded as a user would."""

    folder: Path
    card: dict[str, Any]
    model: Model


def bundled(key: str) -> Bundled:
    folder = CHECKPOINTS / key
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return Bundled(folder, card, bortlab.load(key))


# -- made alike --------------------------------------------------------------------------------------------------------


def test_the_minis_are_of_one_recipe() -> None:
    first = bundled(MINIS[0]).card
    for key in MINIS:
        card = bundled(key).card
        for same in ("recipe", "teacher", "sources", "device"):
            assert card[same] == first[same]
        assert card["pieces_seen"] == pytest.approx(first["pieces_seen"], rel=0.01), key
        assert card["config"]["vocab_size"] == first["config"]["vocab_size"]


@each_model
def test_the_card_is_complete(key: str) -> None:
    model = bundled(key)
    card, held = model.card, model.card["heldout"]
    assert card["key"] == key and card["family"] == model.model.family.name
    stated = json.loads(json.dumps(model.model.config.to_dict()))
    assert card["config"] == {name: stated[name] for name in card["config"]}  # fields may have been added since
    assert {"architectures", "vocab_size", "hidden_size", "num_hidden_layers"} <= set(card["config"])
    assert card["parameters"] == model.model.n_parameters
    assert Recipe(**card["recipe"]) == replace(recipe_of(key), weights=card["recipe"]["weights"])
    assert {name: card["recipe"]["weights"].get(name, 1.0) for name in SOURCES} == {
        name: recipe_of(key).weights.get(name, 1.0) for name in SOURCES
    }
    assert card["pieces_seen"] >= card["recipe"]["pieces"] and card["seconds"] > 0 and card["device"]
    assert card["command"].startswith(f"bortlab minis {key} ")
    assert set(card["sources"]) == set(held["by_source"]) == set(SOURCES)
    assert 0 < held["loss"] < np.log(model.model.config.vocab_size)
    assert min(held["by_source"].values()) <= held["masked_accuracy"] <= max(held["by_source"].values())
    page = (model.folder / "README.md").read_text(encoding="utf-8")
    assert page == cards.page(card)
    curve = json.loads((model.folder / "curve.json").read_text(encoding="utf-8"))
    assert curve[-1]["pieces"] == card["pieces_seen"]
    assert [point["pieces"] for point in curve] == sorted(point["pieces"] for point in curve)


def test_the_encoder_says_whose_it_is() -> None:
    card = bundled(ENCODER).card
    assert card["base"]["name"] == "all-MiniLM-L6-v2" and "MIT" in card["base"]["licence"]
    page = (CHECKPOINTS / ENCODER / "README.md").read_text(encoding="utf-8")
    assert "are not the published ones" in page and "not one of the four equal minis" in page


@each_model
def test_the_file_is_small_and_float16(key: str) -> None:
    model = bundled(key)
    path = model.folder / "model.safetensors"
    assert path.stat().st_size <= LARGEST[key]
    tensors = load_file(path)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert dict(model.model.heads) == {"masked-lm": "adapted" if key == ENCODER else "trained"}
    adaptation = model.model.adaptation
    assert (adaptation is None) == (key != ENCODER)
    assert adaptation is None or adaptation.pieces == model.card["pieces_seen"]
    assert model.model.source == "bundled" and model.model.dtype == torch.float32


# -- each family's idea ------------------------------------------------------------------------------------------------


@each_mini
def test_the_sizes_are_the_family_s(key: str) -> None:
    model = bundled(key).model
    config, stated = model.config, model.family.mini
    assert config == replace(stated, vocab_size=config.vocab_size, pad_token_id=config.pad_token_id)
    assert config.vocab_size <= stated.vocab_size
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.0


def test_albert_shares_and_factorises() -> None:
    config: Any = bundled("albert-mini").model.config
    assert config.embedding_size < config.hidden_size
    assert config.num_hidden_groups == 1 and config.num_hidden_layers > 1


def test_convbert_mixes() -> None:
    found = bundled("convbert-mini").model
    config: Any = found.config
    assert config.head_ratio == 2 and config.conv_kernel_size == 9
    trace = found.trace(SENTENCE)
    assert trace.kernels is not None and trace.kernels.shape[-1] == 9


def test_bort_is_shallow_and_narrow() -> None:
    config, bert = bundled("bort-mini").model.config, FAMILIES["bert"].mini
    assert config.intermediate_size < config.hidden_size
    assert config.num_hidden_layers < bert.num_hidden_layers


# -- readable elsewhere, the same every time ---------------------------------------------------------------------------


@each_model
def test_transformers_gives_the_same_logits(key: str) -> None:
    found = bundled(key)
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(found.folder, dtype=torch.float32).eval()
    for text in (SENTENCE, "[MASK] is the capital of [MASK].", "I"):
        encoding = found.model.encode(text)
        with torch.inference_mode():
            expected = theirs(torch.tensor([encoding.ids])).logits
        torch.testing.assert_close(found.model.logits(encoding), expected, rtol=0, atol=1e-4)


@each_model
def test_the_same_text_gives_the_same_numbers(key: str) -> None:
    found = bundled(key)
    encoding = found.model.encode("A robin is a kind of [MASK].")
    one = found.model.logits(encoding)
    assert torch.equal(one, found.model.logits(encoding))
    loaded = bortlab.load_from(found.folder)  # read from the disk anew
    assert loaded is not found.model
    assert torch.equal(one, loaded.logits(encoding))
    guesses = [model.fill_mask(encoding.text).blanks[0].candidates for model in (found.model, loaded)]
    assert guesses[0] == guesses[1]


# -- as good as the card says ------------------------------------------------------------------------------------------


@cache
def heldout(key: str) -> EncodedText:
    """Every other held-out document of the bundled corpus; what else cards measure is no part of the repository."""
    documents = [(document.source, document.sentences) for document in read("heldout")][::2]
    return encode_text(documents, [bundled(key).model.tokenizer], names=SOURCES)


@cache
def measured(key: str) -> Heldout:
    model = bundled(key).model
    return measure(model.network, heldout(key), Template.of(model.tokenizer))


@each_model
def test_the_accuracy_on_the_card_is_so(key: str) -> None:
    by_source = bundled(key).card["heldout"]["by_source"]
    for source, accuracy in measured(key).by_source.items():
        assert accuracy == pytest.approx(by_source[source], abs=0.04)  # other rows beside these: other words hidden


@each_model
def test_it_knows_more_than_how_frequent_pieces_are(key: str) -> None:
    pieces = heldout(key).cuttings[0].pieces
    commonest = np.bincount(pieces).max() / len(pieces)
    assert measured(key).accuracy > 3 * commonest and measured(key).accuracy > commonest + 0.15


@each_model
def test_the_blanks_on_the_card_are_so(key: str) -> None:
    model = bundled(key)
    for kind, score in cards.bundled_blanks(model.model).items():
        first, top_five, of = model.card["blanks"][kind]
        assert score.of == of == 40
        assert abs(score.top_five - top_five) <= 1 and abs(score.first - first) <= 1  # a tie may fall differently


@each_model
def test_grammar_is_as_the_card_says(key: str) -> None:
    model = bundled(key)
    shares = share_right(model.model)
    assert shares == pytest.approx(model.card["minimal_pairs"], abs=0.02)
    assert min(shares.values()) > 0.5  # better than a coin, in every kind


@pytest.mark.parametrize(
    ("text", "sensible"),
    [
        ("The cat sat on the [MASK].", {"table", "floor", "ground", "bed", "chair"}),
        ("She drinks a cup of [MASK] every morning.", {"tea", "coffee", "milk"}),
    ],
)
@each_model
def test_ordinary_sentences_get_sensible_words(key: str, text: str, sensible: set[str]) -> None:
    guesses = bundled(key).model.fill_mask(text).blanks[0].candidates
    assert sensible & {guess.text.strip().lower() for guess in guesses}


# -- their lenses ------------------------------------------------------------------------------------------------------


@each_model
def test_a_tuned_lens_comes_with_it(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path))
    model = bundled(key).model
    tuned = read_lens(model)
    assert tuned is not None
    assert tuned.card["base"] == key and tuned.card["command"].startswith(f"bortlab lens {key} ")
    gains = tuned.card["heldout"]
    for kind in ("hidden", "visible"):
        plain, better = (gains[lens][kind]["divergence_bits"] for lens in ("plain", "tuned"))
        assert len(plain) == model.config.depth and all(b < a for a, b in zip(plain, better, strict=True))
    text = "She drinks a cup of [MASK] every morning, and the children go to school by [MASK]."
    own = list(analysis.lens(model, text).encoding.mask_positions)
    through = [analysis.lens(model, text, tuned=lens).divergence[:-1, own].mean() for lens in (None, tuned.lens)]
    assert through[1] < through[0]


def test_all_lenses_are_small() -> None:
    files = list(LENSES.glob("*/lens.safetensors"))
    assert {path.parent.name for path in files} == set(KEYS)
    assert sum(path.stat().st_size for path in files) < 12_000_000
    assert {tensor.dtype for path in files for tensor in load_file(path).values()} == {torch.float16}
