"""Where an adapted model comes from: which model was trained further, on what, and what that was worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from bortlab.system.numbers import short_count

ADAPTED_KEY = "bortlab_adapted"
"""The key of config.json under which it stands."""
SENSIBLE = 0.10
"""How much more often than by guessing the commonest piece a head must be right, as a share of the hidden pieces, for
its guesses to mean much: heads on frozen encoders stay below (docs/adapt.md)."""
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """A model that was trained further to fill blanks, so that its weights are no longer those of its base.

    base, revision: the model that it was. text: name of what it read. pieces: how many it read. trained: "all",
    "top:N" or "head". accuracy: share of held-out hidden pieces guessed first; before: of the base, frequency: of who
    always guesses the commonest piece. None: not measured.
    """

    base: str
    revision: str = ""
    text: str = ""
    pieces: int = 0
    trained: str = "all"
    accuracy: float | None = None
    before: float | None = None
    frequency: float | None = None

    @classmethod
    def read(cls, extra: Mapping[str, Any]) -> Self | None:
        """What config.json says; None where it says nothing, or nothing that makes sense: it may be anybody's."""
        data = extra.get(ADAPTED_KEY)
        if not isinstance(data, dict) or not data.keys() <= set(cls.__dataclass_fields__) or "base" not in data:
            return None
        texts = [data[name] for name in ("base", "revision", "text", "trained") if name in data]
        shares = [data[name] for name in ("accuracy", "before", "frequency") if data.get(name) is not None]
        pieces = data.get("pieces", 0)
        well_formed = (
            all(isinstance(text, str) and len(text) <= _LONGEST for text in texts)
            and all(isinstance(share, float | int) and math.isfinite(share) and 0 <= share <= 1 for share in shares)
            and isinstance(pieces, int)
            and 0 <= pieces < 10**15
        )
        return cls(**data) if well_formed else None

    def to_json(self) -> dict[str, Any]:
        """As config.json keeps it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def is_weak(self) -> bool:
        """Whether its guesses are hardly better than guessing by frequency."""
        return self.accuracy is not None and self.accuracy < (self.frequency or 0.0) + SENSIBLE

    @property
    def origin(self) -> str:
        """Such as "conv-bert-base, 2.0 M pieces"."""
        part = {"all": "", "head": ", head alone"}.get(self.trained, f", {self.trained.replace('top:', 'top ')} layers")
        return f"{self.base}, {short_count(self.pieces)} pieces{part}"
