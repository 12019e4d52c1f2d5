"""The rivals of an experiment: each takes a contest and as many trainings as Agora took, and chooses one by E.

The trainings of Agora's first round are those of every rival that begins with the same sets, so they are done once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bortlab.data.labelled import Example
from bortlab.training.agora.loop import AgoraPlan, AgoraResult, Labeller, MakePoint, search
from bortlab.training.agora.points import GENERATORS, Point, new_point
from bortlab.training.agora.pruning import Theta
from bortlab.training.agora.records import Candidate, Log, Round
from bortlab.training.agora.rivals.trainings import Trainings, figure

DEFAULT: Mapping[str, Any] = {"rate": 1.0, "dropout": 0.1, "batch": 16, "seed": 0}
"""The set that somebody takes who does not search; of other axes the first value."""
SHARES = (0.25, 0.5, 1.0)
"""Of the epochs: what the rungs of successive halving train for."""


@dataclass(frozen=True, slots=True)
class Contest:
    """One split, on which all rivals meet.

    axes: the values of each name. grid: all sets of them in an order of chance; Agora begins with the first `sets` of
    it, and so does random search. budget: trainings that Agora may take.
    """

    trainings: Trainings
    labeller: Labeller
    axes: Mapping[str, tuple[Any, ...]]
    grid: tuple[Theta, ...]
    sets: int
    budget: int
    generator: str = "masked-lm"
    rule: str = "lcs"
    seed: int = 0

    @property
    def theta(self) -> tuple[Theta, ...]:
        """The sets that Agora begins with."""
        return self.grid[: self.sets]


Arm = Callable[[Contest, int], dict[str, Any]]
"""A rival: a contest, how many trainings Agora took -> search and test (figures on E and H), trainings, seconds of the
processor, and for Agora's kind rounds and points."""


def agora(contest: Contest, trainings: int) -> dict[str, Any]:
    """Our interpretation of Agora."""
    return _searched(contest, _plan(contest), _near(contest), contest.labeller)


def without_points(contest: Contest, trainings: int) -> dict[str, Any]:
    """Agora's pruning alone: D stays as it is, so that each set scores what it scored before."""
    return _searched(contest, _plan(contest, augment=False), _near(contest), contest.labeller)


def without_pruning(contest: Contest, trainings: int) -> dict[str, Any]:
    """All sets in every round, for as many rounds as the trainings allow."""
    plan = _plan(contest, prune=False, budget=max(trainings, contest.sets))
    return _searched(contest, plan, _near(contest), contest.labeller)


def random_items(contest: Contest, trainings: int) -> dict[str, Any]:
    """Points near random examples of D, one for each mistake, instead of near the mistakes."""
    near, learned = _near(contest), contest.trainings.data.train

    def make(mistake: Example, rng: random.Random, taken: set[tuple[str, ...]]) -> Point:
        return near(rng.choice(learned), rng, taken)

    return _searched(contest, _plan(contest), make, contest.labeller)


def gold_labels(contest: Contest, trainings: int) -> dict[str, Any]:
    """Points that keep the label of the example of E that they were made of: no labeller errs, and E is told."""
    return _searched(contest, _plan(contest), _near(contest), lambda points: [point.label for point in points])


def random_search(contest: Contest, trainings: int) -> dict[str, Any]:
    """Sets by chance, and the last training with the best of them on D and E together: the fair opponent, for Agora
    makes use of E as well."""
    learner = contest.trainings
    tried = {theta: learner.train(theta, learner.data.train) for theta in contest.grid[: max(1, trainings - 1)]}
    best = max(tried, key=lambda theta: tried[theta].score)
    return _chosen(contest, learner.refit(best), search=tried[best].score)


def one_pass(contest: Contest, trainings: int) -> dict[str, Any]:
    """Each set once: what Agora's first round gives."""
    learner = contest.trainings
    candidates = [learner.train(theta, learner.data.train) for theta in contest.theta]
    return _chosen(contest, max(candidates, key=lambda candidate: candidate.score))


def default(contest: Contest, trainings: int) -> dict[str, Any]:
    """One training with the default recipe."""
    theta = tuple(DEFAULT.get(axis, values[0]) for axis, values in contest.axes.items())
    return _chosen(contest, contest.trainings.train(theta, contest.trainings.data.train))


