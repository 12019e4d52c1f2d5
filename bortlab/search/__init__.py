"""Which sub-architecture is optimal? Also as a command: `bortlab search --space bort --stride 3`.

Bort is the result of a search (Optimal Subarchitecture Extraction, arXiv 2010.08512) whose code was never released.
Here is our interpretation of it, for any family of the lab: sizes and operations by closed formula, at once; the error
from a formula, from measurements of your own, or from candidates that are trained here, in the background.

    import bortlab

    extraction = bortlab.search("bort", maximum="bert-large-uncased", error="power")
    extraction.best
    bortlab.search.space("mine.toml").candidates

The room may be called, for it is named after what it does: `bortlab.search(...)` is `bortlab.search.search(...)`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from bortlab.search.extraction import Extraction, Row, UninformativeError, representatives, search
from bortlab.search.front import hypervolume, pareto_front
from bortlab.search.landmarks import LANDMARKS, Answer, Landmark, Standing, answers, answers_frame, standings
from bortlab.search.objective import ERRORS, LARGEST, SIZES, MaximumPoint, MaximumPointError, maximum_point
from bortlab.search.space import SPACES, Space, SpaceError, Subarchitecture, derived, parse_space, read_space, space

__all__ = [
    "ERRORS",
    "LANDMARKS",
    "LARGEST",
    "SIZES",
    "SPACES",
    "Answer",
    "Extraction",
    "Landmark",
    "MaximumPoint",
    "MaximumPointError",
    "Row",
    "Space",
    "SpaceError",
    "Standing",
    "Subarchitecture",
    "UninformativeError",
    "answers",
    "answers_frame",
    "derived",
    "hypervolume",
    "maximum_point",
    "pareto_front",
    "parse_space",
    "read_space",
    "representatives",
    "search",
    "space",
    "standings",
]


class _Callable(ModuleType):
    """A module that is called like its main function."""

    def __call__(self, *arguments: Any, **options: Any) -> Extraction:
        return search(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
