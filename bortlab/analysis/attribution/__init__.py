"""Attribution: which words decided? What a model answers, shared out among the words of the text.

    encoding = model.encode("Paris is the [MASK] of France.")
    target = attribution.token(model, encoding, "capital", against="city")
    found = attribution.attribute(model, encoding, target, method="integrated-gradients")
    print(found)

Gradient methods vary the output of `embed`, through a pure function of it; the template, the blanks, positions and
token types stay as they are. Methods that take words away put the baseline's vector in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bortlab.analysis.attention import Unit
from bortlab.analysis.attribution.layers import Head, Slopes, heads_of, of_heads, slopes
from bortlab.analysis.attribution.methods import METHODS, Kind, Method
from bortlab.analysis.attribution.problem import (
    BASELINES,
    Baseline,
    By,
    Problem,
    Watch,
    of_layer,
    of_text,
    units_of,
    varied,
)
from bortlab.analysis.attribution.targets import SCALES, Scale, Target, WholeText, label, piece_of, span, token
from bortlab.analysis.attribution.trust import (
    Curves,
    Repeated,
    agreement,
    curves,
    rank_correlation,
    repeated,
    with_random_weights,
)
from bortlab.model import Model
from bortlab.models import Network
from bortlab.system.checks import check_whole
from bortlab.text import Encoding

__all__ = [
    "BASELINES",
    "METHODS",
    "SCALES",
    "Attribution",
    "Baseline",
    "By",
    "Curves",
    "Head",
    "Kind",
    "Method",
    "Problem",
    "Repeated",
    "Scale",
    "Slopes",
    "Target",
    "WholeText",
    "agreement",
    "attribute",
    "curves",
    "heads_of",
    "label",
    "of_heads",
    "of_layer",
    "of_text",
    "piece_of",
    "rank_correlation",
    "repeated",
    "slopes",
    "solve",
    "span",
    "token",
    "units_of",
    "varied",
    "with_random_weights",
]

MOST_STEPS = 2000
TOLERABLE = 0.01
"""Completeness error, by the difference that is shared out, above which more steps are offered."""


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """How much each unit of a text counts for an answer, by one method.

    values: (units,), float64; 0 where `kept`, the units that no baseline replaces. value, without: the target's number
    for the text, and for the baseline.
    """

    method: str
    target: Target | WholeText
    units: tuple[Unit, ...]
    kept: tuple[bool, ...]
    values: Tensor
    value: float
    without: float
    steps: int
    seed: int

    @property
    def error(self) -> float:
        """Completeness: by how much the values' sum misses the difference between text and baseline."""
        return float(self.values.sum()) - (self.value - self.without)

    @property
    def relative_error(self) -> float:
        """The error's size by that of the difference."""
        return abs(self.error) / max(abs(self.value - self.without), 1e-12)

    @property
    def own(self) -> list[int]:
        """The numbers of the units that have a value."""
        return [number for number, kept in enumerate(self.kept) if not kept]

    def strongest(self, number: int = 1) -> list[int]:
        """The units that count most, whatever the sign."""
        return sorted(self.own, key=lambda n: -abs(float(self.values[n])))[:number]

    def __str__(self) -> str:
        width = max(len(self.units[n].text) for n in self.own)
        return "\n".join(f"{self.units[n].text:<{width}}  {float(self.values[n]):+.4f}" for n in self.own)


def attribute(
    model: Model,
    encoding: Encoding,
    target: Target | WholeText,
    *,
    method: str = "integrated-gradients",
    baseline: Baseline = "mask",
    by: By = "words",
    steps: int | None = None,
    seed: int = 0,
    layer: int | None = None,
    watch: Watch | None = None,
    network: Network | None = None,
) -> Attribution:
    """Share a model's answer out among the words, or the pieces, of a text.

    Args:
        baseline: what stands in for a word: the vector of [MASK], of [PAD], zeros, or the mean of all words.
        steps: points, samples, permutations, or the length of a span; the method's own unless told.
        layer: share it out among the states that enter this executed layer instead, at all positions; counted from 0,
            the depth is what leaves the last one. Each use of a shared block is a layer of its own.
        watch: told of every pass how many rows it has; what it raises ends the work.
        network: another network of the model's configuration, such as one with random weights.
    """
    if layer is not None:
        if isinstance(target, WholeText):
            raise ValueError("The likelihood of a text comes of as many passes as it has pieces: no layer is its own.")
        problem, units = of_layer(model, encoding, target, layer, baseline=baseline, by=by, watch=watch)
        numbers: Sequence[int] = range(len(units))
    else:
        problem, units, numbers = of_text(
            model, encoding, target, baseline=baseline, by=by, watch=watch, network=network
        )
    chosen = _method(method)
    steps = chosen.steps if steps is None else steps
    found = solve(problem, method, steps=steps, seed=seed)
    values = torch.zeros(len(units), dtype=torch.float64)
    values[list(numbers)] = found
    low, high = problem.ends
    kept = tuple(number not in numbers for number in range(len(units)))
    return Attribution(method, target, units, kept, values, high, low, steps, seed)


def solve(problem: Problem, method: str, *, steps: int | None = None, seed: int = 0) -> Tensor:
    """A method's answer to a problem: a number for each unit (units,), float64."""
    chosen = _method(method)
    if not chosen.supports(problem):
        raise ValueError(f"{chosen.title} follows attention from the words to one position; this has none to follow.")
    steps = chosen.steps if steps is None else steps
    check_whole("steps", steps, 1 if chosen.steps else 0, MOST_STEPS)
    with torch.inference_mode(False), torch.enable_grad():
        return chosen.run(problem, steps, seed)


def _method(name: str) -> Method:
    if name not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {name!r}.")
    return METHODS[name]
