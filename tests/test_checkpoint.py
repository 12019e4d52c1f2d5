"""Checkpoint folders: round trips with transformers both ways, legacy layouts, and a corpus of hostile folders."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from bortlab import checkpoint
from bortlab.checkpoint import CheckpointError, Loaded, load_network, meta_network, published_names, read_config, save
from bortlab.models import FAMILIES, Config, Family, Network

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


def results(network: Network, ids: Tensor, types: Tensor) -> dict[str, Tensor]:
    hidden = network.encode(network.embed(ids), types).hidden
    made = {"last_hidden_state": hidden}
    if network.masked_lm is not None:
        name = "logits" if network.task == "masked-lm" else "prediction_logits"
        made[name] = network.predict(hidden)
    if network.order is not None:
        made["order"] = network.predict_order(hidden)
    elif network.pooler is not None:
        made["pooler_output"] = network.pooler(hidden)
    return made


@each_task
@torch.no_grad()
def test_transformers_reads_what_we_save_and_we_read_what_it_saves(
    family: Family, task: str, tiny_config: TinyConfig, build: Make, tmp_path: Path
) -> None:
    config = tiny_config(family)
    network = build(family, config, task)
    save(tmp_path / "ours", family, config, network)
    (name,) = json.loads((tmp_path / "ours/config.json").read_text())["architectures"]
    model, info = getattr(transformers, name).from_pretrained(tmp_path / "ours", output_loading_info=True)
    model.eval()
    assert not info["unexpected_keys"]
    assert {key.split(".")[0] for key in info["missing_keys"]} <= ({"pooler"} if network.pooler is None else set())

    ids = torch.randint(0, config.vocab_size, (2, 11), generator=torch.Generator().manual_seed(0))
    types = ids % config.type_vocab_size
    theirs = model(ids, token_type_ids=types)
    for key, ours in results(network, ids, types).items():
        if key == "order":
            key = "sop_logits" if "sop_logits" in theirs else "seq_relationship_logits"
        if key in theirs:
            torch.testing.assert_close(ours, theirs[key], rtol=0, atol=1e-5)

    model.save_pretrained(tmp_path / "theirs")
    assert tensors(tmp_path / "theirs").keys() >= tensors(tmp_path / "ours").keys()
    loaded = load(tmp_path / "theirs", family.name, task=task)
    assert same(loaded.network, network)
    assert not loaded.missing
    assert all("pooler" in name for name in loaded.extra)  # transformers gives a Bort body one at random


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


# -- tensors that do not fit -------------------------------------------------------------------------------------------


def damage(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], None]:
    def apply(state: dict[str, Tensor]) -> None:
        state[name] = change(state[name])

    return apply


def set_first(value: float) -> Callable[[Tensor], Tensor]:
    def change(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[0] = value
        return tensor

    return change


MISFITS: dict[str, tuple[Callable[[dict[str, Tensor]], Any], str]] = {
    "missing": (lambda state: state.pop(QUERY), rf"1 missing: {QUERY}\."),
    "many missing": (
        lambda state: [state.pop(name) for name in list(state) if "layer.1" in name],
        r"16 missing: (bert\S+, ){3}\.\.\.",
    ),
    "unexpected": (lambda state: state.update(lora_A=torch.ones(2)), r"1 unexpected: lora_A\."),
    "mis-shaped": (damage(QUERY, lambda t: t[:8]), rf"1 mis-shaped: {QUERY} has shape \(8, 16\), expected \(16, 16\)"),
    "transposed": (
        damage("bert.encoder.layer.0.output.dense.weight", lambda t: t.T),
        r"\(24, 16\), expected \(16, 24\)",
    ),
    "mis-shaped copy": (
        lambda state: state.update({"cls.predictions.decoder.weight": torch.ones(3, 3)}),
        r"decoder.weight has shape \(3, 3\), expected \(40, 16\)",
    ),
    "untied": (
        lambda state: state.update({"cls.predictions.decoder.weight": state[WORDS] + 1}),
        f"cls.predictions.decoder.weight differs from {WORDS}.*untied decoder",
    ),
    "untied bias": (
        lambda state: state.update({"cls.predictions.decoder.bias": state["cls.predictions.bias"] + 1}),
        "decoder.bias differs from cls.predictions.bias",
    ),
    "nan": (damage(QUERY, set_first(float("nan"))), f"{QUERY} holds numbers that are not finite"),
    "infinity": (damage(QUERY, set_first(-float("inf"))), f"{QUERY} holds numbers that are not finite"),
    "too big for float32": (damage(QUERY, lambda t: t.double() * 1e300), f"{QUERY} .* not finite as torch.float32"),
    "whole numbers": (damage(QUERY, lambda t: t.long()), f"{QUERY} holds torch.int64, expected float16"),
    "complex": (damage(QUERY, lambda t: t.to(torch.complex64)), f"{QUERY} holds torch.complex64"),
    "eight bits": (damage(QUERY, lambda t: t.to(torch.float8_e4m3fn)), f"{QUERY} holds torch.float8_e4m3fn"),
    "empty": (lambda state: state.clear(), "missing: "),
}


@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "pickle"])
@pytest.mark.parametrize(("change", "message"), MISFITS.values(), ids=MISFITS)
def test_tensors_that_do_not_fit(
    change: Callable[[dict[str, Tensor]], Any], message: str, pickled: bool, saved: Callable[..., Path]
) -> None:
    folder = saved(BERT, num_hidden_layers=2)
    state = tensors(folder)
    change(state)
    if pickled:
        to_pickle(folder, state)
    else:
        rewrite(folder, state)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


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


CONFIGS: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "unknown type": ({"model_type": "llama"}, None, "unknown model_type 'llama'. Known: albert, convbert, bort, bert"),
    "no type": ({"model_type": None}, None, "unknown model_type None"),
    "a type that is a list": ({"model_type": ["bert"]}, None, r"unknown model_type \['bert'\]"),
    "wrong family": ({}, "albert", "is of family 'bert', not 'albert'"),
    "wrong mark": ({"bortlab_family": "bort"}, "bert", "is of family 'bort', not 'bert'"),
    "mark that is a list": ({"bortlab_family": ["bort"]}, None, "unknown model_type"),
    "unknown family": ({}, "llama", "Unknown family 'llama'. Known: albert"),
    "negative": ({"hidden_size": -4}, None, "hidden_size: expected 1 to 8192, got -4"),
    "zero heads": ({"num_attention_heads": 0}, None, "num_attention_heads: expected 1 to 128, got 0"),
    "text": ({"hidden_size": "abc"}, None, "hidden_size: expected a whole number, got 'abc'"),
    "half a layer": ({"num_hidden_layers": 1.5}, None, "num_hidden_layers: expected a whole number, got 1.5"),
    "true layers": ({"num_hidden_layers": True}, None, "num_hidden_layers: expected a whole number, got True"),
    "compute bomb": ({"num_hidden_layers": 200_000}, None, "num_hidden_layers: expected 1 to 48, got 200000"),
    "memory bomb": ({"vocab_size": 500_000_000}, None, "vocab_size: expected 1 to 300000"),
    "long bomb": ({"max_position_embeddings": 10**10}, None, "max_position_embeddings: expected 1 to 4096"),
    "nan": ({"layer_norm_eps": float("nan")}, None, "NaN is not a finite number"),
    "infinity": ({"unknown_key": float("inf")}, None, "Infinity is not a finite number"),
    "decoder": ({"is_decoder": True}, None, "is_decoder is True; only False is supported"),
    "relative positions": ({"position_embedding_type": "relative_key"}, None, "only 'absolute' is supported"),
}


@pytest.mark.parametrize(("changes", "family", "message"), CONFIGS.values(), ids=CONFIGS)
def test_absurd_configurations(
    changes: dict[str, Any], family: str | None, message: str, saved: Callable[..., Path]
) -> None:
    folder = saved()
    reconfigure(folder, **changes)
    with pytest.raises(CheckpointError, match=message):
        read_config(folder, family)


TEXTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not readable JSON"),
    "half": (b'{"model_type": "bert"', "not readable JSON"),
    "not UTF-8": (b'{"model_type": "\xff\xfe"}', "not readable JSON"),
    "a list": (b"[]", "expected a JSON object, got a list"),
    "null": (b"null", "expected a JSON object, got a NoneType"),
    "a deep bomb": (b'{"a":' + b"[" * 49_000 + b"]" * 49_000 + b"}", "nested more than 20"),
    "an unclosed bomb": (b"[" * 99_000, "nested more than 20"),
    "quite deep": (b'{"model_type": "bert", "a":' + b"[" * 30 + b"]" * 30 + b"}", "nested more than 20"),
    "a huge number": (b'{"model_type": "bert", "hidden_size": ' + b"9" * 50_000 + b"}", "not readable JSON"),
    "overflow": (b'{"model_type": "bert", "hidden_size": 1e999}', "1e999 is not a finite number"),
    "too long": (b" " * 100_001, "100,001 bytes, expected at most 100,000"),
}


@pytest.mark.parametrize(("text", "message"), TEXTS.values(), ids=TEXTS)
def test_broken_config_files(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(CheckpointError, match=message):
        read_config(tmp_path)


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


def test_a_file_smaller_than_its_configuration_says_is_not_read(saved: Callable[..., Path]) -> None:
    """A configuration that promises far more than the file has is refused from the file's header alone."""
    folder = saved()
    reconfigure(folder, vocab_size=300_000, hidden_size=2048)
    with pytest.raises(CheckpointError, match=r"has shape \(40, 16\), expected \(300000, 2048\)"):
        load(folder)


