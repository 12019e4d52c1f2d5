"""How a model is fine-tuned: every number that decides what a run computes, beside the data and the start."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from bortlab.models import Config
from bortlab.system.checks import check_whole

LEAST_STEPS, MOST_EPOCHS, FEWEST_EPOCHS = 220, 15, 4
"""Few examples are read more often: fine-tuning of BERT on small data fails mostly because it stops too soon (Zhang et
al. 2021, arXiv 2006.05987, section 6; Mosbach et al. 2021, arXiv 2006.04884)."""


def default_rate(width: int) -> float:
    """The rate for an encoder of this width: what BERT-base (768) is fine-tuned with, and more for narrower ones."""
    return 5e-5 * math.pow(768 / width, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneRecipe:
    """The hyper-parameters of one fine-tuning.

    rate: the highest learning rate, of AdamW, after the warm-up and before the linear decay to 0. epochs: 0 chooses by
    the number of examples (`epochs_for`). batch: examples of an optimiser step; accumulate: parts that it is computed
    in, to save memory. warmup: share of the steps. head_rate: the head, whose weights begin as noise, learns at so many
    times the rate. layer_decay: each layer learns at this share of the rate of the one
    above it. frozen_layers: so many of the lowest layers, and the embeddings, stay as they are; -1 freezes nothing.
    balanced: weigh classes by the inverse of their frequency. patience: epochs without a better dev score after which
    the run ends. length: most pieces of a text. dropout: of the encoder while it learns. seed: of the head's first
    weights, the order of examples and dropout.
    """

    rate: float
    epochs: int = 0
    batch: int = 16
    accumulate: int = 1
    warmup: float = 0.1
    weight_decay: float = 0.01
    head_rate: float = 10.0
    layer_decay: float = 1.0
    frozen_layers: int = -1
    balanced: bool = False
    clip: float = 1.0
    patience: int = 4
    length: int = 128
    dropout: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 0, 1_000),
            ("batch", 1, 1_024),
            ("accumulate", 1, self.batch),
            ("patience", 1, 1_000),
            ("length", 8, 4_096),
            ("seed", 0, 2**31 - 1),
            ("frozen_layers", -1, 48),
        ):
            check_whole(name, getattr(self, name), low, high)
        for name, lowest, highest in (
            ("rate", 0.0, 1.0),
            ("warmup", 0.0, 1.0),
            ("weight_decay", 0.0, 1.0),
            ("head_rate", 0.0, 1e3),
            ("layer_decay", 0.0, 1.0),
            ("clip", 0.0, 1e6),
            ("dropout", 0.0, 0.9),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and lowest <= value <= highest) or (value == 0 and name in _POSITIVE):
                raise ValueError(f"{name}: expected a number above {lowest:g} and up to {highest:g}, got {value!r}.")

    @classmethod
    def default(cls, config: Config, **changes: object) -> Self:
        """What works for an encoder of these sizes: the narrower it is, the higher the rate."""
        recipe = cls(rate=default_rate(config.hidden_size), length=min(128, config.max_position_embeddings))
        return replace(recipe, **changes)  # type: ignore[arg-type]

    def epochs_for(self, n_examples: int) -> int:
        """How often the examples are read at most."""
        if self.epochs:
            return self.epochs
        steps = math.ceil(n_examples / self.batch)
        return min(MOST_EPOCHS, max(FEWEST_EPOCHS, math.ceil(LEAST_STEPS / steps)))

    def rate_at(self, step: int, steps: int) -> float:
        """The rate of a step, of so many: linear up over the warm-up, then linear down to 0 (Devlin et al. 2018)."""
        up = max(1, round(self.warmup * steps))
        return self.rate * min((step + 1) / up, (steps - step) / max(1, steps - up), 1.0)


_POSITIVE = ("rate", "clip", "head_rate", "layer_decay")
