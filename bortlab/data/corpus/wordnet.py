"""WordNet's files as data (wndb(5), senseidx(5))."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

WORDNET = Path("/usr/share/wordnet")
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
        """Which sense of the lemma this synset is, counted from 0, its commonest."""
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
