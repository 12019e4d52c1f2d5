"""What the measurements say: Bort's published speed-ups, and size and speed beside quality."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bortlab.analysis.intervals import Interval
from bortlab.analysis.latency.cases import Case, shape, title
from bortlab.analysis.latency.plans import MINIS, SMALL_BORT
from bortlab.analysis.latency.results import Run
from bortlab.system import assets


@dataclass(frozen=True, slots=True)
class PublishedSpeedup:
    """How many times as fast as the baseline a model is, as published, and where."""

    name: str
    model: str
    baseline: str
    times: float
    source: str


SPEEDUPS = tuple(
    PublishedSpeedup(
        name, model, baseline, times, "de Wynter and Perry 2020 (arXiv 2010.10499) and the authors' README"
    )
    for name, baseline, times in (
        ("7.9 times", "bert-base-uncased", 7.9),
        ("about 20 times", "bert-large-uncased", 20.0),
    )
    for model in ("bort", SMALL_BORT)
)
"""Bort's speed on a CPU. Processor, batch and length of the published measurement are not known."""


@dataclass(frozen=True, slots=True)
class MeasuredSpeedup:
    """A published speed-up beside the measured one, at one shape. flops: how many times less arithmetic it needs."""

    published: PublishedSpeedup
    case: Case
    speedup: Interval
    flops: float

    @property
    def verdict(self) -> str:
        """ "reached", "not reached", or "within the interval"."""
        if self.speedup.low >= self.published.times:
            return "reached"
        return "not reached" if self.speedup.high < self.published.times else "within the interval"

    @property
    def sentence(self) -> str:
        """What was published, and what was measured."""
        return (
            f"{self.published.name} as fast as {title(self.published.baseline)}, {title(self.published.model)}, "
            f"{shape(self.case)}: {self.speedup.value:.1f} ({self.speedup.low:.1f} to {self.speedup.high:.1f}), "
            f"{self.verdict}; {self.flops:.1f} times less arithmetic."
        )


def measured_speedups(run: Run) -> list[MeasuredSpeedup]:
    """Bort's published speed-ups beside the measured ones, wherever a run has both sides."""
    speedups = []
    for published in SPEEDUPS:
        for case, ratio in run.ratios(published.baseline).items():
            if case.model == published.model:
                base = run.by_case[replace(case, model=published.baseline)]
                less = base.flops / run.by_case[case].flops
                speedups.append(MeasuredSpeedup(published, case, ratio.speedup, less))
    return speedups


def heldout_accuracy(model: str) -> Interval | None:
    """Share of held-out masked pieces that a bundled mini gets right, from its card; None for other models.

    The interval is a normal approximation at 95%, for as many pieces as were hidden.
    """
    path = assets.CHECKPOINTS / model / "card.json"
    if model not in MINIS or not path.is_file():
        return None
    heldout = json.loads(path.read_bytes())["heldout"]
    share = float(heldout["masked_accuracy"])
    width = 1.96 * math.sqrt(share * (1 - share) / heldout["hidden_pieces"])
    return Interval(share, share - width, share + width)


def pareto_front(points: Mapping[Case, tuple[float, float]]) -> list[Case]:
    """The cases that no other one beats in both milliseconds and accuracy, fastest first."""
    highest, front = -math.inf, []
    for case, (_, accuracy) in sorted(points.items(), key=lambda point: (point[1][0], -point[1][1])):
        if accuracy > highest:
            highest = accuracy
            front.append(case)
    return front
