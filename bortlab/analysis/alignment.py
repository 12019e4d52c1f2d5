"""Cuts of the same text by several tokenizers, laid side by side in columns of characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from bortlab.analysis.tokens import Cut, Piece

LONGEST_COLUMN = 18
"""Characters of a column; a longer word is broken where no piece, or only a single one, spans the break."""


@dataclass(frozen=True, slots=True)
class Group:
    """Pieces that share characters start to end: mostly one; the bytes of a character are several."""

    start: int
    end: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A stretch of text that can be shown by itself, and what each model makes of it.

    part: 0 for the text, 1 for the second text, None for a place of the template, which has no characters.
    groups: model -> its groups that touch the column. One that began in an earlier column goes on here.
    """

    part: int | None
    start: int
    end: int
    groups: Mapping[str, tuple[Group, ...]]


def align(cuts: Mapping[str, Cut], *, longest: int | None = None) -> tuple[Column, ...]:
    """Lay cuts of the same text side by side: columns of characters, mostly words, that hold whole pieces of each.

    White space that no model has a piece for is in no column. longest: leave out what lies beyond so many characters.
    """
    if not cuts:
        return ()
    any_cut = next(iter(cuts.values()))
    columns = [_template_column(cuts, 0)]
    for part, text in enumerate([any_cut.text] if any_cut.pair is None else [any_cut.text, any_cut.pair]):
        groups = {key: _groups(cut, part, len(text)) for key, cut in cuts.items()}
        columns += _columns(text, part, groups, len(text) if longest is None else min(longest, len(text)))
        columns.append(_template_column(cuts, part + 1))
    return tuple(columns)


def _template_column(cuts: Mapping[str, Cut], place: int) -> Column:
    """The template's pieces before the text (0), after it (1) and after the second text (2)."""
    return Column(None, 0, 0, {key: _template_groups(cut, place) for key, cut in cuts.items()})


def _template_groups(cut: Cut, place: int) -> tuple[Group, ...]:
    template = [piece for piece in cut.pieces if piece.role == "template"]
    last = template[-1:] if cut.pair is not None else []
    middle = template[1 : len(template) - len(last)]
    return tuple(Group(0, 0, (piece,)) for piece in (template[:1], middle, last)[place])


def _groups(cut: Cut, part: int, n_characters: int) -> list[Group]:
    """Pieces of one text, those together that share a character; a piece of no characters joins the one it precedes."""
    groups: list[Group] = []
    for piece in cut.pieces:
        if piece.part != part:
            continue
        start, end = piece.start, piece.end
        if start == end:
            start, end = (start, start + 1) if start < n_characters else (max(0, start - 1), start)
        if groups and start < groups[-1].end:
            before = groups[-1]
            groups[-1] = Group(min(start, before.start), max(end, before.end), (*before.pieces, piece))
        else:
            groups.append(Group(start, end, (piece,)))
    return groups


def _columns(text: str, part: int, groups: Mapping[str, list[Group]], end: int) -> list[Column]:
    spanned = {c for own in groups.values() for g in own for c in range(g.start + 1, g.end)}
    fixed = {c for own in groups.values() for g in own if len(g.pieces) > 1 for c in range(g.start + 1, g.end)}
    covered = {c for own in groups.values() for g in own for c in range(g.start, g.end)}
    starts = [0]
    for place in range(1, end):
        space, before = text[place].isspace(), text[place - 1].isspace()
        beginning = space != before or (space and (place in covered) != (place - 1 in covered))
        if beginning and place not in spanned:
            starts.append(place)
        elif place - starts[-1] >= LONGEST_COLUMN:
            earliest = max(starts[-1] + 1, place - LONGEST_COLUMN)
            cut = _break(text, range(earliest, place + 1), spanned, fixed)
            starts += [] if cut is None else [cut]
    columns = []
    rest = {key: 0 for key in groups}
    for first, last in pairwise([*starts, end]):
        if text[first:last].isspace() and covered.isdisjoint(range(first, last)):
            continue
        touching = {}
        for key, own in groups.items():
            here = rest[key]
            while here < len(own) and own[here].end <= first:
                here += 1
            rest[key] = here
            while here < len(own) and own[here].start < last:
                here += 1
            touching[key] = tuple(own[rest[key] : here])
        if first < last:
            columns.append(Column(part, first, last, touching))
    return columns


def _break(text: str, places: range, spanned: set[int], fixed: set[int]) -> int | None:
    """Where to break a long word: as late as possible, between pieces if that can be, never inside a character."""
    for forbidden in (spanned, fixed):
        for place in reversed(places):
            joined = unicodedata.category(text[place])[0] == "M" or "\u200d" in text[place - 1 : place + 1]
            if place not in forbidden and not joined:
                return place
    return None
