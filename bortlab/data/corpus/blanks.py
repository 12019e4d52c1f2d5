"""Two hundred simple blanks about things the corpus says: what a mini should know."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bortlab.data.corpus import Document, normal
from bortlab.data.corpus.english import (
    ANIMAL,
    ARTIFACT,
    BODY,
    DETERMINERS,
    FINITE,
    FOOD,
    FUNCTION_WORDS,
    OBJECT,
    PERSON,
    PLANT,
    PRONOUNS,
    RELATIVES,
    SUBSTANCE,
    TIME,
    word_set,
)

BLANKS_PER_KIND = 40
BLANKS_RULE = (
    "From training documents only. kind, opposite, part: the prompts of the most used synsets (WordNet tag counts), "
    "with single common words as subject and answer, and no answer asked for more than twice; for kind and part, "
    "synsets of things one can see (and times, for part). capital: national "
    "capitals with single-word names, the countries named most often in the corpus first, city and country asked in "
    "turn. verse: from six well-known books in turn, whole verses of 6 to 16 words, those of the most common words "
    "first; the last content word is asked. `answers` are all single words the corpus gives for exactly that prompt."
)
BLANK_FORMS = {
    "kind": re.compile(r"((?:An?|The) [a-z]+ is a kind of )([a-z]+)\."),
    "opposite": re.compile(r"(The opposite of [a-z]+ is )([a-z]+)\."),
    "part": re.compile(r"((?:An? |The )?[A-Za-z]+ is part of (?:an? |the )?)([a-z]+)\."),
}
CONCRETE = frozenset({ANIMAL, ARTIFACT, BODY, FOOD, OBJECT, PERSON, PLANT, SUBSTANCE})
BLANK_FILES = {"kind": CONCRETE, "opposite": frozenset(range(45)), "part": CONCRETE | {TIME}}
CAPITAL_FORM = re.compile(r"([A-Z][a-z]+) is the capital of ([A-Z][a-z]+)\.")
BLANK_BOOKS = ("Genesis", "Exodus", "Psalms", "Proverbs", "Matthew", "John")
STOPWORDS = (
    FUNCTION_WORDS
    | RELATIVES
    | FINITE
    | PRONOUNS
    | DETERMINERS
    | word_set(
        """
    him them me us my your our yours mine hers theirs himself themselves be been being not no so out up down off
    away forever again also then now let unto upon among own such shall am were do did done
    """
    )
)


@dataclass(frozen=True, slots=True)
class Blank:
    """A sentence of the corpus with one word taken out."""

    kind: str
    text: str
    answers: tuple[str, ...]
    source: str


def word_counts(documents: Iterable[Document]) -> Counter[str]:
    """How often each lower-case word occurs."""
    return Counter(word for document in documents for text in document.sentences for word in normal(text).split())


def template_blanks(
    kind: str, documents: list[Document], words: Counter[str], lexfiles: Mapping[str, int]
) -> Iterator[Blank]:
    """Blanks made from one sentence template, the most used synsets first."""
    form, answers, source = BLANK_FORMS[kind], defaultdict[str, list[str]](list), dict[str, str]()
    for document in sorted(documents, key=lambda document: (-document.count, document.id)):
        for text in document.sentences:
            if match := form.fullmatch(text):
                answers[match[1]].append(match[2])
                if lexfiles.get(document.id, 0) in BLANK_FILES[kind]:
                    source.setdefault(match[1], document.id)
    uses: Counter[str] = Counter()
    for prompt in source:
        accepted = list(dict.fromkeys(answers[prompt]))
        common = all(words[word] >= 100 for word in [accepted[0], *prompt.lower().split()])
        if common and uses[accepted[0]] < 2 and accepted[0] not in prompt.lower().split():
            uses[accepted[0]] += 1
            yield Blank(kind, f"{prompt}[MASK].", tuple(accepted), source[prompt])


def capital_blanks(documents: list[Document], words: Counter[str]) -> Iterator[Blank]:
    """Blanks of national capitals, the country and the city in turn; other spellings of the city count too."""
    cities, countries, source = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list), dict[str, str]()
    for document in documents:
        for match in filter(None, map(CAPITAL_FORM.fullmatch, document.sentences)):
            city, country = match[1], match[2]
            countries[city].append(country)
            called = [text[:-1] for text in document.sentences if text.startswith(f"{city} is also called ")]
            others = re.split(r", | or ", " ".join(called).partition(" called ")[2])
            cities[country] += [city, *(other for other in others if other.isalpha())]
            if f"{city} is a national capital." in document.sentences:
                source.setdefault(country, document.id)
    ranked = sorted(source, key=lambda country: (-words[country.lower()], country))
    for number, country in enumerate(ranked):
        city = cities[country][0]
        if number % 2:
            yield Blank("capital", f"{city} is the capital of [MASK].", tuple(countries[city]), source[country])
        else:
            names = tuple(dict.fromkeys(cities[country]))
            yield Blank("capital", f"The capital of {country} is [MASK].", names, source[country])


def verse_blanks(documents: list[Document], words: Counter[str]) -> Iterator[Blank]:
    """Blanks of short verses in common words, one of each book in turn."""
    books: dict[str, list[tuple[float, Blank]]] = {book: [] for book in BLANK_BOOKS}
    for document in documents:
        book = document.id.split("/")[1]
        for text in document.sentences if book in books else ():
            content = [match for match in re.finditer(r"[A-Za-z]+", text) if match[0].lower() not in STOPWORDS]
            parts = normal(text).split()
            if content and 6 <= len(parts) <= 16 and re.fullmatch(r"[A-Z][^\"']*[.!?]", text):
                last = content[-1]
                rarity = -sum(math.log(words[word]) for word in parts) / len(parts)
                prompt = text[: last.start()] + "[MASK]" + text[last.end() :]
                if last[0].islower() and len(content) >= 3:
                    books[book].append((rarity, Blank("verse", prompt, (last[0],), document.id)))
    ranked = [
        [blank for _, blank in sorted(rated, key=lambda pair: (pair[0], pair[1].text))] for rated in books.values()
    ]
    for turn in zip(*ranked, strict=False):
        yield from turn


def blanks(documents: list[Document], lexfiles: Mapping[str, int]) -> list[Blank]:
    """The simple blanks, by `BLANKS_RULE`, from training documents."""
    words = word_counts(documents)
    wordnet = [document for document in documents if document.source == "wordnet"]
    bible = [document for document in documents if document.source == "bible"]
    kinds = [template_blanks(kind, wordnet, words, lexfiles) for kind in BLANK_FORMS]
    chosen = []
    for candidates in (*kinds, capital_blanks(wordnet, words), verse_blanks(bible, words)):
        chosen += [blank for _, blank in zip(range(BLANKS_PER_KIND), candidates, strict=False)]
    return chosen
