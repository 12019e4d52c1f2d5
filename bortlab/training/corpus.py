"""A small, permissively licensed English corpus: WordNet 3.0 said in sentences, and the World English Bible.

`python -m bortlab.training.corpus` builds `assets/corpus` anew from Debian's `wordnet-base`, `sword-text-web` and
`diatheke`; `read("train")` reads what is committed. A document is one WordNet synset or one chapter of the Bible, and
its sentences are natural cased English. Nothing is written by hand or by a model: every sentence is a fixed template
filled with what WordNet says, a definition or example of WordNet, or a verse.

Read top to bottom: documents on disk, WordNet's files (wndb(5)), English grammar, glosses, one function per part of
speech that says a synset, the Bible, the blanks, the command.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import math
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "corpus"
WORDNET = Path("/usr/share/wordnet")
BIBLE = "engWEB2015eb"
LICENCES = {"wordnet": "wordnet-base", "web": "sword-text-web"}

FORMAT = 1
SPLIT_RULE = "held out: documents whose sha256(id), first 8 bytes as a big-endian number, is 0 modulo 100"
MAX_WORDS = 60
Split = Literal["train", "heldout"]


# ---------------------------------------------------------------------------------------------- documents on disk


@dataclass(frozen=True, slots=True)
class Document:
    """One synset or one chapter; `count` is how often WordNet's tagged texts used the synset (0 for the Bible)."""

    id: str
    count: int
    sentences: tuple[str, ...]

    @property
    def source(self) -> str:
        """`wordnet` or `bible`."""
        return self.id.partition("/")[0]


def split_of(document_id: str) -> Split:
    """The split a document belongs to, by a stable hash of its id alone."""
    number = int.from_bytes(hashlib.sha256(document_id.encode()).digest()[:8], "big")
    return "heldout" if number % 100 == 0 else "train"


def read(split: Split, folder: Path = ASSETS) -> list[Document]:
    """The documents of one split, after checking the file against the manifest."""
    if split not in ("train", "heldout"):
        raise ValueError(f"Unknown split {split!r}. Known: 'train', 'heldout'.")
    name = f"{split}.jsonl.xz"
    for path in (folder / "manifest.json", folder / name):
        if not path.is_file():
            raise ValueError(f"Corpus file {path} is missing. Build it with `python -m bortlab.training.corpus`.")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    data = (folder / name).read_bytes()
    got, expected = hashlib.sha256(data).hexdigest(), manifest["files"][name]["sha256"]
    if got != expected:
        raise ValueError(
            f"Corpus file {folder / name} is not the one in manifest.json: got sha256 {got}, expected {expected}. "
            "Restore it from git or rebuild with `python -m bortlab.training.corpus`."
        )
    rows = (json.loads(line) for line in lzma.decompress(data).decode().splitlines())
    return [Document(row["id"], row["count"], tuple(row["sentences"])) for row in rows]


def n_words(sentence: str) -> int:
    """Words of a sentence, by white space."""
    return len(sentence.split())


# ------------------------------------------------------------------------------------------------ WordNet's files

POS_NAMES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
POS_OF_SENSE_KEY = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}


@dataclass(frozen=True, slots=True)
class Pointer:
    """A relation to another synset; `source` and `target` are lemma numbers from 1, or 0 for the whole synset."""

    symbol: str
    key: str
    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Synset:
    """One line of a `data.*` file; `key` is the part of speech and the offset, e.g. `n/02088364`."""

    key: str
    lexfile: int
    satellite: bool
    lemmas: tuple[str, ...]
    pointers: tuple[Pointer, ...]
    gloss: str

    @property
    def pos(self) -> str:
        """`n`, `v`, `a` (satellites too) or `r`."""
        return self.key[0]

    @property
    def instance(self) -> bool:
        """Whether this is one named thing (Paris) rather than a kind of thing (city)."""
        return any(pointer.symbol == "@i" for pointer in self.pointers)

    def targets(self, *symbols: str) -> list[str]:
        """Keys of the synsets these pointers lead to, in file order."""
        return [pointer.key for pointer in self.pointers if pointer.symbol in symbols]


def plain_lemma(word: str) -> str:
    """`galore(ip)` -> `galore`, `hot_dog` -> `hot dog`."""
    return re.sub(r"\((?:a|p|ip)\)$", "", word).replace("_", " ")


