"""Muon and its company: orthogonal updates, one optimiser for each parameter, states that can be taken up."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn

from bortlab.models import FAMILIES, Config, Network
from bortlab.training.optimizers import TABLES, Muon, Optimizers, orthogonalised

SHAPES = [(16, 16), (8, 32), (32, 8), (48, 64), (64, 48), (2, 40)]
FAMILY_NAMES = list(FAMILIES)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def polar(matrix: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix, in float64."""
    u, _, vh = torch.linalg.svd(matrix.double(), full_matrices=False)
    nearest: Tensor = u @ vh
    return nearest


def cosine(one: Tensor, other: Tensor) -> float:
    return float((one.double() * other).sum() / (one.double().norm() * other.norm()))


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_come_near_one_and_the_direction_is_the_polar_one(shape: tuple[int, int]) -> None:
    matrices = random(5, *shape)
    result = orthogonalised(matrices)
    assert result.shape == matrices.shape
    assert result.dtype == matrices.dtype
    for matrix, made in zip(matrices, result, strict=True):
        assert cosine(made, polar(matrix)) > 0.9
        if shape[0] != shape[1]:  # a random square one has singular values near 0, which five steps do not lift
            values = torch.linalg.svdvals(made.double())
            assert float(values.min()) > 0.6
            assert float(values.max()) < 1.3
        else:
            assert float(torch.linalg.svdvals(made.double()).max()) < 1.3


def test_scale_and_sign_of_a_matrix() -> None:
    matrix = random(1, 12, 20)
    assert torch.allclose(orthogonalised(1e-3 * matrix), orthogonalised(1e3 * matrix), atol=1e-2)
    assert torch.allclose(orthogonalised(-matrix), -orthogonalised(matrix), atol=1e-6)
    assert torch.allclose(orthogonalised(matrix.mT), orthogonalised(matrix).mT, atol=1e-6)
    assert not orthogonalised(torch.zeros(1, 3, 4)).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_together_is_as_one_by_one(shape: tuple[int, int]) -> None:
    matrices = random(4, *shape)
    alone = torch.cat([orthogonalised(matrix[None]) for matrix in matrices])
    assert torch.allclose(orthogonalised(matrices), alone, atol=1e-5)


# -- Muon --------------------------------------------------------------------------------------------------------------


def parameters(shapes: Iterable[tuple[int, int]]) -> list[nn.Parameter]:
    return [nn.Parameter(random(*shape, seed=number)) for number, shape in enumerate(shapes)]


def give_gradients(some: list[nn.Parameter], seed: int) -> None:
    for number, parameter in enumerate(some):
        parameter.grad = random(*parameter.shape, seed=1000 * seed + number)


def test_two_steps_of_muon_by_hand() -> None:
    (parameter,) = parameters([(6, 10)])
    expected, average = parameter.detach().clone(), torch.zeros(6, 10)
    optimizer = Muon([parameter], lr=0.1, momentum=0.9, weight_decay=0.5)
    for seed in (1, 2):
        give_gradients([parameter], seed)
        gradient = parameter.grad
        assert gradient is not None
        average = 0.9 * average + 0.1 * gradient
        update = orthogonalised((0.1 * gradient + 0.9 * average)[None])[0]
        expected = expected * (1 - 0.1 * 0.5) - 0.1 * 0.2 * 10**0.5 * update
        optimizer.step()
        assert torch.allclose(parameter, expected, atol=1e-5)


def test_muon_steps_many_matrices_as_each_alone() -> None:
    shapes = [(4, 6), (6, 4), (4, 6), (5, 5), (4, 6)]
    together, alone = parameters(shapes), parameters(shapes)
    one, many = Muon(together, lr=0.05, weight_decay=0.1), [Muon([p], lr=0.05, weight_decay=0.1) for p in alone]
    for seed in range(3):
        give_gradients(together, seed)
        give_gradients(alone, seed)
        one.step()
        for optimizer in many:
            optimizer.step()
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(together, alone, strict=True))


