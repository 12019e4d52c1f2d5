"""One question to one model: which number of its answer is explained, and how it is shared out among the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bortlab.analysis.attribution import cost
from bortlab.analysis.attribution.assessing import Assessment, assess, curves_of
from bortlab.analysis.attribution.attributing import Attribution, attribute
from bortlab.analysis.attribution.methods import METHODS
from bortlab.analysis.attribution.problem import Baseline, By, Watch, varied
from bortlab.analysis.attribution.targets import Target, WholeText
from bortlab.analysis.attribution.trust import Curves
from bortlab.model import Model
from bortlab.text import Encoding


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """An answer of a model to a text, and how it is to be attributed; the text was tokenised once for all of it.

    steps: of a method, where it takes others than its default.
    """

    model: Model
    encoding: Encoding
    target: Target | WholeText
    baseline: Baseline = "mask"
    by: By = "words"
    steps: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0

    def steps_of(self, method: str) -> int:
        """The steps that a method takes."""
        return self.steps.get(method, METHODS[method].steps)

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the methods that can be asked: attention leads from the words to one position alone."""
        one_position = isinstance(self.target, Target)
        return tuple(name for name, method in METHODS.items() if one_position or method.kind != "attention")

    @property
    def layers(self) -> range:
        """What can be attributed to inside: what enters each executed layer, and what leaves the last."""
        return range(self.model.config.depth + 1)

    def attribute(self, method: str, *, layer: int | None = None, watch: Watch | None = None) -> Attribution:
        """By one method, to the words, or to the states that enter a layer."""
        return attribute(
            self.model,
            self.encoding,
            self.target,
            method=method,
            baseline=self.baseline,
            by=self.by,
            steps=self.steps_of(method),
            seed=self.seed,
            layer=layer,
            watch=watch,
        )

    def curves(self, attribution: Attribution, *, watch: Watch | None = None) -> Curves:
        """The answer while words go, or come back, in the order of an attribution."""
        return curves_of(self.model, self.encoding, attribution, baseline=self.baseline, by=self.by, watch=watch)

    def assess(self, attribution: Attribution, curves: Curves, *, watch: Watch | None = None) -> Assessment:
        """The tests of an attribution; curves: its own."""
        return assess(self.model, self.encoding, attribution, curves, baseline=self.baseline, by=self.by, watch=watch)

    def passes(self, method: str, *, assessed: bool = False, layers: Sequence[int] = ()) -> float:
        """Forward passes that a method takes: alone, with its tests, or in these layers; parts of passes count."""
        units = cost.count_units(self.encoding, self.by, layers=bool(layers))
        count = cost.passes_to_assess if assessed else cost.passes
        rows = count(method, units, self.steps_of(method))
        return rows * sum(self.passes_of_a_row(layer) for layer in layers or (None,))

    def passes_of_a_row(self, layer: int | None = None) -> float:
        """Forward passes for one value of the target: a part of one to a layer, one for each piece of a whole text."""
        pieces = len(varied(self.encoding)) if isinstance(self.target, WholeText) else 1
        return cost.share_of(self.model.config, layer) * max(1, pieces)

    def multiply_adds(self, method: str, *, assessed: bool = False, layers: Sequence[int] = ()) -> float:
        """The work of a method in multiply-adds, counted from the sizes of model and text alone."""
        each = cost.multiply_adds(self.model.config, self.encoding)
        return each * self.passes(method, assessed=assessed, layers=layers)
