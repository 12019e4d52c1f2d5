"""The search itself: order the candidates, look at one of every so many, and take the one with the largest W.

This is our interpretation of Optimal Subarchitecture Extraction (de Wynter 2020, arXiv 2010.08512), whose code was
never released; what is known of it, and what we chose, stands in docs/search.md.

    import bortlab

    extraction = bortlab.search("bort", stride=3, maximum="bert-large-uncased", error="power")
    extraction.best  # the representatives with the largest W
    extraction.frame()  # every candidate with its costs, factor, error and W
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bortlab.models import Config
from bortlab.search.costs import Costs, costs
from bortlab.search.front import pareto_front
from bortlab.search.objective import (
    LARGEST,
    MaximumPoint,
    MaximumPointError,
    check_error,
    error_model,
    maximum_point,
    size_of,
)
from bortlab.search.space import Space, SpaceError, Subarchitecture, space

if TYPE_CHECKING:
    import pandas

Keep = Literal["first", "last"]
LONGEST = 512
"""Pieces that operations are counted for unless told."""
EQUAL = 1e-12
"""Values of W that differ by less than this share are equal: rounding tells them apart, and nothing else."""


class UninformativeError(ValueError):
    """A search in which no candidate says anything."""


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate as the search sees it. error, w: None where nothing was measured, or it is uninformative."""

    candidate: Subarchitecture
    costs: Costs
    factor: float
    error: float | None
    w: float | None
    representative: bool
    on_front: bool

    @property
    def name(self) -> str:
        """The candidate's name."""
        return self.candidate.name


