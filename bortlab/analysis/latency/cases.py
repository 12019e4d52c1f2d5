"""What can be timed: a network of a real size, on a device, in a precision, run by one of the runtimes, at a shape."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from bortlab import registry
from bortlab.analysis.flops import work
from bortlab.checkpoint import meta_network
from bortlab.models import Config, ConfigError, Family, Network

OUTPUTS: Mapping[str, str] = {
    "encoder": "Encoder: a vector for every piece",
    "masked-lm": "With masked-LM head: scores for the whole vocabulary at every position",
}
MATMUL = "matmul"
"""A "model" that is one matrix product: the most arithmetic that the machine can give a network, its peak."""
MATMUL_SIZE: Mapping[str, int] = {"cpu": 1024, "cuda": 8192, "mps": 4096}
VARIANTS: Mapping[str, tuple[str, str]] = {
    "bort:hidden_size=768,intermediate_size=1024": ("Bort, 768 wide", "the sizes that the published 56 M fit"),
}
"""Architectures that nobody released and that are worth timing: title, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One network, ready to be timed at several shapes.

    model: a key of the catalogue, with other sizes if need be: "bort:hidden_size=768,intermediate_size=1024". Bundled
    models have their own weights, all others random ones: values do not change the time. threads: of the CPU, also
    where an accelerator computes.
    """

    model: str
    output: str = "encoder"
    threads: int = 1
    device: str = "cpu"
    dtype: str = "float32"
    runtime: str = "fused"

    @property
    def device_kind(self) -> str:
        """The device without its number: "cuda" for "cuda:1"."""
        return self.device.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Contestant):
    """A contestant at one shape: `batch` sequences of `seq` pieces each, none of them padding."""

    batch: int = 1
    seq: int = 128

    @property
    def contestant(self) -> Contestant:
        """Without the shape."""
        return Contestant(**{entry.name: getattr(self, entry.name) for entry in fields(Contestant)})

    @property
    def scenario(self) -> str:
        """In MLPerf's words: one sequence at a time (how long does each take?) or a batch (how many a second?)."""
        return "single stream" if self.batch == 1 else "offline"

    @property
    def is_network(self) -> bool:
        """Is it a network, and not the matrix product beside it?"""
        return self.model != MATMUL

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


# -- what a model's name stands for ------------------------------------------------------------------------------------


def architecture(model: str) -> tuple[Family, Config]:
    """The family and sizes that a model's name stands for.

    Raises:
        UnknownModelError: if the catalogue has no such key.
        ConfigError: if the changed sizes are not sizes, or the family refuses them.
    """
    key, _, changes = model.partition(":")
    family, config = registry.architecture(key)
    if not changes:
        return family, config
    sizes = {entry.name for entry in fields(config) if isinstance(getattr(config, entry.name), int)}
    values: dict[str, Any] = {}
    for change in changes.split(","):
        name, _, value = change.partition("=")
        if name not in sizes or not value.isdecimal() or len(value) > 9:
            raise ConfigError(f"{model[:200]!r}: expected sizes such as hidden_size=768, got {change[:80]!r}.")
        values[name] = int(value)
    return family, replace(config, **values)


def title(model: str) -> str:
    """What people call a model."""
    if model == MATMUL:
        return "One matrix product"
    if model in VARIANTS:
        return VARIANTS[model][0]
    key, _, changes = model.partition(":")
    known = registry.find(key)[1].title
    return f"{known} ({changes})" if changes else known


def shape(case: Case) -> str:
    """Batch and sequence length, as "8 × 128"."""
    return f"{case.batch} × {case.seq}"


def family_of(model: str) -> Family:
    """The family of a model."""
    return registry.find(model.partition(":")[0])[0]


def is_published(model: str) -> bool:
    """Is it a published architecture, and not one of the lab's own small models?"""
    return registry.find(model.partition(":")[0])[1].source != "bundled"


def has_own_weights(model: str) -> bool:
    """Is it timed with weights of its own, so that its answers mean something? Others get random ones."""
    return model != MATMUL and ":" not in model and not is_published(model)


def shares_blocks(model: str) -> bool:
    """Do several of its layers use the same weights?"""
    _, config = architecture(model)
    return config.n_blocks < config.depth


@functools.lru_cache(maxsize=256)
def n_parameters(model: str, output: str) -> int:
    """Weights, each counted once."""
    if model == MATMUL:
        return 0
    return sum(parameter.numel() for parameter in network_without_weights(model, output).parameters())


@functools.lru_cache(maxsize=1024)
def flops(model: str, output: str, batch: int, seq: int) -> int:
    """Floating-point operations of the matrix products and convolutions of one forward pass."""
    if model == MATMUL:
        return 2 * batch * seq * seq
    _, config = architecture(model)
    return work(config, () if output == "encoder" else (output,), batch=batch, seq=seq).flops


def network_without_weights(model: str, output: str) -> Network:
    """The network on the meta device, which takes no memory."""
    family, config = architecture(model)
    return meta_network(family, config, task_of(output))


def task_of(output: str) -> str:
    """The task that a network is built for to give one of OUTPUTS."""
    return "masked-lm" if output == "masked-lm" else "encoder"
