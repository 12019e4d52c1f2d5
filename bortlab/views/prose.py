"""Small parts of sentences that are computed from data."""

from __future__ import annotations

from collections.abc import Sequence


def names(items: Sequence[str]) -> str:
    """One or more things in a row.

    >>> names(["a", "b", "c"])
    'a, b and c'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number of things.

    >>> counted(1, "piece"), counted(1200, "piece")
    ('1 piece', '1,200 pieces')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
