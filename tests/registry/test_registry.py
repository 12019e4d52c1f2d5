"""The catalogue, and the cache: one load for equal requests, bytes bounded, failures forgotten, leases kept."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file

import bortlab
from bortlab import checkpoint, hub, registry
from bortlab.checkpoint import CheckpointError
from bortlab.models import FAMILIES, TASKS
from bortlab.registry import NeedsNetworkError, Options, Registry, Request, TooLargeError, UnknownModelError
from bortlab.registry.request import request_for, request_from
from bortlab.system import assets
from bortlab.system.errors import BusyError
from bortlab.training.vocabulary import train_tokenizer

TEXTS = [
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The cat sat on the mat; a dog barked.",
] * 10
TEXT = "Paris is the [MASK] of France."


@pytest.fixture(scope="module")
def minis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tiny bundled checkpoints with random weights."""
    root = tmp_path_factory.mktemp("checkpoints")
    for family in FAMILIES.values():
        tokenizer = train_tokenizer(family.tokenizer, TEXTS, vocab_size=300)
        config = replace(
            family.mini,
            vocab_size=tokenizer.vocab_size,
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=32,
        )
        task = "pre-training" if "pre-training" in family.tasks and family.name == "albert" else "masked-lm"
        network = family.network(config, task).initialise(torch.Generator().manual_seed(1))
        checkpoint.save(root / f"{family.name}-mini", family, config, network, tokenizer)
    return root


@pytest.fixture(autouse=True)
def fresh(minis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tiny checkpoints in the place of the bundled ones, an empty cache, and a registry of this test's own."""
    monkeypatch.setattr(assets, "CHECKPOINTS", minis)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())
    yield


# -- what can be loaded ------------------------------------------------------------------------------------------------


def test_the_table_lists_every_checkpoint() -> None:
    table = bortlab.checkpoints()
    assert list(table.columns) == [
        "key",
        "title",
        "family",
        "source",
        "parameters",
        "size_mb",
        "licence",
        "masked_lm",
        "offline",
    ]
    assert list(table.key) == [c.key for family in FAMILIES.values() for c in family.checkpoints]
    by_key = table.set_index("key")
    assert by_key.parameters["albert-base-v2"] == 11_221_680
    assert by_key.parameters["bert-base-uncased"] == 109_514_298
    assert by_key.size_mb["bort"] == pytest.approx(4e-6 * by_key.parameters["bort"], abs=0.1)
    assert by_key.masked_lm["bort"] == "random"
    assert by_key.offline["albert-mini"] and not by_key.offline["bort"]
    model = bortlab.load("convbert-mini")
    assert by_key.parameters["convbert-mini"] == model.n_parameters


@pytest.mark.parametrize("name", FAMILIES)
def test_bundled_models_load(name: str) -> None:
    model = bortlab.load(f"{name}-mini")
    assert model is bortlab.load(f"{name}-mini", seed=5, dtype="float32", device="cpu")
    assert (model.source, model.family.name, model.task, model.device.type) == ("bundled", name, "masked-lm", "cpu")
    assert dict(model.heads) == {"masked-lm": "trained"}
    assert not model.network.training and not any(p.requires_grad for p in model.network.parameters())
    assert len(model.fill_mask(TEXT).blanks[0].candidates) == 5


