"""Which hyper-parameter sets leave after a round: several readings of one published sentence.

"Sets belonging to the longest common sequence, rooted at the first element" are removed (de Wynter's description of
Agora; no code was ever released). Sets come sorted by score, the worst first; values are compared position by position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Theta = tuple[float | int | str, ...]
"""A hyper-parameter set: a value for each axis of the grid, the seed among them."""
Rule = Callable[[Sequence[Theta]], list[Theta]]
"""Of sets sorted by score, the worst first: those to remove, the worst among them."""


def longest_common_subsequence(one: Theta, other: Theta) -> int:
    """Length of the longest sequence of values that both hold in the same order, not necessarily side by side."""
    row = [0] * (len(other) + 1)
    for a in one:
        before = 0
        for place, b in enumerate(other, 1):
            before, row[place] = row[place], before + 1 if a == b else max(row[place], row[place - 1])
    return row[-1]


def common_prefix(one: Theta, other: Theta) -> int:
    """How many values are equal from the first on."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def worst(ranked: Sequence[Theta]) -> list[Theta]:
    """The worst set alone."""
    return [ranked[0]]


def lcs(ranked: Sequence[Theta]) -> list[Theta]:
    """The worst set, and all whose longest common subsequence with it is the longest that any has."""
    return _nearest(ranked, longest_common_subsequence)


def prefix(ranked: Sequence[Theta]) -> list[Theta]:
    """The worst set, and all whose common prefix with it is the longest that any has."""
    return _nearest(ranked, common_prefix)


def run(ranked: Sequence[Theta]) -> list[Theta]:
    """The longest run of sets, from the worst on, that all have one of its values: the most literal reading."""
    runs = [
        next((n for n, theta in enumerate(ranked) if theta[axis] != value), len(ranked))
        for axis, value in enumerate(ranked[0])
    ]
    return list(ranked[: max(runs, default=1)])


def _nearest(ranked: Sequence[Theta], likeness: Callable[[Theta, Theta], int]) -> list[Theta]:
    first, *others = ranked
    most = max((likeness(first, other) for other in others), default=0)
    return [first, *(other for other in others if most and likeness(first, other) == most)]


RULES: Mapping[str, Rule] = {"lcs": lcs, "run": run, "prefix": prefix, "worst": worst}
"""The readings by name. `lcs` fits the term |theta|^2 of the published bound on the running time."""


def pruned(ranked: Sequence[Theta], rule: Rule, best: Theta, *, capped: bool = True) -> list[Theta]:
    """What stays of sets sorted by score, the worst first; at least one leaves.

    best: the best set so far. capped: at most half of the sets leave, the worst first, and never the best one unless it
    is alone: our addition, for uncapped rules drop the best set early in one of eight runs.
    """
    leaving = rule(ranked)
    if capped and len(ranked) > 1:
        others = [theta for theta in leaving if theta != best]
        leaving = others[: len(ranked) // 2] or [next(theta for theta in ranked if theta != best)]
    return [theta for theta in ranked if theta not in leaving]