@dataclass(frozen=True)
class Extraction:
    """What a search gave. rows: all candidates in the order of the search. error: what e is, in words."""

    space: Space
    maximum: MaximumPoint
    stride: int
    seq: int
    size: str
    error: str
    rows: tuple[Row, ...]

    @property
    def representatives(self) -> tuple[Row, ...]:
        """The candidates that were looked at."""
        return tuple(row for row in self.rows if row.representative)

    @property
    def best(self) -> tuple[Row, ...]:
        """The representatives with the largest W; several where W is equal."""
        return winners(self.representatives)

    @property
    def best_of_all(self) -> tuple[Row, ...]:
        """Those with the largest W of the whole space, which a search with a larger stride may miss."""
        return winners(self.rows)

    @property
    def n_distinct(self) -> int:
        """Distinct pairs of parameters and operations."""
        return len({(row.costs.parameters, row.costs.operations) for row in self.rows})

    def row(self, name: str) -> Row:
        """A candidate by its name; SpaceError for one that there is not."""
        self.space.named(name)
        return next(row for row in self.rows if row.name == name)

    def frame(self) -> pandas.DataFrame:
        """One row a candidate, in the order of the search."""
        import pandas

        return pandas.DataFrame(
            [
                {
                    "candidate": row.name,
                    **dict(zip(self.space.letters, row.candidate.sizes, strict=True)),
                    "parameters": row.costs.parameters,
                    "without embeddings": row.costs.effective,
                    "operations": row.costs.operations,
                    "factor": row.factor,
                    "error": row.error,
                    "W": row.w,
                    "representative": row.representative,
                    "on the front": row.on_front,
                }
                for row in self.rows
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON: what was searched and how, and every candidate."""
        return {
            "interpretation": "bortlab's interpretation of Optimal Subarchitecture Extraction (arXiv 2010.08512)",
            "space": {
                "name": self.space.name,
                "title": self.space.title,
                "family": self.space.family.name,
                "output": self.space.output,
                "sizes": {field: list(values) for field, values in self.space.sizes.items()},
                "combinations": self.space.n_combinations,
                "refused": self.space.n_refused,
                "candidates": len(self.rows),
                "distinct pairs of parameters and operations": self.n_distinct,
            },
            "maximum point": {
                "title": self.maximum.title,
                "parameters": self.maximum.parameters,
                "operations": self.maximum.operations,
            },
            "stride": self.stride,
            "pieces": self.seq,
            "size": self.size,
            "error": self.error,
            "best": [row.name for row in self.best],
            "best of all": [row.name for row in self.best_of_all],
            "candidates": self.frame().astype(object).where(lambda table: table.notna(), None).to_dict("records"),
        }


def search(
    where: Space | str = "bort",
    *,
    stride: int = 1,
    maximum: str = LARGEST,
    error: str | Callable[[Config, Costs], float] | Mapping[str, float] = "equal",
    uninformative: Sequence[str] = (),
    seq: int | None = None,
    size: str = "parameters",
    keep: Keep = "first",
    ends: bool = False,
) -> Extraction:
    """Search a space for the sub-architecture with the largest W.

    Args:
        where: a space, a name of SPACES, or a TOML file's.
        stride: eps: one of so many neighbours in size is looked at; 1 looks at all.
        maximum: T: "largest", the largest of the space, or a model of the catalogue.
        error: a name of ERRORS, a function of (config, costs), or measured errors by the candidates' names: then only
            those that are measured have a W.
        uninformative: names of candidates whose error says nothing of their sizes; they have no W.
        seq: pieces of the text that operations are counted for; the longest that the space reads, at most LONGEST.
        size: p: all "parameters", or the "effective" ones without the embeddings.
        keep: which of each block of neighbours is looked at; ends: the smallest and the largest too.

    Raises:
        SpaceError: for a space or a stride that cannot be.
        MaximumPointError: for a maximum point that a candidate exceeds.
        UninformativeError: if no candidate says anything.
        ValueError: for an error that is no number from 0.
    """
    where = space(where) if isinstance(where, str) else where
    seq = min(LONGEST, where.base.max_position_embeddings) if seq is None else seq
    point = maximum_point(where, maximum, seq=seq, size=size)
    ordered = order(where, seq=seq)
    chosen = representatives(len(ordered), stride, keep=keep, ends=ends)
    title, errors = _errors(ordered, where, error, seq, uninformative)
    ws = []
    for candidate, entry in ordered:
        value = errors.get(candidate.name)
        ws.append(None if value is None else point.w(size_of(entry, size), entry.operations, value))
    front = _front([entry for _, entry in ordered], [errors.get(candidate.name) for candidate, _ in ordered], size)
    rows = tuple(
        Row(
            candidate,
            entry,
            point.factor(size_of(entry, size), entry.operations),
            errors.get(candidate.name),
            ws[number],
            number in chosen,
            front[number],
        )
        for number, (candidate, entry) in enumerate(ordered)
    )
    return Extraction(where, point, stride, seq, size, title, rows)


def order(where: Space, *, seq: int) -> list[tuple[Subarchitecture, Costs]]:
    """The candidates by (parameters, operations, sizes), the smallest first."""
    costed = [(candidate, costs(candidate.config, where.output, seq)) for candidate in where.candidates]
    return sorted(costed, key=lambda pair: (pair[1].parameters, pair[1].operations, pair[0].sizes))


def representatives(n: int, stride: int, *, keep: Keep = "first", ends: bool = False) -> frozenset[int]:
    """The places, of n in order, that are looked at: one of each block of `stride`; SpaceError for another stride."""
    if type(stride) is not int or not 1 <= stride <= n:
        raise SpaceError(f"stride: expected a whole number from 1 to the {n:,} candidates of the space, got {stride}.")
    if keep not in ("first", "last"):
        raise SpaceError(f'keep: expected "first" or "last", got {keep!r}.')
    starts = range(0, n, stride)
    chosen = set(starts) if keep == "first" else {min(start + stride, n) - 1 for start in starts}
    return frozenset(chosen | ({0, n - 1} if ends else set()))


def winners(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows with the largest W, but for rounding; none where no row has one."""
    known = [row for row in rows if row.w is not None]
    top = max((row.w for row in known if row.w is not None), default=0.0)
    return tuple(row for row in known if row.w is not None and row.w >= top * (1 - EQUAL))


def _errors(
    ordered: Sequence[tuple[Subarchitecture, Costs]],
    where: Space,
    error: str | Callable[[Config, Costs], float] | Mapping[str, float],
    seq: int,
    uninformative: Sequence[str],
) -> tuple[str, dict[str, float]]:
    """What the error is, and its values by name."""
    for name in uninformative:
        where.named(name)
    if isinstance(error, Mapping):
        for name in error:
            where.named(name)
        title, errors = "measured", {name: float(value) for name, value in error.items()}
    else:
        model = error_model(error).error if isinstance(error, str) else error
        title = error_model(error).formula if isinstance(error, str) else "a function"
        errors = {candidate.name: float(model(candidate.config, entry)) for candidate, entry in ordered}
    for name, value in errors.items():
        try:
            check_error(value)
        except ValueError as problem:
            raise ValueError(f"{name}: {problem}") from None
    left = {name: value for name, value in errors.items() if name not in set(uninformative)}
    if not left:
        raise UninformativeError(
            "No candidate is informative: none was trained, or none did better than the frequencies of words. Train "
            "for longer; a ranking of these would be noise."
        )
    return title, left


def _front(costed: Sequence[Costs], errors: Sequence[float | None], size: str) -> list[bool]:
    """Which candidates are on the front of (p, i, e); those without an error are not."""
    on_front = [False] * len(costed)
    known = [number for number, error in enumerate(errors) if error is not None]
    points = np.array([(size_of(costed[n], size), costed[n].operations, errors[n]) for n in known], dtype=np.float64)
    for number, member in zip(known, pareto_front(points), strict=True):
        on_front[number] = bool(member)
    return on_front


__all__ = [
    "Extraction",
    "Keep",
    "MaximumPointError",
    "Row",
    "UninformativeError",
    "order",
    "representatives",
    "search",
    "winners",
]
