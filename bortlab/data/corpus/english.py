"""English grammar, as far as WordNet's words need it: articles, plurals, verb forms, lists."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from bortlab.data.corpus.wordnet import Synset, WordNet


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# Lexicographer files (lexnames(5)) whose nouns are things one can count.
COUNT_FILES = frozenset({3, 5, 6, 8, 14, 15, 17, 18, 20, 23, 25, 28})
ANIMAL, ARTIFACT, BODY, COGNITION, LANGUAGE, FOOD, PLACE, OBJECT = 5, 6, 8, 9, 10, 13, 15, 17
PERSON, PLANT, SUBSTANCE, TIME = 18, 20, 27, 28
MASS_ENDINGS = ("ness", "ism", "ology", "ics", "graphy", "hood", "wear", "ware")
NOT_PLURAL = frozenset({"species", "headquarters", "crossroads", "gallows", "aspirates", "christmas", "measles"})
TAXON_RANKS = word_set(
    """
    genus family order class phylum subfamily superfamily suborder subclass subphylum division tribe kingdom
    subkingdom superorder superclass infraorder superphylum subdivision form subgenus section subtribe
    """
)
FUNCTION_WORDS = word_set(
    """
    of in with by from to and or for on without into as at is are was that which who but than during between
    through over under after before about against if when while where because it its has have had
    """
)
BARE_AFTER = word_set("of with from without and or")
RELATIVES = word_set("that which who whom whose where when while because if as than what how")
FINITE = word_set("is are was were has have had can may must will would could should does did do cannot")
PRONOUNS = word_set("he she it they we you i there this these those")
QUESTIONS = word_set("who what where why how")
DETERMINERS = word_set("a an the any one either each all some two three four both his her its their several")
PARTICIPLES = word_set(
    """
    known made found built worn born written given grown seen held set cut sung spoken drawn shown put taken
    kept sold bred left led run eaten thought said won fought sent done
    """
)
ADVERBS = word_set(
    """
    also usually often sometimes formerly now especially typically widely commonly originally once mostly
    chiefly generally frequently mainly not best still first primarily probably largely closely native similar
    noted famous important useful common related capable able
    """
)
PAST = word_set(
    """
    went came took gave got became began said made found knew saw ran sat stood told thought kept held brought
    fell grew wrote threw drew drove ate flew spoke broke chose rose wore hung lay led met paid sent spent won
    sang sank was were had did lost left felt heard built bought caught taught fought
    """
)
PREPOSITIONS = word_set("in on at near from between along off across by of with for")
THE_STARTS = re.compile(r"(Battle|Gulf|Bay|Strait|Straits|Sea|Isle|Cape|Republic|University|Kingdom|Treaty|War) of ")
THE_ENDS = word_set(
    """
    River Sea Ocean Mountains Islands Alps Desert Canal War Revolution Empire Republic Gulf Peninsula Channel
    Range States Netherlands Philippines Straits Basin Plateau Valley Isles Indies Party Federation
    Constellation Strait Nebula Galaxy Way
    """
)
AN_SOUND = re.compile(r"[aeiou]|hour|hono|heir|8|11(?!\d)|18(?!\d)", re.IGNORECASE)
A_SOUND = re.compile(
    r"eu|ew|one\b|one-|once\b|ouija|uni(?!n|m|d)|us[aeiu]|ut[ei]|ur[aeiou]|ub[iq]|uk|uv|u\b", re.IGNORECASE
)


def article(phrase: str) -> str:
    """`a` or `an`, by the first sound as spelling shows it: a unit, an hour, an MP."""
    if re.match(r"[A-Z]{2}|[A-Z][.-]|[A-Z]\b", phrase):
        return "an" if phrase[0] in "AEFHILMNORSX" else "a"
    return "an" if AN_SOUND.match(phrase) and not A_SOUND.match(phrase) else "a"


def listing(items: list[str], word: str = "and") -> str:
    """`x`, `x and y`, `x, y and z`."""
    items = list(dict.fromkeys(items))
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"


def sentence(text: str) -> str:
    """Capital first letter, one closing mark, tidy spaces."""
    text = re.sub(r"\s+([,;:.!?)])", r"\1", " ".join(text.split())).rstrip(" ,;:-")
    at = next((index for index, letter in enumerate(text) if letter.isalnum()), 0)
    text = text[:at] + text[at : at + 1].upper() + text[at + 1 :]
    return text if re.search(r"[.!?][\"')]*$", text) else text + "."


def spelling(word: str) -> str:
    """A word without case, spaces and marks, to tell synonyms from spellings."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def tokens(text: str) -> list[str]:
    """Words and punctuation marks."""
    return re.findall(r"[A-Za-z0-9][A-Za-z0-9.'-]*[A-Za-z0-9]|[A-Za-z0-9]|[^\sA-Za-z0-9]", text)


