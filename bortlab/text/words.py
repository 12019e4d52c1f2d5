"""Words of a text: where they begin and end, whatever pieces a model cuts them into."""

from __future__ import annotations

import functools
import re
import unicodedata

from bortlab.text.encoding import MASK

_SURROGATE = re.compile("[\ud800-\udfff]")


def without_surrogates(text: str) -> str:
    """Lone surrogates -> U+FFFD, one for one: no encoder takes them, and the offsets stay as they are."""
    return _SURROGATE.sub("\ufffd", text)


@functools.lru_cache(maxsize=65_536)
def _class_of(character: str) -> str:
    """One letter for the kind of a character, the alphabet of `_WORD`."""
    category = unicodedata.category(character)
    if character.isspace() or category in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    if category[0] == "M" or category == "Cf":
        return "+"  # marks and joiners stay with what they follow
    if "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000":
        return "c"
    if character in "'\u2019":
        return "'"
    if category[0] in "PS":
        return "." if character in ".," else "p"
    return "d" if category == "Nd" else "w"


# A word: letters, digits and their marks, with apostrophes inside (don't) and . or , between digits (1,000.5);
# one ideograph; a run of punctuation or symbols; the mask.
_WORD = re.compile(r"m{6}|[wd][wd+]*(?:(?:'(?=[wd])|(?<=d)\.(?=d))[wd+]+)*|c\+*|[p.'][p.'+]*|\++")


def word_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Characters start to end of each word, mark or mask of a text: what `Encoding.words` counts, for every model."""
    classes = "m" * len(MASK)
    classes = classes.join("".join(map(_class_of, run)) for run in text.split(MASK))
    return tuple(match.span() for match in _WORD.finditer(classes))


def word_of_each_character(text: str) -> list[int | None]:
    """For each character the number of its word, None for white space and control characters: (characters,)."""
    words: list[int | None] = [None] * len(text)
    for number, (start, end) in enumerate(word_spans(text)):
        words[start:end] = [number] * (end - start)
    return words
