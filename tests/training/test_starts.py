"""Where networks start: BERT's random start, sinusoidal positions, and attention as trained attention looks."""

from __future__ import annotations

import math

import pytest
import torch

from bortlab.models import FAMILIES, Network
from bortlab.nn import MixedAttention, SelfAttention
from bortlab.training.starts import starting_point

each_family = pytest.mark.parametrize("family", list(FAMILIES))


def fresh(family: str, seed: int = 0) -> Network:
    return starting_point(FAMILIES[family].network(FAMILIES[family].mini), torch.Generator().manual_seed(seed))


@each_family
@torch.no_grad()
def test_the_start(family: str) -> None:
    network = fresh(family)
    spread = network.config.initializer_range
    positions = network.embeddings.positions.weight
    count, width = positions.shape
    for place in (0, 1, count - 1):
        for pair in (0, 1, width // 2 - 1):
            angle = place / 10_000 ** (2 * pair / width)
            expected = [spread * math.sin(angle), spread * math.cos(angle)]
            assert positions[place, 2 * pair : 2 * pair + 2].tolist() == pytest.approx(expected, abs=1e-6)
    for module in network.modules():
        if isinstance(module, SelfAttention):
            parts = ((module.query, 0.7), (module.key, 0.7), (module.value, 0.5), (module.output, -0.5))
            for linear, share in parts:
                noise = linear.weight - share * torch.eye(network.config.hidden_size)
                assert abs(noise.mean()) < 0.005 and noise.std() == pytest.approx(spread, rel=0.15)
                assert not linear.bias.any()
        elif isinstance(module, MixedAttention):
            taps = module.span.depthwise.weight[:, 0]  # (hidden, width)
            assert taps[:, module.width // 2].mean() == pytest.approx(1.0, abs=0.02)
            assert abs(taps[:, 0]).max() < 0.1
            assert module.query.weight.std() == pytest.approx(spread, rel=0.15)
    assert network.embeddings.words.weight.std() == pytest.approx(spread, rel=0.1)
    assert all((p == 1).all() for n, p in network.named_parameters() if "norm.weight" in n)


@each_family
def test_the_start_follows_the_generator(family: str) -> None:
    torch.manual_seed(1)
    first = fresh(family).state_dict()
    torch.manual_seed(2)
    assert all(torch.equal(tensor, first[name]) for name, tensor in fresh(family).state_dict().items())
    assert not torch.equal(first["embeddings.words.weight"], fresh(family, 1).embeddings.words.weight)
