"""Does Agora help? Its rivals on the same splits with as many trainings each, and what the differences say."""

from bortlab.training.agora.rivals.arms import ARMS, Contest
from bortlab.training.agora.rivals.experiment import (
    PRIMARY,
    TASKS,
    ExperimentPlan,
    collected,
    run_experiment,
    settings_of,
    split_of,
    work,
)
from bortlab.training.agora.rivals.trainings import Trainings
from bortlab.training.agora.rivals.verdict import verdict

__all__ = [
    "ARMS",
    "PRIMARY",
    "TASKS",
    "Contest",
    "ExperimentPlan",
    "Trainings",
    "collected",
    "run_experiment",
    "settings_of",
    "split_of",
    "verdict",
    "work",
]