def parse_synset(line: str) -> Synset:
    """Parse one line of a `data.*` file, as in wndb(5)."""
    data, _, gloss = line.partition("|")
    fields = data.split()
    try:
        n_lemmas = int(fields[3], 16)
        lemmas = tuple(plain_lemma(word) for word in fields[4 : 4 + 2 * n_lemmas : 2])
        at = 4 + 2 * n_lemmas
        n_pointers = int(fields[at])
        pointers = []
        for start in range(at + 1, at + 1 + 4 * n_pointers, 4):
            symbol, offset, pos, numbers = fields[start : start + 4]
            pointers.append(Pointer(symbol, f"{pos}/{offset}", int(numbers[:2], 16), int(numbers[2:], 16)))
        pos = fields[2].replace("s", "a")
        return Synset(
            f"{pos}/{fields[0]}",
            int(fields[1]),
            fields[2] == "s",
            lemmas,
            tuple(pointers),
            " ".join(gloss.replace("_", " ").split()),
        )
    except (IndexError, ValueError) as error:
        raise ValueError(f"Not a WordNet data line (see wndb(5)): {line[:80]!r}. Is this WordNet 3.0?") from error


@dataclass(frozen=True, slots=True)
class WordNet:
    """WordNet in memory: synsets by key, keys by (pos, lower-case lemma) commonest sense first, and tag counts.

    `counts` are of synsets, `uses` of (synset, lower-case lemma).
    """

    synsets: dict[str, Synset]
    senses: dict[tuple[str, str], list[str]]
    counts: Counter[str]
    uses: Counter[tuple[str, str]] = field(default_factory=Counter)

    def rank(self, synset: Synset, lemma: str) -> int:
        """How manieth sense of the lemma this synset is; 0 is its commonest."""
        return self.senses[synset.pos, lemma.lower()].index(synset.key)


def read_wordnet(folder: Path = WORDNET) -> WordNet:
    """Read `data.*`, `index.*` and `cntlist.rev` of a WordNet 3.0 folder."""
    if not (folder / "data.noun").is_file():
        raise ValueError(f"No WordNet in {folder}: data.noun not found. Install Debian's wordnet-base.")
    synsets: dict[str, Synset] = {}
    senses: dict[tuple[str, str], list[str]] = {}
    counts: Counter[str] = Counter()
    uses: Counter[tuple[str, str]] = Counter()
    for pos, name in POS_NAMES.items():
        for line in (folder / f"data.{name}").read_text(encoding="ascii").splitlines():
            if not line.startswith(" "):
                synset = parse_synset(line)
                synsets[synset.key] = synset
        for line in (folder / f"index.{name}").read_text(encoding="ascii").splitlines():
            if not line.startswith(" "):
                fields = line.split()
                senses[pos, plain_lemma(fields[0])] = [f"{pos}/{offset}" for offset in fields[-int(fields[2]) :]]
    for line in (folder / "cntlist.rev").read_text(encoding="ascii").splitlines():
        sense_key, number, count = line.split()
        lemma, _, rest = sense_key.partition("%")
        keys = senses.get((POS_OF_SENSE_KEY[rest[0]], plain_lemma(lemma)), [])
        if int(number) <= len(keys):  # cntlist.rev knows a few senses that WordNet 3.0 dropped
            counts[keys[int(number) - 1]] += int(count)
            uses[keys[int(number) - 1], plain_lemma(lemma)] += int(count)
    return WordNet(synsets, senses, counts, uses)


# ------------------------------------------------------------------------------------------------ English grammar


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# Lexicographer files (lexnames(5)) whose nouns are things one can count.
COUNT_FILES = frozenset({3, 5, 6, 8, 14, 15, 17, 18, 20, 23, 25, 28})
ANIMAL, ARTIFACT, BODY, COGNITION, LANGUAGE, FOOD, PLACE, OBJECT = 5, 6, 8, 9, 10, 13, 15, 17
PERSON, PLANT, SUBSTANCE, TIME = 18, 20, 27, 28
MASS_ENDINGS = ("ness", "ism", "ology", "ics", "graphy", "hood", "wear", "ware")
NOT_PLURAL = frozenset({"species", "headquarters", "crossroads", "gallows", "aspirates", "christmas", "measles"})
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
        one = bool(re.match(r"(?:\([^)]*\) )?(?:an?|one|someone|something) ", gloss))
        if lexfile in (ANIMAL, PLACE, PERSON):
            return False
        if word[0].isupper() and lexfile in (COGNITION, LANGUAGE, TIME):
            return True
        if word.endswith(MASS_ENDINGS):
            return 2 * bare >= with_a
        if lexfile == SUBSTANCE:
            return bare >= with_a
        if lexfile in COUNT_FILES:
            return bare >= 4 and bare > (8 if one or lexfile == BODY else 3) * with_a
        if with_a + bare >= 2:
            return bare > (4 if one else 2) * with_a
        return not one

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


