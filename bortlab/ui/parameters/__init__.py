"""The parts of the Parameters page."""

from bortlab.ui.parameters.claims import claimed
from bortlab.ui.parameters.comparing import architectures, inside, show
from bortlab.ui.parameters.explanation import EXPLANATION
from bortlab.ui.parameters.setting import DEFAULT, TASKS, choose, count, settings
from bortlab.ui.parameters.what_if import what_if

__all__ = [
    "DEFAULT",
    "EXPLANATION",
    "TASKS",
    "architectures",
    "choose",
    "claimed",
    "count",
    "inside",
    "settings",
    "show",
    "what_if",
]
