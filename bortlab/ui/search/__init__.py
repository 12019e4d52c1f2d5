"""The parts of the Search page."""

from bortlab.ui.search.exact import answer, fronts, moving, one_candidate, published, take_away
from bortlab.ui.search.explanation import EXPLANATION
from bortlab.ui.search.grids import own, trained
from bortlab.ui.search.heads import number_of_heads
from bortlab.ui.search.measured import milliseconds
from bortlab.ui.search.setting import extract, settings

__all__ = [
    "EXPLANATION",
    "answer",
    "extract",
    "fronts",
    "milliseconds",
    "moving",
    "number_of_heads",
    "one_candidate",
    "own",
    "published",
    "settings",
    "take_away",
    "trained",
]