TAXON_RANKS = word_set(
    """
    genus family order class phylum subfamily superfamily suborder subclass subphylum division tribe kingdom
    subkingdom superorder superclass infraorder superphylum subdivision form subgenus section subtribe
    """
)


# --------------------------------------------------------------------------------------------------------- glosses


@dataclass(frozen=True, slots=True)
class Gloss:
    """A gloss taken apart: definitions (split at `;`), quoted examples, and the note in brackets it began with."""

    definitions: tuple[str, ...]
    examples: tuple[str, ...]
    note: str


def split_gloss(gloss: str) -> Gloss:
    """Split a gloss at the semicolons outside quotes and brackets; attributions of quotes are dropped."""
    parts, depth, quoted = [""], 0, False
    for letter in gloss:
        quoted ^= letter == '"'
        depth = 0 if quoted else max(0, depth + (letter == "(") - (letter == ")"))
        if letter == ";" and not quoted and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    definitions, examples = [], []
    for part in (part.strip().replace("`", "'") for part in parts):
        if part.startswith('"'):
            examples += [quote.strip() for quote in re.findall(r'"([^"]+)"?', part.partition('"- ')[0])]
        elif '"' in part:
            before = part.partition('"')[0]
            definitions.append(part if before and part.count('"') % 2 == 0 else before)
        elif part:
            definitions.append(part)
    note = re.match(r"\(([^)]*)\)[,:]?\s*", definitions[0]) if definitions else None
    if note:
        definitions[0] = definitions[0][note.end() :]
    kept = tuple(text.strip(" ,:") for text in definitions if len(text.strip(" ,:")) > 1)
    return Gloss(kept, tuple(examples), note.group(1) if note else "")


