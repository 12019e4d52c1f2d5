"""What the bundled minis promise: made alike, small, whole, readable elsewhere, and as good as their cards say.

Parametrised over the families; one whose mini is not in assets/checkpoints yet is skipped, and says so.
"""

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
from bortlab.data.corpus import ASSETS, Document, read
from bortlab.model import Model
from bortlab.models import FAMILIES
from bortlab.system.assets import CHECKPOINTS
from bortlab.training.batches import EncodedDocument, encode_documents
from bortlab.training.export import score_blanks
from bortlab.training.pretrain import OPTIONS, Measurement, Recipe, measure

each_family = pytest.mark.parametrize("family", list(FAMILIES))
LARGEST = 12_000_000
"""Bytes of a mini's weights, at most."""
SENTENCE = "A beagle is a kind of hound, and the king of Israel said to him, Go."


@dataclass(frozen=True)
class Mini:
    """A bundled mini: its folder, its card, and the model, loaded as a user would."""

    folder: Path
    card: dict[str, Any]
    model: Model


def present() -> list[str]:
    """Families that have a mini."""
    return [family for family in FAMILIES if (CHECKPOINTS / f"{family}-mini" / "config.json").is_file()]


def mini(family: str) -> Mini:
    """The mini of a family; skips the test where there is none yet."""
    folder = CHECKPOINTS / f"{family}-mini"
    if family not in present():
        pytest.skip(f"no {family}-mini in assets/checkpoints yet; un-skip: pretrain --family {family} --export")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return Mini(folder, card, bortlab.load(f"{family}-mini"))


# -- made alike --------------------------------------------------------------------------------------------------------


def test_all_minis_are_of_one_recipe() -> None:
    cards = {family: mini(family).card for family in present()}
    if len(cards) < 2:
        pytest.skip("fewer than two minis in assets/checkpoints: nothing to compare")
    first = next(iter(cards.values()))
    for family, card in cards.items():
        assert card["recipe"] == first["recipe"] | {"family": family}
        assert card["corpus"] == first["corpus"]
        assert card["pieces_seen"] == pytest.approx(first["pieces_seen"], rel=0.01), family


@each_family
def test_the_card_is_complete(family: str) -> None:
    found = mini(family)
    card, held = found.card, found.card["heldout"]
    assert card["family"] == family and card["title"] == f"{FAMILIES[family].title} mini"
    assert card["config"] == json.loads(json.dumps(found.model.config.to_dict()))
    assert card["parameters"] == found.model.n_parameters
    assert Recipe(**card["recipe"]).family == family
    assert card["seed"] == card["recipe"]["seed"]
    assert card["pieces_seen"] > 100_000 and card["seconds"] > 0 and card["device"]
    assert card["corpus"]["name"] == "assets/corpus"
    manifest = json.loads((ASSETS / "manifest.json").read_text(encoding="utf-8"))
    assert card["corpus"]["words"] == sum(part["words"] for part in manifest["splits"]["train"].values())
    assert card["command"].startswith(f"python -m bortlab.training.pretrain --family {family} ")
    assert all(f"--{name.replace('_', '-')} {card['recipe'][name]}" in card["command"] for name in OPTIONS)
    assert 0 < held["loss"] < np.log(found.model.config.vocab_size)
    assert set(held["by_source"]) == {"bible", "wordnet"}
    assert next(iter(held["by_frequency"])) == "1 to 1,000" and len(held["by_frequency"]) >= 5
    shares = [held["masked_accuracy"], *held["by_source"].values(), *held["by_frequency"].values()]
    assert all(0 <= share <= 1 for share in shares)
    assert min(held["by_source"].values()) <= held["masked_accuracy"] <= max(held["by_source"].values())
    assert set(card["blanks_top5"]) == {"capital", "kind", "opposite", "part", "verse"}
    page = " ".join((found.folder / "README.md").read_text(encoding="utf-8").split())
    assert f"masked accuracy {100 * held['masked_accuracy']:.1f} %" in page and card["command"] in page
    curve = json.loads((found.folder / "curve.json").read_text(encoding="utf-8"))
    assert curve[-1]["pieces"] == card["pieces_seen"]
    assert curve[-1]["accuracy"] == pytest.approx(held["masked_accuracy"], abs=0.01)
    assert [point["pieces"] for point in curve] == sorted(point["pieces"] for point in curve)


@each_family
def test_the_file_is_small_and_float16(family: str) -> None:
    found = mini(family)
    path = found.folder / "model.safetensors"
    assert path.stat().st_size <= LARGEST
    tensors = load_file(path)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert dict(found.model.heads) == {"masked-lm": "trained"}
    assert found.model.source == "bundled" and found.model.dtype == torch.float32


# -- each family's idea ------------------------------------------------------------------------------------------------


