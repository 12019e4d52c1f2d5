"""Measured times as pictures and sentences: bars with intervals, curves over length and batch, size, speed, quality."""

from bortlab.views.latency.bars import share_of_peak, speed_ups, times
from bortlab.views.latency.curves import scaling, scaling_axes
from bortlab.views.latency.engines import engine_findings, engine_times, engine_title
from bortlab.views.latency.labels import condition, differing, label
from bortlab.views.latency.points import pareto_points, size_and_speed, size_speed_quality

__all__ = [
    "condition",
    "differing",
    "engine_findings",
    "engine_times",
    "engine_title",
    "label",
    "pareto_points",
    "scaling",
    "scaling_axes",
    "share_of_peak",
    "size_and_speed",
    "size_speed_quality",
    "speed_ups",
    "times",
]