def test_arguments_make_other_models() -> None:
    base = bortlab.load("albert-mini")
    half = bortlab.load("albert-mini", dtype=torch.bfloat16)
    ordered = bortlab.load("albert-mini", task="pre-training")
    assert half.dtype == torch.bfloat16 and half.n_bytes * 2 == base.n_bytes
    assert set(ordered.heads) == {"masked-lm", "pooler", "sentence-order"}
    assert bortlab.load("bert-mini", task="encoder").heads["pooler"] == "random"
    assert len({base.fingerprint, half.fingerprint, ordered.fingerprint}) == 3


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("brot", "Unknown model 'brot'. Did you mean 'bort'? Known: albert-mini, "),
        ("albert-base-v3", "Did you mean 'albert-base-v"),
        ("", "Unknown model ''. Known: "),
        (3, "got 3"),
        ("./models/mine", "For a folder, use load_from; a Hugging Face repository is owner/name."),
        ("https://huggingface.co/amazon/bort", "a Hugging Face repository is owner/name."),
    ],
)
def test_unknown_keys_get_a_suggestion(key: Any, said: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        bortlab.load(key)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("albert-base-v2", "albert-base-v2 (albert/albert-base-v2 on Hugging Face) is not on this machine."),
        ("amazon/bort", "Download it with bortlab.load('bort', download=True) or on the Models page."),
        ("conv-bert-base", 'With weights="random" its architecture works offline.'),
        (
            "someone/their-albert",
            "load('someone/their-albert', download=True) or on the Models page. For a folder, use",
        ),
        ("albert/albert-base-v3", "Did you mean 'albert/albert-base-v"),
    ],
)
def test_weights_that_need_the_network_say_so(key: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing asks it: only download=True does."""
    for module in (hub.planning, hub.downloading):
        monkeypatch.setattr(module, "open_session", lambda: pytest.fail("asked the network"))
    with pytest.raises(NeedsNetworkError) as caught:
        bortlab.load(key)
    assert said in str(caught.value)


def test_arguments_are_checked_before_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "plan", lambda *_, **__: pytest.fail("asked the network"))
    for wrong in ({"task": "poetry"}, {"device": "toaster"}, {"dtype": "int8"}, {"family": "gpt"}, {"family": "bert"}):
        with pytest.raises(ValueError, match=r"Known|leave family out"):
            bortlab.load("bort", download=True, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UnknownModelError):
        bortlab.load("someone/their-albert", weights="random", download=True)
    assert bortlab.load("bert-mini", download=True).source == "bundled"
    assert bortlab.load("bert-mini", family="bert", weights="random", download=True).source == "random weights"


@pytest.mark.parametrize(
    "options",
    [
        {"task": "poetry"},
        {"weights": "secret"},
        {"device": "toaster"},
        {"device": "meta"},
        {"device": "cuda:99"},
        {"dtype": "int8"},
        {"dtype": torch.int64},
        {"revision": "abc"},
        {"weights": "random", "seed": -1},
        {"weights": "random", "seed": "x"},
    ],
)
def test_wrong_arguments_are_refused_in_words(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Known|expected|Use device|leave revision out"):
        bortlab.load("bert-mini", **options)


def test_missing_files_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        bortlab.load_from(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        bortlab.load_from(tmp_path)
    with pytest.raises(ValueError, match="Unknown family 'gpt'"):
        bortlab.load_from(tmp_path, family="gpt")
    monkeypatch.setattr(assets, "CHECKPOINTS", tmp_path)
    with pytest.raises(FileNotFoundError, match="bundled bert-mini is missing"):
        bortlab.load("bert-mini")
    assert not bortlab.checkpoints().offline.any()


# -- random weights ----------------------------------------------------------------------------------------------------


def test_random_weights_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    model = bortlab.load("albert/albert-base-v2", weights="random", seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert (model.key, model.source, model.n_parameters) == ("albert-base-v2", "random weights", 11_221_680)
    assert model.config.num_hidden_layers == 12 and dict(model.heads) == {"masked-lm": "random"}
    other = Registry().get(request_for("albert-base-v2", Options(weights="random", seed=3)))
    assert other is not model and other.fingerprint == model.fingerprint
    assert bortlab.load("albert-base-v2", weights="random", seed=4).fingerprint != model.fingerprint
    assert len(model.fill_mask(TEXT, top_k=3).blanks[0].candidates) == 3  # cut by the stand-in


def test_what_does_not_fit_is_refused_before_it_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.Module, "to_empty", lambda *_, **__: pytest.fail("allocated"))
    monkeypatch.setenv("BORTLAB_MODEL_BUDGET_MB", "500")
    with pytest.raises(TooLargeError, match=r"bert-large-uncased needs 1\.34 GB.*500\.0 MB in all.*BUDGET_MB=1341"):
        bortlab.load("bert-large-uncased", weights="random")
    monkeypatch.setenv("BORTLAB_MODEL_BUDGET_MB", "5000")
    monkeypatch.setattr(registry.building, "memory_available", lambda: 10**9)
    with pytest.raises(TooLargeError, match=r"bert-large-uncased needs 1\.34 GB of memory, and 1\.00 GB are free"):
        bortlab.load("bert-large-uncased", weights="random")
    assert registry.loaded() == []
    for wrong in ("lots", "-1", "nan"):
        monkeypatch.setenv("BORTLAB_MODEL_BUDGET_MB", wrong)
        with pytest.raises(ValueError, match="BORTLAB_MODEL_BUDGET_MB: expected a number of megabytes"):
            bortlab.load("bert-mini")


# -- folders -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_saved_models_come_back(name: str, tmp_path: Path) -> None:
    model = bortlab.load(f"{name}-mini", weights="random", seed=2)
    model.save(tmp_path / "saved")
    back = bortlab.load_from(tmp_path / "saved", family=name)
    torch.testing.assert_close(back.trace(TEXT).logits, model.trace(TEXT).logits)
    assert back.source == "folder" and back.key == str(tmp_path / "saved")
    assert dict(back.heads) == {"masked-lm": "random"}  # a saved head does not become a trained one
    assert bortlab.load_from(tmp_path / "saved", family=name) is back


BUILT = [(family.name, task) for family in FAMILIES.values() for task in family.tasks]


@pytest.mark.parametrize(("name", "task"), BUILT, ids=[f"{name}-{task}" for name, task in BUILT])
def test_every_task_loads_answers_and_comes_back(name: str, task: str, tmp_path: Path) -> None:
    """Heads that a file lacks are random, and say so, after a trip through a folder too."""
    heads = FAMILIES[name].network.tasks[task]
    model = bortlab.load(f"{name}-mini", task=task)
    there = {"masked-lm", "pooler", "sentence-order"} if name == "albert" else {"masked-lm"}
    assert dict(model.heads) == {head: "trained" if head in there else "random" for head in heads}
    model.save(tmp_path)
    back = bortlab.load_from(tmp_path, family=name, task=task)
    assert back.task == task and dict(back.heads) == dict(model.heads)
    one, two = (each.scores(each.encode("A cat.", "A dog.")) for each in (model, back))
    assert one.keys() == two.keys()
    assert (not one) == (task == "encoder")
    for scores in one:
        torch.testing.assert_close(one[scores], two[scores])


def test_labels_come_from_the_folder_and_stay(tmp_path: Path) -> None:
    family, said = FAMILIES["bert"], ("negative", "neutral", "positive")
    tokenizer = bortlab.load("bert-mini").tokenizer
    config = replace(bortlab.load("bert-mini").config, labels=said)
    network = family.network(config, "sequence-classification").initialise(torch.Generator().manual_seed(1))
    checkpoint.save(tmp_path / "one", family, config, network, tokenizer)
    model = bortlab.load_from(tmp_path / "one", task="sequence-classification")
    assert dict(model.heads) == {"pooler": "trained", "sequence-classification": "trained"}
    assert {label.label for label in model.classify("A cat sat.").labels} == set(said)
    model.save(tmp_path / "two")
    assert bortlab.load_from(tmp_path / "two", task="sequence-classification").config.labels == said
    tagger = bortlab.load_from(tmp_path / "two", task="token-classification")
    assert dict(tagger.heads) == {"token-classification": "random"}
    assert {tag.label for tag in tagger.tag("A cat sat.").tags} <= set(said)


TASKS_OF_TEXTS = ("sequence-classification", "token-classification", "question-answering")


@pytest.mark.parametrize("task", TASKS_OF_TEXTS)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_task_of_a_folder_is_known_without_reading_its_weights(
    name: str, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = bortlab.load(f"{name}-mini", task=task)
    heads = dict.fromkeys(trained.network.tasks[task], "trained")
    folder = tmp_path / "own"
    replace(trained, heads=heads).save(folder)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.loading, "read_tensors", None)
        assert registry.own_task_from(folder) == task
    assert "random" not in bortlab.load_from(folder, task=task).heads.values()
    trained.save(folder)  # says that its head is random
    assert registry.own_task_from(folder) is None
    assert registry.own_task(f"{name}-mini") == ("pre-training" if name == "albert" else "masked-lm")


@pytest.mark.parametrize("task", TASKS_OF_TEXTS)
def test_a_head_that_is_not_in_the_file_is_nobodys(task: str, tmp_path: Path) -> None:
    bortlab.load("bert-mini").save(tmp_path)
    about = json.loads((tmp_path / "config.json").read_text())
    about["architectures"] = [f"Bert{TASKS[task]}"]
    (tmp_path / "config.json").write_text(json.dumps(about))
    assert registry.own_task_from(tmp_path) is None
    about["architectures"] = ["Unheard"]
    (tmp_path / "config.json").write_text(json.dumps(about))
    assert registry.own_task_from(tmp_path) is None
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError):
        registry.own_task_from(tmp_path)


def test_of_a_pickle_the_class_is_believed(tmp_path: Path) -> None:
    model = bortlab.load("bert-mini", task="token-classification")
    replace(model, heads={"token-classification": "trained"}).save(tmp_path)
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    assert registry.own_task_from(tmp_path) == "token-classification"
    (tmp_path / "pytorch_model.bin").unlink()
    assert registry.own_task_from(tmp_path) is None


def test_an_unknown_task_lists_the_known_ones() -> None:
    known = (
        "Known: masked-lm, sequence-classification, multiple-choice, token-classification, question-answering, encoder"
    )
    for task in ("poetry", "pre-training", "", None):
        with pytest.raises(ValueError, match=f"ConvBERT has no task {task!r}. {known}."):
            bortlab.load("convbert-mini", task=task)  # type: ignore[arg-type]


def test_a_changed_folder_is_another_model(tmp_path: Path) -> None:
    bortlab.load("bert-mini", weights="random", seed=1).save(tmp_path)
    old = bortlab.load_from(tmp_path)
    before = old.fill_mask(TEXT)
    bortlab.load("bert-mini", weights="random", seed=2).save(tmp_path)
    new = bortlab.load_from(tmp_path)
    assert new.fingerprint != old.fingerprint
    assert old.fill_mask(TEXT) == before
    assert bortlab.load_from(tmp_path) is new


def test_a_first_answer_needs_no_fingerprint_and_a_later_one_no_file(tmp_path: Path) -> None:
    """It is that of the weights in memory, even where the file has been cut in the meantime."""
    bortlab.load("bert-mini", weights="random", seed=3).save(tmp_path)
    expected = bortlab.load_from(tmp_path).fingerprint
    assert registry.unload(str(tmp_path)) == 1
    gc.collect()
    model = bortlab.load_from(tmp_path)
    model.fill_mask(TEXT)
    assert "fingerprint" not in vars(model)
    os.truncate(tmp_path / "model.safetensors", 1000)
    assert model.fingerprint == expected


def test_a_load_lays_out_its_network_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same is compared with the file, counted, and filled: each layout takes 12 ms for a base ConvBERT."""
    bortlab.load("convbert-mini", weights="random", seed=3).save(tmp_path)
    network, layouts = FAMILIES["convbert"].network, 0
    make = network.__init__

    def counted(*arguments: Any, **options: Any) -> None:
        nonlocal layouts
        layouts += 1
        make(*arguments, **options)

    monkeypatch.setattr(network, "__init__", counted)
    bortlab.load_from(tmp_path)
    assert layouts == 1


def test_a_folder_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bortlab.load("bert-mini").save(tmp_path)
    request = request_from(tmp_path)
    os.utime(tmp_path / "config.json", ns=(1, 1))
    blueprint = registry.blueprint_of(request)
    with pytest.raises(CheckpointError, match="changed while it was being read"):
        registry.build(blueprint)


@pytest.mark.parametrize(
    "said", [{"masked-lm": "excellent"}, {"masked-lm": ["x"]}, {"pooler": "trained"}, "trained", 7]
)
def test_provenance_in_a_file_is_not_believed_blindly(tmp_path: Path, said: object) -> None:
    bortlab.load("bert-mini").save(tmp_path)
    data = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(data | {"bortlab_heads": said}))
    assert dict(bortlab.load_from(tmp_path).heads) == {"masked-lm": "trained"}