def test_a_matrix_without_gradient_stays() -> None:
    moved, still = parameters([(4, 6), (4, 6)])
    before = still.detach().clone()
    give_gradients([moved], 0)
    optimizer = Muon([moved, still], lr=0.1, weight_decay=0.5)
    optimizer.step()
    assert torch.equal(still, before)
    assert not torch.equal(moved, before)


# -- Optimizers --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=FAMILY_NAMES)
def network(
    request: pytest.FixtureRequest, tiny_config: Callable[..., Config], build: Callable[..., Network]
) -> Network:
    family = FAMILIES[request.param]
    return build(family, tiny_config(family))


def trainable(network: Network) -> dict[str, nn.Parameter]:
    """Bort's token types, for one, are not."""
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}


def numbers_of(optimizer: torch.optim.Optimizer) -> list[int]:
    return [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]


@pytest.mark.parametrize("muon", [True, False])
def test_every_trainable_parameter_is_in_exactly_one_optimiser(network: Network, muon: bool) -> None:
    frozen = network.embeddings.positions.weight.requires_grad_(False)
    optimizers = Optimizers(network, muon=muon, weight_decay=0.1)
    held = [number for optimizer in optimizers.all for number in numbers_of(optimizer)]
    assert not frozen.requires_grad
    assert sorted(held) == sorted(map(id, trainable(network).values()))
    assert len(optimizers.all) == 1 + muon


def test_muon_has_the_matrices_of_the_encoder_and_nothing_else(network: Network) -> None:
    held = set(numbers_of(Optimizers(network, muon=True, weight_decay=0.1).all[1]))
    names = {name: parameter for name, parameter in network.named_parameters() if id(parameter) in held}
    assert names
    assert all(parameter.ndim == 2 for parameter in names.values())
    assert not any(name in TABLES or name.startswith("masked_lm.") for name in names)
    assert any("query" in name for name in names)


@pytest.mark.parametrize("muon", [True, False])
def test_tables_biases_and_norms_are_not_decayed(network: Network, muon: bool) -> None:
    decays = {
        id(parameter): group["weight_decay"]
        for optimizer in Optimizers(network, muon=muon, weight_decay=0.1).all
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for name, parameter in trainable(network).items():
        plain = parameter.ndim == 1 or name.endswith("bias") or name in TABLES
        assert decays[id(parameter)] == (0.0 if plain else 0.1), name
    assert set(TABLES) <= {name for name, _ in network.named_parameters()}


def take_steps(network: Network, optimizers: Optimizers, seeds: Iterable[int]) -> None:
    for seed in seeds:
        for number, parameter in enumerate(trainable(network).values()):
            parameter.grad = random(*parameter.shape, seed=1000 * seed + number)
        optimizers.step(0.01)
        assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("muon", [True, False])
def test_saved_states_are_taken_up(network: Network, muon: bool) -> None:
    optimizers = Optimizers(network, muon=muon, weight_decay=0.1)
    take_steps(network, optimizers, range(2))
    other = type(network)(network.config)
    other.load_state_dict(network.state_dict())
    again = Optimizers(other, muon=muon, weight_decay=0.1)
    again.load_state_dict(copy.deepcopy(optimizers.state_dict()))  # torch would share the tensors
    take_steps(network, optimizers, range(2, 4))
    take_steps(other, again, range(2, 4))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


def test_states_of_other_optimisers_are_refused(network: Network) -> None:
    with_muon, without = (Optimizers(network, muon=muon, weight_decay=0.1) for muon in (True, False))
    with pytest.raises(ValueError, match="parameter group"):
        without.load_state_dict(with_muon.state_dict())


def test_the_rate_of_a_step_is_that_of_every_group(network: Network) -> None:
    optimizers = Optimizers(network, muon=True, weight_decay=0.0)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    for parameter in trainable(network).values():
        parameter.grad = torch.ones_like(parameter)
    optimizers.step(0.0)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))
