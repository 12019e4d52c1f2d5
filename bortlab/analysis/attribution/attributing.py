"""An answer shared out among the words of a text, by any of the methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bortlab.analysis.attention import Unit
from bortlab.analysis.attribution.methods import METHODS, Method
from bortlab.analysis.attribution.problem import Baseline, By, Problem, Watch, of_layer, of_text
from bortlab.analysis.attribution.targets import Target, WholeText
from bortlab.model import Model
from bortlab.models import Network
from bortlab.system.checks import check_whole
from bortlab.text import Encoding

MOST_STEPS = 2000
TOLERABLE = 0.01
"""Relative completeness error above which more steps are worth their time."""


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """How much each unit of a text contributes to an answer, by one method.

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
        """Completeness error: by how much the sum of the values misses the difference between text and baseline."""
        return float(self.values.sum()) - (self.value - self.without)

    @property
    def relative_error(self) -> float:
        """The size of the error, relative to the difference."""
        return abs(self.error) / max(abs(self.value - self.without), 1e-12)

    @property
    def own(self) -> list[int]:
        """The indices of the units that have a value."""
        return [number for number, kept in enumerate(self.kept) if not kept]

    def strongest(self, number: int = 1) -> list[int]:
        """The indices of the units that contribute most, for or against the answer; of equals the first."""
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
        baseline: what replaces a word that is taken away: the vector of [MASK], of [PAD], zeros, or the mean word.
        steps: points, samples, permutations, or the length of a span; None: the method's own default.
        layer: share it out among the states that enter this executed layer instead, at all positions; counted from 0,
            the depth being what leaves the last one. Each use of a shared block is a layer of its own.
        watch: called before every pass with its number of rows; what it raises ends the work.
        network: another network of the model's configuration, such as one with random weights.
    """
    if layer is not None:
        if isinstance(target, WholeText):
            raise ValueError("The likelihood of a text takes a pass for each piece, so no single layer enters into it.")
        problem, units = of_layer(model, encoding, target, layer, baseline=baseline, by=by, watch=watch)
        numbers: Sequence[int] = range(len(units))
    else:
        problem, units, numbers = of_text(
            model, encoding, target, baseline=baseline, by=by, watch=watch, network=network
        )
    steps = _method(method).steps if steps is None else steps
    values = torch.zeros(len(units), dtype=torch.float64)
    values[list(numbers)] = solve(problem, method, steps=steps, seed=seed)
    low, high = problem.ends
    kept = tuple(number not in numbers for number in range(len(units)))
    return Attribution(method, target, units, kept, values, high, low, steps, seed)


def solve(problem: Problem, method: str, *, steps: int | None = None, seed: int = 0) -> Tensor:
    """A method's answer to a problem: a number for each unit (units,), float64."""
    solver = _method(method)
    if not solver.supports(problem):
        raise ValueError(f"{solver.title} follows attention from the words to one position; there is none to follow.")
    steps = solver.steps if steps is None else steps
    check_whole("steps", steps, 1 if solver.steps else 0, MOST_STEPS)
    with torch.inference_mode(False), torch.enable_grad():
        return solver.run(problem, steps, seed)


def _method(name: str) -> Method:
    if name not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {name!r}.")
    return METHODS[name]
