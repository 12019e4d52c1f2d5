"""What a masked-LM head puts in a text's blanks."""

from __future__ import annotations

from dataclasses import dataclass

from bortlab.system.numbers import percent
from bortlab.text import Encoding


@dataclass(frozen=True, slots=True)
class Candidate:
    """One piece for a blank: as the vocabulary spells it, as a person reads it, and how probable it is."""

    token: str
    text: str
    id: int
    probability: float
    log_probability: float


@dataclass(frozen=True, slots=True)
class Blank:
    """One mask: which piece it is, its characters start to end in the text, and its candidates, best first."""

    position: int
    start: int
    end: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class FilledMask:
    """A text and what a model puts in its blanks, in the order of the text. `print` shows a table."""

    encoding: Encoding
    blanks: tuple[Blank, ...]

    def __str__(self) -> str:
        lines = [self.encoding.text if self.encoding.pair is None else f"{self.encoding.text} | {self.encoding.pair}"]
        if self.encoding.truncated:
            lines.append(f"(too long: the last {self.encoding.truncated} pieces were left out)")
        for number, blank in enumerate(self.blanks, 1):
            if len(self.blanks) > 1:
                lines.append(f"blank {number}, characters {blank.start} to {blank.end}")
            rows = [(_visible(c.text), c.probability) for c in blank.candidates]
            width = max(len(text) for text, _ in rows)
            lines += [f"  {text:<{width}}  {percent(probability):>8}" for text, probability in rows]
        return "\n".join(lines)


def _visible(text: str) -> str:
    """A piece as it is, or quoted where it would be blank or break a line."""
    return text if text.strip() and text.isprintable() else repr(text)
