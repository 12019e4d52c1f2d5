"""Checks of arguments."""

from __future__ import annotations


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """ValueError unless an argument is a whole number from low to high."""
    if not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, got {value!r}.")
