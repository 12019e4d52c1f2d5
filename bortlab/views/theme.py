"""One colour a family on every page, light and dark, told apart also by people who do not see all colours.

Okabe and Ito's palette; text never relies on colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bortlab.models import FAMILIES

Mode = Literal["light", "dark"]

_PALETTE: dict[Mode, tuple[str, ...]] = {
    "light": ("#c2410c", "#0b7a5f", "#2456c7", "#5b6474", "#8a3a86", "#8a6d00"),
    "dark": ("#fb9a5b", "#3fc9a2", "#86abff", "#aab2c2", "#dd8ad6", "#e0c24a"),
}
INK: dict[Mode, str] = {"light": "#171b26", "dark": "#e8ebf2"}
FAINT: dict[Mode, str] = {"light": "#5a6272", "dark": "#a3acbd"}
PAPER: dict[Mode, str] = {"light": "#ffffff", "dark": "#11141b"}
GRID: dict[Mode, str] = {"light": "#e4e8f0", "dark": "#2a3040"}


@dataclass(frozen=True, slots=True)
class Look:
    """Colours of one theme."""

    mode: Mode

    @property
    def ink(self) -> str:
        """Text."""
        return INK[self.mode]

    @property
    def faint(self) -> str:
        """Text of less weight, still readable (4.5 : 1)."""
        return FAINT[self.mode]

    @property
    def grid(self) -> str:
        """Lines that only guide the eye."""
        return GRID[self.mode]

    @property
    def paper(self) -> str:
        """The page behind everything."""
        return PAPER[self.mode]

    @property
    def less(self) -> str:
        """What became less, in differences: orange, which nobody takes for blue."""
        return _PALETTE[self.mode][0]

    @property
    def more(self) -> str:
        """What became more, in differences: blue."""
        return _PALETTE[self.mode][2]

    def group(self, number: int) -> str:
        """One of a few colours for groups that are no families; they repeat."""
        return _PALETTE[self.mode][number % len(_PALETTE[self.mode])]

    def family(self, name: str) -> str:
        """The family's colour; families take the palette's colours in the order of the registry."""
        return _PALETTE[self.mode][list(FAMILIES).index(name) % len(_PALETTE[self.mode])]


def mixed(colour: str, other: str, share: float) -> str:
    """The opaque #rrggbb that has this share of the first colour, and of the other the rest."""
    parts = ((int(colour[n : n + 2], 16), int(other[n : n + 2], 16)) for n in (1, 3, 5))
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in parts)


def translucent(colour: str, alpha: float) -> str:
    """#rrggbb as rgba() of this opacity."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"