def successive_halving(contest: Contest, trainings: int) -> dict[str, Any]:
    """Many sets for few epochs, the better half of them for twice as many, and so on. Its trainings are as many as
    Agora's but shorter."""
    learner = contest.trainings
    alive = list(contest.grid[: _first_rung(trainings, len(contest.grid))])
    candidates: dict[Theta, Candidate] = {}
    for share in SHARES:
        epochs = learner.recipe(alive[0]).epochs_for(len(learner.data.train))
        candidates = {
            theta: learner.train(theta, learner.data.train, epochs=max(1, round(share * epochs))) for theta in alive
        }
        alive = sorted(alive, key=lambda theta: -candidates[theta].score)[: max(1, len(alive) // 2)]
    return _chosen(contest, max(candidates.values(), key=lambda candidate: candidate.score))


def tpe(contest: Contest, trainings: int) -> dict[str, Any]:
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), which proposes one set after another."""
    try:
        import optuna
    except ImportError:
        raise ImportError('Optuna is not installed: pip install "bortlab[agora]".') from None
    learner = contest.trainings
    candidates: list[Candidate] = []

    def objective(trial: optuna.Trial) -> float:
        theta = tuple(trial.suggest_categorical(axis, list(values)) for axis, values in contest.axes.items())
        candidates.append(learner.train(theta, learner.data.train))
        return candidates[-1].score

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=contest.seed, n_startup_trials=max(1, trainings // 2))
    optuna.create_study(direction="maximize", sampler=sampler).optimize(objective, n_trials=trainings)
    return _chosen(contest, max(candidates, key=lambda candidate: candidate.score))


def labeller_itself(contest: Contest, trainings: int) -> dict[str, Any]:
    """S, which is no competitor in size: what Agora learns its new labels from."""
    data = contest.trainings.data
    on_search, on_test = (figure(data, split, contest.labeller(split)) for split in (data.dev, data.test))
    return {"search": on_search, "test": on_test, "trainings": 0, "seconds": 0.0}


ARMS: Mapping[str, Arm] = {
    "agora": agora,
    "random search": random_search,
    "one pass": one_pass,
    "default": default,
    "labeller": labeller_itself,
    "agora without points": without_points,
    "agora, gold labels": gold_labels,
    "agora, random items": random_items,
    "agora without pruning": without_pruning,
    "successive halving": successive_halving,
    "tpe": tpe,
}
"""The rivals by name. Agora comes first: the others take as many trainings as it did."""


# -- what they share ---------------------------------------------------------------------------------------------------


def _plan(contest: Contest, **changes: Any) -> AgoraPlan:
    plan = AgoraPlan(theta=contest.theta, rule=contest.rule, budget=contest.budget, seed=contest.seed)
    return replace(plan, **changes)


def _near(contest: Contest) -> MakePoint:
    """Makes points near what it is given."""
    return partial(_point, GENERATORS[contest.generator], contest.trainings.base)


def _point(generator: Any, base: Any, mistake: Example, rng: random.Random, taken: set[tuple[str, ...]]) -> Point:
    return new_point(mistake, generator, rng, base, taken)


def _searched(contest: Contest, plan: AgoraPlan, make: MakePoint, labeller: Labeller) -> dict[str, Any]:
    learner = contest.trainings
    result = search(plan, learner.data, learner, labeller, make, Log())
    rounds = _rounds(learner, result)
    return _chosen(contest, result.best) | {
        "rounds": rounds,
        "points": len(result.examples) - len(learner.data.train),
        "examples": _shown(result.rounds),
    }


def _rounds(learner: Trainings, result: AgoraResult) -> list[dict[str, Any]]:
    """Each round's sets, best model on E and H, mistakes and points."""
    asked, rows = iter(learner.asked), []
    for this in result.rounds:
        candidates = [next(asked)[1] for _ in this.scores]
        best = max(candidates, key=lambda candidate: candidate.score)
        kept = sum(not point.refused for point in this.points)
        rows.append(
            {
                "sets": len(this.scores),
                "removed": len(this.removed),
                "search": best.score,
                "test": learner.test_figure(best.name),
                "mistakes": this.mistakes,
                "kept": kept,
                "refused": len(this.points) - kept,
            }
        )
    return rows


def _shown(rounds: tuple[Round, ...], most: int = 4) -> list[dict[str, Any]]:
    """Some points of the first round as they were made."""
    kept = [point for this in rounds[:1] for point in this.points if not point.refused]
    return [
        {
            "old": point.mistake.text,
            "new": point.example.text,
            "its label": point.mistake.label,
            "label given": point.example.label,
        }
        for point in kept[:most]
    ]


def _chosen(contest: Contest, candidate: Candidate, search: float | None = None) -> dict[str, Any]:
    """What a rival reached with the candidate that it chose."""
    learner = contest.trainings
    return {
        "search": candidate.score if search is None else search,
        "test": learner.test_figure(candidate.name),
        "trainings": len(learner.asked),
        "seconds": round(learner.seconds, 1),
    }


def _first_rung(trainings: int, most: int) -> int:
    """The most sets that successive halving can begin with."""
    sizes = range(1, min(most, trainings) + 1)
    return max((n for n in sizes if n + max(1, n // 2) + max(1, n // 4) <= trainings), default=1)
