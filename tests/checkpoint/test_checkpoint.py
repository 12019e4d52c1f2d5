"""Checkpoint folders: round trips with transformers both ways, legacy layouts, and a corpus of hostile folders."""

from __future__ import annotations

import contextlib
import json
import os
import random
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from bortlab.checkpoint import CheckpointError, Loaded, load_network, meta_network, published_names, read_config, save
from bortlab.checkpoint.weights import open_safetensors
from bortlab.models import DEFAULT_LABELS, FAMILIES, HEADS, TASKS, Config, Family, Network

BUILT = [(family, task) for family in FAMILIES.values() for task in family.tasks]
each_task = pytest.mark.parametrize(("family", "task"), BUILT, ids=[f"{family.name}-{task}" for family, task in BUILT])
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
Make = Callable[..., Network]
TinyConfig = Callable[..., Config]
BERT, ALBERT = FAMILIES["bert"], FAMILIES["albert"]
WORDS = "bert.embeddings.word_embeddings.weight"
QUERY = "bert.encoder.layer.0.attention.self.query.weight"


@pytest.fixture
def saved(tiny_config: TinyConfig, build: Make, tmp_path: Path) -> Callable[..., Path]:
    """saved(family, task, **changes): a folder with a tiny network in it."""

    def make(family: Family = BERT, task: str = "masked-lm", **changes: Any) -> Path:
        config = tiny_config(family, **changes)
        folder = tmp_path / f"{family.name}-{task}"
        save(folder, family, config, build(family, config, task))
        return folder

    return make


def load(folder: Path, family: str | None = None, **options: Any) -> Loaded:
    return load_network(folder, *read_config(folder, family), **options)


