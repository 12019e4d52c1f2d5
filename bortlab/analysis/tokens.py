"""How tokenizers cut a text: pieces with their characters and bytes, models aligned with each other, counts, overlap.

Everything counts characters of the visitor's own text, so models with different pieces can be laid side by side.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from bortlab.analysis.predict import Word, words_of
from bortlab.text import Tokenizer

if TYPE_CHECKING:
    import pandas

Role = Literal["piece", "template", "mask", "unknown"]

# -- one model ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text, as one model cuts it.

    token: as the vocabulary spells it; text: as a person reads it ("▁the", "Ġthe" and "##the" are all "the", a lone
    mark of a word's beginning is " "). start, end: its characters in part 0 (the text) or part 1 (the second text);
    part is None in the template. word: which word of the text, the same for every model; the second text counts on.
    data: the bytes that a byte-level piece stands for, its space included, elsewhere those of its characters in UTF-8.
    fragment: bytes that are no whole character.
    """

    position: int
    token: str
    text: str
    id: int
    start: int
    end: int
    part: int | None
    type_id: int
    word: int | None
    starts_word: bool
    role: Role
    data: bytes
    fragment: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """A text, or a pair of texts, cut into pieces by one tokenizer, the template included."""

    text: str
    pair: str | None
    pieces: tuple[Piece, ...]

    @property
    def own(self) -> tuple[Piece, ...]:
        """The pieces without the template."""
        return tuple(piece for piece in self.pieces if piece.role != "template")

    def source(self, piece: Piece) -> str:
        """The visitor's own characters behind a piece; empty for the template."""
        return ((self.pair or "") if piece.part == 1 else self.text)[piece.start : piece.end]

    @property
    def words(self) -> tuple[Word, ...]:
        """The words, marks and masks of both texts, which `Piece.word` counts."""
        return words_of(self.text) + words_of(self.pair or "")

    @property
    def template(self) -> str:
        """The template with A and B for the texts, such as [CLS] A [SEP] B [SEP]."""
        return " ".join(self._template())

    def _template(self) -> list[str]:
        said: list[str] = []
        separators = 0
        for piece in self.pieces:
            if piece.role == "template":
                said.append(piece.token)
                separators += 1
                if separators == 1:
                    said.append("A")
        if self.pair is not None:
            said.insert(-1, "B")
        return said


def cut(tokenizer: Tokenizer, text: str, pair: str | None = None) -> Cut:
    """Cut a text (and a second one) into pieces, all of it, however much a model would read of it."""
    encoding = tokenizer.encode(text, pair)
    pieces = []
    rows = zip(
        encoding.ids, encoding.tokens, encoding.offsets, encoding.parts, encoding.type_ids, encoding.words, strict=True
    )
    for position, (number, token, (start, end), part, type_id, word) in enumerate(rows):
        role = _role(tokenizer, number, part)
        source = ((encoding.pair or "") if part == 1 else encoding.text)[start:end]
        data = tokenizer.piece_bytes(number) if role == "piece" else None
        pieces.append(
            Piece(
                position=position,
                token=token,
                text=token if role != "piece" else _readable(tokenizer, number),
                id=number,
                start=start,
                end=end,
                part=part,
                type_id=type_id,
                word=word,
                starts_word=tokenizer.starts_word(number),
                role=role,
                data=source.encode() if data is None else data,
                fragment=data is not None and _is_fragment(data),
            )
        )
    return Cut(encoding.text, encoding.pair, tuple(pieces))


def _role(tokenizer: Tokenizer, number: int, part: int | None) -> Role:
    if part is None:
        return "template"
    return "mask" if number == tokenizer.mask_id else "unknown" if number == tokenizer.unk_id else "piece"


def _readable(tokenizer: Tokenizer, number: int) -> str:
    text = tokenizer.piece_text(number)
    if tokenizer.kind == "wordpiece" and not tokenizer.starts_word(number):
        return text.removeprefix("##") or text
    return text


