"""Searches as pictures and sentences."""

from bortlab.views.search.axes import FAMILY, QUANTITIES, grouped, named
from bortlab.views.search.curves import agreements_frame, learning
from bortlab.views.search.heads import errors_by_heads, heads_sentences
from bortlab.views.search.points import cloud, pair, table
from bortlab.views.search.sentences import (
    bort_sentence,
    findings,
    length_sentence,
    moving_sentence,
    row_sentence,
    study_sentences,
    verdict_sentence,
    verdict_sentences,
)
from bortlab.views.search.timed import operations_and_milliseconds, timed_sentences
from bortlab.views.search.trained import errors, errors_frame, strides, strides_frame

__all__ = [
    "FAMILY",
    "QUANTITIES",
    "agreements_frame",
    "bort_sentence",
    "cloud",
    "errors",
    "errors_by_heads",
    "errors_frame",
    "findings",
    "grouped",
    "heads_sentences",
    "learning",
    "length_sentence",
    "moving_sentence",
    "named",
    "operations_and_milliseconds",
    "pair",
    "row_sentence",
    "strides",
    "strides_frame",
    "study_sentences",
    "table",
    "timed_sentences",
    "verdict_sentence",
    "verdict_sentences",
]