def test_a_damaged_folder_can_be_mended(tmp_path: Path) -> None:
    bortlab.load("bert-mini").save(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-100])
    for _ in range(2):
        with pytest.raises(CheckpointError):
            bortlab.load_from(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(whole)
    assert bortlab.load_from(tmp_path).source == "folder"


# -- the cache ---------------------------------------------------------------------------------------------------------


class Fake:
    """Stands for a model of 10 bytes."""

    n_bytes = 10
    family = SimpleNamespace(name="bert")
    source, revision = "folder", ""
    heads: ClassVar[dict[str, str]] = {}
    adaptation = None

    def __init__(self, key: str) -> None:
        self.key = key


def ask(key: str) -> Request:
    return Request(key, Path("x"), (), None, "masked-lm", "published", None, "cpu", torch.float32, "", "folder")


def cache(room: int, build: Callable[[Request], Any] | None = None, patience: float = 5.0) -> Registry:
    """A registry of fakes with room for so many of them."""
    make = build or (lambda request: Fake(request.key))
    held = Registry(
        budget=10 * room,
        blueprint_of=lambda request: SimpleNamespace(request=request, n_bytes=10),  # type: ignore[arg-type,return-value]
        build=lambda blueprint: make(blueprint.request),
        patience=patience,
    )
    return held


def keys(held: Registry) -> list[str]:
    return [resident.key for resident in held.loaded()]


def test_fifty_threads_three_models_room_for_two() -> None:
    lock, under_way, most, loads = threading.Lock(), Counter[str](), Counter[str](), Counter[str]()
    sizes: list[int] = []
    start = threading.Barrier(50)

    def build(request: Request) -> Fake:
        with lock:
            loads[request.key] += 1
            under_way[request.key] += 1
            most[request.key] = max(most[request.key], under_way[request.key])
            sizes.append(10 * sum(under_way.values()))
        time.sleep(0.002)
        with lock:
            under_way[request.key] -= 1
        return Fake(request.key)

    held = cache(2, build)

    def visit(number: int) -> None:
        start.wait()
        for turn in range(4):
            key = "abc"[(number + turn) % 3]
            assert held.get(ask(key)).key == key
            with held._lock:
                sizes.append(held._reserved + sum(entry.size for entry in held._entries.values()))

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(visit, range(50)))
    assert set(most.values()) == {1}  # never two loads of one key at a time
    assert max(sizes) <= 20
    assert len(keys(held)) == 2 and held._reserved == 0 and not held._flights


