"""Was it worth training only one candidate of every so many? What a trained grid says of the search itself.

Everything is measured against the full grid: the regret in W, how much of the front is found, the volume that the
front covers, beside random choices of as many candidates and beside the smallest ones alone. Seeds are drawn again
(bootstrap) to say which of it is stable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bortlab.search.extraction import order, representatives
from bortlab.search.front import hypervolume, pareto_front
from bortlab.search.grid import TrainedGrid
from bortlab.search.learning_curves import kendall
from bortlab.search.objective import MaximumPoint, maximum_point, size_of
from bortlab.search.resampling import Floats, resamplings
from bortlab.search.space import HEADS, Space, space

STRIDES = (1, 2, 3, 4, 6)
RANDOM_SUBSETS = 100
STABLE = 0.95
"""A member of the front in this share of the resamplings, or more, is stable."""
FEWEST = 3
"""Candidates that a study needs."""


class StudyError(ValueError):
    """A grid of which nothing can be said."""


@dataclass(frozen=True)
class Table:
    """Informative candidates in the order of the search.

    points: (candidates, 2), p and i. errors: (candidates, seeds).
    """

    names: tuple[str, ...]
    points: Floats
    errors: Floats
    maximum: MaximumPoint

    def ws(self, errors: Floats) -> Floats:
        """W of each candidate for these errors, (candidates,)."""
        return np.array(
            [self.maximum.w(p, i, error) for (p, i), error in zip(self.points.tolist(), errors.tolist(), strict=True)]
        )

    def all_points(self, errors: Floats) -> Floats:
        """p, i and e of each candidate, as shares of the maximum point's, and the error itself: (candidates, 3)."""
        scale = np.array([self.maximum.parameters, self.maximum.operations])
        return np.column_stack([self.points / scale, errors])


