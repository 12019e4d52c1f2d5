"""How tokenizers cut a text: pieces with their characters and bytes, counts, and how vocabularies overlap.

Everything counts characters of the user's own text, so models with different pieces can be laid side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
        tokens: list[str] = []
        separators = 0
        for piece in self.pieces:
            if piece.role == "template":
                tokens.append(piece.token)
                separators += 1
                if separators == 1:
                    tokens.append("A")
        if self.pair is not None:
            tokens.insert(-1, "B")
        return tokens


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
    by_word: dict[int, list[Piece]] = {}
    for piece in cut.pieces:
        if piece.word is not None:
            by_word.setdefault(piece.word, []).append(piece)
    return by_word


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
    by_spelling: dict[str, Difference] = {}
    for number, word in enumerate(next(iter(cuts.values())).words):
        pieces = {key: tuple(words.get(number, ())) for key, words in by_model.items()}
        ways = {tuple((p.start, p.end, p.role == "unknown") for p in own if p.end > p.start) for own in pieces.values()}
        if len(ways) > 1 and all(pieces.values()) and not word.is_mask:
            by_spelling.setdefault(word.text.lower(), Difference(word, pieces))
    widest_first = sorted(by_spelling.values(), key=lambda difference: (difference.word.is_mark, -difference.spread))
    return tuple(widest_first[:most])


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
    words = (tokenizer.piece_text(number).lower() for number in ids)
    return frozenset(word for word in words if word.isalpha())


def overlap(words: Mapping[str, frozenset[str]]) -> Overlap:
    """Compare vocabularies by their `vocabulary_words`."""
    return Overlap(
        sizes={key: len(own) for key, own in words.items()},
        shared={(a, b): len(words[a] & words[b]) for a in words for b in words},
        common=len(frozenset.intersection(*words.values())) if words else 0,
    )


# -- tables ------------------------------------------------------------------------------------------------------------


def frame(cuts: Mapping[str, Cut]) -> pandas.DataFrame:
    """One row a piece: what the pictures show, and what they are too small for."""
    import pandas

    rows = [
        {
            "model": key,
            "position": piece.position,
            "piece": piece.token,
            "text": cut.source(piece),
            "id": piece.id,
            "start": piece.start,
            "end": piece.end,
            "part": piece.part,
            "word": piece.word,
            "bytes": piece.data.hex(" ").upper(),
            "type": piece.type_id,
            "special": piece.role == "template",
            "unknown": piece.role == "unknown",
        }
        for key, cut in cuts.items()
        for piece in cut.pieces
    ]
    columns = ["model", "position", "piece", "text", "id", "start", "end", "part", "word", "bytes", "type", "special"]
    table = pandas.DataFrame(rows, columns=[*columns, "unknown"])
    return table.astype({"part": "Int64", "word": "Int64"})


def counts_frame(cuts: Mapping[str, Cut]) -> pandas.DataFrame:
    """One row a model: what `Counts` holds."""
    import pandas

    rows = []
    for key, cut in cuts.items():
        numbers = counts(cut)
        rows.append(
            {
                "model": key,
                "pieces": numbers.pieces,
                "words": numbers.words,
                "pieces per word": numbers.pieces_per_word,
                "characters per piece": numbers.characters_per_piece,
                "words in one piece": numbers.coverage,
                "unknown": numbers.unknown,
                "byte fragments": numbers.fragments,
                "bytes": numbers.n_bytes,
            }
        )
    return pandas.DataFrame(rows)
