"""What the bundled tasks are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bortlab.data.corpus import Document
from bortlab.data.labelled.bundled import nouns, senses, verses
from bortlab.data.labelled.bundled.rows import Row
from bortlab.data.labelled.labels import CLASSES, NUMBER, WORDS

WORDNET = (
    "WordNet 3.0, as assets/corpus puts it into sentences",
    "WordNet 3.0 licence (assets/corpus/LICENSE-wordnet.txt)",
)
BIBLE = (
    "World English Bible, changed as assets/corpus/README.md says",
    "public domain (assets/corpus/LICENSE-web.txt)",
)
LIMITS = {"train": 4000, "dev": 500, "test": 1000}
SHORTER = {"train": 2400, "dev": 350, "test": 700}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A bundled task. task: as `read` takes it. description: what is asked, in a line. group: what never stands in two
    splits. rows: makes them from the corpus's documents. source: where from, and its licence. limits: rows of a split.
    """

    task: str
    description: str
    group: str
    rows: Callable[[Iterable[Document]], Iterator[Row]]
    source: tuple[str, str] = WORDNET
    limits: Mapping[str, int] = field(default_factory=lambda: LIMITS)


RECIPES: Mapping[str, Recipe] = {
    "supersense": Recipe(
        CLASSES,
        "A noun's definition: is it of an animal, a food, a person, a plant …? 12 classes.",
        "synset",
        nouns.supersense,
    ),
    "book-genre": Recipe(
        CLASSES,
        "Three consecutive verses: from law, history, wisdom, prophets, gospels or letters?",
        "chapter",
        verses.book_genre,
        BIBLE,
    ),
    "field": Recipe(
        CLASSES,
        "What a technical term means: of which field is it? 19 classes, few examples.",
        "synset",
        nouns.field,
    ),
    "kind-of": Recipe(
        CLASSES,
        "“A beagle is a kind of hound.” True or false? Asks for knowledge: a bag of words cannot tell.",
        "noun",
        nouns.kind_of,
    ),
    "opposite-or-alike": Recipe(
        CLASSES,
        "Two adjectives with what they mean: alike, or is one near the other's opposite?",
        "pair of opposites",
        senses.opposite_or_alike,
    ),
    "word-in-context": Recipe(
        CLASSES,
        "Two sentences with a word in quotation marks: in the same sense or in another? Hard for small encoders.",
        "word",
        senses.word_in_context,
    ),
    "which-came-first": Recipe(
        CLASSES,
        "Two consecutive verses: does the first or the second come first? ALBERT's task of sentence order.",
        "chapter",
        verses.which_came_first,
        BIBLE,
        SHORTER,
    ),
    "how-common": Recipe(
        NUMBER,
        "A noun and its definition: how often do texts use it in this sense? The logarithm to base 2 of a count.",
        "synset",
        nouns.how_common,
        limits=SHORTER,
    ),
    "direct-speech": Recipe(
        WORDS,
        "A verse without its quotation marks: which words are spoken in it? A label for each word.",
        "chapter",
        verses.direct_speech,
        BIBLE,
        SHORTER,
    ),
}
"""Name -> what it is, the easier ones first."""
