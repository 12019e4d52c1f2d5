"""Agora, the fine-tuning that Bort was published with and that was never released: our interpretation."""

from bortlab.training.agora.learning import (
    GRID,
    AgoraReport,
    Finetuner,
    agora,
    assumptions,
    drawn_sets,
    labeller_accuracy,
    labeller_named,
)
from bortlab.training.agora.loop import AgoraPlan, AgoraResult, search
from bortlab.training.agora.points import GENERATORS, Point, edited_share, new_point
from bortlab.training.agora.pruning import RULES, Theta, pruned
from bortlab.training.agora.records import Candidate, Log, Round

__all__ = [
    "GENERATORS",
    "GRID",
    "RULES",
    "AgoraPlan",
    "AgoraReport",
    "AgoraResult",
    "Candidate",
    "Finetuner",
    "Log",
    "Point",
    "Round",
    "Theta",
    "agora",
    "assumptions",
    "drawn_sets",
    "edited_share",
    "labeller_accuracy",
    "labeller_named",
    "new_point",
    "pruned",
    "search",
]
