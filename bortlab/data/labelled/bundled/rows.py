"""What every bundled task is made of: rows in groups, split by hash of the group."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bortlab.data.corpus import Document


@dataclass(frozen=True, slots=True)
class Row:
    """An example on disk. group: what is split as one, such as a synset or a chapter. labels: of words."""

    text: str
    label: str | float
    group: str
    pair: str | None = None
    words: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def number(*parts: str) -> int:
    """A number that looks like chance and is the same for ever."""
    return int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:8], "big")


def shuffled(rows: Iterable[Row], task: str) -> list[Row]:
    """Rows in an order that looks like chance and is the same for ever."""
    return sorted(rows, key=lambda row: number(task, row.group, row.text, row.pair or ""))


@lru_cache(maxsize=1 << 16)
def split_of(task: str, group: str) -> str:
    """The split of a group, by its hash alone: 8 of 11 to train, 1 to dev, 2 to test."""
    place = number(task, "split", group) % 11
    return "test" if place < 2 else "dev" if place == 2 else "train"


def divided(task: str, rows: Iterable[Row], limits: Mapping[str, int]) -> dict[str, list[Row]]:
    """Rows by split, no text twice, at most `limits` of each; those that come first stay."""
    parts: dict[str, list[Row]] = {split: [] for split in limits}
    texts: set[tuple[str, str]] = set()
    for row in rows:
        split, content = split_of(task, row.group), (row.text.casefold(), (row.pair or "").casefold())
        if content not in texts and len(parts[split]) < limits[split]:
            texts.add(content)
            parts[split].append(row)
    return parts


# -- synsets, as the corpus describes them -----------------------------------------------------------------------------

NOUN_FILES = {
    "tops": 1740,
    "act": 34479,
    "animal": 1313093,
    "artifact": 2665985,
    "attribute": 4615866,
    "body": 5216365,
    "cognition": 5611302,
    "communication": 6251781,
    "event": 7283364,
    "feeling": 7479926,
    "food": 7555863,
    "group": 7938773,
    "location": 8489497,
    "motive": 9178727,
    "object": 9186064,
    "person": 9483738,
    "phenomenon": 11408559,
    "plant": 11529603,
    "possession": 13240514,
    "process": 13423405,
    "quantity": 13575869,
    "relation": 13780449,
    "shape": 13860793,
    "state": 13920012,
    "substance": 14580597,
    "time": 15113229,
}
"""WordNet 3.0's lexicographer files of nouns (lexnames(5)) -> the first offset in each: data.noun holds one after the
other, so that a synset's number tells its file."""
SUBJECT = (
    re.compile(r"(.+?) (?:is|are) a kind of .+"),
    re.compile(r"(To .+?) is one way to .+"),
    re.compile(r"(To .+?) is to .+"),
    re.compile(r"The verb (.+?) (?:is|means) .+"),
    re.compile(r"The word (.+?) is .+"),
    re.compile(r"(?:In .+?, )?(.+?) means .+"),
    re.compile(r"Something that is (.+?) .+"),
)


def pos_of(document: Document) -> str:
    """n, v, a or r of a synset, "" for a chapter."""
    return document.id.split("/")[1] if document.source == "wordnet" else ""


def noun_file(document: Document) -> str:
    """The lexicographer file of a noun's synset."""
    offset = int(document.id.split("/")[2])
    return max((name for name in NOUN_FILES if NOUN_FILES[name] <= offset), key=NOUN_FILES.__getitem__)


def subject_of(document: Document) -> str:
    """What the sentences of a synset are about, as they begin: "A beagle", "To say", "Weird"; "" where none says so."""
    for form in SUBJECT:
        match = form.fullmatch(document.sentences[0])
        if match:
            return match[1]
    return ""


def commonest_first(documents: Iterable[Document]) -> list[Document]:
    """Synsets by how often they are used."""
    return sorted(documents, key=lambda document: (-document.count, document.id))


def words_in(text: str) -> set[str]:
    """The lower-case words of a text."""
    return set(re.findall(r"[a-z]+", text.lower()))
