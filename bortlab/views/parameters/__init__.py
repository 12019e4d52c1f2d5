"""Where the weights are, as pictures: stacked bars, sunburst and treemap, curves, and architectures drawn to scale."""

from bortlab.views.parameters.charts import COLOURS, curve, hierarchy, proportions, stacked_bars
from bortlab.views.parameters.counted import CountedModel, colour_of
from bortlab.views.parameters.drawings import Scale, one_block, scale_of, stack

__all__ = [
    "COLOURS",
    "CountedModel",
    "Scale",
    "colour_of",
    "curve",
    "hierarchy",
    "one_block",
    "proportions",
    "scale_of",
    "stack",
    "stacked_bars",
]
