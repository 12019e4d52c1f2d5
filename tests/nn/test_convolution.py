"""Dynamic convolution: by hand on three tokens, and both code paths against torch's unfold."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bortlab.nn import convolution
from bortlab.nn.convolution import SeparableConv, dynamic_convolution

PATHS = pytest.mark.parametrize("limit", [0, 10**9], ids=["shifted taps", "strided window"])


def by_unfold(values: Tensor, kernels: Tensor) -> Tensor:
    """The published way: unfold positions into columns, then one product a position."""
    batch, seq, heads, size = values.shape
    width = kernels.shape[-1]
    columns = F.unfold(values.flatten(2).transpose(1, 2).unsqueeze(-1), [width, 1], padding=[(width - 1) // 2, 0])
    spans = columns.transpose(1, 2).reshape(batch, seq, heads, size, width)
    return (spans @ kernels.unsqueeze(-1)).squeeze(-1)


@PATHS
def test_three_tokens_by_hand(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "WINDOW_LIMIT", limit)
    values = torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1, 1)
    kernels = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.25, 0.25, 0.5]]).view(1, 3, 1, 3)
    by_hand = torch.tensor(
        [
            0.5 * 0 + 0.3 * 1 + 0.2 * 2,  # nothing stands to the left of the first token
            0.1 * 1 + 0.6 * 2 + 0.3 * 4,
            0.25 * 2 + 0.25 * 4 + 0.5 * 0,  # nor to the right of the last
        ]
    )
    torch.testing.assert_close(dynamic_convolution(values, kernels).flatten(), by_hand)


@PATHS
def test_a_kernel_that_looks_at_one_tap_shifts(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "WINDOW_LIMIT", limit)
    values = torch.arange(1.0, 6.0).view(1, 5, 1, 1)
    for tap, expected in {0: [0, 0, 1, 2, 3], 2: [1, 2, 3, 4, 5], 4: [3, 4, 5, 0, 0]}.items():
        kernels = F.one_hot(torch.tensor(tap), 5).float().expand(1, 5, 1, 5)
        assert dynamic_convolution(values, kernels).flatten().tolist() == expected


@PATHS
def test_equals_unfold(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "WINDOW_LIMIT", limit)

    @given(
        st.integers(1, 3), st.integers(1, 12), st.integers(1, 3), st.integers(1, 4), st.sampled_from([1, 3, 5, 9, 31])
    )
    def check(batch: int, seq: int, heads: int, size: int, width: int) -> None:
        generator = torch.Generator().manual_seed(seq)
        values = torch.randn(batch, seq, heads, size, dtype=torch.float64, generator=generator)
        kernels = torch.randn(batch, seq, heads, width, dtype=torch.float64, generator=generator).softmax(-1)
        result = dynamic_convolution(values, kernels)
        assert result.shape == values.shape
        torch.testing.assert_close(result, by_unfold(values, kernels), rtol=0, atol=1e-12)

    check()


@PATHS
def test_gradients_and_inputs_left_alone(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "WINDOW_LIMIT", limit)
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(1, 3, 2, 2, dtype=torch.float64, generator=generator, requires_grad=True)
    kernels = torch.randn(1, 3, 2, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    before = values.detach().clone(), kernels.detach().clone()
    assert torch.autograd.gradcheck(dynamic_convolution, (values, kernels))
    assert torch.equal(values, before[0])
    assert torch.equal(kernels, before[1])


def test_the_two_paths_meet_at_the_limit() -> None:
    """One position more switches the path, and changes nothing in what both have."""
    generator = torch.Generator().manual_seed(0)
    seq = convolution.WINDOW_LIMIT
    values = torch.randn(1, seq + 1, 2, 4, dtype=torch.float64, generator=generator)
    kernels = torch.randn(1, seq + 1, 2, 9, dtype=torch.float64, generator=generator).softmax(-1)
    longer, shorter = dynamic_convolution(values, kernels), dynamic_convolution(values[:, :seq], kernels[:, :seq])
    torch.testing.assert_close(longer[:, : seq - 4], shorter[:, : seq - 4], rtol=0, atol=1e-12)


def test_separable_convolution_is_depthwise_then_pointwise_then_bias() -> None:
    layer = SeparableConv(4, 2, 3).double()
    torch.nn.init.normal_(layer.bias)
    hidden = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = (layer.pointwise(layer.depthwise(hidden.transpose(1, 2))) + layer.bias).transpose(1, 2)
    assert layer(hidden).shape == (2, 5, 2)
    torch.testing.assert_close(layer(hidden), expected, rtol=0, atol=1e-12)
    assert layer.bias.shape == (2, 1)  # as checkpoints keep it


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("batch", "seq"), [(1, 1), (1, 7), (3, 2)])
def test_spans_are_the_depthwise_convolution(batch: int, seq: int, dtype: torch.dtype) -> None:
    """Also with gradients, and without a copy: features still lie beside each other."""
    layer = SeparableConv(6, 4, 5).to(dtype)
    hidden = torch.randn(batch, seq, 6, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    spans, expected = layer.spans(hidden), layer.depthwise(hidden.transpose(1, 2)).transpose(1, 2)
    assert spans.stride(-1) == 1
    torch.testing.assert_close(spans, expected)
    ours, theirs = (
        torch.autograd.grad(out.square().sum(), [hidden, layer.depthwise.weight]) for out in (spans, expected)
    )
    torch.testing.assert_close(ours, theirs, **({"rtol": 0.05, "atol": 0.05} if dtype == torch.bfloat16 else {}))
