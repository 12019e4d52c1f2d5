"""What the measurements say: Bort's published speeds, and size and speed beside quality."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bortlab.analysis.latency.plans import MINIS, SMALL_BORT
from bortlab.analysis.latency.results import Run
from bortlab.analysis.latency.runtimes import Case, shape, title
from bortlab.analysis.latency.timing import Interval
from bortlab.system import assets


@dataclass(frozen=True, slots=True)
class Claim:
    """A published speed, and where it was published."""

    name: str
    model: str
    baseline: str
    times: float
    source: str


SPEED_CLAIMS = tuple(
    Claim(name, model, baseline, times, "de Wynter and Perry 2020 (arXiv 2010.10499) and the authors' README")
    for name, baseline, times in (
        ("7.9 times", "bert-base-uncased", 7.9),
        ("about 20 times", "bert-large-uncased", 20.0),
    )
    for model in ("bort", SMALL_BORT)
)
"""Bort's speed on a CPU. Processor, batch and length of the published measurement are not known."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim measured at one shape. flops: by how much the arithmetic is less."""

    claim: Claim
    case: Case
    speedup: Interval
    flops: float

    @property
    def verdict(self) -> str:
        """ "reached", "not reached", or "within the interval"."""
        if self.speedup.low >= self.claim.times:
            return "reached"
        return "not reached" if self.speedup.high < self.claim.times else "within the interval"


def check_claims(run: Run) -> list[Checked]:
    """Bort's published speeds against what was measured, wherever a run has both sides."""
    found = []
    for claim in SPEED_CLAIMS:
        for case, ratio in run.ratios(claim.baseline).items():
            if case.model == claim.model:
                base = run.by_case[replace(case, model=claim.baseline)]
                found.append(Checked(claim, case, ratio.speedup, base.flops / run.by_case[case].flops))
    return found


def checked_sentence(one: Checked) -> str:
    """A claim, and what was found."""
    return (
        f"{one.claim.name} as fast as {title(one.claim.baseline)}, {title(one.claim.model)}, {shape(one.case)}: "
        f"{one.speedup.value:.1f} ({one.speedup.low:.1f} to {one.speedup.high:.1f}), {one.verdict}; "
        f"{one.flops:.1f} times less arithmetic."
    )


def heldout_accuracy(model: str) -> Interval | None:
    """Share of held-out masked pieces that a bundled mini gets right, from its card; None for other models.

    The interval is of 95 %, for as many pieces as were hidden.
    """
    path = assets.CHECKPOINTS / model / "card.json"
    if model not in MINIS or not path.is_file():
        return None
    heldout = json.loads(path.read_bytes())["heldout"]
    share = float(heldout["masked_accuracy"])
    width = 1.96 * math.sqrt(share * (1 - share) / heldout["hidden_pieces"])
    return Interval(share, share - width, share + width)


def front(points: Mapping[Case, tuple[float, float]]) -> list[Case]:
    """The cases that no other one beats in both (milliseconds, accuracy), fastest first: the Pareto front."""
    best, found = -math.inf, []
    for case, (_, accuracy) in sorted(points.items(), key=lambda point: (point[1][0], -point[1][1])):
        if accuracy > best:
            best = accuracy
            found.append(case)
    return found
