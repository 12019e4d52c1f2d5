"""Random numbers for captum, which takes the global ones of torch and numpy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import torch

_globals = threading.Lock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's and numpy's global random numbers from a seed, for one thread at a time; put back afterwards."""
    with _globals:
        before, numpys = torch.get_rng_state(), numpy.random.get_state()
        try:
            torch.default_generator.manual_seed(seed)
            numpy.random.seed(seed)
            yield
        finally:
            torch.set_rng_state(before)
            numpy.random.set_state(numpys)
