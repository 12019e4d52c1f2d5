"""What Agora takes for granted, and how it is with some data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bortlab.analysis.evaluation import wilson
from bortlab.analysis.intervals import Interval
from bortlab.data.labelled import Example, LabelledData
from bortlab.system.numbers import percent
from bortlab.training.agora.loop import Labeller

GOOD_ENOUGH = 2 / 3
"""What the paper assumes of the labeller's accuracy."""
ENOUGH = 50
"""Examples of a search set, below which its scores are mostly chance."""
FEW_A_CLASS = 5
"""Examples of a class, below which there is hardly anything to learn."""
NAMED = 4
"""Classes that a sentence names."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """What Agora takes for granted. here: how it is with some data, in a sentence. holds: is it so?"""

    name: str
    here: str
    holds: bool


def assumptions(accuracy: Interval, data: LabelledData) -> tuple[Assumption, ...]:
    """What Agora takes for granted, each with how it is here. accuracy: of the labeller on E."""
    counts = data.counts()
    absent = [name for name, count in counts.items() if not count]
    most, least = max(counts.values(), default=0), min(counts.values(), default=0)
    balanced = most <= 2 * max(1, least) and not absent
    few = len(data.train) < FEW_A_CLASS * len(data.labels)
    margin = wilson(round(0.7 * len(data.dev)), len(data.dev))
    even = f"From {least:,} to {most:,} examples of a class to learn from"
    if absent:
        even += (
            f"; none of {', '.join(absent[:NAMED])}{' and others' * (len(absent) > NAMED)}, which no model can learn"
        )
    elif not balanced:
        even += ": a mean over classes would say more than accuracy"
    return (
        Assumption(
            "The labeller is right in more than 2/3",
            f"The labeller is right in {percent(accuracy.value)} of the search set (95% interval "
            f"{percent(accuracy.low)} to {percent(accuracy.high)})"
            + ("." if accuracy.low > GOOD_ENOUGH else ": not surely above 2/3, which Agora assumes."),
            accuracy.low > GOOD_ENOUGH,
        ),
        Assumption("The classes are balanced", f"{even}.", balanced),
        Assumption(
            "The search set is large enough",
            f"The search set has {len(data.dev):,} examples: a share of 70% is known within "
            f"{50 * (margin.high - margin.low):.0f} points"
            + ("." if len(data.dev) >= ENOUGH else ", so what is chosen by it is mostly chance."),
            len(data.dev) >= ENOUGH,
        ),
        Assumption(
            "There is something to learn from",
            f"{len(data.train):,} examples for {len(data.labels)} classes"
            + (f": a class has not even {FEW_A_CLASS}, so little of it can be learned." if few else "."),
            not few,
        ),
    )


def unmet(accuracy: Interval, data: LabelledData) -> tuple[str, ...]:
    """Which of the assumptions do not hold, in a sentence each."""
    return tuple(assumption.here for assumption in assumptions(accuracy, data) if not assumption.holds)


def labeller_accuracy(labeller: Labeller, examples: Sequence[Example]) -> Interval:
    """How often S is right on labelled examples, with a 95% Wilson interval."""
    labels = labeller(examples)
    return wilson(sum(label == example.label for label, example in zip(labels, examples, strict=True)), len(examples))