def test_real_models_under_the_same_rush(minis: Path) -> None:
    names = ["albert-mini", "convbert-mini", "bert-mini"]
    expected = {name: Registry().get(request_for(name)).fill_mask(TEXT) for name in names}
    sizes = sorted(bortlab.load(name).n_bytes for name in names)
    held = Registry(budget=sizes[1] + sizes[2] + 1)

    def visit(number: int) -> None:
        name = names[number % 3]
        model = held.get(request_for(name))
        (got,), (wanted,) = model.fill_mask(TEXT).blanks, expected[name].blanks
        assert [c.id for c in got.candidates] == [c.id for c in wanted.candidates]
        assert [c.probability for c in got.candidates] == pytest.approx([c.probability for c in wanted.candidates])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(visit, range(48)))
    assert sum(resident.n_bytes for resident in held.loaded()) <= held.budget


def test_the_least_recently_used_goes_first() -> None:
    held = cache(2)
    for key in "aba":
        held.get(ask(key))
    held.get(ask("c"))
    assert keys(held) == ["a", "c"]
    held.get(ask("b"))
    assert keys(held) == ["c", "b"]
    assert held.loaded()[0].last_used <= held.loaded()[1].last_used


def test_what_somebody_holds_comes_back_without_a_load() -> None:
    loads: list[str] = []

    def build(request: Request) -> Fake:
        loads.append(request.key)
        return Fake(request.key)

    held = cache(1, build)
    mine = held.get(ask("a"))
    held.get(ask("b"))
    assert keys(held) == ["b"] and held.get(ask("a")) is mine and loads == ["a", "b"]
    assert held.unload("a") == 1 and held.get(ask("a")) is not mine
    del mine
    held.get(ask("b"))
    gc.collect()
    held.get(ask("a"))
    assert loads == ["a", "b", "a", "b", "a"]


