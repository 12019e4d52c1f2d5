"""A tiny run, exported: what stands in the folder, and that its card says what is so."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import bortlab
from bortlab.checkpoint import published_names
from bortlab.models import FAMILIES
from bortlab.training import export as exporting
from bortlab.training import pretrain
from bortlab.training.export import export, score_blanks
from bortlab.training.pretrain import Run
from tests.training.test_pretrain import SIZES, tiny_read, tiny_world, train

each_family = pytest.mark.parametrize("family", list(FAMILIES))
BLANKS = [
    {"kind": "kind", "text": "A robin is a kind of [MASK].", "answers": ["BIRD"], "source": "x"},
    {"kind": "kind", "text": "A robin is a kind of [MASK].", "answers": ["a", "of"], "source": "x"},
    {"kind": "verse", "text": "This [MASK] is grey.", "answers": ["unheard-of"], "source": "x"},
]


@dataclass(frozen=True)
class Exported:
    """A run, the folder that it was exported to, and the card there."""

    run: Run
    folder: Path
    card: dict[str, Any]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Exported]]:
    """A short run of each family, exported."""
    root = tmp_path_factory.mktemp("export")
    (root / "blanks.json").write_text(json.dumps(BLANKS), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        tiny_world(patch)
        patch.setattr(exporting, "read", tiny_read)
        patch.setattr(exporting, "ASSETS", root)
        patch.setattr(exporting, "CHECKPOINTS", root / "checkpoints")
        found = {}
        for family in FAMILIES:
            run = train(family, root / family, pieces=2_000)
            folder = export(run)
            found[family] = Exported(run, folder, json.loads((folder / "card.json").read_text(encoding="utf-8")))
        yield found


@each_family
def test_the_folder_holds_a_model(exported: dict[str, Exported], family: str) -> None:
    run, folder = exported[family].run, exported[family].folder
    assert folder.name == f"{family}-mini"
    model = bortlab.load_from(folder)  # config.json tells the family, for Bort too
    assert model.family.name == family
    assert dict(model.heads) == {"masked-lm": "trained"}
    assert model.tokenizer.definition == run.tokenizer.definition
    assert len(model.fill_mask("A [MASK] is a kind of bird.").blanks[0].candidates) == 5
    for name, tensor in run.network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor.half().float()), name


@each_family
def test_the_file_is_float16_and_small(exported: dict[str, Exported], family: str) -> None:
    run, folder = exported[family].run, exported[family].folder
    tensors = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert set(tensors) == set(published_names(FAMILIES[family], run.network).values())
    parameters = sum(parameter.numel() for parameter in run.network.parameters())
    assert sum(tensor.numel() for tensor in tensors.values()) == parameters == exported[family].card["parameters"]
    assert (folder / "model.safetensors").stat().st_size < 2 * parameters + 8_000
    files = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "card.json", "curve.json", "README.md"} <= files
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2 * parameters + 120_000
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]
    assert os.access(folder / "model.safetensors", os.R_OK)


@each_family
def test_the_card_says_how_it_was_made(exported: dict[str, Exported], family: str) -> None:
    run, card = exported[family].run, exported[family].card
    model = bortlab.load_from(exported[family].folder)
    assert card["family"] == family and card["title"] == f"{FAMILIES[family].title} mini"
    assert card["config"] == model.config.to_dict() == json.loads(json.dumps(model.config.to_dict()))
    assert card["config"]["hidden_size"] == SIZES["hidden_size"]
    assert card["recipe"] == asdict(run.recipe)
    words = sum(len(sentence.split()) for document in tiny_read("train") for sentence in document.sentences)
    assert card["corpus"] == {"name": "assets/corpus", "words": words}
    assert (card["pieces_seen"], card["epochs"], card["seed"]) == (run.seen, run.epoch, run.recipe.seed)
    assert card["seconds"] == round(run.seconds)
    assert card["device"] == "cpu"
    assert card["licence"] == "Apache-2.0"


@each_family
def test_the_card_says_what_is_measured_on_the_written_file(exported: dict[str, Exported], family: str) -> None:
    run, folder, held = exported[family].run, exported[family].folder, exported[family].card["heldout"]
    model = bortlab.load_from(folder)
    found = pretrain.measure(
        model.network, pretrain.heldout(model.tokenizer), model.tokenizer, length=run.recipe.length
    )
    assert held["loss"] == round(found.loss, 4)
    assert held["masked_accuracy"] == round(found.accuracy, 4)
    assert held["by_source"] == {source: round(value, 4) for source, value in found.by_source.items()}
    assert set(held["by_source"]) == {"bible", "wordnet"}
    assert held["hidden_pieces"] == len(found.labels)
    pieces = np.concatenate([sentence for document in run.documents for sentence in document.sentences])
    bands = found.by_frequency(np.bincount(pieces, minlength=model.config.vocab_size))
    assert held["by_frequency"] == {band: round(value, 4) for band, value in bands.items()}
    assert list(held["by_frequency"]) == ["1 to 1,000"]  # the tiny vocabularies have no more
    last = run.curve[-1]
    assert held["loss"] == pytest.approx(last["loss"], abs=0.02)  # float16 costs next to nothing
    assert json.loads((folder / "curve.json").read_text(encoding="utf-8")) == run.curve


@each_family
def test_the_page_says_the_numbers_of_the_card(exported: dict[str, Exported], family: str) -> None:
    card = exported[family].card
    page = (exported[family].folder / "README.md").read_text(encoding="utf-8")
    held = card["heldout"]
    assert page.startswith(f"# {card['title']}\n")
    for said in (
        card["command"],
        f"{card['parameters']:,} parameters",
        f"{card['pieces_seen']:,} pieces",
        f"{card['seconds']:,} seconds",
        f"seed {card['seed']}",
        f"loss {held['loss']:.3f}",
        f"masked accuracy {100 * held['masked_accuracy']:.1f} %",
        f"{held['hidden_pieces']:,} of them",
        *(f"| {source} | {100 * value:.1f} % |" for source, value in held["by_source"].items()),
        *(f"| {band} | {100 * value:.1f} % |" for band, value in held["by_frequency"].items()),
        *(f"| {kind} | {score} |" for kind, score in card["blanks_top5"].items()),
    ):
        assert said in " ".join(page.split()) or said in page, said


def test_blanks_are_scored_by_hand(exported: dict[str, Exported], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its case, an answer counts among the first `top_k`; the card has the score of five."""
    model = bortlab.load_from(exported["bert"].folder)
    five = [candidate.text for candidate in model.fill_mask(BLANKS[0]["text"]).blanks[0].candidates]
    sixth = model.fill_mask(BLANKS[0]["text"], top_k=6).blanks[0].candidates[5].text
    blanks = [
        {"kind": "one", "text": BLANKS[0]["text"], "answers": [five[0].upper()]},
        {"kind": "one", "text": BLANKS[0]["text"], "answers": ["nothing", five[4]]},
        {"kind": "one", "text": BLANKS[0]["text"], "answers": [sixth]},
        {"kind": "two", "text": BLANKS[0]["text"], "answers": ["nothing"]},
    ]
    folder = exported["bert"].folder.parent.parent / "other"
    folder.mkdir()
    (folder / "blanks.json").write_text(json.dumps(blanks), encoding="utf-8")
    monkeypatch.setattr(exporting, "ASSETS", folder)
    assert {kind: (score.right, score.of) for kind, score in score_blanks(model).items()} == {
        "one": (2, 3),
        "two": (0, 1),
    }
    assert score_blanks(model, top_k=6)["one"].right == 3
    assert score_blanks(model, top_k=1)["one"].right == 1


def test_the_card_has_the_scores_of_all_kinds(exported: dict[str, Exported]) -> None:
    for found in exported.values():
        assert list(found.card["blanks_top5"]) == ["kind", "verse"]
        assert found.card["blanks_top5"]["kind"].endswith(" of 2")
        assert found.card["blanks_top5"]["verse"] == "0 of 1"


def test_an_export_can_be_written_again(exported: dict[str, Exported], tmp_path: Path) -> None:
    """Over an older one, and to the same bytes."""
    run, folder = exported["bort"].run, exported["bort"].folder
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / "model.safetensors").write_bytes(b"older")
    assert export(run, tmp_path / "mini") == tmp_path / "mini"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "mini").iterdir()} == files
