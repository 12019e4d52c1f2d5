"""The linear map: oneDNN's product against F.linear, and when which of them is taken."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad, jvp, vmap

from bortlab.checkpoint import load_network, save
from bortlab.models import FAMILIES, Config, Family, Network
from bortlab.nn import linear
from bortlab.nn.linear import Linear, linear_map

pytestmark = pytest.mark.filterwarnings("ignore:TF32 acceleration")  # whatever one sets, flags() says so
SINGLE = {"rtol": 1e-5, "atol": 1e-5}
needs_onednn = pytest.mark.skipif(not linear.HAS_ONEDNN, reason="this build of torch has no oneDNN")
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
TinyConfig = Callable[..., Config]
Make = Callable[..., Network]


@pytest.fixture(autouse=True)
def always_worthwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny maps take oneDNN's path too, on every processor."""
    monkeypatch.setattr(linear, "WORTHWHILE", 0)
    monkeypatch.setattr(linear, "onednn_pays", lambda rows: True)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Tensor]]:
    """The inputs that F.linear got, to tell which path was taken."""
    seen: list[Tensor] = []
    plain = F.linear

    def spy(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        seen.append(x)
        return plain(x, weight, bias)

    monkeypatch.setattr(linear.F, "linear", spy)
    yield seen


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@needs_onednn
@pytest.mark.parametrize("shape", [(4,), (1, 4), (2, 3, 4), (0, 3, 4)])
@torch.no_grad()
def test_equals_torch_for_any_leading_axes(shape: tuple[int, ...], calls: list[Tensor]) -> None:
    x, weight, bias = normal(*shape), normal(6, 4, seed=1), normal(6, seed=2)
    before = x.clone()
    result = linear_map(x, weight, bias)
    assert not calls
    assert result.shape == (*shape[:-1], 6)
    torch.testing.assert_close(result, F.linear(x, weight, bias), **SINGLE)
    assert torch.equal(x, before)


@needs_onednn
@torch.no_grad()
def test_views_need_no_copy_by_the_caller(calls: list[Tensor]) -> None:
    bias = normal(6, seed=2)
    for x in (normal(3, 2, 4).transpose(0, 1), normal(2, 6, 4)[:, ::2], normal(2, 3, 8)[..., ::2]):
        for weight in (normal(6, 4), normal(4, 6).t(), normal(6, 4, 1)[:, :, 0], normal(6, 9)[:, :4]):
            result = linear_map(x, weight, bias)
            torch.testing.assert_close(result, x @ weight.t() + bias, **SINGLE)
    assert not calls


@needs_onednn
def test_by_hand() -> None:
    with torch.no_grad():
        result = linear_map(torch.tensor([1.0, 10.0]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0.5, -1]))
    assert result.tolist() == [21.5, 42.0]


def test_everything_else_is_left_to_torch(calls: list[Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = normal(2, 4), normal(6, 4, seed=1), normal(6, seed=2)

    def plain(x: Tensor = x) -> bool:
        calls.clear()
        linear_map(x, weight.to(x.device, x.dtype), bias.to(x.device, x.dtype))
        return bool(calls)

    assert plain()  # gradients are on
    with torch.no_grad():
        assert plain() != linear.HAS_ONEDNN
        assert plain(x.double())
        assert plain(x.bfloat16())
        assert plain(x.to("meta"))
        with torch.backends.mkldnn.flags(enabled=False):
            assert plain()
        with monkeypatch.context() as patch:
            patch.setattr(linear, "HAS_ONEDNN", False)
            assert plain()
        with monkeypatch.context() as patch:
            patch.setattr(linear, "WORTHWHILE", 2 * 4 * 6 + 1)
            assert plain()
            patch.setattr(linear, "WORTHWHILE", 2 * 4 * 6)
            assert plain() != linear.HAS_ONEDNN
    with torch.inference_mode():
        assert plain() != linear.HAS_ONEDNN


def test_gradients_are_those_of_torch() -> None:
    layer, x = Linear(4, 6), normal(2, 4).requires_grad_()
    ours = torch.autograd.grad(layer(x).square().sum(), [x, layer.weight, layer.bias])
    theirs = torch.autograd.grad(F.linear(x, layer.weight, layer.bias).square().sum(), [x, layer.weight, layer.bias])
    assert all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True))


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4,), (2, 4), (2, 3, 4)])
def test_frozen_weights_have_a_fast_way_back(shape: tuple[int, ...], bias: bool, calls: list[Tensor]) -> None:
    x, weight, added = normal(*shape).requires_grad_(), normal(6, 4, seed=1), normal(6, seed=2) if bias else None
    (ours,) = torch.autograd.grad(linear_map(x, weight, added).square().sum(), x)
    assert not calls
    (theirs,) = torch.autograd.grad(F.linear(x, weight, added).square().sum(), x)
    torch.testing.assert_close(ours, theirs, **SINGLE)


