"""Pareto fronts: what nothing else beats in every respect. Smaller is better in all columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def pareto_front(points: ArrayLike) -> NDArray[np.bool_]:
    """Which of the points (points, objectives) are on the front: (points,).

    A point is off the front if another is at most as large in every objective and smaller in one; equal points are on
    it together. Sorted first, a point can only be beaten by one before it.

    Raises:
        ValueError: for points that are no table of numbers, or hold NaN.
    """
    table = as_table(points)
    on_front = np.zeros(len(table), dtype=bool)
    kept: list[Floats] = []
    for index in np.lexsort(table.T[::-1]):
        point = table[index]
        if kept:
            others = np.asarray(kept)
            beaten = (others <= point).all(1) & (others < point).any(1)
            if beaten.any():
                continue
        kept.append(point)
        on_front[index] = True
    return on_front


def hypervolume(points: ArrayLike, reference: Sequence[float]) -> float:
    """The volume between points (points, 2 or 3 objectives) and a reference that is worse than all of them.

    What lies beyond the reference counts for nothing. By slices along the last objective (Zitzler and Thiele 1998).
    """
    table = as_table(points)
    corner = np.asarray(reference, dtype=np.float64)
    if table.shape[1] != len(corner) or table.shape[1] not in (2, 3):
        raise ValueError(f"hypervolume: expected 2 or 3 objectives and as long a reference, got {table.shape[1]}.")
    inside = table[(table < corner).all(1)]
    if not len(inside):
        return 0.0
    if table.shape[1] == 2:
        return _area(inside, corner)
    order = inside[np.argsort(inside[:, 2], kind="stable")]
    depths = np.diff(np.append(order[:, 2], corner[2]))
    return float(
        sum(depth * _area(order[: number + 1, :2], corner[:2]) for number, depth in enumerate(depths) if depth)
    )


def _area(points: Floats, corner: Floats) -> float:
    """The area that points (points, 2) cover below and left of a corner."""
    area, lowest = 0.0, float(corner[1])
    for x, y in points[np.lexsort((points[:, 1], points[:, 0]))]:
        if y < lowest:
            area += (corner[0] - x) * (lowest - y)
            lowest = y
    return float(area)


def as_table(points: ArrayLike) -> Floats:
    """Points as (points, objectives); ValueError for anything else, and for NaN."""
    table = np.asarray(points, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1]:
        raise ValueError(f"Expected a table of points and objectives, got a shape of {table.shape}.")
    if np.isnan(table).any():
        raise ValueError(
            f"Point {int(np.isnan(table).any(1).argmax()) + 1} has a NaN: it can be compared with nothing."
        )
    return table