class Speaker:
    """Says synsets in English sentences."""

    def __init__(self, wordnet: WordNet) -> None:
        self.wordnet = wordnet
        self.english = English(wordnet)

    # ------------------------------------------------------------------------------------------ shared by all kinds

    def say(self, synset: Synset) -> tuple[str, ...]:
        """All sentences of one synset, tidy and none too long; empty for scientific names."""
        if self.english.is_taxon(synset):
            return ()
        gloss = split_gloss(synset.gloss)
        said = {"n": self.noun, "v": self.verb, "a": self.quality, "r": self.quality}[synset.pos](synset, gloss)
        said += [*self.opposites(synset), *(self.example(synset, example) for example in gloss.examples)]
        return tuple(dict.fromkeys(text for text in map(sentence, said) if 2 <= n_words(text) <= MAX_WORDS))

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
        seen = {spelling(self.english.name(synset))}
        found = []
        for lemma in synset.lemmas:
            capital = synset.instance and "capital" in lemma
            if (
                len(lemma) > 1
                and spelling(lemma) not in seen
                and not capital
                and not self.english.is_latin(synset, lemma)
            ):
                seen.add(spelling(lemma))
                found.append(lemma)
        return found[:limit]

    def opposites(self, synset: Synset) -> list[str]:
        """`The opposite of hot is cold.`, word for word as the pointers say."""
        pairs = [
            (synset.lemmas[pointer.source - 1], self.wordnet.synsets[pointer.key].lemmas[pointer.target - 1])
            for pointer in synset.pointers
            if pointer.symbol == "!"
        ]
        return [f"the opposite of {one} is {other}" for one, other in pairs]

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
        if self.is_clause(example) or not self.is_noun(self.head(example)):
            return example
        lead = words[0].lower() if words[0].lower() in DETERMINERS else words[0]
        return f"one speaks of {self.with_article(' '.join([lead, *words[1:]]))}"

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
            if at and last and word.endswith("ed") and not self.english.is_a(word, "a") and stem and words[0] != "a":
                return words[at - 1] not in DETERMINERS and self.english.is_a(words[at - 1], "n")
        return False

    def is_noun(self, word: str) -> bool:
        """Whether a word is a noun in either number."""
        return self.english.is_a(word, "n") or self.english.is_plural(word)

    def verb_not_noun(self, word: str) -> bool:
        """Whether a word in -s is a verb form only: suffers, but not runs."""
        bases = {word[:-1], word[:-2] if word.endswith("es") else word[:-1], re.sub("ies$", "y", word)} - {word}
        english = self.english
        return any(english.is_a(base, "v") for base in bases) and not any(
            english.is_a(base, "n") for base in [*bases, word]
        )

    def with_article(self, phrase: str) -> str:
        """Put a/an before a phrase whose head is a single countable noun: `hot stove`, but not `hot water`."""
        words = phrase.split()
        if words[0].lower() in DETERMINERS | FUNCTION_WORDS | {"no", "my", "our", "your", "such", "every"}:
            return phrase
        head = self.head(phrase)
        keys = self.wordnet.senses.get(("n", head.lower()))
        if not keys or head[0].isupper() or words[0].endswith("'s") or self.english.is_plural(head):
            return phrase
        synset = self.wordnet.synsets[keys[0]]
        if self.english.is_mass(head, synset.lexfile, synset.gloss) or (words[0].endswith("ing") and head == words[0]):
            return phrase
        return f"{article(phrase)} {phrase}"

    def head(self, phrase: str) -> str:
        """The head noun of a phrase: the last word before a preposition, relative, participle or comma."""
        head = ""
        for word in tokens(phrase):
            ends = word in FUNCTION_WORDS or word in RELATIVES or not word[0].isalnum()
            verbal = word.endswith(("ing", "ed")) or word in PARTICIPLES
            late = word in ADVERBS and self.english.is_mainly_noun(head)
            if (
                ends
                or late
                or (head and verbal and self.english.is_mainly_noun(head) and not self.english.is_a(word, "n"))
            ):
                break
            head = word
        return head

    # -------------------------------------------------------------------------------------------------------- nouns

    def noun(self, synset: Synset, gloss: Gloss) -> list[str]:
        """A noun: its kind, other names, kinds of it, parts and wholes, definition."""
        name = self.english.name(synset)
        subject = self.phrase(synset)
        plural = self.english.is_plural(name) and not (synset.instance and synset.lexfile == PLACE)
        be = "are" if plural else "is"
        kinds = [self.english.name(kind) for kind in self.known(synset.targets("@"))]
        said = [f"{subject} {be} a kind of {kind}" for kind in kinds if kind != name]
        was = (
            "was"
            if synset.lexfile == PERSON and re.search(r"\d\d", synset.gloss) and "born " not in synset.gloss
            else be
        )
        said += [f"{subject} {was} {self.phrase(kind)}" for kind in self.known(synset.targets("@i"))]
        if others := self.synonyms(synset):
            bare = {other for other in others if plural and other.endswith("s")}
            phrases = [other if other in bare else self.english.noun_phrase(synset, other) for other in others]
            said.append(f"{subject} {was} also called {listing(phrases, 'or')}")
        said += self.definitions(synset, gloss, subject, was)
        said += self.capital(synset, gloss)
        said += self.wholes(synset, subject, be)
        said += self.parts(synset, subject, "have" if plural else "has")
        said += self.kinds(synset, name)
        if qualities := self.known(synset.targets("=")):
            said.append(f"{subject} can be {listing([self.english.name(quality) for quality in qualities], 'or')}")
        return said

    def definitions(self, synset: Synset, gloss: Gloss, subject: str, be: str) -> list[str]:
        """The definitions, each a sentence where its first word shows how, else joined to the one before by `;`."""
        said: list[str] = []
        for number, text in enumerate(gloss.definitions):
            lead = self.domain(synset, gloss) if number == 0 else ""
            made = self.definition(text, subject, be, first=number == 0)
            if made:
                said.append(lead + made)
            elif said and n_words(said[-1]) + n_words(text) <= MAX_WORDS:
                said[-1] = f"{said[-1]}; {text}"
            elif not said:
                label = self.english.name(synset)
                said.append(f"{lead}the {'term' if ' ' in label else 'word'} {label} means {text}")
        return said

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
            return text if not first and self.is_clause(text) else f"{subject} {be} {text}"
        if self.verb_not_noun(word) and word.endswith("s"):
            return f"{subject} {text}" if be == "is" else ""
        if word in ADVERBS or word in PARTICIPLES or (verbal and self.head(text).endswith("ed")):
            return f"{subject} {be} {text}"
        if word in PREPOSITIONS and not first and subject[0].isupper():
            return f"{subject} {be} {text}"
        if not first:
            return ""
        return self.bare_definition(text, subject, be)

    def bare_definition(self, text: str, subject: str, be: str) -> str:
        """A definition that begins without article: `capital of the state of Idaho`, `breed of small dogs`."""
        head = self.head(text)
        if not head or not self.is_noun(head):
            return ""
        if re.match(r"(?:capital|largest|site|son|wife|daughter|brother|sister|mother|father|founder) ", text):
            return f"{subject} {be} the {text}"
        if self.english.is_plural(head) and be != "are":
            return ""
        return f"{subject} {be} {self.with_article(text)}"

    def kinds(self, synset: Synset, name: str) -> list[str]:
        """`Kinds of hound are the beagle, ...` for concepts in use with a few kinds to name."""
        below = [kind for kind in self.known(synset.targets("~")) if len(kind.lemmas[0]) > 1]
        if not 2 <= len(below) <= 60 or self.english.is_plural(name):
            return []
        if not (self.wordnet.counts[synset.key] or len(below) >= 5):
            return []
        chosen = [re.sub(r"^an? ", "the ", self.phrase(kind)) for kind in self.commonest(below, 6)]
        some = "some kinds" if len(below) > len(chosen) else "kinds"
        return [f"{some} of {name} are {listing(chosen)}"]

    def wholes(self, synset: Synset, subject: str, be: str) -> list[str]:
        """What the noun is part of, a member of, found in, or lies in."""
        said = []
        for whole in self.known(synset.targets("#p")):
            place = synset.instance and whole.lexfile in (PLACE, OBJECT) and synset.lexfile in (PLACE, OBJECT, ARTIFACT)
            said.append(f"{subject} {be} {'in' if place else 'part of'} {self.phrase(whole)}")
        for whole in self.known(synset.targets("#m")):
            if whole.lexfile == PLACE and synset.lexfile == PERSON:
                said.append(f"{subject} {'come' if be == 'are' else 'comes'} from {self.phrase(whole)}")
            else:
                said.append(f"{subject} {'belong' if be == 'are' else 'belongs'} to {self.phrase(whole)}")
        return said + [f"{subject} {be} found in {self.phrase(whole)}" for whole in self.known(synset.targets("#s"))]

    def parts(self, synset: Synset, subject: str, have: str) -> list[str]:
        """What the noun has or contains, at most six of them; for a place, the places in it."""
        said = []
        parts = self.known(synset.targets("%p"))
        if inside := self.commonest([part for part in parts if part.instance], 6):
            them = listing([self.phrase(part) for part in inside])
            said.append(f"{them} {'are' if len(inside) > 1 else 'is'} in {subject}" if synset.instance else "")
        if own := self.commonest([part for part in parts if not part.instance and self.phrase(part) != subject], 6):
            said.append(f"{subject} {have} {listing([self.phrase(part) for part in own])}")
        if stuff := self.commonest(self.known(synset.targets("%s")), 6):
            said.append(
                f"{subject} {'contains' if have == 'has' else 'contain'} "
                f"{listing([self.phrase(part) for part in stuff])}"
            )
        return [text for text in said if text]

    def capital(self, synset: Synset, gloss: Gloss) -> list[str]:
        """`Paris is the capital of France.` and the same the other way round, where the gloss says it of now."""
        towns = [lemma for kind in synset.targets("@i") for lemma in self.wordnet.synsets[kind].lemmas]
        if synset.lexfile != PLACE or not any(re.search(r"capital|city|port|town", town) for town in towns):
            return []
        for text in gloss.definitions:
            found = CAPITAL.search(text)
            if found and not PAST_CAPITAL.search(text):
                place = self.place_at(found.group(1))
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

    # ------------------------------------------------------------------------------------------------- other kinds

    def verb(self, synset: Synset, gloss: Gloss) -> list[str]:
        """A verb: what it is to do it, what it is a way of, what it is also called."""
        name = self.english.name(synset)
        kinds = [self.english.name(kind) for kind in self.known(synset.targets("@"))]
        said = [f"to {name} is one way to {kind}" for kind in kinds if kind not in (name, "be", "have")]
        if others := self.synonyms(synset):
            said.append(f"to {name} is to {listing(others, 'or to ' if len(others) == 1 else 'or')}")
        for number, text in enumerate(gloss.definitions):
            text = re.sub(r"^to ", "", text)
            word = text.split()[0].strip(",").lower()
            if self.english.is_a(word, "v") or word in ("be", "not"):
                said.append(f"{self.domain(synset, gloss) if number == 0 else ''}to {name} is to {text}")
            elif word.endswith("ly") and len(text.split()) > 1 and self.english.is_a(text.split()[1], "v"):
                said.append(f"to {name} is to {text}")
            elif number and said and n_words(said[-1]) + n_words(text) < MAX_WORDS:
                said[-1] = f"{said[-1]}; {text}"
            elif re.match(r"(?:used|said) (?:of|with|in|to|as|for)\b", text):
                said.append(f"the verb {name} is {text}")
            else:
                said.append(f"the verb {name} means {text}")
        said += [f"to {name}, one has to {self.english.name(other)}" for other in self.known(synset.targets("*"))]
        effects = [self.english.name(effect) for effect in self.known(synset.targets(">"))]
        said += [f"to {name} is to make something {effect}" for effect in effects if effect != name]
        if (ways := self.known(synset.targets("~"))) and 2 <= len(ways) <= 60 and self.wordnet.counts[synset.key]:
            said.append(f"ways to {name} are to {listing([self.english.name(way) for way in self.commonest(ways, 5)])}")
        return said

    def quality(self, synset: Synset, gloss: Gloss) -> list[str]:
        """An adjective or adverb: what it means, other words for it, the word it is near to."""
        name = self.english.name(synset)
        said: list[str] = []
        for number, text in enumerate(gloss.definitions):
            lead = self.domain(synset, gloss) if number == 0 else ""
            if re.match(r"(?:often |usually |also |sometimes )?(?:used|said|spoken|followed|not used) ", text):
                said.append(f"{lead}the word {name} is {text}")
            elif re.match(r"(?:can|cannot|is|does|has) ", text) and synset.pos == "a":
                said.append(f"{lead}something that is {name} {text}")
            elif said and re.match(r"(?:especially|usually|often|particularly|chiefly|as) ", text):
                said[-1] = f"{said[-1]}, {text}"
            else:
                said.append(f"{lead}{name} means {text}")
        if others := self.synonyms(synset):
            word = "way to say" if any(" " in lemma for lemma in [name, *others]) else "word for"
            many = f"other {word.replace('way', 'ways').replace('word', 'words')} {name} are"
            said.append(f"{many if len(others) > 1 else f'another {word} {name} is'} {listing(others)}")
        if synset.satellite:
            near = [self.english.name(head) for head in self.known(synset.targets("&"))]
            said += [f"{name} is similar in meaning to {head}" for head in near if spelling(head) != spelling(name)]
        return said