@dataclass(frozen=True, slots=True)
class Finding:
    """How good one choice of candidates is against the whole grid.

    regret: the share of the best W that is missed. precision, recall: of the front of the choice, against the whole
    front. hypervolume: the share of the volume that the whole front covers.
    """

    regret: float
    precision: float
    recall: float
    hypervolume: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A stride beside its rivals of equal cost. interval: of its regret, over resampled seeds. better_than_random: the
    share of random choices with a larger regret, equal ones counted half."""

    stride: int
    trained: int
    chosen: Finding
    interval: tuple[float, float]
    random: Finding
    random_interval: tuple[float, float]
    better_than_random: float
    smallest: Finding


@dataclass(frozen=True)
class Study:
    """What a trained grid says. front, stability: the full front, and how often each candidate is on it when seeds are
    resampled. best: how often each has the largest W. settled: Kendall's tau between a quarter of the training and its
    end."""

    names: tuple[str, ...]
    uninformative: tuple[str, ...]
    maximum: MaximumPoint
    errors: Mapping[str, tuple[float, ...]]
    ws: Mapping[str, float]
    front: tuple[str, ...]
    stability: Mapping[str, float]
    best: Mapping[str, float]
    comparisons: tuple[Comparison, ...]
    settled: Mapping[str, float]

    @property
    def winner(self) -> str:
        """The candidate with the largest W by the mean error of its seeds."""
        return max(self.ws, key=self.ws.__getitem__)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def study(trained: TrainedGrid, *, seq: int = 64, size: str = "parameters", maximum: str | None = None) -> Study:
    """Study the candidates whose trainings are done.

    maximum: the maximum point, the grid's own teacher unless told.

    Raises:
        StudyError: if fewer than FEWEST candidates are informative.
    """
    where = space(trained.grid.space)
    table, uninformative = table_of(trained, where, seq=seq, size=size, maximum=maximum or trained.grid.teacher)
    mean = table.errors.mean(1)
    front = pareto_front(table.all_points(mean))
    resampled = list(resamplings(table.errors))
    on_front = np.mean([pareto_front(table.all_points(errors)) for errors in resampled], axis=0)
    best = np.bincount([int(table.ws(errors).argmax()) for errors in resampled], minlength=len(table.names))
    strides = [stride for stride in STRIDES if stride <= len(table.names)]
    return Study(
        names=table.names,
        uninformative=uninformative,
        maximum=table.maximum,
        errors={name: tuple(row) for name, row in zip(table.names, table.errors.tolist(), strict=True)},
        ws=dict(zip(table.names, table.ws(mean).tolist(), strict=True)),
        front=tuple(name for name, member in zip(table.names, front, strict=True) if member),
        stability=dict(zip(table.names, on_front.tolist(), strict=True)),
        best=dict(zip(table.names, (best / len(resampled)).tolist(), strict=True)),
        comparisons=tuple(compare(table, resampled, stride) for stride in strides),
        settled=settled(trained, table.names),
    )


def table_of(trained: TrainedGrid, where: Space, *, seq: int, size: str, maximum: str) -> tuple[Table, tuple[str, ...]]:
    """The informative candidates in the order of the search, and the names of the others that were trained."""
    done = set(trained.names)
    ordered = [(candidate, entry) for candidate, entry in order(where, seq=seq) if candidate.name in done]
    known = [(candidate.name, entry) for candidate, entry in ordered if trained.is_informative(candidate.name)]
    if len(known) < FEWEST:
        raise StudyError(
            f"Only {len(known)} of the {len(ordered)} trained candidates are informative; a study needs {FEWEST}. "
            "Train for longer: what has not left the frequencies of words says nothing of its sizes."
        )
    table = Table(
        names=tuple(name for name, _ in known),
        points=np.array([(size_of(entry, size), entry.operations) for _, entry in known], dtype=np.float64),
        errors=np.array([trained.errors_of(name) for name, _ in known]),
        maximum=maximum_point(where, maximum, seq=seq, size=size),
    )
    informative = set(table.names)
    return table, tuple(candidate.name for candidate, _ in ordered if candidate.name not in informative)


# -- a choice against the whole ----------------------------------------------------------------------------------------


def compare(table: Table, resampled: Sequence[Floats], stride: int) -> Comparison:
    """A stride beside random choices of equal number and the smallest candidates."""
    n, mean = len(table.names), table.errors.mean(1)
    chosen = np.array(sorted(representatives(n, stride)))
    rng = np.random.default_rng(stride)
    subsets = [np.sort(rng.choice(n, len(chosen), replace=False)) for _ in range(RANDOM_SUBSETS)]
    random = [finding(table, mean, subset) for subset in subsets]
    own = finding(table, mean, chosen)
    regrets = np.array([entry.regret for entry in random])
    interval = np.quantile([finding(table, errors, chosen).regret for errors in resampled], (0.025, 0.975))
    spread = np.quantile(regrets, (0.025, 0.975))
    return Comparison(
        stride=stride,
        trained=len(chosen),
        chosen=own,
        interval=(float(interval[0]), float(interval[1])),
        random=Finding(*np.mean([list(asdict(entry).values()) for entry in random], axis=0).tolist()),
        random_interval=(float(spread[0]), float(spread[1])),
        better_than_random=float(np.mean(regrets > own.regret) + 0.5 * np.mean(regrets == own.regret)),
        smallest=finding(table, mean, np.arange(len(chosen))),
    )


def finding(table: Table, errors: Floats, chosen: NDArray[np.int64]) -> Finding:
    """How good a choice of candidates is. errors: (candidates,)."""
    ws, points = table.ws(errors), table.all_points(errors)
    whole = set(np.flatnonzero(pareto_front(points)).tolist())
    part = {int(chosen[number]) for number in np.flatnonzero(pareto_front(points[chosen]))}
    corner = np.array([1.0, 1.0, float(errors.max())]) * 1.0001
    return Finding(
        regret=float(1 - ws[chosen].max() / ws.max()) if ws.max() else 0.0,
        precision=len(whole & part) / len(part),
        recall=len(whole & part) / len(whole),
        hypervolume=hypervolume(points[chosen], corner.tolist()) / hypervolume(points, corner.tolist()),
    )


def settled(trained: TrainedGrid, names: Sequence[str]) -> dict[str, float]:
    """Kendall's tau of the candidates' mean errors after each share of the training against those at the end."""
    from bortlab.search.candidate_run import MEASURED_AT

    curves = np.array(list(trained.curves(names).values()))  # (candidates, shares)
    return {f"{share:g}": kendall(curves[:, number], curves[:, -1]) for number, share in enumerate(MEASURED_AT[:-1])}


# -- the question ------------------------------------------------------------------------------------------------------


def bort_shapes(where: Space) -> dict[str, str]:
    """Bort's proportions in a space with D, A, H and I, by the candidate's name: what is proportional to what.

    Bort has the width of BERT large, a feed-forward part of 0.75 widths, and 4 layers: a third of BERT base's, the
    deepest of its space, or a sixth of BERT large's. Its heads are those of the model that the space starts from.
    """
    sizes = {field: max(*values, getattr(where.base, field)) for field, values in where.sizes.items()}
    if not {"num_hidden_layers", "hidden_size", "intermediate_size"} <= set(sizes):
        return {}
    if HEADS in sizes:
        sizes[HEADS] = getattr(where.base, HEADS)
    shapes = {}
    for share, of_whom in (
        (3, "a third of the layers, as 4 of BERT base's 12"),
        (6, "a sixth, as 4 of BERT large's 24"),
    ):
        own = sizes | {
            "num_hidden_layers": sizes["num_hidden_layers"] // share,
            "intermediate_size": sizes["hidden_size"] * 3 // 4,
        }
        shapes["-".join(str(own[field]) for field in where.sizes)] = of_whom
    names = {candidate.name for candidate in where.candidates}
    return {name: title for name, title in shapes.items() if name in names}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Is a shape on the front? share: of the resamplings in which it is. dominated_by: by mean errors."""

    name: str
    on_front: bool
    share: float
    dominated_by: tuple[str, ...]


def verdict(trained: TrainedGrid, result: Study, name: str, *, seq: int = 64, size: str = "parameters") -> Verdict:
    """Whether a candidate is on the front of the grid; StudyError for one that was not trained, or says nothing."""
    if name not in result.names:
        raise StudyError(
            f"{name[:80]} is not among the informative candidates of this grid: {', '.join(result.names)}."
        )
    where = space(trained.grid.space)
    table, _ = table_of(trained, where, seq=seq, size=size, maximum=trained.grid.teacher)
    points = table.all_points(table.errors.mean(1))
    own = points[table.names.index(name)]
    better = (points <= own).all(1) & (points < own).any(1)
    by = tuple(other for other, beats in zip(table.names, better, strict=True) if beats)
    return Verdict(name, name in result.front, result.stability[name], by)
