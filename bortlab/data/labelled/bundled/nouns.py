"""Tasks from WordNet's nouns: what a definition is of, and what is a kind of what."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from bortlab.data.corpus import Document
from bortlab.data.labelled.bundled.rows import (
    Row,
    commonest_first,
    noun_file,
    number,
    pos_of,
    shuffled,
    split_of,
    subject_of,
    words_in,
)

SUPERSENSES = {
    "act": "act action activity acting",
    "animal": "animal animals",
    "artifact": "artifact artefact",
    "body": "body",
    "communication": "communication communicating",
    "food": "food foods",
    "location": "location place area region",
    "person": "person people someone somebody",
    "plant": "plant plants",
    "state": "state condition",
    "substance": "substance",
    "time": "time period",
}
"""The classes, and the words that would give them away: definitions with them are left out."""
PER_CLASS = 520
DEFINED = re.compile(r"(?:is|are|was|were) (?!a kind of |also called |part of |found in )(?:an? |the )?(.+)")
MIN_WORDS = 4
MIN_COUNT = 2


def supersense(documents: Iterable[Document]) -> Iterator[Row]:
    """A noun's definition, and the lexicographer file that the noun is in; the most used synsets of each."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for document in commonest_first(document for document in documents if pos_of(document) == "n"):
        label = noun_file(document)
        if label not in SUPERSENSES or len(rows[label]) == PER_CLASS:
            continue
        definition = definition_of(document)
        if len(definition.split()) >= MIN_WORDS and not words_in(definition) & set(SUPERSENSES[label].split()):
            rows[label].append(Row(definition, label, document.id))
    yield from shuffled((row for part in rows.values() for row in part), "supersense")


def definition_of(document: Document) -> str:
    """A noun's first definition without its subject, "a small hound with …"; "" where there is none."""
    subject = subject_of(document)
    for sentence in document.sentences if subject else ():
        match = DEFINED.fullmatch(sentence.removeprefix(f"{subject} ")) if sentence.startswith(f"{subject} ") else None
        if match:
            return match[1].rstrip(".")
    return ""


FIELD = re.compile(r"In (?:the )?([a-z]+(?: [a-z]+)?), ((?:an? |the |to )?.+)")
FIELDS = (
    "anatomy architecture astronomy baseball biology botany chemistry computer_science football genetics geology golf "
    "law mathematics medicine military music physics psychology"
).replace("_", "-")


def field(documents: Iterable[Document]) -> Iterator[Row]:
    """What a technical term means, and the field that it is of, where WordNet's gloss names one."""
    rows = []
    for document in documents:
        for match in filter(None, map(FIELD.fullmatch, document.sentences)):
            name = match[1].replace(" ", "-")
            if name in FIELDS.split() and match[1] not in match[2].lower():
                rows.append(Row(f"{match[2][0].upper()}{match[2][1:]}", name, document.id))
    yield from shuffled(rows, "field")


def how_common(documents: Iterable[Document]) -> Iterator[Row]:
    """What a noun is, and how often texts use it in this sense: the logarithm to base 2 of WordNet's tag count."""
    rows = []
    for document in documents:
        definition = definition_of(document) if pos_of(document) == "n" and document.count >= MIN_COUNT else ""
        if len(definition.split()) >= MIN_WORDS:
            text = f"{subject_of(document)}: {definition}."
            rows.append(Row(text, round(math.log2(document.count), 2), document.id))
    yield from shuffled(rows, "how-common")


KIND = re.compile(r"(An? |The )?(.+) (is|are) a kind of (.+)\.")
Sense = tuple[str, str]
"""A noun and its lexicographer file."""
MAX_NAME = 2
"""Words of a noun, at most."""


def kind_of(documents: Iterable[Document]) -> Iterator[Row]:
    """ "A beagle is a kind of dog.", true or with another noun in the place of the beagle; split by noun.

    Half of the other nouns are of the same lexicographer file, half of any. A kind is as often true as untrue, so that
    it tells nothing by itself; one that shares a word with its noun is left out.
    """
    kinds: dict[Sense, set[str]] = defaultdict(set)
    claims: list[Claim] = []
    for document in commonest_first(document for document in documents if pos_of(document) == "n"):
        for match in filter(None, map(KIND.fullmatch, document.sentences)):
            claim = Claim(noun_file(document), *match.groups())
            kinds[claim.noun.lower(), claim.file].add(claim.kind.lower())
            if document.count and _is_plain(claim.noun, claim.kind):
                claims.append(claim)
    spare = sorted(
        {claim.noun: claim for claim in claims if number("kind-of", claim.noun) % 2}.values(),
        key=lambda claim: number("kind-of", "spare", claim.noun),
    )
    true: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        if not number("kind-of", claim.noun) % 2:
            true[claim.kind].append(claim)
    files = _files(kinds)
    above = {claim.noun: _above(claim.noun, kinds, files) for claim in spare}
    rows = []
    for kind, right in sorted(true.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        wrong = _others(kind, right, spare, above)
        rows += [claim.row("true") for claim in right[: len(wrong)]] + [claim.row("false") for claim in wrong]
    yield from shuffled(rows, "kind-of")


def _others(kind: str, right: list[Claim], spare: list[Claim], above: Mapping[str, set[str]]) -> list[Claim]:
    """As many untrue claims of a kind as there are true ones, if there are; their nouns are taken out of `spare`."""
    wrong: list[Claim] = []
    for place, claim in enumerate(right):
        for other in spare:
            near = other.file == claim.file or place % 2
            together = split_of("kind-of", other.noun) == split_of("kind-of", claim.noun)
            if (
                near
                and together
                and kind not in above[other.noun] | {other.noun}
                and not words_in(kind) & words_in(other.noun)
            ):
                wrong.append(replace(other, kind=kind))
                spare.remove(other)
                break
    return wrong


def _is_plain(noun: str, kind: str) -> bool:
    """Are both common nouns of a word or two that share none?"""
    short = all(name.islower() and len(name.split()) <= MAX_NAME for name in (noun, kind))
    return short and not words_in(noun) & words_in(kind)


@dataclass(frozen=True, slots=True)
class Claim:
    """That a noun is a kind of another. file: the noun's lexicographer file."""

    file: str
    article: str | None
    noun: str
    be: str
    kind: str

    @property
    def is_plain(self) -> bool:
        """Are both common nouns of a word or two that share none?"""
        names = (self.noun, self.kind)
        short = all(name.islower() and len(name.split()) <= MAX_NAME for name in names)
        return short and not words_in(self.noun) & words_in(self.kind)

    def row(self, label: str) -> Row:
        """The claim as a sentence."""
        return Row(f"{self.article or ''}{self.noun} {self.be} a kind of {self.kind}.", label, self.noun)


def _files(kinds: Mapping[Sense, set[str]]) -> dict[str, list[str]]:
    """The lexicographer files that a noun is in."""
    files: dict[str, list[str]] = defaultdict(list)
    for noun, file in kinds:
        files[noun].append(file)
    return files


def _above(noun: str, kinds: Mapping[Sense, set[str]], files: Mapping[str, list[str]]) -> set[str]:
    """All that a noun is a kind of in any of its senses, as far as names and files tell senses apart."""
    above: set[str] = set()
    ahead = {(noun.lower(), file) for file in files[noun.lower()]}
    done: set[Sense] = set()
    while ahead:
        sense = ahead.pop()
        done.add(sense)
        for kind in kinds[sense]:
            above.add(kind)
            own = [sense[1]] if (kind, sense[1]) in kinds else files.get(kind, [])
            ahead |= {(kind, file) for file in own} - done
    return above
