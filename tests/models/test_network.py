"""Running an encoder layer by layer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bortlab.models import FAMILIES, Network
from bortlab.nn import Block

FAMILY_NAMES = list(FAMILIES)


@pytest.fixture(params=FAMILY_NAMES)
def network(request: pytest.FixtureRequest) -> Network:
    """Random weights in float64; ALBERT with two groups of two blocks, so that layers share them."""
    family = FAMILIES[request.param]
    config = replace(family.mini, vocab_size=40, max_position_embeddings=12)
    if request.param == "albert":
        config = replace(config, num_hidden_layers=3, num_hidden_groups=2, inner_group_num=2)  # type: ignore[call-arg]
    network = family.network(config).initialise(torch.Generator().manual_seed(0))
    return network.double().eval().requires_grad_(False)


def entering(network: Network, batch: int = 2, seq: int = 7) -> Tensor:
    """What enters the first layer."""
    ids = torch.randint(0, 40, (batch, seq), generator=torch.Generator().manual_seed(1))
    return network.embeddings(network.embed(ids), None)  # type: ignore[no-any-return]


def test_a_step_is_a_layer_of_the_encoder(network: Network) -> None:
    ids = torch.arange(14).view(2, 7)
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[0, 5:] = 0
    output = network.encode(network.embed(ids), None, mask, keep_layers=True)
    visible = (mask != 0)[:, None, None, :]
    steps = list(network.steps(output.embeddings, visible=visible, explicit=True))
    assert len(steps) == network.config.depth == len(output.layers)
    for step, layer in zip(steps, output.layers, strict=True):
        assert torch.equal(step.hidden, layer.hidden)
        assert (
            step.attention is not None and layer.attention is not None and torch.equal(step.attention, layer.attention)
        )
    assert torch.equal(steps[-1].hidden, output.hidden)


def test_it_can_start_and_stop_between_layers(network: Network) -> None:
    hidden = entering(network)
    whole = [step.hidden for step in network.steps(hidden)]
    for cut in range(network.config.depth + 1):
        below = network.run(hidden, stop=cut)
        assert torch.equal(below, whole[cut - 1] if cut else hidden)
        assert torch.equal(network.run(below, cut), whole[-1])


def test_a_layer_runs_when_it_is_asked_for(network: Network) -> None:
    steps = network.steps(entering(network).requires_grad_())
    with torch.no_grad():
        assert not next(steps).hidden.requires_grad
    assert next(network.steps(entering(network).requires_grad_())).hidden.requires_grad


def test_one_layer_can_be_changed_and_the_others_stay(network: Network) -> None:
    hidden, calls = entering(network), []

    def skip(block: Block, hidden: Tensor) -> Tensor:
        calls.append(block)
        return hidden

    steps = [step.hidden for step in network.steps(hidden, changed={1: skip})]
    assert calls == [network.block(1)]
    assert torch.equal(steps[0], steps[1])
    assert torch.equal(steps[0], network.run(hidden, stop=1))
    assert torch.equal(network.run(hidden, changed={1: skip}), network.run(steps[0], 2))


def test_blocks_are_numbered_as_they_are_stored(network: Network) -> None:
    config, layers = network.config, range(network.config.depth)
    assert config.blocks == tuple(config.block_of(layer) for layer in layers)
    assert list(dict.fromkeys(config.blocks)) == list(range(config.n_blocks))
    same = [[network.block(a) is network.block(b) for b in layers] for a in layers]
    assert same == [[config.blocks[a] == config.blocks[b] for b in layers] for a in layers]
