"""Adapting: what learns and what stays, of every family; the same after kill -9; transformers; what cannot be done.

Tiny random checkpoints in the layout of the published ones, written by transformers, learn a made-up text.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

import bortlab
from bortlab import cli, registry
from bortlab.model import Model, NoHeadError
from bortlab.models import FAMILIES
from bortlab.registry import Registry, TooLargeError
from bortlab.system import settings
from bortlab.text import TokenizerError
from bortlab.training import adapt as adapting
from bortlab.training import adaptable
from bortlab.training.adapt import Plan, adapt
from bortlab.training.adaptable import AdaptError, Speed, measure_speed
from bortlab.training.finishing import BusyError
from bortlab.training.vocabulary import train_tokenizer
from bortlab.work.jobs import Job

COLOURS = ("red", "grey", "green", "brown")
THINGS = ("robin", "wren", "lark", "crow", "trout", "carp", "pike", "oak", "elm", "ash", "fir", "pine")
TEXTS = [
    f"The {thing} in the old garden is {colour} again. This {colour} {thing} was there in winter, and it was good."
    for thing in THINGS
    for colour in COLOURS
]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 32,
}
CLASSES = {
    "albert": ("AlbertForMaskedLM", "AlbertConfig", {"embedding_size": 16}),
    "convbert": ("ConvBertModel", "ConvBertConfig", {"embedding_size": 16, "conv_kernel_size": 5}),
    "bort": ("BertModel", "BertConfig", {}),
    "bert": ("BertForMaskedLM", "BertConfig", {}),
}
"""As published: ConvBERT and Bort without a masked-LM head, Bort as a "bert", ConvBERT with its projection."""
PIECES = 24_000

each_family = pytest.mark.parametrize("family", list(FAMILIES))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.CACHE.name, str(tmp_path / "cache"))
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny checkpoint of each family."""
    root = tmp_path_factory.mktemp("models")
    for name, (model_class, config_class, sizes) in CLASSES.items():
        tokenizer = train_tokenizer(FAMILIES[name].tokenizer, TEXTS, vocab_size=300)
        config = getattr(transformers, config_class)(
            vocab_size=tokenizer.vocab_size, pad_token_id=tokenizer.pad_id, **SIZES, **sizes
        )
        torch.manual_seed(1)
        getattr(transformers, model_class)(config).save_pretrained(root / name)
        tokenizer.save(root / name)
    return {name: root / name for name in CLASSES}


@pytest.fixture
def base(folders: dict[str, Path]) -> Model:
    return bortlab.load_from(folders["bert"])


def silent(progress: float, message: str = "", **numbers: Any) -> None:
    assert 0 <= progress <= 1 and message


def changed(before: Model, after: Model) -> set[str]:
    """Names of the tensors that differ."""
    old, new = before.network.state_dict(), after.network.state_dict()
    assert old.keys() == new.keys()
    return {name for name in old if not torch.equal(old[name], new[name])}


def differ_from_transformers(model: Model, folder: Path) -> float:
    """The largest difference of any logit."""
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    encoding = model.encode("The [MASK] in the old garden.")
    with torch.no_grad():
        logits = theirs(torch.tensor([encoding.ids])).logits
    return float((logits - model.logits(encoding)).abs().max())


# -- what learns -------------------------------------------------------------------------------------------------------


@each_family
def test_all_weights_learn_and_the_base_stays(family: str, folders: dict[str, Path], tmp_path: Path) -> None:
    base = bortlab.load_from(folders[family], family=family)
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items()}
    assert base.heads["masked-lm"] == ("random" if family in ("convbert", "bort") else "trained")
    out = tmp_path / "out"
    model = adapt(base, TEXTS, pieces=PIECES, rate=1e-2, out=out, name="garden.txt", report=silent)
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.network.state_dict().items())
    assert base.adaptation is None
    trained = {name for name in before if not name.startswith(("embeddings.positions", "embeddings.types"))}
    assert trained <= changed(base, model) or family == "bort"
    assert model.family.name == family and dict(model.heads) == {"masked-lm": "adapted"}
    assert model.config.hidden_dropout_prob == base.config.hidden_dropout_prob == 0.1 or family == "albert"
    card = json.loads((out / "card.json").read_text())
    held, origin = card["heldout"], model.adaptation
    assert held["after"]["loss"] < held["before"]["loss"] - 0.3
    assert held["after"]["masked_accuracy"] > held["by_frequency"]["masked_accuracy"] > 0
    assert origin is not None and origin.base == base.key and origin.text == card["text"]["name"] == "garden.txt"
    assert origin.accuracy == held["after"]["masked_accuracy"] and origin.pieces == card["pieces_seen"] >= PIECES
    assert f"| after | {held['after']['loss']:.3f} |" in (out / "README.md").read_text()
    assert len(json.loads((out / "curve.json").read_text())) == adapting.POINTS + 1
    assert differ_from_transformers(model, out) < 1e-5
    assert not list((tmp_path / "cache" / "adapting").rglob("state.pt"))


