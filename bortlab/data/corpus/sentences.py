"""Synsets described in sentences: one method for each part of speech."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bortlab.data.corpus import MAX_WORDS, Document, n_words
from bortlab.data.corpus.english import (
    ADVERBS,
    ARTIFACT,
    DETERMINERS,
    FINITE,
    FUNCTION_WORDS,
    OBJECT,
    PARTICIPLES,
    PERSON,
    PLACE,
    PREPOSITIONS,
    PRONOUNS,
    QUESTIONS,
    English,
    listing,
    sentence,
    spelling,
)
from bortlab.data.corpus.glosses import Gloss, split_gloss
from bortlab.data.corpus.wordnet import WORDNET, Synset, WordNet, read_wordnet


class Describer:
    """Describes synsets in English sentences."""

    def __init__(self, wordnet: WordNet) -> None:
        self.wordnet = wordnet
        self.english = English(wordnet)

    def describe(self, synset: Synset) -> tuple[str, ...]:
        """All sentences of one synset, tidy and none too long; empty for scientific names."""
        if self.english.is_taxon(synset):
            return ()
        gloss = split_gloss(synset.gloss)
        sentences = {"n": self.noun, "v": self.verb, "a": self.modifier, "r": self.modifier}[synset.pos](synset, gloss)
        sentences += [*self.opposites(synset), *(self.example(synset, example) for example in gloss.examples)]
        return tuple(dict.fromkeys(text for text in map(sentence, sentences) if 2 <= n_words(text) <= MAX_WORDS))

    def known(self, keys: Iterable[str]) -> list[Synset]:
        """The synsets of these keys that are not left out."""
        return [synset for key in keys if not self.english.is_taxon(synset := self.wordnet.synsets[key])]

    def commonest(self, synsets: list[Synset], limit: int) -> list[Synset]:
        """The most used few, in order of use."""
        return sorted(synsets, key=lambda synset: -self.wordnet.counts[synset.key])[:limit]

    def phrase(self, synset: Synset) -> str:
        """The synset's name with its article."""
        return self.english.noun_phrase(synset, self.english.name(synset))

    def domain(self, synset: Synset, gloss: Gloss) -> str:
        """`In baseball, ` where the gloss began with a field that WordNet also points to."""
        for field_synset in self.known(synset.targets(";c")):
            if gloss.note.lower() in (lemma.lower() for lemma in field_synset.lemmas):
                lemma = gloss.note if gloss.note[0].isupper() else gloss.note.lower()
                return f"in {'the ' if self.english.takes_the(lemma) else ''}{lemma}, "
        return ""

    def synonyms(self, synset: Synset, limit: int = 4) -> list[str]:
        """The other lemmas, without scientific names and mere spellings of the same word."""
        spellings = {spelling(self.english.name(synset))}
        others = []
        for lemma in synset.lemmas:
            capital = synset.instance and "capital" in lemma
            if (
                len(lemma) > 1
                and spelling(lemma) not in spellings
                and not capital
                and not self.english.is_latin(synset, lemma)
            ):
                spellings.add(spelling(lemma))
                others.append(lemma)
        return others[:limit]

    def opposites(self, synset: Synset) -> list[str]:
        """`The opposite of hot is cold.`, word for word as the pointers say."""
        pairs = [
            (synset.lemmas[pointer.source - 1], self.wordnet.synsets[pointer.key].lemmas[pointer.target - 1])
            for pointer in synset.pointers
            if pointer.symbol == "!"
        ]
        return [f"the opposite of {lemma} is {opposite}" for lemma, opposite in pairs]

    def example(self, synset: Synset, example: str) -> str:
        """An example as a sentence; with adjectives, a noun phrase becomes `One speaks of a hot stove.`"""
        example = re.sub(r"\s*--+\s*", ", ", example)
        words = example.rstrip(" .,;-").split()
        if len(words) > 2 and words[0].lower() in QUESTIONS and words[1].lower() in FINITE and example[-1].isalpha():
            return example + "?"
        if synset.pos != "a" or not 2 <= len(words) <= 6 or not words[0][0].isalpha() or example[-1] in "!?":
            return example
        if words[1].lower() in FUNCTION_WORDS or (words[0].endswith("ing") and not self.english.is_a(words[0], "a")):
            return example
        if self.english.is_clause(example) or not self.english.is_noun(self.english.head(example)):
            return example
        lead = words[0].lower() if words[0].lower() in DETERMINERS else words[0]
        return f"one speaks of {self.english.with_article(' '.join([lead, *words[1:]]))}"

    def noun(self, synset: Synset, gloss: Gloss) -> list[str]:
        """A noun: its kind, other names, kinds of it, parts and wholes, definition."""
        name = self.english.name(synset)
        subject = self.phrase(synset)
        plural = self.english.is_plural(name) and not (synset.instance and synset.lexfile == PLACE)
        be = "are" if plural else "is"
        kinds = [self.english.name(kind) for kind in self.known(synset.targets("@"))]
        sentences = [f"{subject} {be} a kind of {kind}" for kind in kinds if kind != name]
        was = (
            "was"
            if synset.lexfile == PERSON and re.search(r"\d\d", synset.gloss) and "born " not in synset.gloss
            else be
        )
        sentences += [f"{subject} {was} {self.phrase(kind)}" for kind in self.known(synset.targets("@i"))]
        if others := self.synonyms(synset):
            bare = {other for other in others if plural and other.endswith("s")}
            phrases = [other if other in bare else self.english.noun_phrase(synset, other) for other in others]
            sentences.append(f"{subject} {was} also called {listing(phrases, 'or')}")
        sentences += self.definitions(synset, gloss, subject, was)
        sentences += self.capital(synset, gloss)
        sentences += self.wholes(synset, subject, be)
        sentences += self.parts(synset, subject, "have" if plural else "has")
        sentences += self.kinds(synset, name)
        if qualities := self.known(synset.targets("=")):
            sentences.append(f"{subject} can be {listing([self.english.name(quality) for quality in qualities], 'or')}")
        return sentences

    def definitions(self, synset: Synset, gloss: Gloss, subject: str, be: str) -> list[str]:
        """The definitions, each a sentence where its first word shows how, else joined to the one before by `;`."""
        sentences: list[str] = []
        for number, text in enumerate(gloss.definitions):
            lead = self.domain(synset, gloss) if number == 0 else ""
            made = self.definition(text, subject, be, first=number == 0)
            if made:
                sentences.append(lead + made)
            elif sentences and n_words(sentences[-1]) + n_words(text) <= MAX_WORDS:
                sentences[-1] = f"{sentences[-1]}; {text}"
            elif not sentences:
                label = self.english.name(synset)
                sentences.append(f"{lead}the {'term' if ' ' in label else 'word'} {label} means {text}")
        return sentences

    def definition(self, text: str, subject: str, be: str, first: bool) -> str:
        """One definition after its subject, or nothing where the form is not plain."""
        words = text.split()
        word = words[0].lower().strip(",")
        verbal = word.endswith("ed") and len(word) > 4
        if word in PRONOUNS and word not in ("this", "these", "those"):
            return text
        if word in FINITE or word in ("occurs", "includes", "consists", "contains", "lives", "grows", "makes"):
            return f"{subject} {text}"
        if word in DETERMINERS:
            return text if not first and self.english.is_clause(text) else f"{subject} {be} {text}"
        if self.english.verb_not_noun(word) and word.endswith("s"):
            return f"{subject} {text}" if be == "is" else ""
        if word in ADVERBS or word in PARTICIPLES or (verbal and self.english.head(text).endswith("ed")):
            return f"{subject} {be} {text}"
        if word in PREPOSITIONS and not first and subject[0].isupper():
            return f"{subject} {be} {text}"
        if not first:
            return ""
        return self.bare_definition(text, subject, be)

    def bare_definition(self, text: str, subject: str, be: str) -> str:
        """A definition that begins without article: `capital of the state of Idaho`, `breed of small dogs`."""
        head = self.english.head(text)
        if not head or not self.english.is_noun(head):
            return ""
        if re.match(r"(?:capital|largest|site|son|wife|daughter|brother|sister|mother|father|founder) ", text):
            return f"{subject} {be} the {text}"
        if self.english.is_plural(head) and be != "are":
            return ""
        return f"{subject} {be} {self.english.with_article(text)}"

    def kinds(self, synset: Synset, name: str) -> list[str]:
        """`Kinds of hound are the beagle, ...` for concepts in use with a few kinds to name."""
        below = [kind for kind in self.known(synset.targets("~")) if len(kind.lemmas[0]) > 1]
        if not 2 <= len(below) <= 60 or self.english.is_plural(name):
            return []
        if not (self.wordnet.counts[synset.key] or len(below) >= 5):
            return []
        chosen = [re.sub(r"^an? ", "the ", self.phrase(kind)) for kind in self.commonest(below, 6)]
        lead = "some kinds" if len(below) > len(chosen) else "kinds"
        return [f"{lead} of {name} are {listing(chosen)}"]

    def wholes(self, synset: Synset, subject: str, be: str) -> list[str]:
        """What the noun is part of, a member of, found in, or lies in."""
        sentences = []
        for whole in self.known(synset.targets("#p")):
            place = synset.instance and whole.lexfile in (PLACE, OBJECT) and synset.lexfile in (PLACE, OBJECT, ARTIFACT)
            sentences.append(f"{subject} {be} {'in' if place else 'part of'} {self.phrase(whole)}")
        for whole in self.known(synset.targets("#m")):
            if whole.lexfile == PLACE and synset.lexfile == PERSON:
                sentences.append(f"{subject} {'come' if be == 'are' else 'comes'} from {self.phrase(whole)}")
            else:
                sentences.append(f"{subject} {'belong' if be == 'are' else 'belongs'} to {self.phrase(whole)}")
        return sentences + [
            f"{subject} {be} found in {self.phrase(whole)}" for whole in self.known(synset.targets("#s"))
        ]

    def parts(self, synset: Synset, subject: str, have: str) -> list[str]:
        """What the noun has or contains, at most six of them; for a place, the places in it."""
        sentences = []
        parts = self.known(synset.targets("%p"))
        if inside := self.commonest([part for part in parts if part.instance], 6):
            places = listing([self.phrase(part) for part in inside])
            sentences.append(f"{places} {'are' if len(inside) > 1 else 'is'} in {subject}" if synset.instance else "")
        if own := self.commonest([part for part in parts if not part.instance and self.phrase(part) != subject], 6):
            sentences.append(f"{subject} {have} {listing([self.phrase(part) for part in own])}")
        if stuff := self.commonest(self.known(synset.targets("%s")), 6):
            sentences.append(
                f"{subject} {'contains' if have == 'has' else 'contain'} "
                f"{listing([self.phrase(part) for part in stuff])}"
            )
        return [text for text in sentences if text]

    def capital(self, synset: Synset, gloss: Gloss) -> list[str]:
        """`Paris is the capital of France.` and the same the other way round, where the gloss says it of now."""
        towns = [lemma for kind in synset.targets("@i") for lemma in self.wordnet.synsets[kind].lemmas]
        if synset.lexfile != PLACE or not any(re.search(r"capital|city|port|town", town) for town in towns):
            return []
        for text in gloss.definitions:
            match = CAPITAL.search(text)
            if match and not PAST_CAPITAL.search(text):
                place = self.place_at(match.group(1))
                if place:
                    city, land = self.phrase(synset), self.phrase(place)
                    return [f"{city} is the capital of {land}", f"the capital of {land} is {city}"]
        return []

    def place_at(self, text: str) -> Synset | None:
        """The named place whose name a text begins with, the longest that fits."""
        words = re.findall(r"[A-Za-z.'-]+", text)
        for length in range(min(5, len(words)), 0, -1):
            name = " ".join(words[:length])
            for key in self.wordnet.senses.get(("n", name.lower()), []):
                place = self.wordnet.synsets[key]
                if (
                    place.instance
                    and place.lexfile == PLACE
                    and name in place.lemmas
                    and "city" not in place.gloss[:40]
                ):
                    return place
        return None

    def verb(self, synset: Synset, gloss: Gloss) -> list[str]:
        """A verb: what it is to do it, what it is a way of, what it is also called."""
        name = self.english.name(synset)
        kinds = [self.english.name(kind) for kind in self.known(synset.targets("@"))]
        sentences = [f"to {name} is one way to {kind}" for kind in kinds if kind not in (name, "be", "have")]
        if others := self.synonyms(synset):
            sentences.append(f"to {name} is to {listing(others, 'or to ' if len(others) == 1 else 'or')}")
        for number, text in enumerate(gloss.definitions):
            text = re.sub(r"^to ", "", text)
            word = text.split()[0].strip(",").lower()
            if self.english.is_a(word, "v") or word in ("be", "not"):
                sentences.append(f"{self.domain(synset, gloss) if number == 0 else ''}to {name} is to {text}")
            elif word.endswith("ly") and len(text.split()) > 1 and self.english.is_a(text.split()[1], "v"):
                sentences.append(f"to {name} is to {text}")
            elif number and sentences and n_words(sentences[-1]) + n_words(text) < MAX_WORDS:
                sentences[-1] = f"{sentences[-1]}; {text}"
            elif re.match(r"(?:used|said) (?:of|with|in|to|as|for)\b", text):
                sentences.append(f"the verb {name} is {text}")
            else:
                sentences.append(f"the verb {name} means {text}")
        sentences += [f"to {name}, one has to {self.english.name(other)}" for other in self.known(synset.targets("*"))]
        effects = [self.english.name(effect) for effect in self.known(synset.targets(">"))]
        sentences += [f"to {name} is to make something {effect}" for effect in effects if effect != name]
        if (ways := self.known(synset.targets("~"))) and 2 <= len(ways) <= 60 and self.wordnet.counts[synset.key]:
            sentences.append(
                f"ways to {name} are to {listing([self.english.name(way) for way in self.commonest(ways, 5)])}"
            )
        return sentences

    def modifier(self, synset: Synset, gloss: Gloss) -> list[str]:
        """An adjective or adverb: what it means, other words for it, the word it is near to."""
        name = self.english.name(synset)
        sentences: list[str] = []
        for number, text in enumerate(gloss.definitions):
            lead = self.domain(synset, gloss) if number == 0 else ""
            if re.match(r"(?:often |usually |also |sometimes )?(?:used|said|spoken|followed|not used) ", text):
                sentences.append(f"{lead}the word {name} is {text}")
            elif re.match(r"(?:can|cannot|is|does|has) ", text) and synset.pos == "a":
                sentences.append(f"{lead}something that is {name} {text}")
            elif sentences and re.match(r"(?:especially|usually|often|particularly|chiefly|as) ", text):
                sentences[-1] = f"{sentences[-1]}, {text}"
            else:
                sentences.append(f"{lead}{name} means {text}")
        if others := self.synonyms(synset):
            word = "way to say" if any(" " in lemma for lemma in [name, *others]) else "word for"
            many = f"other {word.replace('way', 'ways').replace('word', 'words')} {name} are"
            sentences.append(f"{many if len(others) > 1 else f'another {word} {name} is'} {listing(others)}")
        if synset.satellite:
            near = [self.english.name(head) for head in self.known(synset.targets("&"))]
            sentences += [
                f"{name} is similar in meaning to {head}" for head in near if spelling(head) != spelling(name)
            ]
        return sentences


CAPITAL = re.compile(
    r"\bcapital(?: city)?(?: and (?:the )?[a-z ]+?)? of (?:the (?:state|province) of |modern |the )?([A-Z].*)"
)
PAST_CAPITAL = re.compile(
    r"\b(?:former|formerly|medieval|once|ancient [a-z]+ that|ancient (?!city|port)|was|were|served|"
    r"until|recognized|old)\b"
)


def wordnet_documents(folder: Path = WORDNET) -> Iterator[Document]:
    """One document for each synset that is not left out, the most used first."""
    wordnet = read_wordnet(folder)
    describer = Describer(wordnet)
    for key in sorted(wordnet.synsets, key=lambda key: (-wordnet.counts[key], key)):
        if sentences := describer.describe(wordnet.synsets[key]):
            yield Document(f"wordnet/{key}", wordnet.counts[key], sentences)