PAST = word_set(
    """
    went came took gave got became began said made found knew saw ran sat stood told thought kept held brought
    fell grew wrote threw drew drove ate flew spoke broke chose rose wore hung lay led met paid sent spent won
    sang sank was were had did lost left felt heard built bought caught taught fought
    """
)
CAPITAL = re.compile(
    r"\bcapital(?: city)?(?: and (?:the )?[a-z ]+?)? of (?:the (?:state|province) of |modern |the )?([A-Z].*)"
)
PAST_CAPITAL = re.compile(
    r"\b(?:former|formerly|medieval|once|ancient [a-z]+ that|ancient (?!city|port)|was|were|served|"
    r"until|recognized|old)\b"
)


def spelling(word: str) -> str:
    """A word without case, spaces and marks, to tell synonyms from spellings."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def wordnet_documents(folder: Path = WORDNET) -> Iterator[Document]:
    """One document for each synset that is not left out, the most used first."""
    wordnet = read_wordnet(folder)
    speaker = Speaker(wordnet)
    for key in sorted(wordnet.synsets, key=lambda key: (-wordnet.counts[key], key)):
        if sentences := speaker.say(wordnet.synsets[key]):
            yield Document(f"wordnet/{key}", wordnet.counts[key], sentences)


# ------------------------------------------------------------------------------------------------------- the Bible

VERSE = re.compile(
    r"(?:^|[\s>])(?P<book>(?:[IV]+ )?[A-Z]\w+(?: (?:of|[A-Z]\w+|\(\w+\)))*) (?P<chapter>\d+):\d+: (?P<text>.*)$"
)


def clean_verse(osis: str) -> str:
    """A verse as one sentence: no mark-up, notes or headings, straight quotes, no quote mark left open."""
    text = re.sub(r"<(note|title)\b.*?</\1>", " ", osis)
    text = re.sub(r"</w>(?=<w|\w)|<(?:l|lg|q|milestone|lb|p|chapter)\b[^>]*>", " ", text)
    text = " ".join(re.sub(r"<[^>]+>", "", text).split())
    opened, closed = text.count("\u201c"), text.count("\u201d")
    text = "\u201c" * (closed > opened) + text + "\u201d" * (opened > closed)
    for fancy, plain in (("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'), ("\u2014", " - ")):
        text = text.replace(fancy, plain)
    text = re.sub(r"(?<!\w)'(?=\w)|(?<=[.,;:!?])'", "", text)
    text = re.sub(r'[,;:-]?\s*"$', '."', text) if re.search(r'[^.!?]"$', text) else text
    return sentence(text) if re.search(r"[A-Za-z]{2}", text) else ""


def split_verse(verse: str) -> list[str]:
    """The verse, or its sentences where it is longer than the limit."""
    if n_words(verse) <= MAX_WORDS:
        return [verse]
    pieces = [sentence(re.sub(r'[()"]', "", piece)) for piece in re.split(r"(?<=[.!?;])[\")]* ", verse)]
    return [piece for piece in pieces if 2 <= n_words(piece) <= MAX_WORDS]


def bible_documents(module: str = BIBLE) -> Iterator[Document]:
    """One document for each chapter, read with diatheke."""
    if shutil.which("diatheke") is None:
        raise ValueError("diatheke not found. Install Debian's diatheke and sword-text-web to read the Bible.")
    chapters: dict[tuple[str, int], list[str]] = defaultdict(list)
    command = ["diatheke", "-b", module, "-f", "OSIS", "-k", "Genesis 1 - Revelation 22"]
    lines = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
    for line in lines.splitlines():
        found = VERSE.search(line)
        if found and (verse := clean_verse(found["text"])):
            chapters[found["book"], int(found["chapter"])] += split_verse(verse)
    if not chapters:
        raise ValueError(f"SWORD module {module!r} gave no verses. Install Debian's sword-text-web.")
    for (book, chapter), verses in chapters.items():
        yield Document(f"bible/{book.replace(' ', '_')}/{chapter}", 0, tuple(verses))


def normal(text: str) -> str:
    """A sentence for comparison: lower-case words only."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def build(wordnet: Path = WORDNET, bible: str = BIBLE) -> Iterator[Document]:
    """All documents, no sentence twice among them."""
    seen: set[str] = set()
    for documents in (wordnet_documents(wordnet), bible_documents(bible)):
        for document in documents:
            kept = []
            for text in document.sentences:
                if (form := normal(text)) not in seen:
                    seen.add(form)
                    kept.append(text)
            if kept:
                yield Document(document.id, document.count, tuple(kept))


