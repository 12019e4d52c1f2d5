"""A claim: a number as it was published, the same number counted here, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas

Verdict = Literal["holds", "nearly", "differs", "open"]

VERDICTS: dict[Verdict, str] = {
    "holds": "the same number, to the digits of the claim",
    "nearly": "within 3%",
    "differs": "further away",
    "open": "cannot be checked here",
}
"""What the verdicts mean."""
NEARLY = 0.03
DECIMALS = {"M": 2, "%": 1, "MB": 1, "×": 2}
"""Of a counted number, by the unit of the claim."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where something was published."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A published number and the counted one.

    family: whose paper it is. about: what the number is of. claimed: as published, a number and a unit of DECIMALS;
    its last digit says how exact it is. value: counted here, in that unit; None where counting says nothing.
    rounds_down: the source cut the number off instead of rounding it.
    """

    family: str
    about: str
    claimed: str
    value: float | None
    reason: str
    source: Source
    rounds_down: bool = False

    @property
    def counted(self) -> str:
        """The counted number, as text; "" for none."""
        if self.value is None:
            return ""
        unit = self._number_and_unit[1]
        text = f"{self.value:,.{DECIMALS[unit]}f}"
        return f"{text}{unit}" if unit in ("×", "%") else f"{text} {unit}"

    @property
    def verdict(self) -> Verdict:
        """How the counted number compares with the claim."""
        if self.value is None:
            return "open"
        number = self._number_and_unit[0]
        digit = 10.0 ** -len(number.partition(".")[2])
        value = self.value // digit * digit if self.rounds_down else self.value
        return judge(float(number), value, digit)

    @property
    def _number_and_unit(self) -> tuple[str, str]:
        number = self.claimed.rstrip("×%MB ")
        return number, self.claimed.removeprefix(number).strip()


def judge(claimed: float, counted: float, digit: float) -> Verdict:
    """The verdict on a number that was claimed to a multiple of `digit`."""
    if abs(counted - claimed) <= digit / 2:
        return "holds"
    return "nearly" if abs(counted - claimed) <= NEARLY * abs(claimed) else "differs"


def frame(claims: Iterable[Claim]) -> pandas.DataFrame:
    """One row per claim."""
    import pandas

    return pandas.DataFrame(
        [
            {
                "claim": claim.about,
                "claimed": claim.claimed,
                "counted here": claim.counted,
                "verdict": claim.verdict,
                "reason": claim.reason,
                "source": claim.source.name,
                "url": claim.source.url,
            }
            for claim in claims
        ]
    )
