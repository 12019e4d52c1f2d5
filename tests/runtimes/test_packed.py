"""Packed weights: the network's numbers, never stale, never in the way of a gradient, in bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bortlab.models import FAMILIES, Config, Family, Network
from bortlab.nn import linear
from bortlab.nn.feedforward import GroupedLinear
from bortlab.nn.products import SAID
from bortlab.runtimes import packed as packing
from bortlab.runtimes.packed import Packed, PackedProduct, packed, softmax_of_few

pytestmark = [
    pytest.mark.skipif(not linear.HAS_ONEDNN, reason="this build of torch has no oneDNN"),
    pytest.mark.filterwarnings("ignore:TF32 acceleration"),  # whatever one sets, flags() says so
]
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
Make = Callable[..., Network]


@pytest.fixture
def make(tiny_config: Callable[..., Config], build: Make) -> Make:
    """make(family, **changes of the configuration): a tiny network."""
    return lambda family, **changes: build(family, tiny_config(family, **changes))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[PackedProduct]:
    """The packed products that were used."""
    used: list[PackedProduct] = []
    multiply = PackedProduct.__call__

    def spy(self: PackedProduct, x: Tensor) -> Tensor:
        used.append(self)
        return multiply(self, x)

    monkeypatch.setattr(PackedProduct, "__call__", spy)
    return used


IDS = torch.arange(14).view(2, 7) % 11
MASK = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])


# -- the same numbers --------------------------------------------------------------------------------------------------


@each_family
@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@torch.inference_mode()
def test_a_packed_network_gives_the_networks_numbers(
    family: Family, long: bool, padded: bool, make: Make, calls: list[PackedProduct], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "LONG", 2 if long else 512)
    network = make(family)
    mask = MASK if padded else None
    expected = network(IDS, mask)
    actual = packed(network)(IDS, mask)
    assert len(calls) > 4 * network.config.depth - 1
    torch.testing.assert_close(actual, expected, **CLOSE)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu", "tanh", "silu"])
@pytest.mark.parametrize("groups", [1, 2, 4])
@torch.inference_mode()
def test_groups_and_activations_too(groups: int, activation: str, make: Make) -> None:
    network = make(FAMILIES["convbert"], num_groups=groups, hidden_act=activation)
    torch.testing.assert_close(packed(network)(IDS), network(IDS), **CLOSE)


@torch.inference_mode()
def test_head_by_head_is_chosen_by_length_and_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    fused: list[int] = []
    attend = packing.attend
    monkeypatch.setattr(packing, "attend", lambda *args: fused.append(1) or attend(*args))
    query, key, value = (
        torch.randn(2, 3, packing.LONG, 4, generator=torch.Generator().manual_seed(n)) for n in range(3)
    )
    expected = attend(query, key, value, None).values
    torch.testing.assert_close(packing.attend_fast(query, key, value, None), expected, rtol=1e-5, atol=1e-5)
    assert not fused
    packing.attend_fast(query, key, value, torch.ones(2, 1, 1, packing.LONG, dtype=torch.bool))
    packing.attend_fast(query[:, :, 1:], key[:, :, 1:], value[:, :, 1:], None)
    assert len(fused) == 2


@given(st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=5))
def test_softmax_of_few_is_softmax(scores: list[list[float]]) -> None:
    given_scores = torch.tensor(scores)
    before = given_scores.clone()
    torch.testing.assert_close(softmax_of_few(given_scores), given_scores.softmax(-1))
    assert torch.equal(given_scores, before)


# -- never stale -------------------------------------------------------------------------------------------------------


def every_way_to_change(network: Network) -> dict[str, Callable[[], object]]:
    """Ways in which people change weights, by name."""
    parameters = [parameter for name, parameter in network.named_parameters() if "embeddings" not in name]

    def optimiser() -> None:
        for parameter in parameters:
            parameter.grad = torch.ones_like(parameter)
        torch.optim.SGD(parameters, lr=0.1).step()

    def new_data() -> None:
        for parameter in parameters:
            parameter.data = parameter.data + 0.1

    return {
        "an optimiser": optimiser,
        "other weights loaded": lambda: network.load_state_dict(
            {name: tensor + 0.1 for name, tensor in network.state_dict().items()}
        ),
        "a tensor in their place": new_data,
    }


@each_family
@pytest.mark.parametrize("way", ["an optimiser", "other weights loaded", "a tensor in their place"])
def test_changed_weights_are_packed_again(family: Family, way: str, make: Make, calls: list[PackedProduct]) -> None:
    network = make(family)
    twin = packed(network)
    with torch.inference_mode():
        before = twin(IDS)
    every_way_to_change(network)[way]()
    calls.clear()
    with torch.inference_mode():
        after = twin(IDS)
        assert calls
        torch.testing.assert_close(after, network(IDS), **CLOSE)
    assert (after - before).abs().max() > 1e-2


def test_weights_that_stay_are_packed_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = packed(make(FAMILIES["bert"]))
    monkeypatch.setattr(PackedProduct, "_pack", lambda self: pytest.fail("packed again"))
    with torch.inference_mode():
        twin(IDS)
        twin(IDS)


def test_weights_made_in_inference_mode_can_be_packed(make: Make) -> None:
    with torch.inference_mode():
        network = make(FAMILIES["convbert"])
        torch.testing.assert_close(packed(network)(IDS), network(IDS), **CLOSE)


def test_many_threads_read_while_weights_change(make: Make) -> None:
    """Each answer belongs to weights that were there, and the last one to the last."""
    network = make(FAMILIES["bort"])
    twin = packed(network)
    stop, errors = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            with torch.inference_mode():
                if not twin(IDS).isfinite().all():
                    errors.append("not finite")

    readers = [threading.Thread(target=ask) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(20):
        with torch.no_grad():
            network.block(0).feedforward.contract.weight.mul_(0.9)
    stop.set()
    for reader in readers:
        reader.join()
    assert not errors
    with torch.inference_mode():
        torch.testing.assert_close(twin(IDS), network(IDS), **CLOSE)


# -- never in the way of gradients, traces and hooks -------------------------------------------------------------------


@each_family
def test_gradients_are_the_networks(family: Family, make: Make, calls: list[PackedProduct]) -> None:
    network = make(family)
    twin = packed(network)
    weights = list(network.block(0).parameters())

    def gradients(of: Network) -> list[Tensor]:
        words = network.embed(IDS).detach().requires_grad_()
        score = of.predict(of.encode(words, None, MASK).hidden).square().mean()
        return list(torch.autograd.grad(score, [words, *weights]))

    assert all(torch.equal(ours, theirs) for ours, theirs in zip(gradients(twin), gradients(network), strict=True))
    assert not calls


@each_family
@torch.inference_mode()
def test_traces_are_the_networks(family: Family, make: Make) -> None:
    network = make(family)
    expected, actual = (net.encode(net.embed(IDS), None, MASK, keep_layers=True) for net in (network, packed(network)))
    for theirs, ours in zip(expected.layers, actual.layers, strict=True):
        assert ours.attention is not None and theirs.attention is not None
        torch.testing.assert_close(ours.attention, theirs.attention, **CLOSE)
        assert (ours.kernels is None) == (theirs.kernels is None)
        torch.testing.assert_close(ours.hidden, theirs.hidden, **CLOSE)


def test_the_network_itself_is_left_alone(make: Make) -> None:
    network = make(FAMILIES["convbert"])
    names, modules = list(network.state_dict()), [type(module) for module in network.modules()]
    twin = packed(network)
    assert list(network.state_dict()) == names
    assert [type(module) for module in network.modules()] == modules
    assert not any(isinstance(module, Packed) for module in network.modules())
    assert {id(part) for part in twin.parameters()} < {id(part) for part in network.parameters()}


@torch.inference_mode()
def test_onednn_switched_off_is_not_used(make: Make, calls: list[PackedProduct]) -> None:
    network = make(FAMILIES["bert"])
    twin = packed(network)
    with torch.backends.mkldnn.flags(enabled=False):
        assert torch.equal(twin(IDS), network(IDS))
    assert not calls


# -- bounded memory ----------------------------------------------------------------------------------------------------


def copies(module: nn.Module) -> list[PackedProduct]:
    """All packed products that a network holds."""
    flat: list[PackedProduct] = []
    for part in module.modules():
        if isinstance(part, Packed):
            flat += [value for value in vars(part).values() if isinstance(value, PackedProduct)]
            flat += [product for pair in vars(part).get("groups", []) for product in pair]
    return flat


@each_family
def test_each_map_is_packed_once_and_the_word_table_never(family: Family, make: Make) -> None:
    """ALBERT's block is used many times and packed once."""
    network = make(family)
    products = copies(packed(network))
    assert not any(source is network.embeddings.words.weight for product in products for source in product._sources)
    size = sum(product._copy.weight.numel() for product in products)
    maps = [part for part in network.modules() if type(part) in (linear.Linear, GroupedLinear)]
    pointwise = [part for name, part in network.named_modules() if name.endswith("pointwise")]
    assert size == sum(part.weight.numel() for part in maps + pointwise)


# -- where they pay ----------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_inputs_with_more_rows_than_pay_go_the_networks_way(
    make: Make, calls: list[PackedProduct], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make(FAMILIES["albert"])
    monkeypatch.setattr(packing, "products_here", lambda: SimpleNamespace(packing_pays_up_to=7))
    twin = packed(network)
    assert torch.equal(twin(IDS), network(IDS)) and not calls  # 14 rows
    twin(IDS[:1])
    assert calls


def test_nothing_is_packed_where_it_never_pays(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "products_here", lambda: SAID["torch"])
    assert not copies(packed(make(FAMILIES["bert"])))
