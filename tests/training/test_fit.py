"""Fitting of heads: only the head learns, killed fits go on to the same weights, and `load` finds what was fitted.

Tiny networks with random encoders learn a made-up corpus, but for one bundled mini, which forgets its head.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

import bortlab
from bortlab import cli, registry
from bortlab.data.corpus import Document
from bortlab.model import Model, NoHeadError, assemble
from bortlab.models import FAMILIES
from bortlab.registry import Registry, fitted
from bortlab.training import fit
from bortlab.training.fit import fit_head
from bortlab.training.vocabulary import train_tokenizer

each_family = pytest.mark.parametrize("family", list(FAMILIES))

SIZES = {
    "hidden_size": 32, "embedding_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "conv_kernel_size": 5, "max_position_embeddings": 32,
}  # fmt: skip
COLOURS = ("red", "grey", "green", "brown")
THINGS = ("robin", "wren", "lark", "crow", "trout", "carp", "pike", "oak", "elm", "ash", "fir", "pine")
DOCUMENTS = [
    Document(f"wordnet/n/{number:08d}", number % 5, (f"A {thing} is a thing.", f"This {thing} is {colour}."))
    for number, (thing, colour) in enumerate((thing, colour) for thing in THINGS for colour in COLOURS)
] + [Document(f"bible/Book/{thing}", 0, (f"And the {thing} was a thing, and it was good.",) * 2) for thing in THINGS]
TRAIN, HELDOUT = DOCUMENTS[::2], DOCUMENTS[1::2]
TINY: dict[str, Any] = {"documents": TRAIN, "heldout": HELDOUT, "pieces": 12_000}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A tiny model of each family with a random head, in a folder."""
    root = tmp_path_factory.mktemp("models")
    for name, family in FAMILIES.items():
        texts = [sentence for document in DOCUMENTS for sentence in document.sentences]
        tokenizer = train_tokenizer(family.tokenizer, texts, vocab_size=320)
        own = {entry.name for entry in fields(family.mini)}
        sizes = {key: value for key, value in SIZES.items() if key in own}
        config = replace(family.mini, vocab_size=tokenizer.vocab_size, pad_token_id=tokenizer.pad_id, **sizes)
        network = family.network(config).initialise(torch.Generator().manual_seed(1))
        assemble(name, family, network, tokenizer, heads={"masked-lm": "random"}, source="tests").save(root / name)
    yield {name: root / name for name in FAMILIES}


def silent(progress: float, message: str = "", **numbers: Any) -> None:
    assert 0 <= progress <= 1 and message


def head_of(model: Model) -> dict[str, torch.Tensor]:
    assert model.network.masked_lm is not None
    return dict(model.network.masked_lm.state_dict())


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# -- what is fitted ----------------------------------------------------------------------------------------------------


@each_family
def test_only_the_head_learns_and_the_model_it_came_from_stays(family: str, folders: dict[str, Path]) -> None:
    base = bortlab.load_from(folders[family])
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items()}
    model, card = fit.fit(base, **TINY, report=silent)
    assert dict(base.heads) == {"masked-lm": "random"} and dict(model.heads) == {"masked-lm": "fitted here"}
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(base.network.state_dict()[name], before[name])
        assert torch.equal(tensor, before[name]) != name.startswith("masked_lm."), name
    assert model.fingerprint != base.fingerprint and model.encoder_fingerprint == base.encoder_fingerprint
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    one, other = (network.embeddings.words.weight.data_ptr() for network in (base.network, model.network))
    assert one == other  # no second copy of the encoder in memory
    before_, after = card["heldout"]["before"], card["heldout"]["after"]
    assert after["loss"] < before_["loss"] - 0.3 and after["masked_accuracy"] > before_["masked_accuracy"]
    assert card["encoder"] == base.encoder_fingerprint and card["pieces_seen"] >= TINY["pieces"]
    assert card["base"] == base.key and card["corpus"]["name"] != "assets/corpus"


def test_the_same_fit_gives_the_same_head(folders: dict[str, Path]) -> None:
    base = bortlab.load_from(folders["albert"])
    one, other = (fit.fit(base, **TINY, keep=False, report=silent).model for _ in range(2))
    assert same(head_of(one), head_of(other)) and one.fingerprint == other.fingerprint
    assert not same(head_of(fit.fit(base, **TINY, seed=1, keep=False, report=silent).model), head_of(one))