def tensors(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def rewrite(folder: Path, state: dict[str, Tensor]) -> None:
    save_file({name: tensor.clone().contiguous() for name, tensor in state.items()}, folder / "model.safetensors")


def reconfigure(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def same(one: Network, two: Network) -> bool:
    left, right = one.state_dict(), two.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# -- round trips -------------------------------------------------------------------------------------------------------


CALLED = {
    "masked-lm": ("logits", "prediction_logits"),
    "sentence-order": ("sop_logits", "seq_relationship_logits"),
    "start": ("start_logits",),
    "end": ("end_logits",),
}
"""What transformers calls our logits, where it is not "logits"."""


def same_results(network: Network, model: Any) -> None:
    """Assert that a network and transformers' model give the same logits, or vectors."""
    shape = (2, 3, 11) if network.task == "multiple-choice" else (2, 11)
    ids = torch.randint(0, network.config.vocab_size, shape, generator=torch.Generator().manual_seed(0))
    types = ids % network.config.type_vocab_size
    theirs = model.eval()(ids, token_type_ids=types)
    if network.task == "encoder":
        ours = {"last_hidden_state": network.encode(network.embed(ids), types).hidden}
        if network.pooler is not None:
            ours["pooler_output"] = network.pooler(ours["last_hidden_state"])
    else:
        ours = dict(network.solve(ids, type_ids=types).logits)
    for name, tensor in ours.items():
        key = next(key for key in (name, *CALLED.get(name, ("logits",))) if key in theirs)
        torch.testing.assert_close(tensor, theirs[key], rtol=0, atol=1e-9)


@each_task
@torch.no_grad()
def test_transformers_reads_what_we_save_and_we_read_what_it_saves(
    family: Family, task: str, tiny_config: TinyConfig, build: Make, tmp_path: Path
) -> None:
    config = tiny_config(family)
    network = build(family, config, task, torch.float64)
    save(tmp_path / "ours", family, config, network)
    (name,) = json.loads((tmp_path / "ours/config.json").read_text())["architectures"]
    model, info = getattr(transformers, name).from_pretrained(
        tmp_path / "ours", output_loading_info=True, dtype=torch.float64
    )
    assert name.endswith(TASKS[task])
    assert not info["unexpected_keys"] and not info["mismatched_keys"]
    assert {key.split(".")[0] for key in info["missing_keys"]} <= ({"pooler"} if network.pooler is None else set())
    if task in ("sequence-classification", "token-classification"):
        assert tuple(model.config.id2label.values()) == config.labels
    same_results(network, model)

    model.save_pretrained(tmp_path / "theirs")
    assert tensors(tmp_path / "theirs").keys() >= tensors(tmp_path / "ours").keys()
    loaded = load(tmp_path / "theirs", family.name, task=task, dtype=torch.float64)
    assert same(loaded.network, network)
    assert not loaded.missing
    assert all("pooler" in name for name in loaded.extra)  # transformers gives a Bort body one at random
    same_results(loaded.network, model)


PAIRS = [(family, one, two) for family, one in BUILT for two in family.tasks if one != two]


@pytest.mark.parametrize(
    ("family", "written", "asked"), PAIRS, ids=[f"{family.name}-{one}-as-{two}" for family, one, two in PAIRS]
)
def test_a_folder_of_one_task_loads_for_another(
    family: Family, written: str, asked: str, tiny_config: TinyConfig, tmp_path: Path
) -> None:
    """A head of both tasks is taken, others are new: "classifier" belongs to the class that wrote it, and no other."""
    labels = DEFAULT_LABELS if written in ("pre-training", "question-answering") else ("one",)
    config = tiny_config(family, labels=labels)  # with one label all classifiers have one shape, which says nothing
    settings = config.to_dict()
    stem = family.architecture.removesuffix(TASKS["masked-lm"])
    architecture = transformers.CONFIG_MAPPING[settings.pop("model_type")](**settings)
    getattr(transformers, stem + TASKS[written])(architecture).save_pretrained(tmp_path)
    loaded = load(tmp_path, family.name, task=asked)

    heads = set(family.network.tasks[written])
    if family.name == "bort" and written == "encoder":
        heads.add("pooler")  # transformers' body of a Bort has one
    assert loaded.heads == {head: "trained" if head in heads else "random" for head in family.network.tasks[asked]}
    names = published_names(family, loaded.network)
    new = {HEADS[head] for head, found in loaded.heads.items() if found == "random"}
    assert set(loaded.missing) == {names[ours] for ours in names if ours.split(".")[0] in new}
    unused = {HEADS[head] for head in heads - loaded.heads.keys()}
    theirs = published_names(family, meta_network(family, config, written))
    spare = {name.removeprefix(family.prefix) for ours, name in theirs.items() if ours.split(".")[0] in unused}
    assert {name.removeprefix(family.prefix) for name in loaded.extra} >= spare


def test_a_classifier_of_unknown_origin_is_what_one_asks_for(saved: Callable[..., Path]) -> None:
    folder = saved(BERT, "token-classification", labels=("a", "b", "c"))
    reconfigure(folder, architectures=None)
    assert load(folder, task="token-classification").heads == {"token-classification": "trained"}
    other = load(folder, task="sequence-classification")
    assert other.heads == {"pooler": "random", "sequence-classification": "trained"}
    with pytest.raises(CheckpointError, match=r"classifier.weight has shape \(3, 16\), expected \(1, 16\)"):
        load(folder, task="multiple-choice")
    for nonsense in ("BertForTokenClassification", [], [7], [["x"]], {"0": "BertModel"}):
        reconfigure(folder, architectures=nonsense)
        assert load(folder, task="token-classification").heads == {"token-classification": "trained"}


@each_family
def test_loaded_networks_are_ready_to_share(family: Family, saved: Callable[..., Path]) -> None:
    loaded = load(saved(family))
    assert not any(module.training for module in loaded.network.modules())
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())
    assert {parameter.device.type for parameter in loaded.network.parameters()} == {"cpu"}
    assert loaded.heads == {"masked-lm": "trained"}


def test_transformers_shards(saved: Callable[..., Path], tmp_path: Path) -> None:
    folder = saved()
    model = transformers.BertForMaskedLM.from_pretrained(folder)
    model.save_pretrained(tmp_path / "sharded", max_shard_size="4KB")
    assert len(list((tmp_path / "sharded").glob("model-*.safetensors"))) > 2
    assert same(load(tmp_path / "sharded").network, load(folder).network)
    next((tmp_path / "sharded").glob("model-00002*.safetensors")).unlink()
    with pytest.raises(CheckpointError, match=r"Cannot open .*model-00002"):
        load(tmp_path / "sharded")


def to_pickle(folder: Path, state: Any, **options: Any) -> None:
    (folder / "model.safetensors").unlink(missing_ok=True)
    torch.save(state, folder / "pytorch_model.bin", **options)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_weights(zipped: bool, saved: Callable[..., Path]) -> None:
    folder = saved()
    before, state = load(folder).network, tensors(folder)
    state["cls.predictions.decoder.weight"] = state[WORDS]  # one storage under two names, as torch saves tied tensors
    state["bert.embeddings.position_ids"] = torch.arange(12).expand(1, -1)
    to_pickle(folder, state, _use_new_zipfile_serialization=zipped)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load(folder)
    assert same(loaded.network, before)
    assert loaded.extra == ("bert.embeddings.position_ids", "cls.predictions.decoder.weight")


def test_pickled_shards(saved: Callable[..., Path]) -> None:
    """As transformers wrote them before it wrote safetensors."""
    folder = saved()
    before, state = load(folder).network, tensors(folder)
    (folder / "model.safetensors").unlink()
    places = {name: f"pytorch_model-{1 + number % 3:05}-of-00003.bin" for number, name in enumerate(state)}
    for place in set(places.values()):
        torch.save({name: state[name] for name in places if places[name] == place}, folder / place)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    assert same(load(folder).network, before)
    last = folder / "pytorch_model-00003-of-00003.bin"
    torch.save(torch.load(last) | {WORDS: state[WORDS]}, last)
    with pytest.raises(CheckpointError, match=f"{WORDS} stands in another file"):
        load(folder)
    last.unlink()
    with pytest.raises(CheckpointError, match=r"Cannot open .*00003-of-00003"):
        load(folder)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a": "../stolen.bin"}}))
    with pytest.raises(CheckpointError, match=r"must name \*\.bin files"):
        load(folder)


def test_legacy_names(saved: Callable[..., Path]) -> None:
    """Before 2019: gamma and beta; and the body of a bare model has no prefix."""
    folder = saved()
    before, state = load(folder).network, tensors(folder)
    old = {
        name.removeprefix("bert.")
        .replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in state.items()
    }
    assert not old.keys() & {name for name in state if "LayerNorm" in name}
    rewrite(folder, old)
    assert same(load(folder).network, before)
    rewrite(folder, state | {"embeddings.LayerNorm.gamma": state["bert.embeddings.LayerNorm.weight"]})
    with pytest.raises(CheckpointError, match="twice"):
        load(folder)


def test_a_copy_may_stand_for_what_it_copies(saved: Callable[..., Path]) -> None:
    folder = saved()
    before, state = load(folder).network, tensors(folder)
    state["cls.predictions.decoder.bias"] = state.pop("cls.predictions.bias")
    state["cls.predictions.decoder.weight"] = state[WORDS]
    rewrite(folder, state)
    assert same(load(folder).network, before)


@pytest.mark.parametrize("kept", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("asked", [torch.float32, torch.bfloat16])
def test_dtypes(kept: torch.dtype, asked: torch.dtype, tiny_config: TinyConfig, build: Make, tmp_path: Path) -> None:
    config = tiny_config(ALBERT)
    network = build(ALBERT, config)
    save(tmp_path / "saved", ALBERT, config, network, dtype=kept)
    assert {tensor.dtype for tensor in tensors(tmp_path / "saved").values()} == {kept}
    assert same(load(tmp_path / "saved", dtype=asked).network, network.to(kept).to(asked))


# -- heads -------------------------------------------------------------------------------------------------------------


@each_family
def test_a_body_alone_gets_random_heads_always_the_same(family: Family, saved: Callable[..., Path]) -> None:
    folder = saved(family, "encoder")
    task = "pre-training" if "pre-training" in family.tasks else "masked-lm"
    one, two = load(folder, task=task), load(folder, task=task)
    assert same(one.network, two.network)
    body = {"pooler": "trained"} if task == "pre-training" else {}
    assert one.heads == {"masked-lm": "random"} | body | ({"sentence-order": "random"} if body else {})
    names = published_names(family, one.network)
    assert set(one.missing) == {names[ours] for ours in names if ours.startswith(("masked_lm.", "order."))}
    assert one.network.masked_lm is not None
    assert one.network.masked_lm.dense.weight.std() > 0
    assert one.network.masked_lm.norm.weight.unique().tolist() == [1]


@each_family
def test_heads_without_use_are_left_out_and_told(family: Family, saved: Callable[..., Path]) -> None:
    task = "pre-training" if "pre-training" in family.tasks else "masked-lm"
    folder = saved(family, task)
    full, body = load(folder, task=task), load(folder, task="encoder")
    assert set(full.heads.values()) == {"trained"}
    assert set(body.extra) == {
        name
        for ours, name in published_names(family, full.network).items()
        if ours.startswith(("masked_lm.", "order."))
    }
    assert body.heads == ({"pooler": "trained"} if task == "pre-training" else {})
    assert load(folder, task="masked-lm").heads == {"masked-lm": "trained"}


def test_a_head_that_is_partly_there_is_an_error(saved: Callable[..., Path]) -> None:
    folder = saved(BERT, "pre-training")
    for gone in ("cls.predictions.bias", "bert.pooler.dense.bias", "cls.seq_relationship.weight"):
        state = tensors(folder)
        del state[gone]
        rewrite(folder, state)
        with pytest.raises(CheckpointError, match=f"missing: .*{gone}"):
            load(folder, task="pre-training")


# -- tensors that do not fit: tests/hostile ---------------------------------------------------------------------------


def test_an_untied_decoder_is_nothing_to_a_body(saved: Callable[..., Path]) -> None:
    folder = saved()
    rewrite(folder, tensors(folder) | {"cls.predictions.decoder.weight": torch.ones(40, 16)})
    assert "cls.predictions.decoder.weight" in load(folder, task="encoder").extra


# -- configurations ----------------------------------------------------------------------------------------------------


def test_the_family_comes_from_model_type_or_from_the_argument(saved: Callable[..., Path]) -> None:
    for name in ("albert", "convbert", "bert"):
        assert read_config(saved(FAMILIES[name]))[0].name == name
    bort = saved(FAMILIES["bort"])
    assert json.loads((bort / "config.json").read_text())["model_type"] == "bert"
    assert read_config(bort)[0].name == "bort"  # we left a mark
    path = bort / "config.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "bortlab_family"}))
    assert read_config(bort)[0].name == "bert"  # as amazon/bort says of itself
    assert read_config(bort, "bort")[0].name == "bort"
    reconfigure(bort, model_type="bort")
    assert read_config(bort)[0].name == "bort"


def test_keys_that_could_choose_code_are_dropped(saved: Callable[..., Path]) -> None:
    folder = saved()
    hostile = {
        "auto_map": {"AutoModel": "evil.Model"},
        "custom_pipelines": {"fill-mask": {"impl": "evil.Pipe"}},
        "quantization_config": {"quant_method": "evil"},
        "transformers_weights": "../../other",
        "_attn_implementation": "kernels-community/evil",
        "_attn_implementation_internal": "evil/kernel",
        "experts_implementation": "evil",
        "attn_implementation": "evil",
    }
    reconfigure(folder, **hostile, gap_size=3)
    family, config = read_config(folder)
    assert config.extra["gap_size"] == 3
    assert not config.extra.keys() & hostile.keys()
    save(folder, family, config, load(folder).network)
    assert not json.loads((folder / "config.json").read_text()).keys() & hostile.keys()


def test_too_many_parameters_are_refused_with_the_number(tiny_config: TinyConfig) -> None:
    config = tiny_config(ALBERT, vocab_size=300_000, embedding_size=8192)
    with pytest.raises(CheckpointError, match=r"has 2,\d{3},\d{3},\d{3} parameters, expected at most 1,500,000,000"):
        meta_network(ALBERT, config)


def test_unknown_task_names_the_known_ones(tiny_config: TinyConfig) -> None:
    with pytest.raises(CheckpointError, match=r"ConvBERT has no task 'pre-training'. Known: masked-lm, .*encoder\."):
        meta_network(FAMILIES["convbert"], tiny_config(FAMILIES["convbert"]), "pre-training")


# -- hostile files -----------------------------------------------------------------------------------------------------


def test_nothing_there(tmp_path: Path, saved: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match=r"Cannot open .*config\.json"):
        read_config(tmp_path / "nowhere")
    folder = saved()
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no weights: expected model\.safetensors"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_links(name: str, saved: Callable[..., Path], tmp_path: Path) -> None:
    folder = saved()
    before = load(folder).network
    outside = tmp_path / "outside"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    with pytest.raises(CheckpointError, match=f"{name} is a link that leaves the folder"):
        load(folder)
    (folder / name).unlink()
    (folder / name).symlink_to(folder / name)
    with pytest.raises(CheckpointError, match="Cannot open"):
        load(folder)
    (folder / name).unlink()
    outside.rename(folder / "inside")
    (folder / name).symlink_to("inside")
    assert same(load(folder).network, before)
    (tmp_path / "other name").symlink_to(folder)
    assert same(load(tmp_path / "other name").network, before)


def test_links_of_the_hub_cache_are_followed(saved: Callable[..., Path], tmp_path: Path) -> None:
    """models--a--b/snapshots/<revision>/config.json -> ../../blobs/<hash>: the layout of huggingface_hub."""
    folder = saved()
    before = load(folder).network
    snapshot, blobs = tmp_path / "models--a--b/snapshots/0f", tmp_path / "models--a--b/blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in folder.iterdir():
        path.rename(blobs / path.name[:3])
        (snapshot / path.name).symlink_to(Path("../../blobs") / path.name[:3])
    assert same(load(snapshot).network, before)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "pytorch_model.bin"])
