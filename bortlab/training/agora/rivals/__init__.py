"""Does Agora help? Its rivals on the same splits with as many trainings each, and what the differences say.

The experiment itself is `rivals.experiment`, which is run as a program.
"""

from bortlab.training.agora.rivals.arms import ARMS, Contest
from bortlab.training.agora.rivals.record import Record, by_round, differences, recorded, splits_of
from bortlab.training.agora.rivals.trainings import Trainings
from bortlab.training.agora.rivals.verdict import verdict

__all__ = [
    "ARMS",
    "Contest",
    "Record",
    "Trainings",
    "by_round",
    "differences",
    "recorded",
    "splits_of",
    "verdict",
]
