"""Embeddings, feed-forward parts, heads and the block that holds them together."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.activations import ACT2FN

from bortlab.nn import ACTIVATIONS, Block, Embeddings, FeedForward, MaskedLMHead, Pooler, SelfAttention
from bortlab.nn.feedforward import GroupedLinear, linear


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "at_one"),
    [
        ("gelu", 0.5 * (1 + math.erf(1 / math.sqrt(2)))),
        ("gelu_new", 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * 1.044715))),
        ("gelu_accurate", 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * 1.044715))),
        ("gelu_fast", 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * 1.044715))),
        ("gelu_python", 0.5 * (1 + math.erf(1 / math.sqrt(2)))),
        ("mish", math.tanh(math.log(1 + math.e))),
        ("relu6", 1.0),
        ("swish", 1 / (1 + math.exp(-1))),
        ("gelu_pytorch_tanh", 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * 1.044715))),
        ("relu", 1.0),
        ("silu", 1 / (1 + math.exp(-1))),
        ("tanh", math.tanh(1)),
    ],
)
def test_activations_by_formula(name: str, at_one: float) -> None:
    value = ACTIVATIONS[name](torch.tensor([1.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(value, torch.tensor([at_one, 0.0], dtype=torch.float64))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_those_of_transformers(name: str) -> None:
    x = torch.linspace(-9, 9, 181, dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS[name](x), ACT2FN[name](x))


@torch.no_grad()
def test_grouped_linear_is_block_diagonal() -> None:
    layer = GroupedLinear(4, 6, 2)
    dense = torch.block_diag(*layer.weight)  # (inputs, outputs)
    x = normal(2, 3, 4)
    torch.testing.assert_close(layer(x), x @ dense + layer.bias)
    torch.testing.assert_close(layer(x[0, 0]), x[0, 0] @ dense + layer.bias)  # any number of leading axes


def test_grouped_linear_by_hand() -> None:
    layer = GroupedLinear(4, 2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]]))
        layer.bias.copy_(torch.tensor([0.5, -0.5]))
    assert layer(torch.tensor([1.0, 10.0, 100.0, 1000.0])).tolist() == [21.5, 4299.5]


def test_one_group_is_a_plain_linear_map() -> None:
    assert isinstance(linear(4, 2), nn.Linear)
    assert isinstance(linear(4, 2, 2), GroupedLinear)
    assert sum(p.numel() for p in linear(8, 4, 2).parameters()) == 8 * 4 // 2 + 4


@pytest.mark.parametrize("hidden", [None, 6])
@torch.no_grad()
def test_embeddings_add_norm_and_project(hidden: int | None) -> None:
    layer = Embeddings(vocab=9, embed=4, positions=5, types=2, hidden=hidden, eps=1e-5, dropout=0.0).eval()
    ids, types = torch.tensor([[3, 8, 3]]), torch.tensor([[0, 1, 1]])
    words = layer.look_up(ids)
    summed = F.layer_norm(
        layer.words.weight[ids] + layer.types.weight[types] + layer.positions.weight[:3],
        (4,),
        layer.norm.weight,
        layer.norm.bias,
        1e-5,
    )
    expected = summed if layer.project is None else layer.project(summed)
    torch.testing.assert_close(layer(words, types), expected)
    torch.testing.assert_close(layer(words, None), layer(words, torch.zeros_like(ids)))
    assert layer(words, types).shape == (1, 3, hidden or 4)
    assert torch.equal(words, layer.look_up(ids))  # the words are left as they were


@torch.no_grad()
def test_masked_lm_head_is_tied_and_adds_its_bias_once() -> None:
    head = MaskedLMHead(hidden=6, embed=4, vocab=9, activation="gelu", eps=1e-5)
    head.bias.copy_(torch.arange(9.0))
    hidden, words = normal(2, 3, 6), normal(9, 4, seed=1)
    inner = F.layer_norm(F.gelu(head.dense(hidden)), (4,), eps=1e-5)
    torch.testing.assert_close(head(hidden, words), inner @ words.T + torch.arange(9.0))
    torch.testing.assert_close(head(hidden, words)[1, 2], head(hidden[1, 2], words))  # any leading axes: the logit lens


@torch.no_grad()
def test_pooler_reads_the_first_position_only() -> None:
    pooler, hidden = Pooler(4), normal(2, 3, 4)
    torch.testing.assert_close(pooler(hidden), torch.tanh(pooler.dense(hidden[:, 0])))
    other = hidden.clone()
    other[:, 1:] = 0
    assert torch.equal(pooler(other), pooler(hidden))


def block(dropout: float) -> Block:
    return Block(
        attention=SelfAttention(hidden=4, heads=2, dropout=dropout),
        feedforward=FeedForward(hidden=4, intermediate=6, activation="relu"),
        hidden=4,
        eps=1e-5,
        dropout=dropout,
    ).eval()


@torch.no_grad()
def test_block_norms_after_each_residual() -> None:
    layer, hidden = block(0.1), normal(2, 3, 4)
    middle = layer.attention_norm(hidden + layer.attention(hidden, None).context)
    expected = layer.feedforward_norm(middle + layer.feedforward(middle))
    step = layer(hidden, None, explicit=True)
    torch.testing.assert_close(step.hidden, expected)
    assert step.attention.shape == (2, 2, 3, 3)
    assert step.kernels is None


def test_block_drops_out_in_training() -> None:
    layer, hidden = block(0.5), normal(1, 3, 4)
    layer.train()
    torch.manual_seed(0)
    assert not torch.equal(layer(hidden, None).hidden, layer(hidden, None).hidden)
