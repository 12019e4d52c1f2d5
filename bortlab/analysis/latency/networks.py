"""The networks that are timed, and the batches that they are given."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bortlab import registry
from bortlab.analysis.latency.cases import MATMUL, Contestant, architecture, has_own_weights, task_of
from bortlab.nn.linear import Linear
from bortlab.nn.products import products_here
from bortlab.runtimes import RUNTIMES, SingleOutput


class Product(nn.Module):
    """One matrix product, by the linear map that the networks use."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, size) -> (rows, size)."""
        return self.linear(x)  # type: ignore[no-any-return]


def build(contestant: Contestant, shapes: tuple[tuple[int, int], ...]) -> nn.Module:
    """The network in float32 on the CPU: what every runtime starts from, and what it is compared with."""
    products_here()  # with the threads that are timed
    if contestant.model == MATMUL:
        return Product(shapes[0][1]).eval().requires_grad_(False)
    family, config = architecture(contestant.model)
    if has_own_weights(contestant.model):
        network = registry.load(contestant.model).network
    else:
        network = family.network(config, task_of(contestant.output)).initialise(torch.Generator().manual_seed(0))
    explicit = RUNTIMES[contestant.runtime].explicit
    return SingleOutput(network, contestant.output, explicit=explicit).eval().requires_grad_(False)


def example(contestant: Contestant, shape: tuple[int, int]) -> Tensor:
    """A batch of that shape: random pieces, the same every time; random numbers for the matrix product."""
    batch, seq = shape
    generator = torch.Generator().manual_seed(batch * 65_537 + seq)
    if contestant.model == MATMUL:
        return torch.randn(batch, seq, generator=generator)
    return torch.randint(0, architecture(contestant.model)[1].vocab_size, shape, generator=generator)