# -------------------------------------------------------------------------------------------------------- blanks

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
            if found := form.fullmatch(text):
                answers[found[1]].append(found[2])
                if lexfiles.get(document.id, 0) in BLANK_FILES[kind]:
                    source.setdefault(found[1], document.id)
    asked: Counter[str] = Counter()
    for prompt in source:
        given = list(dict.fromkeys(answers[prompt]))
        common = all(words[word] >= 100 for word in [given[0], *prompt.lower().split()])
        if common and asked[given[0]] < 2 and given[0] not in prompt.lower().split():
            asked[given[0]] += 1
            yield Blank(kind, f"{prompt}[MASK].", tuple(given), source[prompt])


def capital_blanks(documents: list[Document], words: Counter[str]) -> Iterator[Blank]:
    """Blanks of national capitals, the country and the city in turn; other spellings of the city count too."""
    cities, countries, source = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list), dict[str, str]()
    for document in documents:
        for found in filter(None, map(CAPITAL_FORM.fullmatch, document.sentences)):
            city, country = found[1], found[2]
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
            content = [found for found in re.finditer(r"[A-Za-z]+", text) if found[0].lower() not in STOPWORDS]
            parts = normal(text).split()
            if content and 6 <= len(parts) <= 16 and re.fullmatch(r"[A-Z][^\"']*[.!?]", text):
                last = content[-1]
                rarity = -sum(math.log(words[word]) for word in parts) / len(parts)
                asked = text[: last.start()] + "[MASK]" + text[last.end() :]
                if last[0].islower() and len(content) >= 3:
                    books[book].append((rarity, Blank("verse", asked, (last[0],), document.id)))
    ranked = [
        [blank for _, blank in sorted(found, key=lambda pair: (pair[0], pair[1].text))] for found in books.values()
    ]
    for turn in zip(*ranked, strict=False):
        yield from turn


