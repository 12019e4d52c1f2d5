"""What every family promises. Parametrised over the registry: a new family is tested by being there."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

import bortlab.models
from bortlab.checkpoint import load_network, meta_network, published_names, read_config, save
from bortlab.models import DEFAULT_LABELS, FAMILIES, HEADS, LIMITS, TASKS, Config, Family, Network

BUILT = [(family, task) for family in FAMILIES.values() for task in family.tasks]
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
each_task = pytest.mark.parametrize(("family", "task"), BUILT, ids=[f"{family.name}-{task}" for family, task in BUILT])
Make = Callable[..., Network]
TinyConfig = Callable[..., Config]


def some_ids(config: Config, rows: int = 2, seq: int = 9) -> Tensor:
    return torch.randint(0, config.vocab_size, (rows, seq), generator=torch.Generator().manual_seed(0))


# -- registration ------------------------------------------------------------------------------------------------------


def test_every_file_of_models_is_registered() -> None:
    folder = Path(bortlab.models.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "config", "family", "formula", "network"}
    assert {family.config.__module__.rpartition(".")[2] for family in FAMILIES.values()} == files
    assert {type(family.mini) for family in FAMILIES.values()} == {family.config for family in FAMILIES.values()}


def test_no_two_families_or_checkpoints_share_a_key() -> None:
    keys = [checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints]
    assert len(keys) == len(set(keys))
    assert [family.name for family in FAMILIES.values()] == list(FAMILIES)
    source = Path(bortlab.models.__file__).read_text(encoding="utf-8")
    assert len(set(re.findall(r"\b(\w+)\.FAMILY", source))) == len(FAMILIES)  # none was swallowed by a like-named one


@each_family
def test_the_entry_is_complete(family: Family) -> None:
    assert re.fullmatch(r"[a-z]+", family.name)
    assert family.title
    assert family.idea.endswith(".")
    assert family.paper.startswith("https://")
    assert family.architecture.endswith("ForMaskedLM")
    assert set(family.tasks) <= set(TASKS)
    assert set(family.tasks) >= TASKS.keys() - {"pre-training"}  # BERT and ALBERT alone learned from pairs
    assert {head for heads in family.network.tasks.values() for head in heads} <= HEADS.keys()
    assert next(entry.key for entry in family.checkpoints if entry.source == "bundled") == family.mini_key
    for checkpoint in family.checkpoints:
        assert (checkpoint.config is None) == (checkpoint.source == "bundled")
        assert checkpoint.config is None or isinstance(checkpoint.config, family.config)
        assert checkpoint.masked_lm in ("trained", "random")
        assert checkpoint.note or checkpoint.masked_lm == "trained"


@each_family
def test_every_number_of_the_config_has_limits(family: Family) -> None:
    kinds = {
        field.name: str(field.type).removesuffix(" | None")
        for field in fields(family.config)
        if field.name not in ("labels", "extra")
    }
    assert set(kinds.values()) <= {
        "int",
        "float",
        "str",
        "bool",
    }  # texts: `from __future__ import annotations` is needed
    assert {name for name, kind in kinds.items() if kind in ("int", "float")} <= set(LIMITS)


# -- names -------------------------------------------------------------------------------------------------------------


@each_task
def test_renames_are_a_bijection(family: Family, task: str) -> None:
    network = meta_network(family, family.mini, task)
    names = published_names(family, network)
    assert list(names) == list(network.state_dict())
    assert len(set(names.values())) == len(names)
    assert not set(names.values()) & set(family.tied)
    assert all(name not in names or names[name] != name for name in names)  # none was left with our own name
    heads = tuple(f"{attribute}." for head, attribute in HEADS.items() if head != "pooler")
    body = [theirs for ours, theirs in names.items() if not ours.startswith(heads)]
    assert all(name.startswith(family.prefix) for name in body)


@each_family
def test_every_rename_is_used(family: Family, tiny_config: TinyConfig) -> None:
    configs = [tiny_config(family), tiny_config(family, tie_word_embeddings=False)]
    names = [
        name for task in family.tasks for config in configs for name in meta_network(family, config, task).state_dict()
    ]
    unused = [pattern for pattern, _ in family.renames]
    for name in names:
        for pattern, replacement in family.renames:
            renamed = re.sub(pattern, replacement, name)
            if renamed != name and pattern in unused:
                unused.remove(pattern)
            name = renamed
    # A family may borrow the renames of another one, and have no use for those of a head that it has not.
    assert all("pooler" in pattern or "order" in pattern for pattern in unused)


@each_task
def test_round_trip_through_a_folder(
    family: Family, task: str, tiny_config: TinyConfig, build: Make, tmp_path: Path
) -> None:
    config = family.config.from_dict(tiny_config(family).to_dict() | {"gap_size": 3})
    network = build(family, config, task)
    save(tmp_path / "saved", family, config, network)
    found, read = read_config(tmp_path / "saved")
    assert found is family
    # What has two outputs always must not be given three by transformers, which counts the labels.
    two = task in ("pre-training", "question-answering")
    assert read == (replace(config, labels=DEFAULT_LABELS) if two else config)
    assert read.extra["gap_size"] == 3
    loaded = load_network(tmp_path / "saved", found, read, task=task)
    assert not loaded.missing
    assert not loaded.extra
    assert loaded.heads == dict.fromkeys(family.network.tasks[task], "trained")
    assert loaded.network.state_dict().keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor)


# -- arithmetic --------------------------------------------------------------------------------------------------------


@each_family
@torch.no_grad()
def test_shapes_of_the_trace(family: Family, tiny_config: TinyConfig, build: Make) -> None:
    config = tiny_config(family)
    network, ids = build(family, config), some_ids(config)
    words = network.embed(ids)
    assert words.shape == (2, 9, config.embed_width)
    output = network.encode(words, keep_layers=True)
    assert output.embeddings.shape == output.hidden.shape == (2, 9, config.hidden_size)
    assert output.layers[-1].hidden is output.hidden
    assert len(output.layers) == config.depth
    for layer in output.layers:
        assert layer.hidden.shape == (2, 9, config.hidden_size)
        assert layer.attention is not None
        heads = layer.attention.shape[1]
        assert layer.attention.shape == (2, heads, 9, 9)
        torch.testing.assert_close(layer.attention.sum(-1), torch.ones(2, heads, 9))
        if layer.kernels is not None:
            assert layer.kernels.shape[:3] == (2, heads, 9)
            torch.testing.assert_close(layer.kernels.sum(-1), torch.ones(2, heads, 9))
    assert network.predict(output.hidden).shape == (2, 9, config.vocab_size)
    assert network.predict(output.hidden[0, 0]).shape == (config.vocab_size,)
    quick = network.encode(words)
    assert quick.layers == ()
    torch.testing.assert_close(quick.hidden, output.hidden, rtol=0, atol=1e-5)
    torch.testing.assert_close(network(ids), network.predict(quick.hidden), rtol=0, atol=0)


@each_family
def test_every_layer_has_gradients_of_its_own(family: Family, tiny_config: TinyConfig, build: Make) -> None:
    """One autograd.grad over the records gives each executed layer its gradient, where a block is shared too."""
    config = tiny_config(family, num_hidden_groups=1, inner_group_num=1)
    network, ids = build(family, config).requires_grad_(False), some_ids(config, rows=1)
    words = network.embed(ids).requires_grad_()
    output = network.encode(words, keep_layers=True)
    score = network.predict(output.hidden)[0, 4, 7]
    attention = [layer.attention for layer in output.layers if layer.attention is not None]
    for records in ([layer.hidden for layer in output.layers], attention):
        gradients = torch.autograd.grad(score, records, retain_graph=True)
        assert all(gradient.isfinite().all() and gradient.abs().max() > 0 for gradient in gradients)
        assert all(not torch.allclose(one, two) for one, two in pairwise(gradients))
    assert torch.autograd.grad(score, words)[0].abs().max() > 0


@each_task
def test_training_reaches_every_parameter(family: Family, task: str, tiny_config: TinyConfig, build: Make) -> None:
    """Both paths work in train mode, dropout too, and every parameter that wants a gradient gets one."""
    config = tiny_config(family)
    network, ids = build(family, config, task).train(), some_ids(config)
    types = torch.randint(0, config.type_vocab_size, ids.shape)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    torch.manual_seed(0)
    for keep in (False, True):
        network.zero_grad()
        one, two = (network.encode(network.embed(ids), types, mask, keep_layers=keep).hidden for _ in range(2))
        assert not torch.equal(one, two)
        loss = one.square().mean()
        for logits in network.score(one).values():
            loss = loss + logits.square().mean()
        if task == "encoder" and network.pooler is not None:
            loss = loss + network.pooler(one).square().mean()
        loss.backward()
        for name, parameter in network.named_parameters():
            assert parameter.requires_grad == (parameter.grad is not None), name
            assert parameter.grad is None or parameter.grad.isfinite().all(), name


@each_task
@torch.no_grad()
def test_heads_drop_out_in_training_alone(family: Family, task: str, tiny_config: TinyConfig, build: Make) -> None:
    """Where transformers has dropout before a head, and nowhere else: before spans, masked words and BERT's order."""
    encoder: dict[str, float] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    heads = {"classifier_dropout": 0.5, "classifier_dropout_prob": 0.5, "summary_last_dropout": 0.5}
    for chance in (heads, dict.fromkeys(heads, 0.0)):
        network = build(family, tiny_config(family, **encoder, **chance), task)
        hidden = torch.randn(3, 5, network.config.hidden_size, generator=torch.Generator().manual_seed(0))
        calm = [network.score(hidden) for _ in range(2)]
        network.train()
        torch.manual_seed(0)
        one, two = network.score(hidden), network.score(hidden)
        for name in one:
            torch.testing.assert_close(calm[0][name], calm[1][name], rtol=0, atol=0)
            never = ("masked-lm", "start", "end", *(["sentence-order"] if family.name == "bert" else []))
            assert torch.equal(one[name], two[name]) == (name in never or chance is not heads), name