def test_a_lease_pins() -> None:
    held = cache(2, patience=0.0)
    with held.lease(ask("a")) as first, held.lease(ask("a")):
        held.get(ask("b"))
        held.get(ask("c"))
        assert keys(held) == ["a", "c"]
        assert held.unload("a") == 0
        with held.lease(ask("c")), pytest.raises(BusyError, match="all models in memory are in use"):
            held.get(ask("d"))
        assert held.get(ask("a")) is first
    held.get(ask("d"))
    held.get(ask("e"))
    assert keys(held) == ["d", "e"]
    with pytest.raises(KeyError), held.lease(ask("a")):
        raise KeyError
    assert held.unload("a") == 1


def test_a_load_waits_for_room() -> None:
    held, leased, freed = cache(1), threading.Event(), threading.Event()

    def hold() -> None:
        with held.lease(ask("a")):
            leased.set()
            freed.wait(5)

    with ThreadPoolExecutor(2) as pool:
        holding = pool.submit(hold)
        leased.wait(5)
        waiting = pool.submit(held.get, ask("b"))
        assert not waiting.done() and keys(held) == ["a"]
        freed.set()
        assert waiting.result(5).key == "b"
        holding.result(5)


def test_two_models_load_at_once_if_both_fit() -> None:
    meet = threading.Barrier(2, timeout=5)

    def build(request: Request) -> Fake:
        meet.wait()  # breaks unless both loads are under way together
        return Fake(request.key)

    held = cache(2, build)
    with ThreadPoolExecutor(2) as pool:
        assert [model.key for model in pool.map(held.get, map(ask, "ab"))] == ["a", "b"]