def test_flipped_bytes_load_or_end_in_our_error(name: str, saved: Callable[..., Path]) -> None:
    """A small fuzzer: whatever becomes of a file, nothing but CheckpointError may come out."""
    folder = saved(BERT, num_hidden_layers=1, hidden_size=4, intermediate_size=4)
    if name == "pytorch_model.bin":
        to_pickle(folder, tensors(folder))
    path = folder / name
    whole = path.read_bytes()

    @settings(max_examples=80)
    @given(
        st.lists(st.tuples(st.integers(0, min(len(whole), 3000) - 1), st.binary(min_size=1, max_size=4)), min_size=1)
    )
    def check(patches: list[tuple[int, bytes]]) -> None:
        content = bytearray(whole)
        for place, patch in patches:
            content[place : place + len(patch)] = patch
        path.write_bytes(content)
        with contextlib.suppress(CheckpointError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about odd pickles
            load(folder)

    check()


# -- memory of our own -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "pickle"])
def test_what_happens_to_the_file_later_does_not_matter(pickled: bool, saved: Callable[..., Path]) -> None:
    folder = saved()
    path = folder / ("pytorch_model.bin" if pickled else "model.safetensors")
    if pickled:
        to_pickle(folder, tensors(folder))
    loaded, reference = load(folder).network, load(folder).network
    ids = torch.arange(10)[None]
    with torch.no_grad():
        before = loaded(ids)
        with path.open("r+b") as file:
            file.write(b"\0" * path.stat().st_size)
        assert torch.equal(loaded(ids), before)
        os.truncate(path, 0)
        assert torch.equal(loaded(ids), before)
    assert same(loaded, reference)
    maps = Path("/proc/self/maps")
    assert not maps.exists() or str(folder) not in maps.read_text()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_tensors_of_any_size_are_read_as_they_were_written(dtype: torch.dtype, tmp_path: Path) -> None:
    sizes = {"none": (0, 3), "number": (), "odd": (3, 7), "below": (512, 511), "large": (1025, 1023)}
    written = {name: torch.randn(size).to(dtype) for name, size in sizes.items()}
    save_file(written, tmp_path / "one.safetensors")
    with open_safetensors([tmp_path / "one.safetensors"], 0) as weights:
        assert weights.shapes == sizes
        for name, read in zip(written, weights.read(tuple(written)), strict=True):
            assert read.dtype == dtype and torch.equal(read, written[name])
            read.zero_()  # memory of its own, which may be written: those that are read after it stay as they are


@pytest.mark.parametrize("most", [None, 1_000_003, 4_096])
@pytest.mark.parametrize("has_preadv", [True, False])
def test_tensors_are_read_together_and_in_any_order(
    has_preadv: bool, most: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system reads: all that is asked for at once or less, and on Windows one room at a time."""
    written = {f"{file}.{i:03}": torch.randn(1 + 977 * i) for file in "ab" for i in range(40)}
    for file in "ab":
        save_file({name: tensor for name, tensor in written.items() if name[0] == file}, tmp_path / file)
    if not has_preadv:
        monkeypatch.delattr(os, "preadv", raising=False)
    elif most is not None:
        whole = os.preadv
        monkeypatch.setattr(os, "preadv", lambda number, rooms, place: whole(number, [rooms[0][:most]], place))
    with open_safetensors([tmp_path / "a", tmp_path / "b"], 0) as weights:
        for seed in range(3):
            names = random.Random(seed).sample(sorted(written), 57)
            read = weights.read(names)
            assert all(torch.equal(tensor, written[name]) for name, tensor in zip(names, read, strict=True))
        assert list(weights.shapes) == sorted(written)  # the order of the file


@pytest.mark.parametrize("left", [0, 5_000_000])
def test_a_file_that_is_cut_while_it_is_read_is_said_to_have_changed(left: int, tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    save_file({"first": torch.ones(1000, 1000), "second": torch.ones(1000, 1000)}, path)
    with open_safetensors([path], 0) as weights:
        os.truncate(path, left)
        with pytest.raises(CheckpointError, match="changed while it was read: it ends before its tensors do"):
            weights.read(["first", "second"])


def test_no_two_parameters_share_memory(saved: Callable[..., Path]) -> None:
    folder = saved()
    state = tensors(folder)
    one = torch.zeros(10_000)
    state = {name: one[: tensor.numel()].view(tensor.shape) for name, tensor in state.items()}
    to_pickle(folder, state)
    pointers = [parameter.data_ptr() for parameter in load(folder).network.parameters()]
    assert len(set(pointers)) == len(pointers)


# -- saving ------------------------------------------------------------------------------------------------------------


class Words:
    """As much of a tokenizer as saving needs."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    def save(self, folder: Path) -> None:
        if self.fails:
            raise OSError("No space left on device")
        (folder / "tokenizer.json").write_text("{}")


def test_a_saved_folder_is_whole_and_readable(tiny_config: TinyConfig, build: Make, tmp_path: Path) -> None:
    config = tiny_config(BERT)
    folder = tmp_path / "new" / "folder"
    save(folder, BERT, config, build(BERT, config), Words())  # type: ignore[arg-type]
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert len(modes) == 1  # safetensors alone would make its file private
    assert [path.name for path in folder.parent.iterdir()] == ["folder"]  # nothing is left beside it
    with safe_open(folder / "model.safetensors", framework="pt") as opened:
        assert opened.metadata() == {"format": "pt"}
        assert not set(opened.keys()) & set(BERT.tied)
    written = json.loads((folder / "config.json").read_text())
    assert written.items() >= config.to_dict().items()
    assert written["architectures"] == ["BertForMaskedLM"]


def test_a_failed_save_leaves_the_old_folder_as_it_was(tiny_config: TinyConfig, build: Make, tmp_path: Path) -> None:
    config, folder = tiny_config(BERT), tmp_path / "folder"
    save(folder, BERT, config, build(BERT, config))
    (folder / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CheckpointError, match=r"Cannot write .*No space left"):
        save(folder, BERT, config, build(BERT, config, seed=1), Words(fails=True))  # type: ignore[arg-type]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    other = build(BERT, config, seed=1)
    save(folder, BERT, config, other)
    assert same(load(folder).network, other)
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_file_in_the_way(tiny_config: TinyConfig, build: Make, tmp_path: Path) -> None:
    config = tiny_config(BERT)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match="Cannot write"):
        save(tmp_path / "file", BERT, config, build(BERT, config))
    assert (tmp_path / "file").read_text() == "mine"
