"""What columns of labelled data are called, the commonest names first."""

from __future__ import annotations

import re

TEXT_NAMES = (
    "text",
    "sentence",
    "sentence1",
    "text1",
    "text_a",
    "premise",
    "question1",
    "q1",
    "review",
    "tweet",
    "content",
    "body",
    "message",
    "comment",
    "document",
    "snippet",
    "utterance",
    "query",
    "prompt",
    "question",
    "words",
    "tokens",
    "ctx",
    "definition",
    "description",
    "title",
    "input",
)
PAIR_NAMES = (
    "pair",
    "text2",
    "sentence2",
    "text_b",
    "hypothesis",
    "question2",
    "q2",
    "context",
    "passage",
    "response",
    "second",
)
LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "classes",
    "category",
    "sentiment",
    "intent",
    "emotion",
    "genre",
    "topic",
    "stars",
    "rating",
    "score",
    "target",
    "gold",
    "answers",
    "answer",
    "ner_tags",
    "pos_tags",
    "upos",
    "tags",
    "tag",
    "similarity",
    "polarity",
    "y",
)
SPLIT_NAMES = ("split", "set", "subset", "partition", "fold", "part")
KNOWN_NAMES = frozenset((*TEXT_NAMES, *PAIR_NAMES, *LABEL_NAMES, *SPLIT_NAMES))


def plain_name(column: str) -> str:
    """A column's name in lower case, with _ for spaces and hyphens."""
    return re.sub(r"[\s-]+", "_", column.strip().lower())
