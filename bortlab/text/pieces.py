"""Pieces of a text: where they lie in it, which words they belong to, and how many of them are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from bortlab.text.special import PairFormat, TokenizerKind
from bortlab.text.words import word_of_each_character

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""Unicode's White_Space, which is what `tokenizers` strips beside a mask (str.strip() would take \\x1c-\\x1f too)."""
Piece = tuple[int, tuple[int, int]]
"""id, (start, end) in the text."""


class Slot(NamedTuple):
    """A place in the input: the template's own, or a piece's."""

    id: int
    type_id: int
    special: bool


def laid_out(
    ids: Sequence[int],
    pair_ids: Sequence[int] | None,
    *,
    cls_id: int,
    sep_id: int,
    kind: TokenizerKind,
    pair_format: PairFormat,
) -> list[Slot]:
    """The template around plain ids: [CLS] A [SEP], [CLS] A [SEP] B [SEP], with a second separator if "double"."""
    slots = [Slot(cls_id, 0, True), *(Slot(number, 0, False) for number in ids), Slot(sep_id, 0, True)]
    if pair_ids is not None:
        second = 0 if kind == "byte-bpe" else 1
        if kind == "byte-bpe" and pair_format == "double":
            slots.append(Slot(sep_id, 0, True))
        slots += [*(Slot(number, second, False) for number in pair_ids), Slot(sep_id, second, True)]
    return slots


def shortened(n_first: int, n_second: int, room: int) -> tuple[int, int]:
    """How many pieces of each side to keep: the longer side gives first ("longest_first" of transformers)."""
    if n_first + n_second <= room:
        return n_first, n_second
    if n_second == 0:
        return room, 0
    short = min(n_first, n_second, room // 2)
    return (short, room - short) if n_first <= n_second else (room - short, short)


def words_of(text: str, pieces: Sequence[Piece], first_word: int) -> list[int | None]:
    """For each piece the number of the word that it begins in; the text's first word has the number `first_word`."""
    index = word_of_each_character(text)
    numbers = (
        next((n for n in index[start : max(end, start + 1)] if n is not None), None) for _, (start, end) in pieces
    )
    return [None if number is None else number + first_word for number in numbers]


def without_spaces(text: str, start: int, end: int) -> tuple[int, int]:
    """The characters start to end without white space around them; white space alone stays as it is."""
    if text[start:end].isspace():
        return start, end
    while end > start and text[start] in SPACES:
        start += 1
    while end > start and text[end - 1] in SPACES:
        end -= 1
    return start, end


def _byte_of_each_letter() -> dict[str, int]:
    """GPT-2's spelling of bytes as printable letters, turned round: 'Ġ' -> 32."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


BYTES: Mapping[str, int] = MappingProxyType(_byte_of_each_letter())
"""The byte that each letter of a byte-level vocabulary stands for."""
