"""How much work an attribution is, counted before any of it is done: the same on every machine and at any time."""

from __future__ import annotations

from bortlab.analysis import flops
from bortlab.analysis.attribution.assessing import SEEDS
from bortlab.analysis.attribution.methods import METHODS
from bortlab.analysis.attribution.problem import By, units_of, varied
from bortlab.analysis.attribution.trust import ORDERS
from bortlab.models import Config
from bortlab.text import Encoding


def passes(method: str, units: int, steps: int) -> int:
    """How often a method computes the target's value, roughly; with its gradient counts as three times.

    The values of text and baseline are among them.
    """
    return METHODS[method].cost(units, steps) + 2


def passes_to_assess(method: str, units: int, steps: int) -> int:
    """The same together with all tests of `assess`."""
    attributions = 1 + (SEEDS - 1 if METHODS[method].random else 0) + SEEDS
    curves = 2 * (ORDERS + 1) * (units + 1)
    return passes(method, units, steps) * attributions + curves


def share_of(config: Config, layer: int | None) -> float:
    """How much of the network runs in an attribution to what enters a layer; a little for what leaves the last one."""
    return 1.0 if layer is None else max(config.depth - layer, 0.5) / config.depth


def multiply_adds(config: Config, encoding: Encoding) -> int:
    """Multiply-adds of one forward pass of the encoder over a text."""
    return flops.work(config, seq=len(encoding)).macs


def count_units(encoding: Encoding, by: By, *, layers: bool = False) -> int:
    """How many units a method has to tell apart: the words that may be taken away, in layers all positions."""
    owners = units_of(encoding, by)[1]
    return len(set((owners if layers else owners[varied(encoding)]).tolist()))
