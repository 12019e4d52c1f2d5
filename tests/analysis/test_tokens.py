"""Pieces, bytes, alignment and counts, on tokenizers of each kind whose vocabularies are known."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab.analysis import alignment
from bortlab.analysis import tokens as analysis
from bortlab.analysis.alignment import Column
from bortlab.analysis.tokens import Cut
from bortlab.text import MASK, Tokenizer, TokenizerKind
from bortlab.training.vocabulary import train_tokenizer

CORPUS = [
    "Paris is the capital of France, and the Seine runs through the city.",
    "The quick brown fox jumps over the lazy dog; it wasn't lazy at all!",
    "A naïve café owner sold crème brûlée for 12.50 euros: an old naïve café.",
    "In 1,000 years nobody will remember the question.",
] * 20
KINDS: tuple[TokenizerKind, ...] = ("unigram", "wordpiece", "byte-bpe")
HARD = {
    "accents": "naïve café na\u0131\u0308ve cafe\u0301 \u0301 e\u0301\u0301\u0301",
    "emoji": "I like 😀 and 🏳️ very 👍🏽 much",
    "joiners": "👨\u200d👩\u200d👧 a\u200db",
    "right to left": "שלום the מرحبا",
    "ideographs": "日本語 the 中文",
    "spaces": "  two  spaces\t\n here ",
    "mask": "the [MASK] of[MASK]x [MASK][MASK]",
    "long": "x" * 150 + " the " + "internationalization" * 4,
    "halves": "½ ﬁne ① ﷺ",
    "marks": "a" + "\u0301" * 60,
    "empty": "",
    "blank": "   ",
    "surrogate": "a\ud800b",
}
texts = st.lists(st.sampled_from([*HARD.values(), " ", "the"]) | st.text(max_size=10), max_size=5).map("".join)


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {kind: train_tokenizer(kind, CORPUS, vocab_size=400) for kind in KINDS}


def cuts_of(tokenizers: dict[str, Tokenizer], text: str, pair: str | None = None) -> dict[str, Cut]:
    return {kind: analysis.cut(tokenizer, text, pair) for kind, tokenizer in tokenizers.items()}


# -- pieces ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_a_cut_is_the_encoding(tokenizers: dict[str, Tokenizer], text: str) -> None:
    for kind, cut in cuts_of(tokenizers, text, "the city").items():
        encoding = tokenizers[kind].encode(text, "the city")
        assert tuple(piece.id for piece in cut.pieces) == encoding.ids
        assert tuple(piece.position for piece in cut.pieces) == tuple(range(len(encoding)))
        for n, piece in enumerate(cut.pieces):
            assert (piece.start, piece.end) == encoding.offsets[n] and piece.word == encoding.words[n]
            assert cut.source(piece) == encoding.source(n)
            assert (piece.role == "template") == encoding.special[n] == (piece.part is None)
            assert (piece.role == "mask") == (n in encoding.mask_positions)
            assert piece.type_id == encoding.type_ids[n]


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_byte_level_pieces_spell_the_text(tokenizers: dict[str, Tokenizer], text: str) -> None:
    cut = analysis.cut(tokenizers["byte-bpe"], text.replace(MASK, ""))
    assert b"".join(piece.data for piece in cut.own) == cut.text.encode()
    assert not any(piece.role == "unknown" for piece in cut.pieces)


def test_the_bytes_of_an_accent(tokenizers: dict[str, Tokenizer]) -> None:
    cut = analysis.cut(tokenizers["byte-bpe"], "xéx")
    assert b"".join(piece.data for piece in cut.own) == b"x\xc3\xa9x"
    cut = analysis.cut(tokenizers["byte-bpe"], "😀")
    assert [piece.data for piece in cut.own] == [b"\xf0", b"\x9f", b"\x98", b"\x80"]
    assert all(piece.fragment and (piece.start, piece.end) == (0, 1) for piece in cut.own)
    assert [piece.data for piece in analysis.cut(tokenizers["wordpiece"], "the").own] == [b"the"]


def test_pieces_as_a_person_reads_them(tokenizers: dict[str, Tokenizer]) -> None:
    for cut in cuts_of(tokenizers, "the cities").values():
        assert "".join(piece.text for piece in cut.own).replace(" ", "") == "thecities"
        assert cut.own[0].starts_word or cut.own[0].text == "t"
    assert {p.text for p in analysis.cut(tokenizers["wordpiece"], "日").own} == {"[UNK]"}


def test_templates(tokenizers: dict[str, Tokenizer]) -> None:
    said = {kind: cut.template for kind, cut in cuts_of(tokenizers, "the").items()}
    assert said == {"unigram": "[CLS] A [SEP]", "wordpiece": "[CLS] A [SEP]", "byte-bpe": "<s> A </s>"}
    said = {kind: cut.template for kind, cut in cuts_of(tokenizers, "the", "city").items()}
    assert said["unigram"] == said["wordpiece"] == "[CLS] A [SEP] B [SEP]" and said["byte-bpe"] == "<s> A </s> B </s>"
    double = analysis.cut(tokenizers["byte-bpe"].with_pair_format("double"), "the", "")
    assert double.template == "<s> A </s> </s> B </s>"


# -- alignment ---------------------------------------------------------------------------------------------------------


def check(columns: tuple[Column, ...], cuts: dict[str, Cut]) -> None:
    """What holds for any alignment: every piece is in it once, in order, and columns do not overlap."""
    for key, cut in cuts.items():
        seen = [
            (piece.position, column.part is None)
            for column in columns
            for group in column.groups[key]
            if column.part is None or group.start >= column.start
            for piece in group.pieces
        ]
        assert seen == [(piece.position, piece.role == "template") for piece in cut.pieces]
        for column in columns:
            assert all(
                g.start < column.end and g.end > column.start for g in column.groups[key] if column.part is not None
            )
            assert all(a.end <= b.start for a, b in pairwise(column.groups[key]) if column.part is not None)
    any_cut = next(iter(cuts.values()))
    for part, text in ((0, any_cut.text), (1, any_cut.pair or "")):
        spans = [(column.start, column.end) for column in columns if column.part == part]
        assert all(a[1] <= b[0] for a, b in pairwise(spans)) and all(a < b for a, b in spans)
        covered = {c for a, b in spans for c in range(a, b)}
        assert all(c in covered or text[c].isspace() for c in range(len(text)))


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_alignment_of_hard_texts(tokenizers: dict[str, Tokenizer], text: str) -> None:
    for keys in (KINDS, KINDS[:1], KINDS[1:2], KINDS[2:]):
        cuts = cuts_of({key: tokenizers[key] for key in keys}, text, text)
        check(alignment.align(cuts), cuts)


@settings(max_examples=80, deadline=None)
@given(text=texts, pair=st.none() | texts)
def test_alignment_of_any_text(tokenizers: dict[str, Tokenizer], text: str, pair: str | None) -> None:
    cuts = cuts_of(tokenizers, text, pair)
    columns = alignment.align(cuts)
    check(columns, cuts)
    assert columns[0].part is None and columns[-1].part is None
    for column in columns:
        source = (cuts["unigram"].pair if column.part else text) or ""
        assert (
            column.start == 0
            or unicodedata.category(source[column.start])[0] != "M"
            or column.part is None
            or (source[column.start - 1].isspace())
        )


def test_columns_are_words(tokenizers: dict[str, Tokenizer]) -> None:
    text = "The  capital, naïve [MASK]. café"
    cuts = cuts_of({key: tokenizers[key] for key in KINDS[:2]}, text)
    assert [text[c.start : c.end] for c in alignment.align(cuts) if c.part == 0] == [
        "The",
        "capital,",
        "naïve",
        "[MASK].",
        "café",
    ]
    cuts = cuts_of(tokenizers, "the  city")  # here byte-level BPE has a piece for a space
    assert ["the  city"[c.start : c.end] for c in alignment.align(cuts) if c.part == 0] == ["the", " ", "city"]


def test_a_long_word_is_broken_between_pieces_or_goes_on(tokenizers: dict[str, Tokenizer]) -> None:
    cuts = cuts_of(tokenizers, "x" * 150)
    columns = [column for column in alignment.align(cuts) if column.part == 0]
    assert len(columns) > 5 and all(c.end - c.start <= alignment.LONGEST_COLUMN for c in columns)
    unknown = [column.groups["wordpiece"] for column in columns]
    assert all(len(groups) == 1 and groups[0] == unknown[0][0] for groups in unknown)


def test_only_the_beginning_is_aligned_if_so_wanted(tokenizers: dict[str, Tokenizer]) -> None:
    cuts = cuts_of(tokenizers, "the city " * 100, "the")
    columns = alignment.align(cuts, longest=50)
    assert max(column.end for column in columns if column.part == 0) == 50
    assert columns[-1].groups["wordpiece"][0].pieces[0] == cuts["wordpiece"].pieces[-1]
    assert alignment.align({}) == ()


# -- numbers -----------------------------------------------------------------------------------------------------------


def wordpiece(*words: str) -> Tokenizer:
    """A tokenizer of exactly these pieces."""
    import json

    from bortlab.text import blank

    document = json.loads(blank("wordpiece").to_str())
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    document["model"]["vocab"] = {piece: n for n, piece in enumerate(pieces)}
    return Tokenizer(json.dumps(document))


def test_counts_by_hand() -> None:
    tokenizer = wordpiece("the", "un", "##believ", "##able", ".", "é", "##s", "cafe")
    counts = analysis.counts(analysis.cut(tokenizer, "The unbelievable cafés [MASK] zzz."))
    assert counts.pieces == 9 and counts.words == 4 and counts.word_pieces == 1 + 3 + 2 + 1
    assert counts.whole == 1 and counts.coverage == 0.25  # zzz is one piece, but not known
    assert counts.unknown == 1 and counts.fragments == 0 and counts.pieces_per_word == 7 / 4
    assert counts.characters == 30 and counts.characters_per_piece == 30 / 9 and counts.n_bytes == 35
    nothing = analysis.counts(analysis.cut(tokenizer, ""))
    assert nothing.pieces == 0 and nothing.coverage is nothing.pieces_per_word is nothing.characters_per_piece is None


def test_differences_by_hand() -> None:
    coarse, fine = wordpiece("the", "cat", "sat", "s", "."), wordpiece("the", "c", "##a", "##t", "sa", "##t", ".")
    cuts = {key: analysis.cut(t, "The cat sat. Cat [MASK] zzz") for key, t in (("coarse", coarse), ("fine", fine))}
    found = analysis.differences(cuts)
    assert [(difference.word.text, difference.spread) for difference in found] == [("cat", 2), ("sat", 1)]
    assert [piece.token for piece in found[0].pieces["fine"]] == ["c", "##a", "##t"]
    assert analysis.differences({"coarse": cuts["coarse"]}) == ()
    assert len(analysis.differences(cuts, most=1)) == 1


def test_overlap_by_hand(tokenizers: dict[str, Tokenizer]) -> None:
    words = analysis.vocabulary_words(wordpiece("The", "the", "cat", "##s", ".", "4"))
    assert words == {"the", "cat"}
    found = analysis.overlap({"a": words, "b": frozenset({"cat", "dog", "cow", "the"}), "c": frozenset()})
    assert found.sizes == {"a": 2, "b": 4, "c": 0} and found.common == 0
    assert found.shared["a", "b"] == 2 and found.share("a", "b") == 1 and found.share("b", "a") == 0.5
    assert found.share("c", "a") == 0
    for tokenizer in tokenizers.values():
        words = analysis.vocabulary_words(tokenizer)
        assert words and all(word.isalpha() and word == word.lower() for word in words)


def test_the_table_has_a_row_a_piece(tokenizers: dict[str, Tokenizer]) -> None:
    cuts = cuts_of(tokenizers, "The café [MASK] 😀", "is")
    table = analysis.frame(cuts)
    assert len(table) == sum(len(cut.pieces) for cut in cuts.values())
    own = table[table["model"] == "byte-bpe"]
    assert own["special"].sum() == 3 and own["part"].isna().sum() == 3
    assert own["bytes"].iloc[-2] == "69 73" and "F0" in set(own["bytes"])
    assert table[table["model"] == "wordpiece"]["unknown"].any()
    counts = analysis.counts_frame(cuts)
    assert counts["model"].tolist() == list(KINDS) and (counts["bytes"] == 23).all()
