"""Seeds drawn again, to say what of a trained grid is stable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

MOST_RESAMPLINGS = 1_000

Floats = NDArray[np.float64]


def resamplings(errors: Floats) -> Iterator[Floats]:
    """Mean errors (candidates, ...) of errors (candidates, seeds, ...) for seeds drawn again with replacement.

    The seeds of a grid are shared: seed 1 is one order of the text for all. So all candidates are drawn the same. With
    few seeds every draw is gone through, otherwise MOST_RESAMPLINGS of them.
    """
    n = errors.shape[1]
    if n**n <= MOST_RESAMPLINGS:
        draws: Iterator[Sequence[int]] = product(range(n), repeat=n)
    else:
        draws = iter(np.random.default_rng(0).integers(0, n, (MOST_RESAMPLINGS, n)).tolist())
    for draw in draws:
        yield errors[:, list(draw)].mean(1)
