"""How much work a page does while the visitor waits; more than that is a job.

It is counted in multiply-adds, from the sizes of model and text, and never by a clock: so models side by side behave
alike, and the same link shows the same page on a busy machine.
"""

from __future__ import annotations

MOST_MULTIPLY_ADDS = 1.5e11
"""About ten seconds of two cores for a large model, and of one for the minis, whose matrices are small."""


def is_long(multiply_adds: float) -> bool:
    """Is this too much to wait for?"""
    return multiply_adds > MOST_MULTIPLY_ADDS