def _is_fragment(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


# -- numbers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """How finely a text was cut. Template pieces are not counted; words are those with a letter or a digit.

    whole: words that are one piece of the vocabulary. unknown: pieces that stand for what the vocabulary cannot write.
    n_bytes: of the text in UTF-8. fragments: pieces that are bytes of a character, not whole characters.
    """

    pieces: int
    words: int
    word_pieces: int
    whole: int
    unknown: int
    fragments: int
    characters: int
    n_bytes: int

    @property
    def pieces_per_word(self) -> float | None:
        """Pieces that a word takes on average; None for a text without words."""
        return self.word_pieces / self.words if self.words else None

    @property
    def characters_per_piece(self) -> float | None:
        """Characters of the text, spaces not counted, for one piece; None for no pieces."""
        return self.characters / self.pieces if self.pieces else None

    @property
    def coverage(self) -> float | None:
        """The share of words that are one piece of the vocabulary; None for a text without words."""
        return self.whole / self.words if self.words else None


def counts(cut: Cut) -> Counts:
    """Count a cut."""
    by_word, words = _pieces_of_words(cut), cut.words
    real = [n for n, word in enumerate(words) if not word.is_mask and not word.is_mark]
    texts = cut.text + (cut.pair or "")
    return Counts(
        pieces=len(cut.own),
        words=len(real),
        word_pieces=sum(len(by_word.get(n, ())) for n in real),
        whole=sum(_is_whole(by_word.get(n, ()), words[n]) for n in real),
        unknown=sum(piece.role == "unknown" for piece in cut.pieces),
        fragments=sum(piece.fragment for piece in cut.pieces),
        characters=sum(not character.isspace() for character in texts),
        n_bytes=len(texts.encode()),
    )


def _pieces_of_words(cut: Cut) -> dict[int, list[Piece]]:
    found: dict[int, list[Piece]] = {}
    for piece in cut.pieces:
        if piece.word is not None:
            found.setdefault(piece.word, []).append(piece)
    return found


def _is_whole(pieces: Sequence[Piece], word: Word) -> bool:
    """One known piece; the bare mark of a word's beginning beside it does not count."""
    real = [piece for piece in pieces if piece.end > piece.start]
    return len(real) == 1 and real[0].role == "piece" and (real[0].start, real[0].end) == (word.start, word.end)


@dataclass(frozen=True, slots=True)
class Difference:
    """A word that models cut differently: model -> its pieces."""

    word: Word
    pieces: Mapping[str, tuple[Piece, ...]]

    @property
    def spread(self) -> int:
        """By how many pieces the finest cut exceeds the coarsest."""
        lengths = [len(pieces) for pieces in self.pieces.values()]
        return max(lengths) - min(lengths)


def differences(cuts: Mapping[str, Cut], *, most: int = 8) -> tuple[Difference, ...]:
    """Words that are cut most differently, the widest spread first, words before marks; each word once.

    Empty for fewer than two models. A word that is only part of another word's piece is left out.
    """
    if len(cuts) < 2:
        return ()
    by_model = {key: _pieces_of_words(cut) for key, cut in cuts.items()}
    found: dict[str, Difference] = {}
    for number, word in enumerate(next(iter(cuts.values())).words):
        pieces = {key: tuple(words.get(number, ())) for key, words in by_model.items()}
        ways = {tuple((p.start, p.end, p.role == "unknown") for p in own if p.end > p.start) for own in pieces.values()}
        if len(ways) > 1 and all(pieces.values()) and not word.is_mask:
            found.setdefault(word.text.lower(), Difference(word, pieces))
    return tuple(sorted(found.values(), key=lambda difference: (difference.word.is_mark, -difference.spread))[:most])


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many words vocabularies share: sizes of each, and shared[a, b] of each two."""

    sizes: Mapping[str, int]
    shared: Mapping[tuple[str, str], int]
    common: int

    def share(self, a: str, b: str) -> float:
        """The share of a's words that b has too."""
        return self.shared[a, b] / self.sizes[a] if self.sizes[a] else 0.0


def vocabulary_words(tokenizer: Tokenizer) -> frozenset[str]:
    """Pieces that begin a word and consist of letters, as plain lower-case words; "The" and "the" are one."""
    ids = filter(tokenizer.starts_word, tokenizer.vocabulary.values())
    said = (tokenizer.piece_text(number).lower() for number in ids)
    return frozenset(word for word in said if word.isalpha())


def overlap(words: Mapping[str, frozenset[str]]) -> Overlap:
    """Compare vocabularies by their `vocabulary_words`."""
    return Overlap(
        sizes={key: len(own) for key, own in words.items()},
        shared={(a, b): len(words[a] & words[b]) for a in words for b in words},
        common=len(frozenset.intersection(*words.values())) if words else 0,
    )


# -- models side by side -----------------------------------------------------------------------------------------------

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
            found = _break(text, range(earliest, place + 1), spanned, fixed)
            starts += [] if found is None else [found]
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


# -- tables ------------------------------------------------------------------------------------------------------------


def frame(cuts: Mapping[str, Cut]) -> pandas.DataFrame:
    """One row a piece: what the pictures show, and what they are too small for."""
    import pandas

    return pandas.DataFrame(
        [
            (
                key, piece.position, piece.token, cut.source(piece), piece.id, piece.start, piece.end,
                piece.part, piece.word, piece.data.hex(" ").upper(), piece.type_id, piece.role == "template",
                piece.role == "unknown",
            )
            for key, cut in cuts.items()
            for piece in cut.pieces
        ],
        columns=[
            "model", "position", "piece", "text", "id", "start", "end", "part", "word", "bytes", "type", "special",
            "unknown",
        ],
    ).astype({"part": "Int64", "word": "Int64"})  # fmt: skip


def counts_frame(cuts: Mapping[str, Cut]) -> pandas.DataFrame:
    """One row a model: what `Counts` holds."""
    import pandas

    return pandas.DataFrame(
        [
            (
                key, c.pieces, c.words, c.pieces_per_word, c.characters_per_piece, c.coverage, c.unknown, c.fragments,
                c.n_bytes,
            )
            for key, c in ((key, counts(cut)) for key, cut in cuts.items())
        ],
        columns=[
            "model", "pieces", "words", "pieces per word", "characters per piece", "words in one piece", "unknown",
            "byte fragments", "bytes",
        ],
    )  # fmt: skip
