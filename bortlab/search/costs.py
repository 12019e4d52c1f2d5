"""What a set of sizes costs: weights, operations and activations, by the lab's own formulas."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from bortlab.analysis import flops, parameters
from bortlab.analysis.latency.cases import task_of
from bortlab.models import FAMILIES, Config, Family


@dataclass(frozen=True, slots=True)
class Costs:
    """parameters: stored weights. effective: those without the embeddings. operations: FLOPs of one text."""

    parameters: int
    effective: int
    operations: int


@functools.lru_cache(maxsize=65_536)
def costs(config: Config, output: str, seq: int) -> Costs:
    """The costs of a configuration; ValueError for a length that it cannot read."""
    heads = family_of(config).network.tasks[task_of(output)]
    sizes = parameters.formula(config, heads)
    return Costs(sizes.stored, sizes.effective, flops.work(config, heads, seq=seq).flops)


@functools.lru_cache(maxsize=1_024)
def activations(config: Config, output: str, seq: int) -> flops.Activations:
    """Bytes of activations of one text, measured without weights or numbers: some 50 ms."""
    return flops.activations(family_of(config), config, task_of(output), seq=seq)


def formulas(config: Config, output: str) -> dict[str, str]:
    """The closed formula of each component, one block's where it is part of blocks."""
    return parameters.formulas(config, family_of(config).network.tasks[task_of(output)])


def family_of(config: Config) -> Family:
    """The family that a configuration is of."""
    return next(family for family in FAMILIES.values() if type(config) is family.config)
