"""Attention by hand, its two paths against each other, and what dropout does in each."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bortlab.nn import MixedAttention, SelfAttention
from bortlab.nn.attention import attend

EXACT = {"rtol": 0.0, "atol": 1e-12}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def layer(kind: str, dropout: float = 0.0) -> SelfAttention | MixedAttention:
    if kind == "self":
        return SelfAttention(hidden=8, heads=2, dropout=dropout).double().eval()
    return MixedAttention(hidden=8, heads=2, width=3, dropout=dropout).double().eval()


KINDS = pytest.mark.parametrize("kind", ["self", "mixed"])


def test_two_by_two_by_hand() -> None:
    """Scores 0 and ln 3 (after the scale) make probabilities 1/4 and 3/4."""
    query = torch.tensor([[1.0], [0.0]]).view(1, 1, 2, 1)
    key = torch.tensor([[0.0], [math.log(3.0)]]).view(1, 1, 2, 1)
    value = torch.tensor([[4.0], [8.0]]).view(1, 1, 2, 1)
    result = attend(query, key, value, None, explicit=True)
    assert result.probabilities is not None
    torch.testing.assert_close(result.probabilities[0, 0], torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    torch.testing.assert_close(result.values.flatten(), torch.tensor([7.0, 6.0]))
    torch.testing.assert_close(attend(query, key, value, None).values.flatten(), torch.tensor([7.0, 6.0]))


def test_scores_are_scaled_by_the_root_of_the_size() -> None:
    query, key, value = normal(1, 1, 3, 4), normal(1, 1, 3, 4, seed=1), normal(1, 1, 3, 4, seed=2)
    expected = (query @ key.transpose(-1, -2) / 2.0).softmax(-1)
    result = attend(query, key, value, None, explicit=True)
    torch.testing.assert_close(result.probabilities, expected, **EXACT)


@KINDS
@torch.no_grad()
def test_paths_are_equal_and_rows_sum_to_one(kind: str) -> None:
    attention, hidden = layer(kind), normal(2, 6, 8)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 0, 0]], dtype=torch.bool)[:, None, None, :]
    for visible in (None, mask):
        explicit, fused = attention(hidden, visible, explicit=True), attention(hidden, visible)
        torch.testing.assert_close(explicit.context, fused.context, **EXACT)
        assert fused.attention is None
        assert explicit.attention.shape == (2, 2, 6, 6)
        torch.testing.assert_close(explicit.attention.sum(-1), torch.ones(2, 2, 6, dtype=torch.float64), **EXACT)
        if kind == "mixed":
            assert explicit.kernels.shape == (2, 2, 6, 3)  # (batch, heads, seq, width)
            torch.testing.assert_close(explicit.kernels.sum(-1), torch.ones(2, 2, 6, dtype=torch.float64), **EXACT)
            torch.testing.assert_close(explicit.kernels, fused.kernels, **EXACT)
        else:
            assert explicit.kernels is None
    assert explicit.attention[1, :, :, [2, 4, 5]].max() == 0  # nobody looks at padding


@KINDS
@torch.no_grad()
def test_what_is_hidden_changes_nothing_in_attention(kind: str) -> None:
    attention, hidden = layer(kind), normal(1, 4, 8)
    other = hidden.clone()
    other[0, 3] += 5.0
    mask = torch.tensor([[1, 1, 1, 0]], dtype=torch.bool)[:, None, None, :]
    one, two = attention(hidden, mask, explicit=True), attention(other, mask, explicit=True)
    torch.testing.assert_close(one.attention[:, :, :3], two.attention[:, :, :3], **EXACT)
    neighbours_see_it = bool((one.context[0, 2] - two.context[0, 2]).abs().max() > 1e-6)
    assert neighbours_see_it == (kind == "mixed")  # the convolution does not know the mask


@KINDS
@pytest.mark.parametrize("explicit", [True, False])
def test_dropout_works_in_training_only(kind: str, explicit: bool) -> None:
    attention, hidden = layer(kind, dropout=0.5), normal(1, 6, 8)
    quiet = attention(hidden, None, explicit=explicit).context
    torch.testing.assert_close(attention(hidden, None, explicit=explicit).context, quiet, rtol=0, atol=0)
    attention.train()
    torch.manual_seed(0)
    one, two = (attention(hidden, None, explicit=explicit) for _ in range(2))
    assert not torch.equal(one.context, two.context)
    if explicit:  # the record is what was before dropout
        torch.testing.assert_close(one.attention.sum(-1), torch.ones(1, 2, 6, dtype=torch.float64), **EXACT)
        torch.testing.assert_close(one.attention, two.attention, **EXACT)
    one.context.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in attention.parameters())


@torch.no_grad()
def test_mixed_attention_puts_attention_heads_first() -> None:
    """With an identity as output: the first half is attention over its values, the second the convolution."""
    attention, hidden = layer("mixed"), normal(1, 4, 8)
    attention.output.weight.copy_(torch.eye(8))
    attention.output.bias.zero_()
    mixed = attention(hidden, None, explicit=True)
    values = attention.value(hidden).unflatten(-1, (2, 2)).transpose(1, 2)
    expected = (mixed.attention @ values).transpose(1, 2).flatten(2)
    torch.testing.assert_close(mixed.context[..., :4], expected, **EXACT)