def blanks(documents: list[Document], lexfiles: Mapping[str, int]) -> list[Blank]:
    """The simple blanks, by `BLANKS_RULE`, from training documents."""
    words = word_counts(documents)
    wordnet = [document for document in documents if document.source == "wordnet"]
    bible = [document for document in documents if document.source == "bible"]
    kinds = [template_blanks(kind, wordnet, words, lexfiles) for kind in BLANK_FORMS]
    made = []
    for found in (*kinds, capital_blanks(wordnet, words), verse_blanks(bible, words)):
        made += [blank for _, blank in zip(range(BLANKS_PER_KIND), found, strict=False)]
    return made


# --------------------------------------------------------------------------------------------------- the command

README = """# A small English corpus

`train.jsonl.xz` and `heldout.jsonl.xz`: one document a line, `{{"id", "count", "sentences"}}`. Read them with
`bortlab.training.corpus.read("train")`. Built by `{command}`; `manifest.json` has the counts and checksums.

| source | documents | sentences | words | licence |
|---|---|---|---|---|
{rows}

- **WordNet 3.0** (a document is a synset): its relations said in fixed sentence templates, its definitions, its
  examples.
  `count` is how often the texts tagged for WordNet use the synset. Licence in `LICENSE-wordnet.txt`.
- **World English Bible** (a document is a chapter): public domain. Headings, notes and cross references are left out,
  quotation marks are straight and closed within the verse, a verse ends in a full stop, and one of more than
  {limit} words is split. As the text is changed in this, it is no longer to be called the World English Bible:
  take the original from <https://worldenglish.bible>. See `LICENSE-web.txt`.

Left out: {curation}

Split: {split}.

`blanks.json`: {blanks}
"""
CURATION = (
    "scientific names (synsets that are a genus, family, order and so on, or known by a Latin name only, and Latin "
    "synonyms), "
    f"sentences of one word or of more than {MAX_WORDS}, and every sentence that already occurred, in either split."
)
COMMAND = "python -m bortlab.training.corpus"


