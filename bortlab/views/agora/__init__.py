"""Agora as pictures: its rounds, the points that it makes, and its rivals."""

from bortlab.views.agora.points import points, points_frame
from bortlab.views.agora.rivals import by_task, over_fitting, over_fitting_frame, rivals, rivals_frame, splits_frame
from bortlab.views.agora.rivals import points as points_of
from bortlab.views.agora.rounds import named, round_sentences, rounds, rounds_frame
from bortlab.views.agora.sentences import (
    answer,
    settings_sentence,
    verdict_sentences,
)

__all__ = [
    "answer",
    "by_task",
    "named",
    "over_fitting",
    "over_fitting_frame",
    "points",
    "points_frame",
    "points_of",
    "rivals",
    "rivals_frame",
    "round_sentences",
    "rounds",
    "rounds_frame",
    "settings_sentence",
    "splits_frame",
    "verdict_sentences",
]
