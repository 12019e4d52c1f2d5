"""From running text to sentences: plain quotes, one space, and a cut where a sentence ends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MAX_WORDS = 120
"""Words of the longest sentence; what is longer is a list or a table."""
PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019", "'")
    | dict.fromkeys("\u201c\u201d", '"')
    | dict.fromkeys("\u2060\u200b\u00ad\ufeff")  # invisible
    | {"\u2026": "..."}
)
ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:Mr|Mrs|Ms|Dr|St|Mt|Prof|Rev|Gen|Col|Capt|Lt|Sgt|Hon|Jr|Sr|Fig|No|Vol|vs|etc|p|pp|e\.g|i\.e|cf|[A-Z])\.$"
)
ENDS = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")
COMPLETE = re.compile(r"[.!?:][\"')\]]*$")


def plain(text: str) -> str:
    """Typographic quotes and spaces made plain."""
    return " ".join(text.translate(PLAIN).split())


def split(text: str) -> Iterator[str]:
    """The sentences of a paragraph."""
    text = plain(text)
    start = 0
    for end in ENDS.finditer(text):
        sentence = text[start : end.end()].rstrip()
        if not ABBREVIATION.search(sentence):
            yield sentence
            start = end.end()
    if text[start:]:
        yield text[start:]


def is_complete(sentence: str) -> bool:
    """Does it end as a sentence does, say a word, and keep to a sentence's length?"""
    words = len(sentence.split())
    return bool(COMPLETE.search(sentence)) and words <= MAX_WORDS and any(map(str.isalpha, sentence))


def of_paragraphs(paragraphs: Iterable[str]) -> list[str]:
    """The complete sentences of paragraphs, in order."""
    return [sentence for paragraph in paragraphs for sentence in split(paragraph) if is_complete(sentence)]
