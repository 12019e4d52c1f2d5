"""Tasks from WordNet's senses: the same sense or another, the opposite or alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from bortlab.data.corpus import Document
from bortlab.data.labelled.bundled.rows import Row, commonest_first, number, pos_of, shuffled, subject_of

ABOUT = re.compile(
    r"(?:In [^,]+, )?(?:To|The (?:verb|word|opposite)|Ways to|(?:Some )?[Kk]inds of|An?other|Other) .+"
    r"|.+ (?:are|is) in .+"
)
"""The sentences of the corpus that are no examples but say what a word means, beside those that begin with it."""
PAIRS_PER_WORD = 2
"""Pairs of each label that one word gives, at most."""
MIN_SPACES = 2
WORD = re.compile(r"[\w'-]+")


def word_in_context(documents: Iterable[Document]) -> Iterator[Row]:
    """Two sentences with one word in quotation marks: the same sense or not (Pilehvar and Camacho-Collados 2019).

    The sentences are WordNet's examples of a word's senses. A word gives as many pairs of one label as of the other;
    split by word.
    """
    senses: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for document in commonest_first(document for document in documents if pos_of(document) in ("v", "n")):
        word = name_of(document)
        if examples := marked_examples(document, word):
            senses[word, pos_of(document)].append(examples)
    rows: list[Row] = []
    for (word, pos), groups in sorted(senses.items()):
        same = [pair for examples in groups for pair in zip(examples[::2], examples[1::2], strict=False)]
        other = [(first[0], second[-1]) for first, second in zip(groups[::2], groups[1::2], strict=False)]
        n_pairs = min(len(same), len(other), PAIRS_PER_WORD)
        for label, pairs in (("same", same), ("other", other)):
            rows += [Row(first, label, f"{pos}/{word}", pair=second) for first, second in pairs[:n_pairs]]
    yield from shuffled(rows, "word-in-context")


def name_of(document: Document) -> str:
    """The word that a synset's sentences are about, in lower case without article or "to"."""
    return re.sub(r"^(?:an?|the|to) ", "", subject_of(document).lower())


def forms(word: str) -> set[str]:
    """A word and its regular forms: says, saying, stopped, making, tried."""
    stems = {word, word + word[-1]}
    if word.endswith("e"):
        stems.add(word[:-1])
    if word.endswith("y"):
        stems.add(word[:-1] + "i")
    return {word} | {stem + ending for stem in stems for ending in ("s", "es", "d", "ed", "ing", "er", "est")}


def marked_examples(document: Document, word: str) -> list[str]:
    """The example sentences of a synset that contain its word, with the word in quotation marks."""
    if not word or " " in word:
        return []
    subject = subject_of(document)
    sentences = [
        sentence
        for sentence in document.sentences
        if not (
            f"{subject} " in sentence[: len(subject) + 30] and sentence.split(" ")[0] in ("In", subject.split(" ")[0])
        )
        and not ABOUT.fullmatch(sentence)
        and '"' not in sentence
        and sentence.count(" ") >= MIN_SPACES
    ]
    own = forms(word)
    marked = []
    for sentence in sentences:
        match = next((match for match in WORD.finditer(sentence) if match[0].lower() in own), None)
        if match:
            marked.append(f'{sentence[: match.start()]}"{match[0]}"{sentence[match.end() :]}')
    return marked


NEAR = re.compile(r".+ is similar in meaning to (.+)\.")
OPPOSITE = re.compile(r"The opposite of (.+) is (.+)\.")


def opposite_or_alike(documents: Iterable[Document]) -> Iterator[Row]:
    """Two adjectives with what they mean: near in meaning, or one near to the other's opposite.

    Every pair is an adjective and the head of its cluster or the head's opposite, so that neither word alone tells
    which; split by cluster.
    """
    adjectives = [document for document in commonest_first(documents) if pos_of(document) == "a"]
    heads: dict[str, list[tuple[Document, str]]] = defaultdict(list)
    for document in adjectives:
        name = name_of(document)
        for sentence in document.sentences:
            match = OPPOSITE.fullmatch(sentence)
            if match and match[1].lower() == name:
                heads[name].append((document, match[2].lower()))
    satellites: dict[str, list[Document]] = defaultdict(list)  # by the head that they are near to
    for document in adjectives:
        near = next(filter(None, map(NEAR.fullmatch, document.sentences)), None)
        if near and meaning_of(document) and len(heads[near[1].lower()]) == 1 and name_of(document) != near[1].lower():
            satellites[near[1].lower()].append(document)
    rows = []
    for name in sorted(satellites):
        (head, opposite), *_ = heads[name]
        if len(heads[opposite]) == 1 and heads[opposite][0][1] == name and meaning_of(head):
            other = heads[opposite][0][0]
            n_each = min(len(satellites[name]), len(satellites[opposite])) if meaning_of(other) else 0
            cluster = "/".join(sorted((head.id, other.id)))
            for place, document in enumerate(satellites[name][:n_each]):
                alike = (number("opposite-or-alike", cluster) + place + (name < opposite)) % 2
                label, pair = ("alike", head) if alike else ("opposite", other)
                rows.append(Row(meaning_of(document), label, cluster, pair=meaning_of(pair)))
    yield from shuffled(rows, "opposite-or-alike")


def meaning_of(document: Document) -> str:
    """The first sentence that says what an adjective means."""
    return next((sentence for sentence in document.sentences if " means " in sentence), "")