def test_in_float64_too_and_from_inference_mode(folders: dict[str, Path]) -> None:
    base = bortlab.load_from(folders["bort"], dtype="float64")
    with torch.inference_mode():
        model = fit_head(base, TRAIN, HELDOUT, pieces=4_000)
    assert model.dtype == torch.float64 and all(tensor.dtype == torch.float64 for tensor in head_of(model).values())
    assert base.encoder_fingerprint == bortlab.load_from(folders["bort"], head="published").encoder_fingerprint
    assert dict(bortlab.load_from(folders["bort"]).heads) == {"masked-lm": "fitted here"}


def test_what_cannot_be_fitted_says_why(folders: dict[str, Path]) -> None:
    with pytest.raises(NoHeadError, match='task="masked-lm"'):
        fit_head(bortlab.load_from(folders["bert"], task="encoder"))
    with pytest.raises(ValueError, match=r"torch\.float32"):
        fit_head(bortlab.load_from(folders["bert"], dtype="bfloat16"))
    with pytest.raises(ValueError, match="neither"):
        fit_head(bortlab.load_from(folders["bert"]), TRAIN)
    with pytest.raises(ValueError, match="cannot be loaded by a job"):
        fit.job(bortlab.load("bert-mini", weights="random"))


# -- killed and taken up -----------------------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("at", [1, 4])
def test_an_interrupted_fit_goes_on_to_the_same_weights(
    at: int, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = bortlab.load_from(folders["convbert"])
    whole = fit.fit(base, **TINY, keep=False, report=silent)
    monkeypatch.setattr(fit, "SAVE_S", 0.0)
    steps = 0

    def interrupt(progress: float, message: str, **numbers: Any) -> None:
        nonlocal steps
        steps += "loss" in numbers
        if steps > at:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit.fit(base, **TINY, keep=False, report=interrupt)
    seen: list[float] = []
    again = fit.fit(base, **TINY, keep=False, report=lambda progress, message, **numbers: seen.append(progress))
    assert seen[1] > at * 2_000 / TINY["pieces"] * 0.8  # it did not begin anew
    assert same(head_of(again.model), head_of(whole.model))
    assert again.card["heldout"] == whole.card["heldout"]
    assert not list((Path(fit.cache_folder()) / "fits").iterdir())


def test_as_a_job_it_survives_a_kill_and_load_finds_the_head(folders: dict[str, Path]) -> None:
    base = bortlab.load_from(folders["albert"])
    asked = fit.job(base, pieces=8_000)
    assert asked == fit.job(bortlab.load_from(folders["albert"], dtype="float64"), pieces=8_000)
    deadly = replace(asked, function="tests.jobs_work:fit_and_die")
    status = deadly.start().wait(300)
    assert status.state == "failed" and "killed" in status.message, deadly.log()
    status = deadly.start().wait(300)
    assert status.state == "done", (status.message, deadly.log())
    found = bortlab.load_from(folders["albert"])
    assert found is not base and found.heads["masked-lm"] == "fitted here"
    whole = fit.fit(base, pieces=8_000, keep=False, report=silent)
    assert same(head_of(found), head_of(whole.model))
    assert status.numbers["after"] == whole.card["heldout"]["after"]


def test_a_job_refuses_a_model_that_has_changed(folders: dict[str, Path]) -> None:
    asked = fit.job(bortlab.load_from(folders["bert"]), pieces=4_000)
    other = {**asked.arguments["base"], "fingerprint": "0" * 16}
    changed = replace(asked, arguments={**asked.arguments, "base": other})
    status = changed.start().wait(300)
    assert status.state == "failed" and "has changed" in status.message


# -- found again -------------------------------------------------------------------------------------------------------


@each_family
def test_load_uses_the_fitted_head_and_can_leave_it(family: str, folders: dict[str, Path]) -> None:
    folder = folders[family]
    base, other = bortlab.load_from(folder), bortlab.load("bert-mini")
    model = fit_head(base, TRAIN, HELDOUT, pieces=4_000)
    found = bortlab.load_from(folder)
    assert found is not base and found is bortlab.load_from(folder) and found.heads["masked-lm"] == "fitted here"
    assert same(head_of(found), head_of(model)) and found.fingerprint == model.fingerprint
    assert bortlab.load_from(folder, head="published") is base
    assert bortlab.load("bert-mini") is other  # nothing else is loaded anew
    half = bortlab.load_from(folder, dtype="bfloat16")
    assert half.heads["masked-lm"] == "fitted here"
    assert same(head_of(half), {name: tensor.bfloat16() for name, tensor in head_of(model).items()})
    assert "masked-lm" not in bortlab.load_from(folder, task="encoder").heads
    with pytest.raises(ValueError, match='"fitted" or "published"'):
        bortlab.load_from(folder, head="best")  # type: ignore[arg-type]


def test_a_fitted_model_that_is_saved_says_so(folders: dict[str, Path], tmp_path: Path) -> None:
    fit_head(bortlab.load_from(folders["bort"]), TRAIN, HELDOUT, pieces=4_000).save(tmp_path / "saved")
    assert bortlab.load_from(tmp_path / "saved", head="published").heads["masked-lm"] == "fitted here"


def test_a_head_is_for_its_encoder_alone(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "changing"
    bortlab.load_from(folders["bert"]).save(folder)
    fit_head(bortlab.load_from(folder), TRAIN, HELDOUT, pieces=4_000)
    network = fit.with_own_head(bortlab.load_from(folder))
    base = bortlab.load_from(folder, head="published")
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state["embeddings.words.weight"][5, 5] += 1e-6
    network.load_state_dict(state, assign=True)
    replace(base, network=network).save(folder)
    assert bortlab.load_from(folder).heads["masked-lm"] == "random"


@pytest.mark.parametrize("damage", ["cut", "other bytes", "missing", "card"])
def test_a_damaged_head_is_not_used(damage: str, folders: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    base = bortlab.load_from(folders["convbert"])
    fit_head(base, TRAIN, HELDOUT, pieces=4_000)
    folder = fitted.folder_of(base.key, base.revision)
    path = folder / "head.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "other bytes":
        path.write_bytes(bytes(path.stat().st_size))
    elif damage == "missing":
        path.unlink()
    else:
        (folder / "card.json").write_text("{")
    assert bortlab.load_from(folders["convbert"]).heads["masked-lm"] == "random"
    assert damage == "card" or "Fit it again" in caplog.text


def test_the_card_says_what_was_done(folders: dict[str, Path]) -> None:
    base = bortlab.load_from(folders["albert"])
    _, card = fit.fit(base, **TINY, report=silent)
    on_disk = fitted.card_of(base.key, base.revision)
    assert on_disk is not None and json.loads(json.dumps(card)) == {k: v for k, v in on_disk.items() if k != "sha256"}
    assert fit.recipe_of(base, pieces=12_000, seed=0).pieces == card["recipe"]["pieces"]
    assert card["command"].startswith("bortlab fit ") and card["seconds"] > 0


def test_a_trained_head_that_the_files_have_is_never_replaced() -> None:
    model = bortlab.load("bort-mini")
    fit_head(model, TRAIN, HELDOUT, pieces=2_000)
    assert bortlab.load("bort-mini").heads["masked-lm"] == "trained"


# -- it works ----------------------------------------------------------------------------------------------------------


def test_a_mini_that_forgot_its_head_learns_much_of_it_again_in_a_few_steps() -> None:
    found = fit.recover(bortlab.load("bort-mini"), pieces=8_000, report=silent)
    assert found.random < 0.05 and found.share > 0.4


def test_the_command_says_how_much_came_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fit", "bort-mini", "--recover", "--pieces", "2000"]) == 0
    assert "recovered" in capsys.readouterr().out
    assert fitted.card_of("bort-mini", "main") is None


def test_the_time_it_takes_is_estimated_from_the_model_at_hand(folders: dict[str, Path]) -> None:
    tiny = bortlab.load_from(folders["bert"])
    assert fit.STARTUP_S < fit.estimated_seconds(tiny, 10_000) < fit.estimated_seconds(tiny, 100_000_000)
