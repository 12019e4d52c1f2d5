"""W, the one number that OSE makes of size, speed and error; the maximum point; errors by formula.

    W = (1 - p / p_T) (1 - i / i_T) / (e + 1e-7)

p: parameters, i: operations (or milliseconds), e: error; T: the maximum point, at which W is 0. Higher is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bortlab import registry
from bortlab.models import Config
from bortlab.search.costs import Costs, costs
from bortlab.search.space import ARCHITECTURE, Space

TINY = 1e-7
"""Keeps W finite where there is no error."""
LARGEST = "largest"
"""The maximum point that is the largest of the space itself, in each respect."""
SIZES = ("parameters", "effective")
"""What p may be: all stored weights, or those without the embeddings."""


class MaximumPointError(ValueError):
    """A maximum point that some candidate exceeds, or that is of another kind."""


@dataclass(frozen=True, slots=True)
class MaximumPoint:
    """T: what every candidate is measured against. title: what people call it."""

    title: str
    parameters: float
    operations: float

    def factor(self, parameters: float, operations: float) -> float:
        """The part of W that is known without training: (1 - p / p_T) (1 - i / i_T), from 0 to 1."""
        return (1 - parameters / self.parameters) * (1 - operations / self.operations)

    def w(self, parameters: float, operations: float, error: float) -> float:
        """W; MaximumPointError for a candidate that is larger, ValueError for an error that is no number from 0."""
        if parameters > self.parameters or operations > self.operations:
            raise MaximumPointError(
                f"The maximum point {self.title} is smaller than a candidate ({parameters:,.0f} parameters and "
                f"{operations:,.4g} operations against {self.parameters:,.0f} and {self.operations:,.4g}). Choose a "
                "larger one."
            )
        check_error(error)
        return self.factor(parameters, operations) / (error + TINY)


def check_error(error: float) -> None:
    """ValueError for an error that is NaN, infinite or below 0."""
    if not (math.isfinite(error) and error >= 0):
        raise ValueError(f"An error must be a number from 0, got {error}. Leave out candidates that failed.")


def maximum_point(where: Space, name: str = LARGEST, *, seq: int, size: str = "parameters") -> MaximumPoint:
    """The maximum point of a space.

    name: LARGEST, for the largest value in each respect; or a model of the catalogue, whose sizes are taken with the
    space's own vocabulary and positions, so that only the architecture differs.

    Raises:
        MaximumPointError: for a model that cannot be compared, or that a candidate exceeds.
    """
    _check_size(size)
    everyone = [costs(candidate.config, where.output, seq) for candidate in where.candidates]
    most = (max(size_of(entry, size) for entry in everyone), max(entry.operations for entry in everyone))
    if name == LARGEST:
        return MaximumPoint("the largest of the space", *most)
    own = costs(in_space(where, name), where.output, seq)
    point = MaximumPoint(registry.find(name)[1].title, size_of(own, size), own.operations)
    for mine, largest, what in zip(
        (point.parameters, point.operations), most, ("parameters", "operations"), strict=True
    ):
        if mine < largest:
            raise MaximumPointError(
                f"{point.title} is no maximum point of this space: it has {mine:,.4g} {what}, and a candidate has "
                f"{largest:,.4g}. Choose a larger model, or the largest of the space."
            )
    return point


def in_space(where: Space, name: str) -> Config:
    """The sizes of a model of the catalogue, all else as in the space; MaximumPointError where that is no model."""
    config = registry.architecture(name)[1]
    own, others = ({field for field in ARCHITECTURE if hasattr(entry, field)} for entry in (where.base, config))
    if own != others:
        raise MaximumPointError(
            f"{registry.find(name)[1].title} cannot be compared with this space, for only one of the two has "
            f"{', '.join(sorted(own ^ others))}. Choose a model of the family {where.family.title}."
        )
    changes: Any = {field: getattr(config, field) for field in own}
    return replace(where.base, **changes)


def size_of(entry: Costs, size: str) -> int:
    """p: one of SIZES."""
    return entry.effective if size == "effective" else entry.parameters


def _check_size(size: str) -> None:
    if size not in SIZES:
        raise ValueError(f"size: expected {' or '.join(SIZES)}, got {size!r}.")


# -- errors by formula -------------------------------------------------------------------------------------------------

ErrorModel = Callable[[Config, Costs], float]


@dataclass(frozen=True, slots=True)
class NamedError:
    """An error by formula: what people call it, the formula, and what it is good for."""

    title: str
    formula: str
    about: str
    error: ErrorModel


def _equal(config: Config, entry: Costs) -> float:
    return 1.0


def _width_depth(config: Config, entry: Costs) -> float:
    return 1.5 + 1_000 / (config.depth * config.hidden_size)


def _power(config: Config, entry: Costs) -> float:
    return float((8.8e13 / max(entry.effective, 1)) ** 0.076)


ERRORS: Mapping[str, NamedError] = {
    "equal": NamedError("The same for all", "e = 1", "size and speed alone decide: the smallest wins", _equal),
    "power": NamedError(
        "A power law of size",
        "e = (8.8·10¹³ / N)^0.076",
        "N weights without embeddings, as Kaplan et al. 2020 (arXiv 2001.08361) fitted it to language models that "
        "read left to right: a shape for the curve, no measurement of these models",
        _power,
    ),
    "width-depth": NamedError(
        "Falls with width × depth",
        "e = 1.5 + 1000 / (D·H)",
        "invented, to see how the winner moves: the feed-forward part counts for nothing in it",
        _width_depth,
    ),
}
"""Errors that need no training. None of them is a result."""


def error_model(name: str) -> NamedError:
    """An error by its name; ValueError for one that there is not."""
    if name not in ERRORS:
        raise ValueError(f"Unknown error {name[:80]!r}. Known: {', '.join(ERRORS)}, or a file of measured errors.")
    return ERRORS[name]