def test_the_head_alone_or_with_upper_layers(base: Model) -> None:
    head = adapt(base, TEXTS, pieces=2_000, train="head", report=silent)
    assert {name.split(".")[0] for name in changed(base, head)} == {"masked_lm"}
    top = adapt(base, TEXTS, pieces=2_000, train="top:1", report=silent)
    blocks = {name for name in changed(base, top) if not name.startswith("masked_lm.")}
    assert blocks and all(name.split(".")[1] == "1" for name in blocks), blocks
    assert top.adaptation is not None and top.adaptation.origin.endswith("top 1 layers")


def test_what_was_adapted_is_loaded_by_its_key_and_adapted_again(base: Model) -> None:
    model = adapt(base, TEXTS, pieces=2_000, name="My garden!.txt", report=silent)
    assert model.key == registry.adapted_keys()[0] and model.key.startswith("bert-on-my-garden-")
    assert bortlab.load(model.key) is model and model.source == "adapted"
    assert registry.adapted_card(model.key)["base"]["key"] == base.key
    again = adapt(model.key, TEXTS, pieces=3_000, report=silent)
    assert again.adaptation is not None and again.adaptation.base == model.key
    assert registry.adapted_keys() == [again.key, model.key]
    assert bortlab.load_from(base.key) is base  # as it was
    registry.remove_adapted(model.key)
    assert registry.adapted_keys() == [again.key]
    with pytest.raises(registry.UnknownModelError):
        bortlab.load(model.key)


def test_a_vocabulary_is_cut(base: Model, folders: dict[str, Path], tmp_path: Path) -> None:
    model = adapt(base, TEXTS, pieces=4_000, vocabulary=100, out=tmp_path / "cut", report=silent)
    assert model.tokenizer.vocab_size == model.config.vocab_size <= 100
    assert differ_from_transformers(model, tmp_path / "cut") < 1e-5
    for family in ("albert", "bort"):
        with pytest.raises(TokenizerError, match="Only a WordPiece vocabulary can be cut"):
            adapt(bortlab.load_from(folders[family], family=family), TEXTS, vocabulary=100, report=silent)
    with pytest.raises(ValueError, match="expected fewer, got 5,000"):
        adapt(base, TEXTS, vocabulary=5_000, report=silent)


