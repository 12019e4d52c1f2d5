"""The parts of the Latency page, and what other pages tell their visitors while something is measured."""

from bortlab.ui.latency.claims import claims
from bortlab.ui.latency.comparing import compare
from bortlab.ui.latency.engines import engines
from bortlab.ui.latency.explanation import EXPLANATION
from bortlab.ui.latency.measuring import first_visit, latest_job, measure, notice, progress
from bortlab.ui.latency.pictures import VIEWS, show
from bortlab.ui.latency.results import about, choose, results, take_away

__all__ = [
    "EXPLANATION",
    "VIEWS",
    "about",
    "choose",
    "claims",
    "compare",
    "engines",
    "first_visit",
    "latest_job",
    "measure",
    "notice",
    "progress",
    "results",
    "show",
    "take_away",
]