def test_unknown_task_names_the_known_ones(tiny_config: TinyConfig) -> None:
    with pytest.raises(CheckpointError, match=r"ConvBERT has no task 'pre-training'. Known: masked-lm, encoder"):
        meta_network(FAMILIES["convbert"], tiny_config(FAMILIES["convbert"]), "pre-training")


# -- hostile files -----------------------------------------------------------------------------------------------------


def test_nothing_there(tmp_path: Path, saved: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match=r"Cannot open .*config\.json"):
        read_config(tmp_path / "nowhere")
    folder = saved()
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no weights: expected model\.safetensors"):
        load(folder)


@pytest.mark.parametrize("keep", [0, 4, 9, 500, -1])
def test_truncated_weights(keep: int, saved: Callable[..., Path]) -> None:
    folder = saved()
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged or cut off"):
        load(folder)


def header(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text


HEADERS: dict[str, tuple[bytes, str]] = {
    "header of 2^60 bytes": (header(b"{}", 2**60), "a header of 1,152,921,504,606,846,976 bytes"),
    "not JSON": (header(b"garbage!"), "damaged"),
    "huge tensor, small file": (
        header(b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'),
        "damaged",
    ),
    "overflowing shape": (
        header(b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
        "damaged",
    ),
    "unknown dtype": (header(b'{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}') + b"abcd", "damaged"),
    "trailing bytes": (header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}') + b"abcdefgh", "damaged"),
    "html": (b"<!doctype html><title>404</title>" * 9, "a header of"),
}


@pytest.mark.parametrize(("content", "message"), HEADERS.values(), ids=HEADERS)
def test_hostile_headers(content: bytes, message: str, saved: Callable[..., Path]) -> None:
    folder = saved()
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


INDEXES: dict[str, tuple[Any, str]] = {
    "no map": ({}, "weight_map must name"),
    "empty map": ({"weight_map": {}}, "weight_map must name"),
    "upwards": ({"weight_map": {"a": "../secret.safetensors"}}, "weight_map must name"),
    "absolute": ({"weight_map": {"a": "/etc/secret.safetensors"}}, "weight_map must name"),
    "a pickle": ({"weight_map": {"a": "model.bin"}}, "weight_map must name"),
    "not a text": ({"weight_map": {"a": 7}}, "weight_map must name"),
    "a NUL": ({"weight_map": {"a": "a\0.safetensors"}}, "Cannot open"),
    "not there": ({"weight_map": {"a": "a.safetensors"}}, "Cannot open"),
}


@pytest.mark.parametrize(("index", "message"), INDEXES.values(), ids=INDEXES)
def test_hostile_indexes(index: Any, message: str, saved: Callable[..., Path]) -> None:
    folder = saved()
    (folder / "model.safetensors").rename(folder / "else.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=message):
        load(folder)


def test_a_tensor_in_two_shards(saved: Callable[..., Path]) -> None:
    folder = saved()
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    for name in ("a.safetensors", "b.safetensors"):
        (folder / name).write_bytes(content)
    index = {"weight_map": {"one": "a.safetensors", "two": "b.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="stands in another file of the folder too"):
        load(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_no_fifo_device_or_folder_is_opened(name: str, saved: Callable[..., Path]) -> None:
    folder = saved()
    (folder / name).unlink()
    os.mkfifo(folder / name)  # to open it would wait for ever
    with pytest.raises(CheckpointError, match="is not a regular file"):
        load(folder)
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(CheckpointError, match="is not a regular file"):
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


class Evil:
    """A pickle that writes a file when it is opened by anybody who calls what it names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["zip", "legacy", "plain pickle"])
def test_no_pickle_runs_code(how: str, saved: Callable[..., Path], tmp_path: Path) -> None:
    folder, proof = saved(), tmp_path / "proof"
    state: dict[str, Any] = tensors(folder) | {"evil": Evil(proof)}
    to_pickle(folder, state, _use_new_zipfile_serialization=how == "zip")
    if how == "plain pickle":
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"evil": Evil(proof)}, protocol=2))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(folder)
    assert not proof.exists()


PICKLES: dict[str, tuple[Any, str]] = {
    "a list": ([torch.ones(2)], "expected a dictionary of tensors, got a list"),
    "a number": ({"a": 1}, "'a' is not an ordinary tensor"),
    "numbered": ({1: torch.ones(2)}, "1 is not an ordinary tensor"),
    "nested": ({"state_dict": {"a": torch.ones(2)}}, "'state_dict' is not an ordinary tensor"),
    "sparse": ({WORDS: torch.eye(40)[:, :16].to_sparse()}, "is not an ordinary tensor"),
    "no memory": ({WORDS: torch.empty(40, 16, device="meta")}, "is not an ordinary tensor|cannot be read"),
    "huge view": ({WORDS: torch.ones(1).expand(10**6, 10**6)}, r"has shape \(1000000, 1000000\), expected \(40, 16\)"),
}


@pytest.mark.parametrize(("state", "message"), PICKLES.values(), ids=PICKLES)
def test_hostile_pickles(state: Any, message: str, saved: Callable[..., Path]) -> None:
    folder = saved()
    to_pickle(folder, state)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


def test_broken_pickles(saved: Callable[..., Path]) -> None:
    folder = saved()
    to_pickle(folder, tensors(folder))
    path = folder / "pytorch_model.bin"
    whole = path.read_bytes()
    for content in (b"", b"PK\x03\x04", whole[:1000], whole[:-30], b"<html>", pickle.dumps({}, protocol=2)[:-1]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"cannot be read|damaged|missing"):
            load(folder)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(CheckpointError, match="compressed inside"):
        load(folder)
    path.write_bytes(b"\0" * 100)
    os.truncate(path, 50_000_000)  # a sparse file: large in name only
    with pytest.raises(CheckpointError, match="holds 50,000,000 bytes, expected at most"):
        load(folder)


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
    with checkpoint.safe_open(folder / "model.safetensors", framework="pt") as opened:
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