def test_the_command_says_what_was_gained(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "\n".join(json.dumps({"body": text}) for text in TEXTS)
    (tmp_path / "garden.jsonl").write_text(rows)
    options = ["adapt", str(folders["bort"]), "--family", "bort", "--text", str(tmp_path / "garden.jsonl"), "--pieces"]
    more = ["2000", "--column", "body", "--train", "head", "--out", str(tmp_path / "out")]
    assert cli.main([*options, *more]) == 0
    said = capsys.readouterr().out
    assert f"{tmp_path / 'out'}: " in said and "by frequency gives" in said and "Train the whole encoder" in said
    assert cli.main([*options, *more]) == 1
    assert "name a new folder" in capsys.readouterr().err


# -- stopping and going on ---------------------------------------------------------------------------------------------


def test_a_job_that_is_killed_goes_on_to_the_same_weights(base: Model, tmp_path: Path) -> None:
    path = tmp_path / "garden.txt"
    path.write_text("\n".join(TEXTS))
    plan = Plan(pieces=6_000)
    job = adapting.job(base, plan, text=str(path))
    killed = Job(job.name, "tests.jobs_work:adapt_and_die", job.arguments)
    assert killed.start().wait(120).state == "failed"
    assert registry.adapted_keys() == []
    status = killed.start().wait(120)
    assert status.state == "done", killed.log()
    assert status.numbers["curve"][-1]["pieces"] >= 6_000 and 0 < status.numbers["frequency"] < 1
    resumed = load_file(registry.adapted_folder(status.numbers["key"]) / "model.safetensors")
    whole = adapt(base, path, pieces=6_000, out=tmp_path / "whole", report=silent)
    uninterrupted = load_file(tmp_path / "whole" / "model.safetensors")
    assert all(torch.equal(tensor, uninterrupted[name]) for name, tensor in resumed.items())
    assert bortlab.load(status.numbers["key"]).adaptation == whole.adaptation


def test_two_at_once_do_not_write_one_checkpoint(base: Model, tmp_path: Path) -> None:
    def meanwhile(progress: float, message: str, **numbers: Any) -> None:
        if "pieces read" in message and not failed:
            with pytest.raises(BusyError, match="Another process"):
                adapt(base, TEXTS, pieces=2_000, report=silent)
            failed.append(True)

    failed: list[bool] = []
    adapt(base, TEXTS, pieces=2_000, report=meanwhile)
    assert failed


# -- what cannot be done -----------------------------------------------------------------------------------------------


def test_models_that_cannot_be_adapted_say_why(folders: dict[str, Path]) -> None:
    with pytest.raises(NoHeadError, match='task="masked-lm"'):
        adapt(bortlab.load_from(folders["bert"], task="encoder"), TEXTS)
    with pytest.raises(ValueError, match=r"torch\.float32"):
        adapt(bortlab.load_from(folders["bert"], dtype="bfloat16"), TEXTS)
    with pytest.raises(ValueError, match="use the same block as lower ones"):
        adapt(bortlab.load_from(folders["albert"]), TEXTS, train="top:1", report=silent)
    with pytest.raises(registry.UnknownModelError, match="Did you mean"):
        adapt("bert-mimi", TEXTS)


def test_another_family_and_a_vocabulary_without_mask_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    other = tmp_path / "gpt2"
    shutil.copytree(folders["bert"], other)
    config = json.loads((other / "config.json").read_text()) | {"model_type": "gpt2"}
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="unknown model_type 'gpt2'"):
        adapt(other, TEXTS)
    bare = tmp_path / "bare"
    shutil.copytree(folders["bert"], bare)
    for path in bare.glob("*"):
        if "token" in path.name:
            path.unlink()
    (bare / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n" + "\n".join(map(chr, range(97, 123))))
    with pytest.raises(ValueError, match="mask"):
        adapt(bare, TEXTS)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pieces": 10}, "pieces: expected a whole number"),
        ({"vocabulary": 3}, "vocabulary: expected a whole number"),
        ({"seed": -1}, "seed: expected a whole number"),
        ({"rate": 2.0}, "rate: expected a number between 0 and 1"),
        ({"train": "middle"}, 'train: expected "all", "head", or "top:1" to "top:2"'),
        ({"train": "top:3"}, "got 'top:3'"),
        ({"train": "top:0"}, "got 'top:0'"),
    ],
)
def test_options_that_there_are_not(base: Model, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        adapt(base, TEXTS, report=silent, **options)


def test_a_folder_that_holds_something_is_not_overwritten(base: Model, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="name a new folder"):
        adapt(base, TEXTS, out=tmp_path / "out")
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"


def test_a_text_that_the_vocabulary_does_not_know_is_refused(base: Model) -> None:
    greek = [f"Το πουλί στον κήπο είναι κόκκινο {number}" for number in range(100)]
    with pytest.raises(ValueError, match=r"knows too little of texts: \d+% of its pieces are unknown"):
        adapt(base, greek, report=silent)


def test_memory_and_disk_are_looked_at_before_anything_begins(
    base: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(adaptable, "memory_available", lambda: 1_000_000)
    with pytest.raises(TooLargeError, match=r"needs \d+\.\d MB of memory, and 1\.0 MB are free"):
        adapt(base, TEXTS, report=silent)
    with pytest.raises(TooLargeError):
        measure_speed(base)
    monkeypatch.undo()
    monkeypatch.setenv(settings.CACHE.name, str(tmp_path / "cache"))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(adaptable.shutil, "disk_usage", lambda path: usage(10, 9, 1))  # type: ignore[attr-defined]
    with pytest.raises(AdaptError, match="on the disk of"):
        adapt(base, TEXTS, report=silent)


def test_a_full_disk_loses_nothing(base: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(run: Any, name: str = "state.pt") -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(adapting.MaskedLMRun, "save", full)
        with pytest.raises(AdaptError, match="No space left on device"):
            adapt(base, TEXTS, pieces=2_000, report=silent)
    assert registry.adapted_keys() == []
    assert adapt(base, TEXTS, pieces=2_000, report=silent).adaptation is not None


def test_numbers_that_are_not_finite_are_told_and_nothing_is_written(base: Model) -> None:
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items()}
    with pytest.raises(AdaptError, match=r"broke down: .*not finite.*The rate was 0\.9"):
        _broken(base)
    assert registry.adapted_keys() == []
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.network.state_dict().items())


def _broken(base: Model) -> None:
    def damage(run: Any) -> Any:
        for turn in original(run):
            with torch.no_grad():
                run.network.embeddings.words.weight[0, 0] = torch.nan
            yield turn

    original = adapting.MaskedLMRun.train
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(adapting.MaskedLMRun, "train", damage)
        adapt(base, TEXTS, pieces=1_000, rate=0.9, report=silent)


# -- time --------------------------------------------------------------------------------------------------------------


def test_the_time_is_measured_by_a_few_steps(base: Model) -> None:
    before = {name: tensor.clone() for name, tensor in base.network.state_dict().items()}
    with torch.inference_mode():  # as the lab's workers are
        speed = measure_speed(base)
    assert speed.piece_s > 0 and speed.step_s > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.network.state_dict().items())
    assert Speed(1e-3, 0.0).seconds(100_000, threads=1) == pytest.approx(10 + 1.15 * 100)
    assert Speed(0.0, 1.0).seconds(adaptable.STEP_PIECES * 10, threads=2) == pytest.approx(10 + 1.15 * 5)


def test_small_steps_have_a_small_rate(base: Model) -> None:
    from bortlab.training.encoded import encode_text

    some = encode_text([("a", (text,)) for text in TEXTS], [base.tokenizer])
    many = encode_text([("a", (text,)) for text in TEXTS * 40], [base.tokenizer])
    small, large = (
        adaptable.recipe_for(base.config, text, pieces=1000, train="all", seed=0).rate for text in (some, many)
    )
    assert 0 < small < large <= 1e-3
    assert adaptable.recipe_for(base.config, some, pieces=1000, train="all", seed=0, rate=0.5).rate == 0.5