def write_documents(path: Path, documents: Iterable[Document]) -> str:
    """Write one split, the same bytes every time; returns their sha256."""
    rows = ({"id": item.id, "count": item.count, "sentences": item.sentences} for item in documents)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    data = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def statistics(documents: list[Document]) -> dict[str, dict[str, int | str]]:
    """Documents, sentences and words of each source."""
    licence = {"wordnet": "WordNet 3.0 licence (LICENSE-wordnet.txt)", "bible": "public domain (LICENSE-web.txt)"}
    found: dict[str, dict[str, int | str]] = {}
    for source in licence:
        own = [document for document in documents if document.source == source]
        sentences = [text for document in own for text in document.sentences]
        found[source] = {
            "documents": len(own),
            "sentences": len(sentences),
            "words": sum(map(n_words, sentences)),
            "licence": licence[source],
        }
    return found


def write(documents: list[Document], lexfiles: Mapping[str, int], out: Path) -> dict[str, object]:
    """Write all files of the corpus but the licences; returns the manifest. `lexfiles` is by document id."""
    out.mkdir(parents=True, exist_ok=True)
    splits: dict[Split, list[Document]] = {"train": [], "heldout": []}
    for document in documents:
        splits[split_of(document.id)].append(document)
    sums = {f"{split}.jsonl.xz": write_documents(out / f"{split}.jsonl.xz", part) for split, part in splits.items()}
    lines = [
        json.dumps({"kind": blank.kind, "text": blank.text, "answers": blank.answers, "source": blank.source})
        for blank in blanks(splits["train"], lexfiles)
    ]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    (out / "blanks.json").write_text(text, encoding="utf-8")
    sums["blanks.json"] = hashlib.sha256(text.encode()).hexdigest()
    sources = statistics(documents)
    manifest: dict[str, object] = {
        "format": FORMAT,
        "command": COMMAND,
        "sources": sources,
        "splits": {split: statistics(part) for split, part in splits.items()},
        "split_rule": SPLIT_RULE,
        "left_out": CURATION,
        "blanks_rule": BLANKS_RULE,
        "files": {name: {"sha256": value, "bytes": (out / name).stat().st_size} for name, value in sums.items()},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    rows = "\n".join(
        f"| {name} | {row['documents']} | {row['sentences']} | {row['words']} | {row['licence']} |"
        for name, row in sources.items()
    )
    (out / "README.md").write_text(
        README.format(
            command=COMMAND, rows=rows, limit=MAX_WORDS, curation=CURATION, split=SPLIT_RULE, blanks=BLANKS_RULE
        ),
        encoding="utf-8",
    )
    return manifest


def write_licences(out: Path, docs: Path = Path("/usr/share/doc")) -> None:
    """Copy what Debian's packages say of the texts' copyright, without the part on the packaging."""
    for name, package in LICENCES.items():
        path = docs / package / "copyright"
        if not path.is_file():
            raise ValueError(f"Licence text {path} not found. Install Debian's {package}.")
        text = path.read_text(encoding="utf-8").partition("\nFiles: debian/")[0]
        (out / f"LICENSE-{name}.txt").write_text(text.rstrip() + "\n", encoding="utf-8")


def main() -> None:
    """Build the corpus and say how large it is."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=main.__doc__)
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder to write")
    parser.add_argument("--wordnet", type=Path, default=WORDNET, help="folder of WordNet 3.0's data.* files")
    parser.add_argument("--bible", default=BIBLE, help="SWORD module of the Bible, as diatheke names it")
    arguments = parser.parse_args()
    documents = list(build(arguments.wordnet, arguments.bible))
    lexfiles = {f"wordnet/{key}": synset.lexfile for key, synset in read_wordnet(arguments.wordnet).synsets.items()}
    manifest = write(documents, lexfiles, arguments.out)
    write_licences(arguments.out)
    print(json.dumps({"sources": manifest["sources"], "files": manifest["files"]}, indent=2))


if __name__ == "__main__":
    main()