@dataclass(frozen=True)
class English:
    """What WordNet's own prose shows of English: which nouns take an article, which names take `the`."""

    wordnet: WordNet
    with_a: Counter[str] = field(default_factory=Counter)
    bare: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    named_the: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Count the uses of nouns and names in all glosses."""
        for synset in self.wordnet.synsets.values():
            self._count(["", *tokens(synset.gloss), "."])

    def _count(self, words: list[str]) -> None:
        for before, word, after in zip(words, words[1:], words[2:], strict=False):
            if after in FUNCTION_WORDS or not after[0].isalnum():
                if before in ("a", "an"):
                    self.with_a[word] += 1
                elif before in BARE_AFTER:
                    self.bare[word] += 1
        for at in range(1, len(words)):
            if words[at][0].isupper():
                for length in range(1, 5):
                    name = " ".join(words[at : at + length])
                    if name in self.names:
                        self.named[name] += 1
                        self.named_the[name] += words[at - 1] == "the"

    @cached_property
    def names(self) -> frozenset[str]:
        """Every capitalised lemma of a named thing."""
        return frozenset(
            lemma for synset in self.wordnet.synsets.values() if synset.instance for lemma in synset.lemmas
        )

    @cached_property
    def taxa(self) -> frozenset[str]:
        """Latin names X of `genus X`, `family X` and so on."""
        ranks = (lemma.split() for synset in self.wordnet.synsets.values() for lemma in synset.lemmas)
        return frozenset(words[1] for words in ranks if len(words) == 2 and words[0] in TAXON_RANKS)

    def is_a(self, word: str, pos: str) -> bool:
        """Whether WordNet lists the word under a part of speech."""
        return (pos, word.lower()) in self.wordnet.senses

    def is_mainly_noun(self, word: str) -> bool:
        """Whether a word is a noun, and no commoner as an adjective."""
        noun, adjective = (
            sum(self.wordnet.counts[key] for key in self.wordnet.senses.get((pos, word.lower()), [])) for pos in "na"
        )
        return self.is_a(word, "n") and noun >= adjective

    def is_plural(self, lemma: str) -> bool:
        """Whether a noun lemma is a plural: trousers, fireworks, people."""
        word = lemma.split(" of ")[0].rpartition(" ")[2].lower()
        if word in ("people", "cattle", "police", "feet", "teeth", "men", "women", "children", "mice"):
            return True
        if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is", "ics")) or word in NOT_PLURAL:
            return False
        return any(
            len(base) > 2 and self.is_a(base, "n")
            for base in (word[:-1], word[:-2] if word.endswith("es") else "", re.sub("ies$", "y", word))
            if base != word
        )

    def is_mass(self, lemma: str, lexfile: int, gloss: str = "") -> bool:
        """Whether a noun goes without article: by its uses, then its ending, its file and its definition."""
        word = lemma.split(" of ")[0].split()[-1]
        with_a, bare = self.with_a[word], self.bare[word]
        countable = bool(re.match(r"(?:\([^)]*\) )?(?:an?|one|someone|something) ", gloss))
        if lexfile in (ANIMAL, PLACE, PERSON):
            return False
        if word[0].isupper() and lexfile in (COGNITION, LANGUAGE, TIME):
            return True
        if word.endswith(MASS_ENDINGS):
            return 2 * bare >= with_a
        if lexfile == SUBSTANCE:
            return bare >= with_a
        if lexfile in COUNT_FILES:
            return bare >= 4 and bare > (8 if countable or lexfile == BODY else 3) * with_a
        if with_a + bare >= 2:
            return bare > (4 if countable else 2) * with_a
        return not countable

    def takes_the(self, name: str) -> bool:
        """Whether a proper name is said with `the`: by its uses, else by its form."""
        if THE_STARTS.match(name) or name.split()[-1] in THE_ENDS:
            return True
        return self.named[name] >= 3 and self.named_the[name] > 0.35 * self.named[name]

    def noun_phrase(self, synset: Synset, lemma: str) -> str:
        """The noun with the article it needs as a subject: a beagle, water, trousers, Paris, the Nile, the sun."""
        if synset.instance:
            the = not lemma[0].isupper() or (synset.lexfile != PERSON and self.takes_the(lemma))
            return f"the {lemma}" if the and not re.match(r"\d|the ", lemma) else lemma
        if self.is_plural(lemma) or self.is_mass(lemma, synset.lexfile, synset.gloss):
            return lemma
        return f"{article(lemma)} {lemma}"

    def is_latin(self, synset: Synset, lemma: str) -> bool:
        """Whether the lemma is a scientific name: genus Canis, Canidae, Canis familiaris."""
        first, *rest = lemma.split()
        if first in TAXON_RANKS and rest:
            return True
        if synset.lexfile not in (ANIMAL, PLANT) or not first[0].isupper():
            return False
        foreign = [word for word in rest if not any(self.is_a(word, pos) for pos in "nva")]
        return first in self.taxa or (bool(foreign) and len(foreign) == len(rest) and rest[0].islower())

    def is_taxon(self, synset: Synset) -> bool:
        """Whether the synset is left out: a rank of scientific names, or known by a scientific name only."""
        if synset.pos != "n":
            return False
        ranked = any(lemma.split()[0] in TAXON_RANKS and lemma.split()[-1][0].isupper() for lemma in synset.lemmas)
        return ranked or all(self.is_latin(synset, lemma) for lemma in synset.lemmas)

    def name(self, synset: Synset) -> str:
        """The lemma a synset goes by: its most used, or the least ambiguous one where that has commoner senses."""
        lemmas = [lemma for lemma in synset.lemmas if not self.is_latin(synset, lemma)] or list(synset.lemmas)
        if synset.lexfile == PLACE and synset.instance:
            clear = [lemma for lemma in lemmas[1:] if len(self.wordnet.senses["n", lemma.lower()]) == 1]
            return lemmas[0] if self.named[lemmas[0]] else max([lemmas[0], *clear], key=lambda lemma: self.named[lemma])
        best = max(lemmas, key=lambda lemma: self.wordnet.uses[synset.key, lemma.lower()])
        uses = self.wordnet.uses[synset.key, best.lower()]
        if self.wordnet.rank(synset, best) < (4 if uses else 2) or uses >= 5:
            return best
        return min(lemmas, key=lambda lemma: len(self.wordnet.senses[synset.pos, lemma.lower()]))

    def is_clause(self, text: str) -> bool:
        """Whether the words have a finite verb of their own, as far as spelling tells."""
        words = [word.lower() for word in tokens(text)]
        for at, word in enumerate(words):
            if word in RELATIVES and at:
                return False
            if (
                word in FINITE
                or word in PRONOUNS
                or (word.endswith(("'s", "n't", "'re", "'m", "'ve", "'ll")) and at < 1)
            ):
                return True
            if at and word in PAST:
                return True
            last = at == len(words) - 1 or words[at + 1] in FUNCTION_WORDS or words[at + 1] in DETERMINERS
            stem = re.sub(r"(?:ies|es|s)$", lambda end: "y" if end.group() == "ies" else "", word)
            if at and word.endswith("s") and self.verb_not_noun(word):
                return True
            if at and last and word.endswith("ed") and not self.is_a(word, "a") and stem and words[0] != "a":
                return words[at - 1] not in DETERMINERS and self.is_a(words[at - 1], "n")
        return False

    def is_noun(self, word: str) -> bool:
        """Whether a word is a noun in either number."""
        return self.is_a(word, "n") or self.is_plural(word)

    def verb_not_noun(self, word: str) -> bool:
        """Whether a word in -s is a verb form only: suffers, but not runs."""
        bases = {word[:-1], word[:-2] if word.endswith("es") else word[:-1], re.sub("ies$", "y", word)} - {word}
        return any(self.is_a(base, "v") for base in bases) and not any(self.is_a(base, "n") for base in [*bases, word])

    def with_article(self, phrase: str) -> str:
        """Put a/an before a phrase whose head is a single countable noun: `hot stove`, but not `hot water`."""
        words = phrase.split()
        if words[0].lower() in DETERMINERS | FUNCTION_WORDS | {"no", "my", "our", "your", "such", "every"}:
            return phrase
        head = self.head(phrase)
        keys = self.wordnet.senses.get(("n", head.lower()))
        if not keys or head[0].isupper() or words[0].endswith("'s") or self.is_plural(head):
            return phrase
        synset = self.wordnet.synsets[keys[0]]
        if self.is_mass(head, synset.lexfile, synset.gloss) or (words[0].endswith("ing") and head == words[0]):
            return phrase
        return f"{article(phrase)} {phrase}"

    def head(self, phrase: str) -> str:
        """The head noun of a phrase: the last word before a preposition, relative, participle or comma."""
        head = ""
        for word in tokens(phrase):
            ends = word in FUNCTION_WORDS or word in RELATIVES or not word[0].isalnum()
            verbal = word.endswith(("ing", "ed")) or word in PARTICIPLES
            late = word in ADVERBS and self.is_mainly_noun(head)
            if ends or late or (head and verbal and self.is_mainly_noun(head) and not self.is_a(word, "n")):
                break
            head = word
        return head
