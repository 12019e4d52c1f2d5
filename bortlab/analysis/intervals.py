"""Estimates with how sure they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the ends of its 95% confidence interval."""

    value: float
    low: float
    high: float
