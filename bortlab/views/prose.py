"""Small parts of sentences that are computed from data."""

from __future__ import annotations

from collections.abc import Sequence


def names(items: Sequence[str], *, most: int | None = None) -> str:
    """One or more things in a row; of more than `most`, the first ones and how many more there are.

    >>> names(["a", "b", "c"])
    'a, b and c'
    >>> names(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    if most is not None and len(items) > most:
        items = [*items[:most], f"{len(items) - most} more"]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def which(texts: Sequence[str], index: int) -> str:
    """Which one it is of a text that occurs more than once; "" for one that does not.

    >>> which(["the", "cat", "the"], 2)
    ' (2 of 2)'
    """
    same = [n for n, text in enumerate(texts) if text == texts[index]]
    return f" ({same.index(index) + 1} of {len(same)})" if len(same) > 1 else ""


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number of things.

    >>> counted(1, "piece"), counted(1200, "piece")
    ('1 piece', '1,200 pieces')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
