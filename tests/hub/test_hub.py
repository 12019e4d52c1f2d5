"""Checkpoints from a hub: planned, downloaded, found again; and every way in which that fails.

The hub is one on 127.0.0.1. The folders are made by transformers' own save_pretrained. Nothing here needs a network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import WeakFileLock

import bortlab
from bortlab import hub, registry
from bortlab.hub import CancelledError, HubError, RepositoryNameError
from bortlab.models import FAMILIES
from bortlab.registry import NeedsNetworkError, Registry, UnknownModelError
from bortlab.training.vocabulary import train_tokenizer
from tests.hub.server import FakeHub, running

ROOT = Path(__file__).parent.parent.parent
OLD_FILES = ROOT / "tests" / "checkpoint" / "old_files.zip"
TEXTS = ["Paris is the capital of France.", "The cat sat on the mat; a dog barked."] * 10
TEXT = "Paris is the [MASK] of France."
WEIGHTS = "/store/model."
"""Where the hub serves weights."""


def make(folder: Path, family: str, model: Any) -> Path:
    """A folder as people publish it: transformers' files and a tokenizer's."""
    tokenizer(family).save(folder)
    model.save_pretrained(folder)
    return folder


def tokenizer(family: str) -> Any:
    return train_tokenizer(FAMILIES[family].tokenizer, TEXTS, vocab_size=300)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny published checkpoints, by what is particular about them."""
    import transformers

    root = tmp_path_factory.mktemp("published")
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 32}
    albert = transformers.AlbertForMaskedLM(
        transformers.AlbertConfig(
            vocab_size=tokenizer("albert").vocab_size, hidden_size=32, embedding_size=16, pad_token_id=0, **sizes
        )
    )
    convbert = transformers.ConvBertModel(
        transformers.ConvBertConfig(
            vocab_size=tokenizer("convbert").vocab_size, hidden_size=32, embedding_size=32, pad_token_id=0, **sizes
        )
    )
    bort = transformers.BertForMaskedLM(
        transformers.BertConfig(
            vocab_size=tokenizer("bort").vocab_size, hidden_size=32, type_vocab_size=1, pad_token_id=1, **sizes
        )
    )
    found = {
        "albert": make(root / "albert", "albert", albert),
        "convbert": make(root / "convbert", "convbert", convbert),
        "bort": make(root / "bort", "bort", bort),
    }
    shards = shutil.copytree(found["albert"], root / "shards")
    (shards / "model.safetensors").unlink()
    albert.save_pretrained(shards, max_shard_size="20KB")
    assert len(list(shards.glob("model-*.safetensors"))) > 2
    pickled = shutil.copytree(found["bort"], root / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save(bort.half().state_dict(), pickled / "pytorch_model.bin")
    bort.float()
    pieces = shutil.copytree(found["bort"], root / "pickled-shards")
    (pieces / "model.safetensors").unlink()
    state = bort.state_dict()
    places = {name: f"pytorch_model-{1 + number % 2:05}-of-00002.bin" for number, name in enumerate(state)}
    for place in set(places.values()):
        torch.save({name: state[name].clone() for name in places if places[name] == place}, pieces / place)
    (pieces / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    (found["albert"] / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    (found["albert"] / "tf_model.h5").write_bytes(b"not wanted" * 1000)
    return found | {"shards": shards, "pickled": pickled, "pickled-shards": pieces}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeHub]:
    with running() as found:
        yield found


@pytest.fixture(autouse=True)
def fake(server: FakeHub, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """The hub without faults, a cache of this test's own, a token lying about, and a registry of this test's own."""
    server.repositories.clear()
    server.faults.clear()
    server.seen.clear()
    server.moved.clear()
    server.ranges = True
    server.add("someone/albert", folders["albert"], cardData={"license": "apache-2.0"})
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "BORTLAB_HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for variable, value in {
        "HF_ENDPOINT": f"{server.endpoint}/",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_TOKEN": "hf_lying_about",
        "HUGGING_FACE_HUB_TOKEN": "hf_lying_about",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(variable, value)
    huggingface_hub.close_session()
    monkeypatch.setattr(registry.loading, "REGISTRY", Registry())
    return server


def get(repo_id: str = "someone/albert", **options: Any) -> Path:
    return hub.download(hub.plan(repo_id), **options)


def unfinished() -> list[Path]:
    return list(hub.cache_folder().rglob("*.incomplete"))


def soon(condition: Callable[[], Any], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# -- what comes --------------------------------------------------------------------------------------------------------


def test_a_plan_says_what_would_come_and_gets_nothing(fake: FakeHub, folders: dict[str, Path]) -> None:
    plan = hub.plan("someone/albert")
    assert fake.paths() == ["/api/models/someone/albert/revision/main?blobs=true"]
    assert (plan.repo_id, plan.requested, plan.licence, plan.model_type) == (
        "someone/albert",
        "main",
        "apache-2.0",
        "albert",
    )
    assert plan.revision == fake.repositories["someone/albert"].commit
    names = {file.name for file in plan.files}
    assert {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"} <= names
    assert not names & {"README.md", "tf_model.h5"}
    for file in plan.files:
        assert file.size == (folders["albert"] / file.name).stat().st_size
    assert plan.total_bytes == plan.missing_bytes == sum(file.size for file in plan.files)
    assert plan.free_bytes > 0 and not hub.cache_folder().exists()


@pytest.mark.parametrize(
    ("published", "family", "heads"),
    [
        ("albert", "albert", "trained"),
        ("shards", "albert", "trained"),
        ("convbert", "convbert", "random"),  # a body without head
        ("bort", "bort", "trained"),
        ("pickled", "bort", "trained"),
        ("pickled-shards", "bort", "trained"),
    ],
)
def test_every_kind_of_file_loads_and_stays(
    fake: FakeHub, folders: dict[str, Path], published: str, family: str, heads: str
) -> None:
    """Downloaded once; then there without a network, the very same model."""
    fake.add("someone/model", folders[published])
    told = {"family": "bort"} if family == "bort" else {}
    with pytest.raises(NeedsNetworkError, match=r"someone/model is not on this machine.*download=True.*Models page"):
        bortlab.load("someone/model", **told)
    assert fake.seen == []
    model = bortlab.load("someone/model", download=True, **told)
    assert (model.key, model.source, model.family.name) == ("someone/model", "hub", family)
    assert model.revision == fake.repositories["someone/model"].commit
    assert dict(model.heads) == {"masked-lm": heads}
    here = bortlab.load_from(folders[published], family=family)
    torch.testing.assert_close(model.trace(TEXT).hidden, here.trace(TEXT).hidden)
    assert here.fingerprint != model.fingerprint  # which remembers the revision too
    fake.fail("", status=500)
    fake.seen.clear()
    assert bortlab.load("someone/model", **told) is model
    registry.unload("someone/model")
    again = bortlab.load("someone/model", download=True, **told)  # already here: nothing is asked
    assert again is not model and again.fingerprint == model.fingerprint and fake.seen == []


@pytest.mark.parametrize(
    ("published", "file"), [("tf-albert-masked-lm", "tf_model.h5"), ("flax-bert-masked-lm", "flax_model.msgpack")]
)
def test_a_file_of_the_old_classes_is_got_where_there_is_no_other(
    fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: str, file: str
) -> None:
    zipfile.ZipFile(OLD_FILES).extractall(tmp_path)
    folder = tmp_path / published
    train_tokenizer("wordpiece", ["a cat, a dog"] * 5, vocab_size=40).save(folder)
    fake.add("someone/model", folder)
    library = {"tf_model.h5": "h5py", "flax_model.msgpack": "msgpack"}[file]
    with monkeypatch.context() as without:
        without.setitem(sys.modules, library, None)
        with pytest.raises(HubError, match=rf"{file} is read with {library}, which is not installed here: pip install"):
            hub.plan("someone/model")
    assert file in {planned.name for planned in hub.plan("someone/model").files}
    model = bortlab.load("someone/model", download=True)
    assert dict(model.heads) == {"masked-lm": "trained"}
    text = "a [MASK], a cat"
    torch.testing.assert_close(model.trace(text).hidden, bortlab.load_from(folder).trace(text).hidden)


def test_the_cache_is_huggingface_hubs_own(fake: FakeHub, folders: dict[str, Path]) -> None:
    """Its functions find what we downloaded, byte for byte, and by revision."""
    snapshot = get()
    commit = fake.repositories["someone/albert"].commit
    for file in hub.plan("someone/albert").files:
        found = huggingface_hub.try_to_load_from_cache("someone/albert", file.name)
        assert isinstance(found, str) and Path(found).read_bytes() == (folders["albert"] / file.name).read_bytes()
        assert Path(found) == snapshot / file.name and Path(found).is_symlink()
    (repository,) = huggingface_hub.scan_cache_dir().repos
    (revision,) = repository.revisions
    assert (revision.commit_hash, revision.refs) == (commit, {"main"})
    assert huggingface_hub.scan_cache_dir().warnings == []
    fake.seen.clear()
    huggingface_hub.hf_hub_download("someone/albert", "model.safetensors", endpoint=fake.endpoint, token=False)
    assert not any(WEIGHTS in path for path in fake.paths())  # there already


def test_what_others_downloaded_is_found(fake: FakeHub, folders: dict[str, Path]) -> None:
    huggingface_hub.snapshot_download(
        "someone/albert", endpoint=fake.endpoint, token=False, allow_patterns=["*.json", "*.safetensors"]
    )
    fake.seen.clear()
    assert hub.cached("someone/albert") is not None
    assert bortlab.load("someone/albert").heads == {"masked-lm": "trained"} and fake.seen == []
    assert hub.plan("someone/albert").missing_bytes < 1_000_000
    fake.seen.clear()


def test_what_was_cached_under_the_name_without_owner_is_found(fake: FakeHub, folders: dict[str, Path]) -> None:
    fake.add("bert-base-uncased", folders["albert"])
    huggingface_hub.snapshot_download("bert-base-uncased", endpoint=fake.endpoint, token=False)
    assert hub.cached("google-bert/bert-base-uncased") == hub.cached("bert-base-uncased") is not None
    assert hub.cached("someone/bert-base-uncased") is None


def test_what_others_downloaded_into_the_shared_store_is_read(fake: FakeHub) -> None:
    """huggingface_hub 2.4 keeps files that came by Xet in CACHE/blobs, and a link to them in the repository's."""
    weights = (get() / "model.safetensors").resolve()
    (hub.cache_folder() / "blobs" / "ab").mkdir(parents=True)
    weights.rename(stored := hub.cache_folder() / "blobs" / "ab" / ("ab" * 32))
    weights.symlink_to(Path("..", "..", "blobs", "ab", stored.name))
    assert hub.cached("someone/albert") is not None
    assert hub.plan("someone/albert").missing_bytes == 0
    assert bortlab.load("someone/albert").heads == {"masked-lm": "trained"}


def test_a_moved_repository_is_followed(fake: FakeHub, folders: dict[str, Path]) -> None:
    fake.moved["old/albert"] = "someone/albert"
    assert get("old/albert") == hub.cached("old/albert")


def test_the_table_tells_what_is_here(fake: FakeHub, folders: dict[str, Path]) -> None:
    assert not bortlab.checkpoints().set_index("key").offline["albert-base-v2"]
    fake.add("albert/albert-base-v2", folders["albert"])
    model = bortlab.load("albert-base-v2", download=True)
    assert (model.key, model.source) == ("albert-base-v2", "hub")
    fake.seen.clear()
    offline = bortlab.checkpoints().set_index("key").offline
    assert offline["albert-base-v2"] and not offline["bort"] and fake.seen == []
    assert bortlab.load("albert/albert-base-v2") is model


def test_borts_published_head_counts_as_random(fake: FakeHub, folders: dict[str, Path], tmp_path: Path) -> None:
    """The file has one that nobody trained; a folder of one's own, fine-tuned from it, is believed."""
    fake.add("amazon/bort", folders["pickled"])
    model = bortlab.load("bort", download=True)
    assert model.family.name == "bort" and model.heads == {"masked-lm": "random"}
    assert bortlab.load("amazon/bort", task="encoder").heads == {}
    assert bortlab.load_from(folders["pickled"], family="bort").heads == {"masked-lm": "trained"}
    with pytest.raises(ValueError, match=r"bort is of family 'bort', not 'bert': leave family out"):
        bortlab.load("bort", family="bert")


def test_revisions(fake: FakeHub, folders: dict[str, Path]) -> None:
    """A branch is a commit at the moment of the download, and stays that one here until somebody downloads again."""
    first = fake.add("someone/model", folders["albert"])
    first.revisions = ("main", "v1.0", "refs/pr/1")
    plan = hub.plan("someone/model", revision="refs/pr/1")
    assert (plan.requested, plan.revision) == ("refs/pr/1", first.commit)
    snapshot = hub.download(plan)
    assert hub.cached("someone/model", "refs/pr/1") == hub.cached("someone/model", first.commit) == snapshot
    assert hub.cached("someone/model") is None and hub.cached("someone/model", "f" * 40) is None
    with pytest.raises(NeedsNetworkError, match=r"at revision 'v1\.0'.*'someone/model', revision='v1\.0', download=Tr"):
        bortlab.load("someone/model", revision="v1.0")
    old = bortlab.load("someone/model", download=True)
    second = fake.add("someone/model", folders["shards"])
    assert bortlab.load("someone/model", download=True) is old
    hub.download(hub.plan("someone/model"))
    new = bortlab.load("someone/model")
    assert (old.revision, new.revision) == (first.commit, second.commit)
    assert bortlab.load("someone/model", revision=first.commit).revision == first.commit
    assert new.fingerprint != old.fingerprint


def test_only_what_is_missing_is_fetched(fake: FakeHub) -> None:
    snapshot = get()
    fake.seen.clear()
    steps: list[tuple[int, int]] = []
    plan = hub.plan("someone/albert")
    assert plan.missing_bytes == 0
    assert hub.download(plan, progress=lambda done, total: steps.append((done, total))) == snapshot
    assert len(fake.seen) == 1 and steps[-1] == (plan.total_bytes, plan.total_bytes)
    (snapshot / "config.json").resolve().write_bytes(b"x" * (snapshot / "config.json").stat().st_size)  # bit rot
    (snapshot / "model.safetensors").unlink()
    assert hub.cached("someone/albert") is None
    assert hub.download(plan) == snapshot == hub.cached("someone/albert")
    assert [path for path in fake.paths() if "/resolve/" in path or "/store/" in path] == [
        f"/someone/albert/resolve/{plan.revision}/config.json"
    ]
    assert json.loads((snapshot / "config.json").read_bytes())["model_type"] == "albert"


def test_a_whole_file_is_not_replaced_by_a_broken_one(fake: FakeHub) -> None:
    """A snapshot may hold files themselves, made where links are unknown, beside a blob that rotted."""
    snapshot = get()
    weights = snapshot / "model.safetensors"
    blob, content = weights.resolve(), weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content)
    blob.write_bytes(b"x" * len(content))
    assert get() == snapshot and weights.read_bytes() == content


def test_progress_grows_to_the_end(fake: FakeHub) -> None:
    fake.fail(WEIGHTS, pace=0.02)
    steps: list[tuple[int, int]] = []
    plan = hub.plan("someone/albert")
    hub.download(plan, progress=lambda done, total: steps.append((done, total)))
    done = [step[0] for step in steps]
    assert done == sorted(done) and len(set(done)) > 4 and {step[1] for step in steps} == {plan.total_bytes}
    assert done[0] == 0 and done[-1] == plan.total_bytes


def test_a_cache_without_links(fake: FakeHub, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: the files themselves lie in the snapshot, two of them with the same content."""

    def forbidden(*_: object) -> None:
        raise OSError("links are forbidden")

    monkeypatch.setattr(Path, "symlink_to", forbidden)
    folder = shutil.copytree(folders["albert"], hub.cache_folder().parent / "twins")
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        shutil.copy(folders["albert"] / "tokenizer_config.json", folder / name)
    fake.add("someone/twins", folder)
    snapshot = get("someone/twins")
    assert not any(path.is_symlink() for path in snapshot.iterdir())
    assert bortlab.load("someone/twins").heads == {"masked-lm": "trained"}
    fake.seen.clear()
    assert get("someone/twins") == snapshot and len(fake.seen) == 1


def test_licences(fake: FakeHub, folders: dict[str, Path]) -> None:
    for about, licence in (
        ({"cardData": {"license": ["mit", "cc0-1.0"]}}, "mit, cc0-1.0"),
        ({"tags": ["pytorch", "license:bigscience"]}, "bigscience"),
        ({"cardData": "?"}, "unknown"),
    ):
        fake.add("someone/model", folders["albert"], **about)
        assert hub.plan("someone/model").licence == licence


# -- who asks, and whom ------------------------------------------------------------------------------------------------


def test_a_token_lying_about_is_never_sent(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    get()
    assert fake.seen and not any("authorization" in seen.headers for seen in fake.seen)
    monkeypatch.setenv("BORTLAB_HF_TOKEN", "hf_mine")
    fake.seen.clear()
    shutil.rmtree(hub.cache_folder())
    get()
    for seen in fake.seen:  # and to the hub alone: not to where it redirects
        assert seen.headers.get("authorization") == (None if "/store/" in seen.path else "Bearer hf_mine")


def test_the_endpoint_is_read_when_it_is_needed(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.endpoint() == fake.endpoint != constants.ENDPOINT
    monkeypatch.delenv("HF_ENDPOINT")
    assert hub.endpoint() == "https://huggingface.co"
    for wrong in ("ftp://x", "huggingface.co", "file:///etc"):
        monkeypatch.setenv("HF_ENDPOINT", wrong)
        with pytest.raises(HubError, match="HF_ENDPOINT is"):
            hub.plan("someone/albert")


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", None])
def test_the_network_can_be_switched_off(fake: FakeHub, monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    plan = hub.plan("someone/albert")
    fake.seen.clear()
    if variable:
        monkeypatch.setenv(variable, "1")
    else:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for call in (lambda: hub.plan("someone/albert"), lambda: hub.download(plan)):
        with pytest.raises(HubError, match=f"{variable or 'HF_HUB_OFFLINE'} is set, so nothing is downloaded"):
            call()
    assert fake.seen == []


@pytest.mark.parametrize(
    "name",
    [
        "https://huggingface.co/albert/albert-base-v2",
        "../secrets",
        "/etc/passwd",
        "a/b/c",
        "a/..",
        "..",
        "",
        "a b/c",
        "~/model",
        "C:\\models",
        "a\x00/b",
        "ä/b",
        "a/b?x=1",
        "a/b#c",
        "x" * 200,
        "datasets/a/b",
        None,
        3,
    ],
)
def test_names_that_are_none(fake: FakeHub, name: Any) -> None:
    for call in (hub.plan, hub.cached):
        with pytest.raises(RepositoryNameError, match=r"is not the name of a repository. Expected owner/name"):
            call(name)
    with pytest.raises(UnknownModelError):
        bortlab.load(name, download=True)
    assert fake.seen == []


@pytest.mark.parametrize("revision", ["../main", "a..b", "/main", "a//b", "-x", "main\n", "x.lock", "?", "", "x" * 300])
def test_revisions_that_are_none(fake: FakeHub, revision: str) -> None:
    if revision:
        with pytest.raises(RepositoryNameError, match="is not the name of a revision"):
            hub.plan("someone/albert", revision=revision)
    with pytest.raises(RepositoryNameError):
        hub.cached("someone/albert", revision)
    assert fake.seen == []


def test_the_cache_is_where_huggingface_hub_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for environment in (
        {},
        {"HF_HOME": "~/x"},
        {"XDG_CACHE_HOME": "/x"},
        {"HUGGINGFACE_HUB_CACHE": "/y", "HF_HOME": "/x"},
        {"HF_HUB_CACHE": "$HOME/z", "HUGGINGFACE_HUB_CACHE": "/y"},
    ):
        for name in ("HF_HOME", "XDG_CACHE_HOME", "HUGGINGFACE_HUB_CACHE", "HF_HUB_CACHE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        theirs = "import runpy, sys; print(runpy.run_path(sys.argv[1])['HF_HUB_CACHE'])"
        command = [sys.executable, "-S", "-c", theirs, str(constants.__file__)]
        expected = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert str(hub.cache_folder()) == expected


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said", "status"),
    [
        ({"status": 401, "headers": {"X-Error-Code": "RepoNotFound"}}, r"no repository someone/albert at http", 401),
        ({"status": 401}, r"or it is private \(status 401\).*BORTLAB_HF_TOKEN", 401),
        ({"status": 403, "headers": {"X-Error-Code": "GatedRepo"}}, r"is gated.*Agree on .*BORTLAB_HF_TOKEN", 403),
        ({"status": 403}, r"does not let us read someone/albert \(status 403\)", 403),
        ({"status": 404}, r"There is no repository someone/albert", 404),
        ({"status": 404, "headers": {"X-Error-Code": "RevisionNotFound"}}, r"has no revision 'main'.*Leave", 404),
        ({"status": 429, "headers": {"Retry-After": "120"}}, r"Too many requests.*Try again in 120 seconds", 429),
        ({"status": 429, "headers": {"RateLimit": '"api";r=0;t=55'}}, r"Try again in 55 seconds", 429),
        ({"status": 429, "headers": {"RateLimit": '"api";r=9;t=55'}}, r"Try again in some minutes", 429),
        ({"status": 500}, r"has a server error \(status 500\).*Try again later", 500),
        ({"status": 503}, r"status 503", 503),
        ({"status": 418}, r"is not the hub's: status 418", None),
        ({"status": 204}, r"is not the hub's: status 204", None),
        ({"hang": 3.0}, r"did not respond for 0\.3 seconds about someone/albert", None),
        ({"after": 100, "then": "hang"}, r"did not respond for 0\.3 seconds", None),
        ({"after": 100}, r"was cut .* before someone/albert was complete", None),
        ({"after": 100, "then": "end"}, r"is not the hub's: no JSON object", None),
        ({"change": lambda _: b"<html>Please log in</html>"}, r"is not the hub's.*login page", None),
        ({"change": lambda _: b"[" * 100_000}, r"is not the hub's: no JSON object", None),
        ({"change": lambda _: b" " * 11_000_000}, r"an answer that does not end", None),
        ({"change": lambda _: b"{}"}, r"is not the hub's: no commit", None),
        ({"change": lambda b: b.replace(b'"size"', b'"dize"').replace(b'"lfs"', b'"x"')}, r"neither size nor", None),
        ({"change": lambda b: b.replace(b'"siblings": [', b'"siblings": 3, "x": [')}, r"no list of files", None),
        ({"change": lambda b: b.replace(b"config.json", b"confog.json")}, r"no config\.json, so it cannot", None),
        ({"change": lambda b: b.replace(b"model.", b"../../x.")}, r"no weights in files", None),
        ({"change": lambda b: re.sub(rb'"(tokenizer|spiece)\.', b'"other.', b)}, r"has no tokenizer \(", None),
        ({"change": lambda b: b.replace(b'_type": "albert"', b'_type": "llama"')}, r"a 'llama' model", None),
        ({"change": lambda b: re.sub(rb'"size": \d+', b'"size": 9999999999', b)}, r"has 9,999,999,999 bytes", None),
        ({"change": lambda b: b.replace(b'"gated": false', b'"gated": "auto"')}, r"is gated", None),
    ],
)
def test_plans_that_fail(
    fake: FakeHub, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], said: str, status: int | None
) -> None:
    if "hang" in str(fault):
        monkeypatch.setattr(hub.planning, "ASK_S", 0.3)
    fake.fail("/api/models/", **fault)
    with pytest.raises(HubError, match=f"(?s){said}") as caught:
        hub.plan("someone/albert")
    assert type(caught.value) is HubError and caught.value.status == status
    assert caught.value.retry_after == (120 if "120" in said else 55 if "55" in said else None)
    assert len(fake.seen) == 1 and not hub.cache_folder().exists()


def test_a_load_that_cannot_download_says_why(fake: FakeHub, folders: dict[str, Path]) -> None:
    with pytest.raises(HubError, match=r"There is no repository nobody/nothing at .*\(status 401\)"):
        bortlab.load("nobody/nothing", download=True)
    with pytest.raises(HubError, match=r"someone/albert has no revision 'v9'"):
        bortlab.load("someone/albert", revision="v9", download=True)
    fake.add("someone/bort", folders["bort"])
    with pytest.raises(
        ValueError, match=r'tokenizer is byte-bpe, as Bort.s is.*family="bort" or family="bert"'
    ):  # it calls itself "bert"
        bortlab.load("someone/bort", download=True)
    assert bortlab.load("someone/bort", family="bort").family.name == "bort"  # here by now


def test_a_date_to_try_again(fake: FakeHub) -> None:
    fake.fail("/api/models/", status=429, headers={"Retry-After": formatdate(time.time() + 60, usegmt=True)}, times=1)
    with pytest.raises(HubError) as caught:
        hub.plan("someone/albert")
    assert 50 <= (caught.value.retry_after or 0) <= 61
    for strange in ("soon", "-5", "", "1" * 50):
        assert hub.client._retry_after(strange) is None


def test_without_a_server(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = hub.plan("someone/albert")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for call in (lambda: hub.plan("someone/albert"), lambda: hub.download(plan)):
        with pytest.raises(HubError, match=r"No connection to http://127\.0\.0\.1:9 \(.*Check the network"):
            call()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 401}, r"status 401"),
        ({"status": 403, "headers": {"X-Error-Code": "GatedRepo"}}, r"someone/albert is gated"),
        ({"status": 404, "headers": {"X-Error-Code": "EntryNotFound"}}, r"no longer has a file model\.safetensors"),
        ({"status": 429, "headers": {"Retry-After": "7"}}, r"Try again in 7 seconds"),
        ({"status": 500}, r"server error"),
        ({"hang": 3.0}, r"did not respond for 0\.8 seconds"),
        ({"after": 5000, "then": "hang"}, r"did not respond for 0\.8 seconds"),
        ({"after": 0}, r"was cut"),
        ({"after": 5000, "then": "end"}, r"model\.safetensors came with 5,000 bytes, expected [\d,]+ bytes"),
        ({"change": lambda b: b + b"x"}, r"came with more than [\d,]+ bytes, expected"),
        ({"change": lambda b: b[:-1] + bytes([b[-1] ^ 1])}, r"came with other content than its checksum says"),
    ],
)
def test_downloads_that_fail_leave_nothing(
    fake: FakeHub, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], said: str
) -> None:
    """And the next try, when the fault is gone, succeeds."""
    if "hang" in str(fault):
        monkeypatch.setattr(hub.downloading, "READ_S", 0.8)
    fake.ranges = False
    plan = hub.plan("someone/albert")
    fake.fail("model.safetensors" if "status" in fault else WEIGHTS, **fault)
    with pytest.raises(HubError, match=said) as caught:
        hub.download(plan)
    assert type(caught.value) is HubError and caught.value.status == fault.get("status")
    assert hub.cached("someone/albert") is None and unfinished() == []
    assert not any((hub.cache_folder() / "models--someone--albert" / "snapshots").glob("*"))
    with pytest.raises(NeedsNetworkError):
        bortlab.load("someone/albert")
    fake.faults.clear()
    assert hub.download(plan) == hub.cached("someone/albert")


def test_small_files_are_checked_too(fake: FakeHub) -> None:
    fake.fail("config.json", change=lambda b: b.replace(b"albert", b"dlbert"))
    with pytest.raises(HubError, match=r"config\.json came with other content"):
        get()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_is_cut_is_taken_up_again(fake: FakeHub, ranges: bool) -> None:
    """From where it was cut; from the start where the server knows no ranges."""
    fake.ranges = ranges
    fake.fail(WEIGHTS, after=9000, times=2 if ranges else 1)
    assert bortlab.load("someone/albert", download=True).heads == {"masked-lm": "trained"}
    asked = [seen.headers.get("range") for seen in fake.seen if WEIGHTS in seen.path]
    assert asked == ([None, "bytes=9000-", "bytes=18000-"] if ranges else [None, "bytes=9000-"])


def test_a_line_that_is_always_cut_ends(fake: FakeHub) -> None:
    fake.fail(WEIGHTS, after=100)
    with pytest.raises(HubError, match="was cut"):
        get()
    assert len([path for path in fake.paths() if WEIGHTS in path]) == hub.RETRIES + 1


def test_a_full_disk(fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """While writing, and foreseen."""
    resource = pytest.importorskip("resource")
    plan = hub.plan("someone/albert")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (plan.files[-1].size - 1000, hard))
    try:
        with pytest.raises(HubError, match=r"Cannot write to the cache at .*File too large.*HF_HUB_CACHE"):
            hub.download(plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert unfinished() == [] and hub.cached("someone/albert") is None
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, hub.SPARE_BYTES))
    for call in (lambda: hub.plan("someone/albert"), lambda: hub.download(plan)):
        with pytest.raises(HubError, match=r"needs 46\.3 kB on the disk, and 50\.0 MB are free at .*Make room there"):
            call()


def test_a_cache_that_cannot_be_written(fake: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(HubError, match=r"Cannot write to the cache at .*file: Not a directory"):
        get()


@pytest.mark.parametrize("fault", [{"hang": 20.0}, {"after": 5000, "then": "hang"}, {"pace": 0.2}])
def test_a_download_can_be_cancelled_at_any_time(fake: FakeHub, fault: dict[str, Any]) -> None:
    """Also while the server says nothing; then another one may start at once."""
    plan = hub.plan("someone/albert")
    fake.fail(WEIGHTS, times=1, **fault)
    asked: list[float] = []

    def cancelled() -> bool:
        if not asked and any(WEIGHTS in path for path in fake.paths()):
            asked.append(time.monotonic())
        return bool(asked)

    with pytest.raises(CancelledError, match="The download of someone/albert was cancelled"):
        hub.download(plan, cancelled=cancelled)
    assert time.monotonic() - asked[0] < 2
    start = time.monotonic()
    assert hub.download(plan) == hub.cached("someone/albert") and time.monotonic() - start < 2


def test_who_leaves_stops_the_download(fake: FakeHub) -> None:
    """Whatever the page's callback raises; Streamlit's stop is a BaseException."""

    class Stop(BaseException):
        pass

    def progress(done: int, _: int) -> None:
        if any(WEIGHTS in path for path in fake.paths()):
            raise Stop

    before = {*threading.enumerate()}
    fake.fail(WEIGHTS, pace=0.1)
    with pytest.raises(Stop):
        get(progress=progress)
    assert soon(lambda: not unfinished())
    assert soon(lambda: not any(t.name.startswith("download ") for t in {*threading.enumerate()} - before))


def test_one_download_of_a_repository_at_a_time(fake: FakeHub) -> None:
    plan = hub.plan("someone/albert")
    fake.seen.clear()
    fake.fail(WEIGHTS, pace=0.02)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(hub.download(plan))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 4 and len(set(found)) == 1
    assert len(fake.paths()) == len(set(fake.paths()))  # each file once


def test_a_download_waits_for_huggingface_hub_and_can_be_cancelled_then(fake: FakeHub) -> None:
    plan = hub.plan("someone/albert")
    path = hub.cache_folder() / ".locks" / "models--someone--albert" / f"{plan.files[0].etag}.lock"
    path.parent.mkdir(parents=True)
    polls: list[int] = []
    with WeakFileLock(path), pytest.raises(CancelledError):
        hub.download(plan, cancelled=lambda: polls.append(1) or len(polls) > 5)
    assert hub.download(plan).is_dir()


KILLED = """
import sys
from bortlab import hub
plan = hub.plan("someone/albert")
print("ready", flush=True)
hub.download(plan)
"""


def test_killed_while_downloading(fake: FakeHub) -> None:
    """kill -9: what is there is whole, or unfinished by name; the next try is clean, and a day later all is tidy."""
    fake.fail(WEIGHTS, pace=0.5)
    process = subprocess.Popen([sys.executable, "-c", KILLED], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        assert soon(lambda: any(path.stat().st_size for path in unfinished() if len(path.name) > 64), 60)
    finally:
        process.kill()  # -9
        process.wait(10)
    (orphan,) = unfinished()
    assert hub.cached("someone/albert") is None
    fake.faults.clear()
    snapshot = get()
    assert snapshot == hub.cached("someone/albert") and unfinished() == [orphan]
    for file in hub.plan("someone/albert").files:
        blob = (snapshot / file.name).resolve()
        assert blob.name == file.etag and (len(file.etag) == 40 or sha256(blob) == file.etag)
    assert hub.sweep() == 0 and orphan.exists()
    os.utime(orphan, (time.time() - 90_000,) * 2)
    with WeakFileLock(hub.cache.lock_path(orphan.parent.parent, orphan.name.split(".")[0])):
        assert hub.sweep() == 0  # somebody is at it
    get()  # sweeps first
    assert unfinished() == [] and hub.cached("someone/albert") == snapshot


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# -- caches that are not whole, or not friendly ------------------------------------------------------------------------


def test_what_is_not_whole_is_not_cached(fake: FakeHub, folders: dict[str, Path]) -> None:
    fake.add("someone/shards", folders["shards"])
    snapshot = get("someone/shards")
    root = snapshot.parent.parent
    (shard, *_) = sorted(snapshot.glob("model-*.safetensors"))
    for path in (shard, snapshot / "config.json", snapshot / "tokenizer.json", root / "refs" / "main"):
        away = path.rename(root / "away")
        if path.name == "tokenizer.json":  # ALBERT's other vocabulary file does as well
            (snapshot / "spiece.model").unlink(missing_ok=True)
        assert hub.cached("someone/shards") is None, path
        away.rename(path)
        assert hub.cached("someone/shards") == snapshot
    (snapshot / "model.safetensors.index.json").unlink()
    for content in (b"[1]", b"{}", b'{"weight_map": 3}', b'{"weight_map": {"a": []}}', b"\xff", b"[" * 100_000):
        (snapshot / "model.safetensors.index.json").write_bytes(content)
        assert hub.cached("someone/shards") is None
    for content in (b"", b"../../../etc", b"f" * 39, b"\xff" * 40, b"f" * 10**6):
        (root / "refs" / "main").write_bytes(content)
        assert hub.cached("someone/shards") is None
