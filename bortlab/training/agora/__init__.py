"""Agora, the fine-tuning that Bort was published with and that was never released: our interpretation."""

from bortlab.training.agora.assumptions import Assumption, assumptions, labeller_accuracy, unmet
from bortlab.training.agora.learning import GRID, AgoraReport, Finetuner, agora, drawn_sets, labeller_named, scarce
from bortlab.training.agora.loop import AgoraPlan, AgoraResult, search
from bortlab.training.agora.points import GENERATORS, Point, edited_share, new_point
from bortlab.training.agora.pruning import RULES, Theta, pruned
from bortlab.training.agora.records import Candidate, History, Log, Round, kept

__all__ = [
    "GENERATORS",
    "GRID",
    "RULES",
    "AgoraPlan",
    "AgoraReport",
    "AgoraResult",
    "Assumption",
    "Candidate",
    "Finetuner",
    "History",
    "Log",
    "Point",
    "Round",
    "Theta",
    "agora",
    "assumptions",
    "drawn_sets",
    "edited_share",
    "kept",
    "labeller_accuracy",
    "labeller_named",
    "new_point",
    "pruned",
    "scarce",
    "search",
    "unmet",
]