def test_a_failure_reaches_all_who_wait_and_is_forgotten() -> None:
    attempts, started, all_wait = [], threading.Event(), threading.Barrier(4, timeout=5)

    class Landing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if not self.is_set() and threading.current_thread() not in met:
                met.append(threading.current_thread())
                all_wait.wait()
            return super().wait(timeout)

    met: list[threading.Thread] = []

    def build(request: Request) -> Fake:
        attempts.append(request)
        if len(attempts) == 1:
            held._flights[request].landed = Landing()
            started.set()
            all_wait.wait()
            raise CheckpointError("broken")
        return Fake(request.key)

    held = cache(1, build)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(held.get, ask("a"))
        started.wait(5)
        others = [pool.submit(held.get, ask("a")) for _ in range(3)]
        errors = [future.exception(5) for future in (first, *others)]
    assert isinstance(errors[0], CheckpointError) and all(error is errors[0] for error in errors)
    assert len(attempts) == 1 and held._reserved == 0
    assert held.get(ask("a")).key == "a" and keys(held) == ["a"]


def test_an_interrupted_load_lets_the_next_one_try() -> None:
    attempts, started, go = [], threading.Event(), threading.Event()

    def build(request: Request) -> Fake:
        attempts.append(request)
        if len(attempts) == 1:
            started.set()
            go.wait(5)
            raise KeyboardInterrupt
        return Fake(request.key)

    held = cache(1, build)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(held.get, ask("a"))
        started.wait(5)
        second = pool.submit(held.get, ask("a"))
        go.set()
        assert isinstance(first.exception(5), KeyboardInterrupt)
        assert second.result(5).key == "a"
    assert len(attempts) == 2 and held._reserved == 0


def test_a_model_that_does_not_run_is_never_published(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(FAMILIES["bert"].network, "run", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bortlab.load("bert-mini")
        assert registry.loaded() == []
    assert bortlab.load("bert-mini").fill_mask(TEXT).blanks


def test_module_functions_share_one_cache() -> None:
    with registry.lease("bert-mini") as model:
        assert bortlab.load("bert-mini") is model
        assert [resident.key for resident in registry.loaded()] == ["bert-mini"]
        assert registry.unload("bert-mini") == 0
    assert registry.unload("bert-mini") == 1 and registry.loaded() == []
    assert bortlab.load("bert-mini") is not model


# -- the package -------------------------------------------------------------------------------------------------------


def test_importing_bortlab_leaves_the_heavy_libraries_alone() -> None:
    heavy = ["pandas", "transformers", "streamlit", "plotly", "captum", "sentencepiece", "huggingface_hub", "httpx2"]
    code = (
        "import sys, torch; before = set(sys.modules); import bortlab; bortlab.load;print(*(set(sys.modules) - before))"
    )
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"bortlab.registry", "bortlab.hub"} <= {*imported} and not {*heavy} & {*imported}