@each_family
def test_the_sizes_are_the_family_s(family: str) -> None:
    config = mini(family).model.config
    stated = FAMILIES[family].mini
    assert config == replace(stated, vocab_size=config.vocab_size, pad_token_id=config.pad_token_id)
    assert config.vocab_size <= stated.vocab_size
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.0


def test_albert_shares_and_factorises() -> None:
    config: Any = mini("albert").model.config
    assert config.embedding_size < config.hidden_size
    assert config.num_hidden_groups == 1 and config.num_hidden_layers > 1


def test_convbert_mixes() -> None:
    found = mini("convbert").model
    config: Any = found.config
    assert config.head_ratio == 2 and config.conv_kernel_size == 9
    trace = found.trace(SENTENCE)
    assert trace.kernels is not None and trace.kernels.shape[-1] == 9


def test_bort_is_shallow_and_narrow() -> None:
    config, bert = mini("bort").model.config, FAMILIES["bert"].mini
    assert config.intermediate_size < config.hidden_size
    assert config.num_hidden_layers < bert.num_hidden_layers


# -- readable elsewhere, the same every time ---------------------------------------------------------------------------


@each_family
def test_transformers_gives_the_same_logits(family: str) -> None:
    found = mini(family)
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(found.folder, dtype=torch.float32).eval()
    for text in (SENTENCE, "[MASK] is the capital of [MASK].", "I"):
        encoding = found.model.encode(text)
        with torch.inference_mode():
            expected = theirs(torch.tensor([encoding.ids])).logits
        torch.testing.assert_close(found.model.logits(encoding), expected, rtol=0, atol=1e-4)


@each_family
def test_the_same_text_gives_the_same_numbers(family: str) -> None:
    found = mini(family)
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
def documents(split: str, source: str) -> list[Document]:
    return [document for document in read(split) if document.source == source]  # type: ignore[arg-type]


def some(given: list[Document], share: float) -> list[Document]:
    """A share of the documents, drawn once and for all."""
    chosen = np.random.default_rng(0).random(len(given)) < share
    return [document for document, taken in zip(given, chosen, strict=True) if taken]


@cache
def heldout(family: str) -> dict[str, list[EncodedDocument]]:
    """Half of the held-out synsets, and all of the few chapters."""
    tokenizer = mini(family).model.tokenizer
    return {
        "bible": encode_documents(documents("heldout", "bible"), tokenizer),
        "wordnet": encode_documents(some(documents("heldout", "wordnet"), 0.5), tokenizer),
    }


@cache
def measured(family: str) -> Measurement:
    found = mini(family)
    length = found.card["recipe"]["length"]
    return measure(found.model.network, heldout(family), found.model.tokenizer, length=length)  # type: ignore[arg-type]


@each_family
def test_the_accuracy_on_the_card_is_so(family: str) -> None:
    """Within two points, on a part of the held-out documents; each source has its share of the whole."""
    found = mini(family)
    pieces = {
        source: sum(
            map(len, found.model.tokenizer.ids_of([s for d in documents("heldout", source) for s in d.sentences]))
        )
        for source in ("bible", "wordnet")
    }
    by_source = measured(family).by_source
    accuracy = sum(by_source[source] * count for source, count in pieces.items()) / sum(pieces.values())
    held = found.card["heldout"]
    assert accuracy == pytest.approx(held["masked_accuracy"], abs=0.02)
    assert by_source["bible"] == pytest.approx(held["by_source"]["bible"], abs=0.02)  # all of it, thus nearly equal
    assert held["hidden_pieces"] == pytest.approx(0.15 * sum(pieces.values()), rel=0.05)


@each_family
def test_the_mini_knows_more_than_how_frequent_pieces_are(family: str) -> None:
    found = mini(family)
    tokenizer = found.model.tokenizer
    sample = some(documents("train", "wordnet"), 0.03) + some(documents("train", "bible"), 0.03)
    pieces = np.concatenate([s for document in encode_documents(sample, tokenizer) for s in document.sentences])
    assert len(pieces) > 100_000  # of six million: enough to know the frequent ones
    counts = np.bincount(pieces, minlength=found.model.config.vocab_size) + 1
    share = counts / counts.sum()
    best = measured(family)
    baseline = float((best.labels == counts.argmax()).mean())
    assert best.accuracy > 3 * baseline
    assert best.accuracy > baseline + 0.15
    assert best.loss < float(-np.log(share[best.labels]).mean()) - 1.0


@each_family
def test_the_blanks_on_the_card_are_so(family: str) -> None:
    found = mini(family)
    for kind, score in score_blanks(found.model).items():
        said, of = map(int, found.card["blanks_top5"][kind].split(" of "))
        assert score.of == of == 40
        assert abs(score.right - said) <= 1, kind  # a tie may fall differently on another machine
