"""What the pictures of a search share: the quantities of a candidate, its name for people, and the layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bortlab.search import Extraction, Row
from bortlab.system.numbers import short_count
from bortlab.views.figures import layout, legend_above
from bortlab.views.theme import Look

FAMILY = "bort"
"""Whose colour the pictures have: the family that was found by such a search."""
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross")
"""Marks of groups of points, which no colour alone tells apart; they repeat."""
Group = tuple[Row, ...]
"""Candidates with the same costs and the same error: one point of a picture."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that candidates are drawn by. logarithmic: its scale; more: is more of it better?"""

    title: str
    value: Callable[[Row], float]
    written: Callable[[float], str]
    logarithmic: bool
    more: bool = False


def _plain(value: float) -> str:
    return f"{value:.3g}"


QUANTITIES: Mapping[str, Quantity] = {
    "parameters": Quantity("parameters", lambda row: row.costs.parameters, short_count, True),
    "effective": Quantity("parameters without embeddings", lambda row: row.costs.effective, short_count, True),
    "operations": Quantity("operations of one text", lambda row: row.costs.operations, short_count, True),
    "error": Quantity("error", lambda row: row.error if row.error is not None else float("nan"), _plain, False),
    "W": Quantity("W", lambda row: row.w if row.w is not None else float("nan"), _plain, False, more=True),
}
"""By name."""


def grouped(rows: Sequence[Row]) -> list[Group]:
    """Candidates that no axis tells apart, together: in Bort's space those that differ in heads alone."""
    groups: dict[tuple[int, int, float | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.costs.parameters, row.costs.operations, row.error), []).append(row)
    return [tuple(group) for group in groups.values()]


def named(extraction: Extraction, group: Sequence[Row]) -> str:
    """The name of some candidates: the sizes that they share, and all values of the others: "D 4 · A 4, 8 or 16"."""
    parts = []
    for place, letter in enumerate(extraction.space.letters):
        values = [f"{value:,}" for value in sorted({row.candidate.sizes[place] for row in group})]
        parts.append(f"{letter} {values[0] if len(values) == 1 else ', '.join(values[:-1]) + ' or ' + values[-1]}")
    return " · ".join(parts)


def chart_layout(look: Look, height: int, **axes: Any) -> dict[str, Any]:
    """The layout of a picture of this page: the legend above it, and room for an axis with its title below."""
    return layout(look, height, margin={"l": 4, "r": 8, "t": 8, "b": 44}, **legend_above(), **axes)
