"""Does a model's confidence mean what it says? Of predictions made with 80%, four in five should be right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of similar confidence: the ends of the bin, how many, their mean confidence, the share right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """bins: those that hold predictions. ece: expected calibration error, the mean distance between confidence and
    accuracy over predictions (Guo et al. 2017, equation 3)."""

    bins: tuple[Bin, ...]
    ece: float


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_], *, bins: int = BINS) -> Calibration:
    """Confidences (examples,) of predictions and whether they are right (examples,), in bins of equal width."""
    if confidence.shape != right.shape or not len(right):
        raise ValueError(f"Expected as many confidences as outcomes, got {len(confidence)} and {len(right)}.")
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    filled = tuple(
        Bin(
            low=float(edges[number]),
            high=float(edges[number + 1]),
            count=int(chosen.sum()),
            confidence=float(confidence[chosen].mean()),
            accuracy=float(right[chosen].mean()),
        )
        for number in range(bins)
        if (chosen := place == number).any()
    )
    error = sum(item.count * abs(item.confidence - item.accuracy) for item in filled) / len(right)
    return Calibration(filled, float(error))