@needs_onednn
def test_gradients_of_gradients_go_through_frozen_weights() -> None:
    x, weight, bias = normal(2, 4).requires_grad_(), normal(6, 4, seed=1), normal(6, seed=2)

    def second(map_: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        (first,) = torch.autograd.grad(map_(x, weight, bias).pow(3).sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    torch.testing.assert_close(second(linear_map), second(F.linear), rtol=1e-4, atol=1e-4)


def test_weights_that_learn_are_left_to_torch(calls: list[Tensor]) -> None:
    x, weight, bias = normal(2, 4).requires_grad_(), normal(6, 4, seed=1), normal(6, seed=2)
    for learns in (weight, bias):
        calls.clear()
        learns.requires_grad_()
        torch.autograd.grad(linear_map(x, weight, bias).sum(), learns)
        assert calls
        learns.requires_grad_(False)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("grad_mode", [True, False])
def test_transforms_are_those_of_torch(grad_mode: bool) -> None:
    """oneDNN's product has no derivative and would give zeros in silence."""
    x, weight, bias = normal(2, 4), normal(6, 4, seed=1), normal(6, seed=2)

    def ours(x: Tensor) -> Tensor:
        return linear_map(x, weight, bias)

    def theirs(x: Tensor) -> Tensor:
        return F.linear(x, weight, bias)

    with torch.set_grad_enabled(grad_mode):
        for transform in (
            lambda f: jvp(f, (x,), (x,))[1],
            lambda f: grad(lambda x: f(x).square().sum())(x),
            lambda f: grad(lambda x: vmap(f)(x).square().sum())(x),
            lambda f: vmap(f)(x),
        ):
            torch.testing.assert_close(transform(ours), transform(theirs), **SINGLE)


@pytest.mark.filterwarnings("ignore")
def test_an_exported_graph_has_no_operation_of_torchs_own() -> None:
    with torch.no_grad():
        program = torch.export.export(Linear(4, 6), (normal(2, 4),))
    assert "mkldnn" not in str(program.graph)


# -- whole networks ----------------------------------------------------------------------------------------------------


@needs_onednn
@each_family
@torch.no_grad()
def test_networks_are_equal_on_both_paths(
    family: Family, tiny_config: TinyConfig, build: Make, calls: list[Tensor]
) -> None:
    network, ids = build(family, tiny_config(family)), torch.arange(24).view(2, 12)
    fast = network.encode(network.embed(ids), keep_layers=True)
    logits = network(ids)
    assert not calls
    with torch.backends.mkldnn.flags(enabled=False):
        plain = network.encode(network.embed(ids), keep_layers=True)
        assert calls
        torch.testing.assert_close(logits, network(ids), **SINGLE)
    for one, two in zip(fast.layers, plain.layers, strict=True):
        torch.testing.assert_close((one.hidden, one.attention), (two.hidden, two.attention), **SINGLE)


@each_family
def test_a_graph_is_built_where_one_is_wanted(family: Family, tiny_config: TinyConfig, build: Make) -> None:
    """With frozen weights, the gradient with respect to the words is that of F.linear alone."""
    network = build(family, tiny_config(family)).requires_grad_(False)
    words = network.embed(torch.arange(12).view(1, 12)).requires_grad_()

    def gradient() -> Tensor:
        return torch.autograd.grad(network.predict(network.encode(words).hidden)[0, 4, 7], words)[0]

    ours = gradient()
    assert ours.abs().max() > 0
    with torch.backends.mkldnn.flags(enabled=False):
        torch.testing.assert_close(ours, gradient(), **SINGLE)


@each_family
@torch.no_grad()
def test_names_and_files_are_those_of_plain_layers(
    family: Family, tiny_config: TinyConfig, build: Make, tmp_path: Path
) -> None:
    network = build(family, tiny_config(family))
    before = copy.deepcopy(network.state_dict())
    network(torch.arange(12).view(1, 12))
    save(tmp_path / "saved", family, network.config, network)
    loaded = load_network(tmp_path / "saved", family, network.config).network.state_dict()
    assert before.keys() == network.state_dict().keys() == loaded.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, network.state_dict()[name])
        assert torch.equal(tensor, loaded[name])


@each_family
def test_threads_get_what_one_alone_gets(family: Family, tiny_config: TinyConfig, build: Make) -> None:
    network = build(family, tiny_config(family))
    texts = [torch.randint(0, 40, (1, 1 + n % 12), generator=torch.Generator().manual_seed(n)) for n in range(24)]
    with torch.inference_mode():
        alone = [network(ids) for ids in texts]
    results: dict[int, list[Tensor]] = {}

    def work(number: int) -> None:
        torch.set_num_threads(1)
        with torch.inference_mode():
            results[number] = [network(ids) for ids in texts]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 4
    for found in results.values():
        for one, two in zip(found, alone, strict=True):
            torch.testing.assert_close(one, two, **SINGLE)
