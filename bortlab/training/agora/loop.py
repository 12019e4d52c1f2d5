"""Agora: fine-tuning with scarce data, as we read it (de Wynter 2020, arXiv 2010.07990).

No code of Agora was ever released. What is certain: it takes an untrained start, a labeller S, right in more than
2/3, a training set D, a search set E and a list of hyper-parameter sets Theta; trains all of Theta; makes new points of
the mistakes of the best; labels them by S; prunes Theta; and ends when Theta is empty. What is our interpretation is
said where it stands: (I).

    while Theta is not empty:
        train a fresh start with each theta on D, and score it on E            (I) afresh in each round
        keep the best model so far                                             (I) over all rounds
        for each mistake of the round's best model on E:
            make a point near it, not too similar, not too distinct            (I) one for each mistake
            label it with S and append it to D                                 never the example of E itself
        sort Theta by score, the worst first, and prune                        (I) by one of `pruning.RULES`
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from bortlab.data.labelled import Example, LabelledData, LabelOf
from bortlab.system.checks import check_whole
from bortlab.training.agora.points import Point
from bortlab.training.agora.pruning import RULES, Rule, Theta, pruned
from bortlab.training.agora.records import Candidate, Log, Round

Labeller = Callable[[Sequence[Example]], Sequence[LabelOf]]
"""S: examples -> a label for each."""
MakePoint = Callable[[Example, random.Random, set[tuple[str, ...]]], Point]
"""A mistake, chance, and contents that no point may have -> a point."""


class Learner(Protocol):
    """Trains a fresh start."""

    def train(self, theta: Theta, examples: Sequence[Example], name: str) -> Candidate:
        """The model that a set of hyper-parameters gives on these examples, scored on E."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgoraPlan:
    """The options of a search.

    theta: the sets. rule: of `pruning.RULES`. capped: see `pruned`. budget: trainings at most. replays: how often the
    whole is done again with the points that were made (the published README speaks of "re-doing some iterations").
    augment: are points made? The rival without them prunes alone. prune: do sets leave? The rival without pruning
    trains all of them in every round that the budget allows. seed: of chance in points.
    """

    theta: tuple[Theta, ...]
    rule: str = "lcs"
    capped: bool = True
    budget: int = 200
    replays: int = 0
    augment: bool = True
    prune: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.theta:
            raise ValueError("theta: expected at least one set of hyper-parameters, got none.")
        if len({len(theta) for theta in self.theta}) > 1 or len(set(self.theta)) < len(self.theta):
            raise ValueError("theta: expected different sets with equally many values each.")
        if self.rule not in RULES:
            raise ValueError(f"Unknown rule {self.rule!r}. Known: {', '.join(RULES)}.")
        check_whole("budget", self.budget, 1, 100_000)
        check_whole("replays", self.replays, 0, 10)


@dataclass(frozen=True, slots=True)
class AgoraResult:
    """best: the best model over all rounds, with the set that gave it. examples: D at the end. trainings: how many."""

    best: Candidate
    theta: Theta
    rounds: tuple[Round, ...]
    examples: tuple[Example, ...]
    trainings: int


@dataclass(slots=True)
class _State:
    """What a run carries from round to round."""

    examples: list[Example]
    taken: set[tuple[str, ...]]
    best: tuple[Candidate, Theta] | None = None
    rounds: list[Round] = field(default_factory=list)
    trainings: int = 0


def search(
    plan: AgoraPlan, data: LabelledData, learner: Learner, labeller: Labeller, make_point: MakePoint, log: Log
) -> AgoraResult:
    """Run Agora on the train split (D) and the dev split (E); nothing here reads the test split (H) but its contents,
    so that no point repeats it.

    log: what was done is read from it and not done again, so a run that was killed goes on to the same result.
    """
    state = _State(list(data.train), {example.content for example in data})
    rule = RULES[plan.rule]
    for _ in range(plan.replays + 1):
        theta = list(plan.theta)
        while theta and state.trainings + len(theta) <= plan.budget:
            theta = _round(plan, rule, theta, data, state, learner, labeller, make_point, log)
    if state.best is None:
        raise ValueError(f"budget: {plan.budget} trainings are too few for a single round of {len(plan.theta)}.")
    best, its = state.best
    return AgoraResult(best, its, tuple(state.rounds), tuple(state.examples), state.trainings)


def _round(
    plan: AgoraPlan,
    rule: Rule,
    theta: Sequence[Theta],
    data: LabelledData,
    state: _State,
    learner: Learner,
    labeller: Labeller,
    make_point: MakePoint,
    log: Log,
) -> list[Theta]:
    """Train, keep the best, make points of its mistakes, and prune: what is left of theta."""
    number = len(state.rounds)
    candidates = {
        each: log.once(f"round {number}, set {place}", partial(learner.train, each, tuple(state.examples)))
        for place, each in enumerate(theta)
    }
    state.trainings += len(theta)
    winner = max(theta, key=lambda each: candidates[each].score)  # the first of equals
    if state.best is None or candidates[winner].score > state.best[0].score:
        state.best = candidates[winner], winner
    answers = zip(data.dev, candidates[winner].predictions, strict=True)
    mistakes = [example for example, answer in answers if answer != example.label]
    rng = random.Random(f"{plan.seed} {number}")
    points = [make_point(mistake, rng, state.taken) for mistake in mistakes] if plan.augment else []
    kept = _labelled(points, labeller)
    state.examples += [point.example for point in kept]
    state.taken |= {point.example.content for point in kept}
    ranked = sorted(theta, key=lambda each: candidates[each].score)
    left = pruned(ranked, rule, winner, capped=plan.capped) if plan.prune else list(theta)
    scores = {each: candidates[each].score for each in theta}
    removed = tuple(each for each in theta if each not in left)
    refused = [point for point in points if point.refused]
    state.rounds.append(Round(number, scores, len(mistakes), (*kept, *refused), removed))
    log.note(state.rounds[-1])
    return left


def _labelled(points: Sequence[Point], labeller: Labeller) -> list[Point]:
    """The points that were not refused, each once, with the label that S gives."""
    fresh = list({point.example.content: point for point in points if not point.refused}.values())
    labels = labeller([point.example for point in fresh]) if fresh else []
    return [
        replace(point, example=replace(point.example, label=label)) for point, label in zip(fresh, labels, strict=True)
    ]