@each_family
def test_initialise_is_reproducible_and_sensible(family: Family, tiny_config: TinyConfig) -> None:
    config = tiny_config(family, hidden_size=64, embedding_size=32)
    one, two, other = (
        family.network(config).initialise(torch.Generator().manual_seed(seed)).state_dict() for seed in (0, 0, 1)
    )
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name])
        if "norm" in name:
            assert tensor.unique().tolist() == [float(name.endswith("weight"))]
        elif name.endswith("bias"):
            assert not tensor.any()
        elif tensor.any():  # Bort's one token type is zero
            assert not torch.equal(tensor, other[name])
            assert 0.5 < tensor.std() / config.initializer_range < 1.5


@each_family
@torch.no_grad()
def test_what_a_network_was_not_built_for_says_so(family: Family, tiny_config: TinyConfig, build: Make) -> None:
    config = tiny_config(family)
    body, ids = build(family, config, "encoder"), some_ids(config)
    with pytest.raises(ValueError, match='task "encoder" and has no masked-LM head'):
        body(ids)
    with pytest.raises(ValueError, match='task "encoder" and has no head to solve a task with'):
        body.solve(ids)
    with pytest.raises(ValueError, match='task "masked-lm" and has no sentence-order head'):
        build(family, config).predict_order(torch.zeros(1, 1, config.hidden_size))
    for seq in (0, config.max_position_embeddings + 1):
        with pytest.raises(ValueError, match=rf"Expected 1 to {config.max_position_embeddings} pieces, got {seq}"):
            body.encode(body.embed(torch.zeros(1, seq, dtype=torch.long)))


@each_family
@torch.no_grad()
def test_reading_leaves_no_mark(family: Family, tiny_config: TinyConfig, build: Make) -> None:
    """A network in use stays as it is: weights, mode and hooks. Many threads may share it."""
    config = tiny_config(family)
    network, ids = build(family, config), some_ids(config)
    before, words = copy.deepcopy(network.state_dict()), network.embed(ids)
    kept = words.clone()
    network.encode(words, torch.zeros_like(ids), torch.ones_like(ids), keep_layers=True)
    network(ids)
    assert torch.equal(words, kept)
    assert not any(module.training for module in network.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
