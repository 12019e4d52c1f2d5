"""Our networks against transformers: every hidden state, attention and logit, on random tiny architectures."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bortlab.checkpoint import meta_network, published_names
from bortlab.models import DEFAULT_LABELS, FAMILIES, TASKS, Config, Family, Network
from bortlab.nn import PROBLEM_TYPES

EXACT = {"rtol": 0.0, "atol": 1e-9}
SINGLE = {"rtol": 1e-5, "atol": 1e-5}


def oracle(family: Family, network: Network) -> Any:
    """transformers' model of the same architecture with the same numbers."""
    two = network.task in ("pre-training", "question-answering")  # transformers makes as many outputs as labels
    settings = (replace(network.config, labels=DEFAULT_LABELS) if two else network.config).to_dict()
    stem = family.architecture.removesuffix("ForMaskedLM")
    config = transformers.CONFIG_MAPPING[settings.pop("model_type")](**settings)
    dtype = next(network.parameters()).dtype
    architecture = getattr(transformers, stem + TASKS[network.task])
    pools = "add_pooling_layer" in inspect.signature(architecture).parameters
    options = {"add_pooling_layer": network.pooler is not None} if pools else {}
    model = architecture._from_config(config, attn_implementation="eager", dtype=dtype, **options)
    names = published_names(family, network)
    state = {names[ours]: tensor for ours, tensor in network.state_dict().items()}
    if network.task == "encoder":
        state = {name.removeprefix(family.prefix): tensor for name, tensor in state.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert set(missing) <= set(family.tied)  # the copies; they share their memory with what they copy
    return model.eval()


def batch(config: Config, rows: int, seq: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random ids, a mask with padding on the right of all rows but the first, and random types."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, config.vocab_size, (rows, seq), generator=generator)
    types = torch.randint(0, config.type_vocab_size, (rows, seq), generator=generator)
    lengths = torch.randint(1, seq + 1, (rows, 1), generator=generator)
    lengths[0] = seq
    return ids, (torch.arange(seq) < lengths).long(), types


def differences(family: Family, network: Network, ids: Tensor, mask: Tensor, types: Tensor, tolerance: Any) -> None:
    """Assert that the network and transformers agree everywhere, and that our two paths do."""
    inputs = [part[None] if network.task == "multiple-choice" else part for part in (ids, mask, types)]  # rows: choices
    theirs = oracle(family, network)(
        inputs[0], attention_mask=inputs[1], token_type_ids=inputs[2], output_hidden_states=True, output_attentions=True
    )
    kept = network.encode(network.embed(ids), types, mask, keep_layers=True)
    fused = network.encode(network.embed(ids), types, mask)
    assert fused.layers == ()
    hidden = (kept.embeddings, *(layer.hidden for layer in kept.layers))
    attention = tuple(layer.attention for layer in kept.layers)
    assert len(theirs.hidden_states) == len(hidden) == network.config.depth + 1
    assert len(theirs.attentions) == len(attention)
    torch.testing.assert_close(kept.embeddings, fused.embeddings, **tolerance)
    torch.testing.assert_close(kept.hidden, fused.hidden, **tolerance)
    torch.testing.assert_close(hidden, theirs.hidden_states, **tolerance)
    torch.testing.assert_close(attention, theirs.attentions, **tolerance)
    if network.masked_lm is not None:
        logits = theirs.logits if network.task == "masked-lm" else theirs.prediction_logits
        torch.testing.assert_close(network.predict(kept.hidden), logits, **tolerance)
        torch.testing.assert_close(network(ids, mask, types), logits, **tolerance)
    if network.order is not None:
        order = theirs.sop_logits if "sop_logits" in theirs else theirs.seq_relationship_logits
        torch.testing.assert_close(network.predict_order(kept.hidden), order, **tolerance)
    elif network.task == "encoder" and network.pooler is not None:
        torch.testing.assert_close(network.pooler(kept.hidden), theirs.pooler_output, **tolerance)


@st.composite
def architectures(draw: st.DrawFn, family: Family, tiny_config: Callable[..., Config]) -> Config:
    """Any tiny architecture of a family; keys that it has not are ignored."""
    heads = draw(st.sampled_from([1, 2, 4]))
    hidden = draw(st.sampled_from([8, 16, 24]))
    layers = draw(st.integers(1, 4))
    return tiny_config(
        family,
        hidden_size=hidden,
        embedding_size=draw(st.sampled_from([hidden, 4, 12])),
        num_attention_heads=heads,
        head_ratio=draw(st.sampled_from([1, 2, 4])),
        num_hidden_layers=layers,
        num_hidden_groups=draw(st.integers(1, min(3, layers))),
        inner_group_num=draw(st.integers(1, 2)),
        num_groups=draw(st.integers(1, 2)),
        conv_kernel_size=draw(st.sampled_from([1, 3, 9])),
        intermediate_size=draw(st.sampled_from([6, 32])),
        type_vocab_size=draw(st.integers(1, 2)),
        hidden_act=draw(st.sampled_from(["gelu", "gelu_new", "relu"])),
        labels=tuple(f"label {n}" for n in range(draw(st.integers(1, 4)))),
        classifier_dropout=draw(st.sampled_from([None, 0.3])),
        summary_type=draw(st.sampled_from(["last", "first", "mean"])),
        summary_use_proj=draw(st.booleans()),
        summary_activation=draw(st.sampled_from([None, "tanh", "gelu"])),
        layer_norm_eps=draw(st.sampled_from([1e-12, 1e-5])),
        max_position_embeddings=24,
    )


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@torch.no_grad()
def test_float64_equals_transformers(
    family: Family, tiny_config: Callable[..., Config], build: Callable[..., Network]
) -> None:
    @settings(max_examples=30)
    @given(architectures(family, tiny_config), st.sampled_from(family.tasks), st.integers(1, 4), st.integers(1, 24))
    def check(config: Config, task: str, rows: int, seq: int) -> None:
        network = build(family, config, task, torch.float64)
        differences(family, network, *batch(config, rows, seq, seed=seq), EXACT)

    check()


NAMES = {
    "masked-lm": ("logits", "prediction_logits"),
    "sentence-order": ("sop_logits", "seq_relationship_logits"),
    "start": ("start_logits",),
    "end": ("end_logits",),
}
"""What transformers calls our logits, where it is not "logits"."""
LABELS = {"masked-lm": "labels", "start": "start_positions", "end": "end_positions"}


def questions(network: Network, shape: tuple[int, ...], seed: int, problem: str | None) -> dict[str, Tensor]:
    """Random labels for every output of a network's task, some of them absent or out of reach."""
    generator = torch.Generator().manual_seed(seed)
    *rows, seq = shape
    count = len(network.config.labels)

    def classes(number: int, *size: int, low: int = 0) -> Tensor:
        return torch.randint(low, number, size, generator=generator)

    def some(labels: Tensor) -> Tensor:
        return labels.where(torch.rand(labels.shape, generator=generator) < 0.6, -100)

    match network.task:
        case "masked-lm":
            return {"masked-lm": some(classes(network.config.vocab_size, *shape))}
        case "pre-training":
            words = some(classes(network.config.vocab_size, *shape))
            return {"masked-lm": words, "sentence-order": classes(2, *rows)}
        case "token-classification":
            return {"token-classification": some(classes(count, *shape))}
        case "multiple-choice":
            return {"multiple-choice": classes(rows[1], rows[0])}
        case "question-answering":
            return {name: classes(seq + 3, *rows, low=-2) for name in ("start", "end")}
        case _ if problem == "single_label_classification" or (problem is None and seed % 2 and count > 1):
            labels = classes(count, *rows)
        case _ if problem == "regression" or count == 1:
            labels = torch.randn(*rows, count, generator=generator, dtype=torch.float64)
            labels = labels[:, 0] if count == 1 and problem != "multi_label_classification" else labels
        case _:
            labels = classes(2, *rows, count).double()
    return {"sequence-classification": labels}


SOLVED = [(family, task) for family in FAMILIES.values() for task in family.tasks if task != "encoder"]


@pytest.mark.parametrize(("family", "task"), SOLVED, ids=[f"{family.name}-{task}" for family, task in SOLVED])
@torch.no_grad()
def test_every_task_scores_and_errs_as_in_transformers(
    family: Family, task: str, tiny_config: Callable[..., Config], build: Callable[..., Network]
) -> None:
    """Logits and losses in float64, with padding, token types, and labels that are to be ignored."""

    @settings(max_examples=25)
    @given(
        architectures(family, tiny_config),
        st.sampled_from([None, *PROBLEM_TYPES]),
        st.integers(1, 4),
        st.integers(1, 24),
        st.integers(0, 999),
    )
    def check(config: Config, problem: str | None, rows: int, seq: int, seed: int) -> None:
        if problem == "single_label_classification" and len(config.labels) == 1:
            problem = None
        network = build(family, replace(config, problem_type=problem), task, torch.float64)
        shape = (2, rows, seq) if task == "multiple-choice" else (rows, seq)
        ids, mask, types = (
            part.view(shape) for part in batch(config, shape[0] * (rows if len(shape) > 2 else 1), seq, seed)
        )
        labels = questions(network, shape, seed, problem)
        named = {"sentence-order": "sentence_order_label" if family.name == "albert" else "next_sentence_label"}
        theirs = oracle(family, network)(
            ids,
            attention_mask=mask,
            token_type_ids=types,
            **{(LABELS | named).get(name, "labels"): wanted for name, wanted in labels.items()},
        )
        ours = network.solve(ids, mask, types, labels)
        for name, logits in ours.logits.items():
            wanted = next(theirs[key] for key in NAMES.get(name, ("logits",)) if key in theirs)
            torch.testing.assert_close(logits, wanted, **EXACT)
        assert ours.loss is not None
        torch.testing.assert_close(ours.loss, theirs.loss, equal_nan=True, **EXACT)  # NaN: no label that counts
        assert network.solve(ids, mask, types).loss is None
        if len(labels) == 1:
            (alone,) = labels.values()
            torch.testing.assert_close(network.solve(ids, mask, types, alone).loss, ours.loss, equal_nan=True, **EXACT)

    check()


def test_labels_must_fit_the_task(tiny_config: Callable[..., Config], build: Callable[..., Network]) -> None:
    network = build(FAMILIES["albert"], tiny_config(FAMILIES["albert"]), "pre-training")
    ids = torch.zeros(1, 3, dtype=torch.long)
    for labels, got in (({"masked-lm": ids}, "got masked-lm"), (ids, "got a Tensor")):
        with pytest.raises(ValueError, match=f"expected a mapping with masked-lm and sentence-order, {got}"):
            network.solve(ids, labels=labels)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@torch.no_grad()
def test_float32_equals_transformers(
    family: Family, tiny_config: Callable[..., Config], build: Callable[..., Network]
) -> None:
    config = tiny_config(family, max_position_embeddings=40)
    for seq in (1, 7, 40):
        differences(family, build(family, config), *batch(config, 3, seq, seed=seq), SINGLE)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@torch.no_grad()
def test_what_padding_does(family: Family, tiny_config: Callable[..., Config], build: Callable[..., Network]) -> None:
    """Attention does not see padding. ConvBERT's convolution does, in the original as here, so results depend on it."""
    config = tiny_config(family)
    network = build(family, config, dtype=torch.float64)
    ids, _, types = batch(config, 1, 6, seed=0)
    padded = [torch.nn.functional.pad(t, (0, 4)) for t in (ids, torch.ones_like(ids), types)]
    single = network.encode(network.embed(ids), types, keep_layers=True)
    alone, beside = single.hidden, network.encode(network.embed(padded[0]), padded[2], padded[1]).hidden[:, :6]
    if single.layers[0].kernels is None:
        torch.testing.assert_close(beside, alone, **EXACT)
    else:
        assert (beside - alone).abs().max() > 1e-3
    differences(family, network, padded[0], padded[1], padded[2], EXACT)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@torch.no_grad()
def test_no_mask_is_a_mask_of_ones(
    family: Family, tiny_config: Callable[..., Config], build: Callable[..., Network]
) -> None:
    config = tiny_config(family)
    network = build(family, config, dtype=torch.float64)
    ids = batch(config, 2, 9, seed=1)[0]
    torch.testing.assert_close(network(ids), network(ids, torch.ones_like(ids), torch.zeros_like(ids)), **EXACT)


COUNTS = [
    ("albert-base-v2", "encoder", 11_683_584),
    ("albert-base-v2", "masked-lm", 11_221_680),
    ("albert-large-v2", "encoder", 17_683_968),
    ("albert-large-v2", "masked-lm", 16_795_824),
    ("albert-xlarge-v2", "encoder", 58_724_864),
    ("albert-xlarge-v2", "masked-lm", 54_821_040),
    ("albert-xxlarge-v2", "encoder", 222_595_584),
    ("albert-xxlarge-v2", "masked-lm", 206_368_944),
    ("conv-bert-small", "encoder", 13_143_768),
    ("conv-bert-medium-small", "encoder", 17_475_888),
    ("conv-bert-base", "encoder", 105_680_520),
    ("bort", "encoder", 75_107_328),
    ("bort", "masked-lm", 76_209_241),
    ("bert-base-uncased", "encoder", 109_482_240),
    ("bert-large-uncased", "encoder", 335_141_888),
]
PUBLISHED = {
    checkpoint.key: (family, checkpoint.config)
    for family in FAMILIES.values()
    for checkpoint in family.checkpoints
    if checkpoint.config is not None
}


@pytest.mark.parametrize(("key", "task", "count"), COUNTS)
def test_real_sizes_to_the_digit(key: str, task: str, count: int) -> None:
    """Sizes of the published architectures, as in FACTS.md (tied tensors once)."""
    family, config = PUBLISHED[key]
    network = meta_network(family, config, task)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_both_versions_of_albert_have_one_size() -> None:
    for size in ("base", "large", "xlarge", "xxlarge"):
        one, two = PUBLISHED[f"albert-{size}-v1"][1], PUBLISHED[f"albert-{size}-v2"][1]
        same = {key: getattr(two, key) for key in ("hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob")}
        assert replace(one, **same) == two
