"""How long each contestant takes for a text of this very data, one at a time, tokenising included."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bortlab.analysis.intervals import Interval
from bortlab.analysis.latency.timing import p50
from bortlab.data.labelled import Example

TEXTS, ROUNDS = 24, 7
"""Texts that speed is measured on, and turns that each contestant has with all of them."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """What is measured: a name, and a function of one example."""

    key: str
    answer: Callable[[Example], object]


def milliseconds(contestants: Sequence[Contestant], examples: Sequence[Example]) -> dict[str, Interval]:
    """The median time of a text for each, with its 95% interval; they take turns in random order in this process."""
    rng = random.Random(0)
    texts = rng.sample(list(examples), min(TEXTS, len(examples)))
    times: dict[str, list[list[float]]] = {contestant.key: [] for contestant in contestants}
    for contestant in contestants:
        contestant.answer(texts[0])  # the first call prepares what later ones use again
    for _ in range(ROUNDS):
        for contestant in rng.sample(list(contestants), len(contestants)):
            turn = []
            for text in texts:
                started = time.perf_counter()
                contestant.answer(text)
                turn.append(1_000 * (time.perf_counter() - started))
            times[contestant.key].append(turn)
    return {key: p50(np.array(turns)) for key, turns in times.items()}
