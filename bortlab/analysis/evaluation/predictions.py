"""What a model or a baseline said of labelled examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bortlab.data.labelled import LabelOf

Probabilities = NDArray[np.float64]
"""(examples, classes). Of single labels each row sums to 1; of several labels each number is a probability."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """A label for each example, in the form that `Example.label` has; an answer's characters count from the context's.

    probabilities: of the classes, None for tasks without classes and for models that give none.
    """

    labels: tuple[LabelOf, ...]
    probabilities: Probabilities | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def confidence(self) -> NDArray[np.float64] | None:
        """(examples,): how probable the predicted class is; None without probabilities."""
        return None if self.probabilities is None else self.probabilities.max(1)
