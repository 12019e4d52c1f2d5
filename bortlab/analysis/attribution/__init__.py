"""Attribution: which words decided? A model's answer, shared out among the words of the text.

    encoding = model.encode("Paris is the [MASK] of France.")
    target = attribution.token(model, encoding, "capital", against="city")
    result = attribution.attribute(model, encoding, target, method="integrated-gradients")
    print(result)

Gradient methods vary the output of `embed`, through a pure function of it; the template, the blanks, the positions and
the token types stay as they are. Perturbation methods put the baseline's vector in the place of words.
"""

from __future__ import annotations

from bortlab.analysis.attribution.assessing import Assessment, assess
from bortlab.analysis.attribution.attributing import TOLERABLE, Attribution, attribute, solve
from bortlab.analysis.attribution.layers import Head, Slopes, heads_of, of_heads, slopes
from bortlab.analysis.attribution.methods import METHODS, Kind, Method
from bortlab.analysis.attribution.problem import BASELINES, Baseline, By, Problem, of_layer, of_text, units_of, varied
from bortlab.analysis.attribution.question import Question
from bortlab.analysis.attribution.targets import SCALES, Scale, Target, WholeText, label, piece_of, span, token
from bortlab.analysis.attribution.trust import (
    Curves,
    Repeated,
    agreement,
    curves,
    rank_correlation,
    repeated,
    with_random_weights,
)

__all__ = [
    "BASELINES",
    "METHODS",
    "SCALES",
    "TOLERABLE",
    "Assessment",
    "Attribution",
    "Baseline",
    "By",
    "Curves",
    "Head",
    "Kind",
    "Method",
    "Problem",
    "Question",
    "Repeated",
    "Scale",
    "Slopes",
    "Target",
    "WholeText",
    "agreement",
    "assess",
    "attribute",
    "curves",
    "heads_of",
    "label",
    "of_heads",
    "of_layer",
    "of_text",
    "piece_of",
    "rank_correlation",
    "repeated",
    "slopes",
    "solve",
    "span",
    "token",
    "units_of",
    "varied",
    "with_random_weights",
]
