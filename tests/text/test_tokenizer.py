"""Tokenizer: parity with transformers, offsets into the user's own text, the mask, files good and bad."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bortlab.text import MASK, Encoding, Tokenizer, TokenizerError, TokenizerKind, definition, parsing
from bortlab.text.words import word_of_each_character
from bortlab.training.vocabulary import train_tokenizer

KINDS: tuple[TokenizerKind, ...] = ("unigram", "wordpiece", "byte-bpe")
LOOK_ALIKES = ("[CLS]", "[SEP]", "[PAD]", "[UNK]", "<s>", "</s>", "<pad>", "<unk>", "<mask>")

CORPUS = [
    "Paris is the capital of France, and the Seine runs through the city.",
    "The quick brown fox jumps over the lazy dog; it wasn't lazy at all!",
    "In 1,000 years (or 3.14 seconds) nobody will remember the question.",
    'She said: "The children are playing outside the old school building."',
    "A naïve café owner in Zürich sold crème brûlée for 12.50 euros.",
    "Transformers share, factorise and search; attention looks at words.",
    "日本語 and 中文 are written without spaces. 😀 <b>bold</b> [x] <s",
] * 20

AWKWARD = [
    "",
    " ",
    " \t\n  ",
    "Paris is the capital of France.",
    "  two  spaces   everywhere ",
    "naïve café, crème brûlée; ZÜRICH straße",
    "na\u0131\u0308ve cafe\u0301 \u0301 a\u0301\u0327b",
    "日本語のテスト 中文 한국어",
    "emoji 😀 and 👨\u200d👩\u200d👧 family 🏳️\u200d🌈",
    "שלום עולם مرحبا بالعالم",
    "1,000,000.50 and 3,14 or 10,",
    "nul \x00 bell \x07 esc \x1b del \x7f c1 \x85 unit\x1fsep",
    "zero\u200bwidth soft\u00adhyphen bom\ufeff rtl\u202emark",
    "He said ``hello'' and ''bye`` and \"quoted\" 'single' \u2018curly\u2019 \u201cdouble\u201d",
    "don't can't won't it's o'clock",
    "under_score hy-phen dots... !!! ?!",
    "half ½ ﬁne ① Ⅷ ™ ㎏ ﷺ",
    "tab\tnew\nline\r\nnon\u00a0breaking\u3000ideographic\u2028line",
    "x" * 300,
    "a" + "\u0301" * 50,
    "▁the ▁ Ġthe ##ing",
    "\ufffd \U0010ffff \ue000",
    "https://example.org/?q=a&b=c#d <b>bold</b>",
]


@pytest.fixture(scope="session")
def trained() -> dict[TokenizerKind, Tokenizer]:
    """One small tokenizer of each kind, from the same texts."""
    return {kind: train_tokenizer(kind, CORPUS, vocab_size=400) for kind in KINDS}


@pytest.fixture(scope="session")
def saved(
    trained: dict[TokenizerKind, Tokenizer], tmp_path_factory: pytest.TempPathFactory
) -> dict[TokenizerKind, Path]:
    """The trained tokenizers, each saved in a folder of its own."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    for kind, folder in folders.items():
        trained[kind].save(folder)
    return folders


@pytest.fixture(params=KINDS)
def tokenizer(request: pytest.FixtureRequest, trained: dict[TokenizerKind, Tokenizer]) -> Tokenizer:
    kind: TokenizerKind = request.param
    return trained[kind]


# -- the same as transformers ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def oracles(saved: dict[TokenizerKind, Path]) -> dict[str, Any]:
    """transformers' tokenizers, reading the folders we saved."""
    transformers = pytest.importorskip("transformers")
    kinds: dict[str, TokenizerKind] = {
        "AlbertTokenizer": "unigram",
        "BertTokenizer": "wordpiece",
        "ConvBertTokenizer": "wordpiece",
        "RobertaTokenizer": "byte-bpe",
    }
    return {name: (kind, getattr(transformers, name).from_pretrained(saved[kind])) for name, kind in kinds.items()}


ORACLES = ("AlbertTokenizer", "BertTokenizer", "ConvBertTokenizer", "RobertaTokenizer")


@pytest.mark.parametrize("name", ORACLES)
def test_ids_equal_transformers(name: str, oracles: dict[str, Any], trained: dict[TokenizerKind, Tokenizer]) -> None:
    kind, oracle = oracles[name]
    for text in AWKWARD:
        assert list(trained[kind].encode(text).ids) == oracle(text)["input_ids"], text


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize(
    "text", ["Paris is the {} of France.", "{}", "{} {}{} x", "a{}b", "the  {}  city", "\u3000{} é"]
)
def test_mask_equals_transformers(
    name: str, text: str, oracles: dict[str, Any], trained: dict[TokenizerKind, Tokenizer]
) -> None:
    kind, oracle = oracles[name]
    mine = trained[kind].encode(text.replace("{}", MASK))
    assert list(mine.ids) == oracle(text.replace("{}", oracle.mask_token))["input_ids"]


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("max_length", [None, 30, 12, 7, 6, 5])
def test_pairs_and_truncation_equal_transformers(
    name: str, max_length: int | None, oracles: dict[str, Any], trained: dict[TokenizerKind, Tokenizer]
) -> None:
    kind, oracle = oracles[name]
    mine = trained[kind]
    if kind == "byte-bpe":
        mine = Tokenizer(mine.definition, pair_format="double")
    short, long = "The fox.", "Paris is the capital of France, and more."
    for text, pair in ((short, long), (long, short), (long, long), ("", long)):  # to them, pair="" is no pair
        theirs = oracle(text, pair, truncation=max_length is not None, max_length=max_length)
        encoding = mine.encode(text, pair, max_length=max_length)
        if kind != "byte-bpe":
            assert (
                list(encoding.type_ids)
                == oracle(
                    text, pair, truncation=max_length is not None, max_length=max_length, return_token_type_ids=True
                )["token_type_ids"]
            )
        assert list(encoding.ids) == theirs["input_ids"]


@pytest.mark.parametrize("name", ORACLES)
def test_decode_equals_transformers(
    name: str, oracles: dict[str, Any], trained: dict[TokenizerKind, Tokenizer]
) -> None:
    kind, oracle = oracles[name]
    for text in AWKWARD:
        ids = trained[kind].encode(text).ids
        wanted = oracle.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert trained[kind].decode(ids) == wanted


def test_auto_tokenizer_reads_a_saved_folder(saved: dict[TokenizerKind, Path], tokenizer: Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    (saved[tokenizer.kind] / "config.json").unlink(missing_ok=True)
    oracle = transformers.AutoTokenizer.from_pretrained(saved[tokenizer.kind])
    assert oracle("Paris is nice")["input_ids"] == list(tokenizer.encode("Paris is nice").ids)
    assert oracle.mask_token_id == tokenizer.mask_id


# -- offsets, words, mask ----------------------------------------------------------------------------------------------

texts = st.lists(
    st.sampled_from([*AWKWARD, *LOOK_ALIKES, MASK, "[MASK", "MASK]", " ", "the", "."]) | st.text(max_size=8), max_size=6
).map("".join)


def check(encoding: Encoding) -> None:
    """What must hold for any encoding."""
    parts, offsets = encoding.parts, encoding.offsets
    columns = (encoding.type_ids, encoding.tokens, encoding.offsets, encoding.special, encoding.words, encoding.parts)
    assert all(len(column) == len(encoding) for column in columns)
    for i, (start, end) in enumerate(encoding.offsets):
        part = parts[i]
        text = encoding.text if part != 1 else encoding.pair
        assert text is not None and 0 <= start <= end <= len(text)
        assert (part is None) == encoding.special[i]
        if encoding.special[i]:
            assert (start, end) == (0, 0) and encoding.words[i] is None
    for part, text in ((0, encoding.text), (1, encoding.pair or "")):
        rows = [offsets[i] for i in range(len(encoding)) if parts[i] == part]
        assert [start for start, _ in rows] == sorted(start for start, _ in rows)
        assert all(before[1] - 1 <= after[0] for before, after in pairwise(rows))  # they may share one character
        masks = [offsets[i] for i in encoding.mask_positions if parts[i] == part]
        if not encoding.truncated:
            assert len(masks) == text.count(MASK)
        assert all(text[start:end] == MASK for start, end in masks)


def test_what_touches_a_mask_from_behind_begins_no_word(trained: dict[TokenizerKind, Tokenizer]) -> None:
    """As in training, where the mask took a word's place and the full stop after it stayed as it was."""
    unigram = trained["unigram"]
    assert unigram.encode("the king of [MASK].").tokens[-3:] == ("[MASK]", ".", "[SEP]")
    assert unigram.encode("[MASK][MASK]!, [MASK]").tokens.count("▁") == 0
    assert unigram.encode("the king of [MASK] .").tokens[-3:-1] == ("▁", ".")  # a space is between: a word begins
    spaced, glued = (unigram.encode(f"the [MASK]{gap}king") for gap in (" ", ""))
    assert unigram.decode(spaced.ids) == "the king" and len(spaced) >= len(glued)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts, pair=st.none() | texts)
@example(text="half ½ ﬁne", pair=None)
@example(text="[MASK][MASK]", pair="a [MASK]")
def test_offsets_of_any_text(tokenizer: Tokenizer, text: str, pair: str | None) -> None:
    encoding = tokenizer.encode(text, pair)
    check(encoding)
    assert encoding.text == text and encoding.pair == pair and not encoding.truncated
    spans = zip(encoding.offsets, encoding.parts, strict=True)
    covered = {c for (start, end), part in spans if part == 0 for c in range(start, end)}
    # Normalisers drop marks, controls and what is no character; all else must belong to a piece.
    dropped = {"Mn", "Mc", "Me", "Cc", "Cf", "Cn", "Co", "Zs", "Zl", "Zp"}
    for i, character in enumerate(text):
        if text[i - 1 : i + 1] in ("``", "''") or text[i : i + 2] in ("``", "''"):
            continue  # ALBERT reads the two as one quotation mark, which keeps one of them
        a_space_to_albert = " " in unicodedata.normalize("NFKD", character)  # such as the free-standing cedilla
        if not (unicodedata.category(character) in dropped or character == "\ufffd" or a_space_to_albert):
            assert i in covered, (character, text)


@settings(max_examples=60, deadline=None)
@given(text=texts, pair=st.none() | texts, room=st.integers(0, 12))
def test_truncation_of_any_text(
    trained: dict[TokenizerKind, Tokenizer], text: str, pair: str | None, room: int
) -> None:
    for tokenizer in trained.values():
        max_length = room + (2 if pair is None else 3)
        whole, cut = tokenizer.encode(text, pair), tokenizer.encode(text, pair, max_length=max_length)
        check(cut)
        assert len(cut) == min(len(whole), max_length)
        assert cut.truncated == len(whole) - len(cut)
        assert sum(cut.special) == sum(whole.special)
        assert (cut.truncated_at is None and cut.pair_truncated_at is None) == (cut.truncated == 0)


@settings(max_examples=60, deadline=None)
@given(text=texts)
def test_words_do_not_depend_on_the_tokenizer(trained: dict[TokenizerKind, Tokenizer], text: str) -> None:
    index = word_of_each_character(text)
    for tokenizer in trained.values():
        encoding = tokenizer.encode(text)
        for (start, _), word, special in zip(encoding.offsets, encoding.words, encoding.special, strict=True):
            assert special or start == len(text) or index[start] in (word, None)


def test_words_are_what_a_reader_calls_words(trained: dict[TokenizerKind, Tokenizer]) -> None:
    text = "Don't pay 1,000.50 for [MASK], café\u0301s... 日本!"
    words: dict[int, str] = {}
    for character, word in zip(text, word_of_each_character(text), strict=True):
        if word is not None:
            words[word] = words.get(word, "") + character
    expected = ["Don't", "pay", "1,000.50", "for", MASK, ",", "café\u0301s", "...", "日", "本", "!"]
    assert list(words.values()) == expected
    for tokenizer in trained.values():
        found = {word for word in tokenizer.encode(text).words if word is not None}
        assert found == set(range(len(expected)))


def test_mask_covers_what_the_user_typed(tokenizer: Tokenizer) -> None:
    text = "Paris is the   [MASK] of [MASK]."
    encoding = tokenizer.encode(text)
    assert [encoding.offsets[i] for i in encoding.mask_positions] == [(15, 21), (25, 31)]
    assert [encoding.tokens[i] for i in encoding.mask_positions] == [tokenizer.mask_token] * 2
    assert not any(encoding.special[i] for i in encoding.mask_positions)
    assert encoding.source(len(encoding) - 2) == "."
    after = encoding.mask_positions[0] + 1
    assert encoding.source(after).startswith("o") and encoding.offsets[after][0] == 22


@pytest.mark.parametrize("text", [*LOOK_ALIKES, *(f" {t} x{t}" for t in LOOK_ALIKES), "[mask]", "[MASK"])
def test_look_alikes_are_ordinary_text(tokenizer: Tokenizer, text: str) -> None:
    encoding = tokenizer.encode(text)
    inside = [number for number, special in zip(encoding.ids, encoding.special, strict=True) if not special]
    assert inside and not set(inside) & (tokenizer.special_ids - {tokenizer.unk_id})
    assert encoding.mask_positions == ()
    assert [t for row in tokenizer.ids_of([text]) for t in row] == inside


def test_cased_unigram_keeps_look_alikes_out(saved: dict[TokenizerKind, Path], tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((saved["unigram"] / name).read_bytes())
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"do_lower_case": False}))
    cased = Tokenizer.from_folder(tmp_path)
    assert cased.encode("PARIS").ids != cased.encode("paris").ids
    inside = [n for n, s in zip(*(lambda e: (e.ids, e.special))(cased.encode("[CLS] [SEP]")), strict=True) if not s]
    assert not set(inside) & {cased.cls_id, cased.sep_id}


def test_templates(trained: dict[TokenizerKind, Tokenizer]) -> None:
    for kind in KINDS:
        tokenizer = trained[kind]
        encoding = tokenizer.encode("the", "city the")
        specials = [token for token, special in zip(encoding.tokens, encoding.special, strict=True) if special]
        assert specials == [tokenizer.cls_token, tokenizer.sep_token, tokenizer.sep_token]
        assert encoding.tokens[0] == tokenizer.cls_token and encoding.tokens[-1] == tokenizer.sep_token
        assert max(encoding.type_ids) == (0 if kind == "byte-bpe" else 1)
        pair_words = {word for word, part in zip(encoding.words, encoding.parts, strict=True) if part == 1}
        assert pair_words - {None} == {1, 2}
    double = Tokenizer(trained["byte-bpe"].definition, pair_format="double").encode("the", "city")
    assert double.tokens.count("</s>") == 3 and double.parts[-2] == 1


def test_truncation_says_where(tokenizer: Tokenizer) -> None:
    text = "Paris is the capital of France, and the Seine runs through the city."
    encoding = tokenizer.encode(text, max_length=8)
    assert len(encoding) == 8 and encoding.truncated > 0 and encoding.truncated_at is not None
    kept = encoding.offsets[-2][1]
    assert text[kept : encoding.truncated_at].strip() == ""
    empty = tokenizer.encode(text, max_length=2)
    assert empty.special == (True, True) and empty.truncated_at == 0
    with pytest.raises(TokenizerError, match="max_length=1"):
        tokenizer.encode(text, max_length=1)


def test_surrogates_are_replaced_one_for_one(tokenizer: Tokenizer) -> None:
    encoding = tokenizer.encode("a\ud800b [MASK] \udfff", "\udc00")
    assert encoding.text == "a\ufffdb [MASK] \ufffd" and encoding.pair == "\ufffd"
    assert encoding.offsets[encoding.mask_positions[0]] == (4, 10)
    encoding.text.encode()
    assert tokenizer.encode_word("a\ud800") and tokenizer.ids_of(["\ud800"])


def test_long_words_and_texts(tokenizer: Tokenizer) -> None:
    check(tokenizer.encode("a" * 100_000))
    check(tokenizer.encode(" " * 100_000 + "[MASK]" * 50 + "\u0301" * 1000))


# -- pieces, words, ids ------------------------------------------------------------------------------------------------


def test_encode_word(trained: dict[TokenizerKind, Tokenizer]) -> None:
    for tokenizer in trained.values():
        sentence = tokenizer.encode("is the city")
        pieces = [n for n, word in zip(sentence.ids, sentence.words, strict=True) if word == 2]
        assert tokenizer.encode_word("city") == tuple(pieces)
        assert tokenizer.encode_word(" city ") == tuple(pieces)
        assert tokenizer.encode_word(MASK) == (tokenizer.mask_id,)
        assert tokenizer.encode_word("") == () == tokenizer.encode_word("", after_space=False)
    unigram, wordpiece, bpe = (trained[kind] for kind in KINDS)
    assert unigram.starts_word(unigram.encode_word("the")[0])
    assert not unigram.starts_word(unigram.encode_word("the", after_space=False)[0])
    assert unigram.encode_word(".", after_space=False) == (unigram.id_of("."),)
    assert unigram.encode_word("The fox", after_space=False)[-2:] != unigram.encode_word("Thefox")[-2:]
    assert bpe.token_of(bpe.encode_word("the")[0]) == "Ġthe"
    assert bpe.token_of(bpe.encode_word("the", after_space=False)[0]) in {"t", "th", "the"}
    assert wordpiece.encode_word("the") == wordpiece.encode_word("the", after_space=False)


def test_piece_text_and_word_starts(trained: dict[TokenizerKind, Tokenizer]) -> None:
    unigram, wordpiece, bpe = (trained[kind] for kind in KINDS)
    assert unigram.piece_text(unigram.id_of("▁th")) == "th"
    assert unigram.piece_text(unigram.id_of("▁")) == " " == bpe.piece_text(bpe.id_of("Ġ"))
    assert bpe.piece_text(bpe.id_of("Ġthe")) == "the" and bpe.starts_word(bpe.id_of("Ġthe"))
    assert bpe.piece_text(bpe.id_of("Ã")) == "\\xc3"
    assert wordpiece.piece_text(wordpiece.id_of("##s")) == "##s" and not wordpiece.starts_word(wordpiece.id_of("##s"))
    for tokenizer in trained.values():
        assert tokenizer.piece_text(tokenizer.mask_id) == tokenizer.mask_token
        assert not any(tokenizer.starts_word(number) for number in tokenizer.special_ids)
        assert all(tokenizer.piece_text(number) for number in range(tokenizer.vocab_size))


def test_vocabulary_and_ids(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocab_size == len(tokenizer.vocabulary) == max(tokenizer.vocabulary.values()) + 1
    assert all(tokenizer.token_of(tokenizer.id_of(token)) == token for token in tokenizer.vocabulary)
    for role in ("cls", "sep", "pad", "unk", "mask"):
        assert tokenizer.id_of(getattr(tokenizer, f"{role}_token")) == getattr(tokenizer, f"{role}_id")
    with pytest.raises(TokenizerError, match="expected 0 to"):
        tokenizer.token_of(tokenizer.vocab_size)
    with pytest.raises(TokenizerError):
        tokenizer.decode([-1])
    with pytest.raises(TokenizerError, match="not one of"):
        tokenizer.id_of("no such token")


def test_pad(tokenizer: Tokenizer) -> None:
    encodings = [tokenizer.encode("the city"), tokenizer.encode(""), tokenizer.encode("the", "fox")]
    ids, mask, type_ids = tokenizer.pad(encodings)
    assert {len(row) for row in ids + mask + type_ids} == {max(map(len, encodings))}
    assert [sum(row) for row in mask] == list(map(len, encodings))
    assert ids[1][2:] == [tokenizer.pad_id] * (len(ids[1]) - 2)
    assert tokenizer.pad([]) == ([], [], [])


def test_ids_of_is_encode_without_template(tokenizer: Tokenizer) -> None:
    plain = [[n for n, s in zip(e.ids, e.special, strict=True) if not s] for e in map(tokenizer.encode, AWKWARD)]
    assert tokenizer.ids_of(AWKWARD) == plain


# -- the interface that the field knows --------------------------------------------------------------------------------

PAIRS: list[tuple[str, str | None]] = [
    ("Paris is the capital.", None),
    ("The fox.", "The quick dog, a naïve café."),
    ("x" * 40, "日本 😀"),
    ("", None),
]


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize(("text", "pair"), PAIRS)
def test_the_template_equals_transformers(
    name: str, text: str, pair: str | None, oracles: dict[str, Any], trained: dict[TokenizerKind, Tokenizer]
) -> None:
    kind, oracle = oracles[name]
    mine = trained[kind].with_pair_format("double")
    ids = mine.ids_of([text])[0]
    pair_ids = None if pair is None else mine.ids_of([pair])[0]
    theirs = oracle(text, pair, return_token_type_ids=True, return_special_tokens_mask=True)
    assert mine.build_inputs_with_special_tokens(ids, pair_ids) == theirs["input_ids"]
    assert mine.create_token_type_ids_from_sequences(ids, pair_ids) == theirs["token_type_ids"]
    assert mine.get_special_tokens_mask(ids, pair_ids) == theirs["special_tokens_mask"]
    whole = theirs["input_ids"]
    already = mine.get_special_tokens_mask(whole, already_has_special_tokens=True)
    assert already == oracle.get_special_tokens_mask(whole, already_has_special_tokens=True)
    encoding = mine.encode(text, pair)
    assert (
        list(encoding.ids) == whole and [int(special) for special in encoding.special] == theirs["special_tokens_mask"]
    )


def test_the_template_equals_the_slow_bert_of_transformers(
    saved: dict[TokenizerKind, Path], trained: dict[TokenizerKind, Tokenizer]
) -> None:
    legacy = pytest.importorskip("transformers.models.bert.tokenization_bert_legacy")
    oracle, mine = legacy.BertTokenizerLegacy(str(saved["wordpiece"] / "vocab.txt")), trained["wordpiece"]
    for ids, pair_ids in (([7, 8], None), ([7, 8], [9]), ([], []), ([], None)):
        assert mine.build_inputs_with_special_tokens(ids, pair_ids) == oracle.build_inputs_with_special_tokens(
            ids, pair_ids
        )
        assert mine.get_special_tokens_mask(ids, pair_ids) == oracle.get_special_tokens_mask(ids, pair_ids)
        types = oracle.create_token_type_ids_from_sequences(ids, pair_ids)
        assert mine.create_token_type_ids_from_sequences(ids, pair_ids) == types


def test_borts_two_pair_formats(trained: dict[TokenizerKind, Tokenizer]) -> None:
    single = trained["byte-bpe"]
    double = single.with_pair_format("double")
    s, e = single.cls_id, single.sep_id
    assert single.build_inputs_with_special_tokens([7], [8]) == [s, 7, e, 8, e]
    assert double.build_inputs_with_special_tokens([7], [8]) == [s, 7, e, e, 8, e]
    assert double.get_special_tokens_mask([7], [8]) == [1, 0, 1, 1, 0, 1]
    assert double.create_token_type_ids_from_sequences([7], [8]) == [0] * 6
    assert double.with_pair_format("single").encode("a", "b") == single.encode("a", "b")
    assert single.with_pair_format("single") is single
    with pytest.raises(TokenizerError, match="pair_format"):
        single.with_pair_format("triple")  # type: ignore[arg-type]


def test_special_tokens_mask_of_whole_ids(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the [MASK]").ids
    mask = tokenizer.get_special_tokens_mask(ids, already_has_special_tokens=True)
    assert mask == [int(number in tokenizer.special_ids) for number in ids] and mask[-2:] == [1, 1]
    with pytest.raises(TokenizerError, match="pair_ids"):
        tokenizer.get_special_tokens_mask(ids, ids, already_has_special_tokens=True)


@pytest.mark.parametrize("prefix", [None, "mini"])
def test_save_vocabulary(
    tokenizer: Tokenizer, saved: dict[TokenizerKind, Path], tmp_path: Path, prefix: str | None
) -> None:
    names = {"unigram": ["spiece.model"], "wordpiece": ["vocab.txt"], "byte-bpe": ["vocab.json", "merges.txt"]}
    start = "" if prefix is None else f"{prefix}-"
    paths = tokenizer.save_vocabulary(tmp_path, prefix)
    assert paths == tuple(str(tmp_path / (start + name)) for name in names[tokenizer.kind])
    assert sorted(os.listdir(tmp_path)) == sorted(start + name for name in names[tokenizer.kind])
    for path, name in zip(paths, names[tokenizer.kind], strict=True):
        assert Path(path).read_bytes() == (saved[tokenizer.kind] / name).read_bytes()
    if prefix is None:
        again = Tokenizer.from_folder(tmp_path)
        assert all(again.encode(text).ids == tokenizer.encode(text).ids for text in AWKWARD)


def test_save_vocabulary_says_what_it_cannot_do(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="not a folder"):
        tokenizer.save_vocabulary(tmp_path / "nowhere")
    for prefix in ("../x", "a/b", "/etc/x"):
        with pytest.raises(TokenizerError, match="filename_prefix"):
            tokenizer.save_vocabulary(tmp_path, prefix)
    assert not list(tmp_path.iterdir())


def test_a_vocabulary_that_vocab_txt_cannot_hold(trained: dict[TokenizerKind, Tokenizer], tmp_path: Path) -> None:
    document = json.loads(trained["wordpiece"].definition)
    document["model"]["vocab"] |= {"far": 9999}
    gaps = Tokenizer(json.dumps(document))
    with pytest.raises(TokenizerError, match="one piece a line"):
        gaps.save_vocabulary(tmp_path)
    gaps.save(tmp_path)
    assert "vocab.txt" not in os.listdir(tmp_path) and Tokenizer.from_folder(tmp_path).vocabulary["far"] == 9999


@pytest.mark.parametrize("name", ORACLES)
def test_batches_equal_transformers(
    name: str, oracles: dict[str, Any], trained: dict[TokenizerKind, Tokenizer]
) -> None:
    kind, oracle = oracles[name]
    mine = trained[kind].with_pair_format("double")
    texts = ["The fox.", "Paris is the capital of France.", "naïve"]
    pairs = ["It is nice to see you.", "x", "日本"]
    for seconds in (None, pairs):
        batch = mine.encode_batch(texts, seconds, max_length=9)
        ids, mask, types = mine.pad(batch)
        theirs = oracle(texts, seconds, padding=True, truncation=True, max_length=9, return_token_type_ids=True)
        assert (ids, mask) == (theirs["input_ids"], theirs["attention_mask"])
        assert types == theirs["token_type_ids"]
        wanted = oracle.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert mine.decode_batch(ids) == wanted


def test_batches_of_the_wrong_shape(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode_batch([]) == [] and tokenizer.decode_batch([]) == []
    assert tokenizer.encode_batch(["a", "b"], ["c", "d"])[1] == tokenizer.encode("b", "d")
    with pytest.raises(TokenizerError, match="2 texts and 1 pairs"):
        tokenizer.encode_batch(["a", "b"], ["c"])
    with pytest.raises(TokenizerError, match="list of texts"):
        tokenizer.encode_batch("ab")


def test_bytes_of_pieces(trained: dict[TokenizerKind, Tokenizer]) -> None:
    bpe = trained["byte-bpe"]
    assert bpe.piece_bytes(bpe.id_of("Ġthe")) == b" the" and bpe.piece_bytes(bpe.id_of("Ã")) == b"\xc3"
    assert bpe.piece_bytes(bpe.mask_id) is None and trained["unigram"].piece_bytes(9) is None
    for text in ("naïve 😀", "日本\n"):
        ids = bpe.ids_of([text])[0]
        assert b"".join(bpe.piece_bytes(number) or b"" for number in ids) == text.encode()


# -- immutable, shared -------------------------------------------------------------------------------------------------


def test_immutable_hashable_picklable(tokenizer: Tokenizer) -> None:
    encoding = tokenizer.encode("the city", "fox")
    assert hash(encoding) == hash(pickle.loads(pickle.dumps(encoding)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        tokenizer.kind = "unigram"  # type: ignore[misc]
    with pytest.raises(TypeError):
        tokenizer.vocabulary["x"] = 1  # type: ignore[index]
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.definition == tokenizer.definition and copy.encode("the city", "fox") == encoding


def test_threads_share_one_tokenizer(tokenizer: Tokenizer) -> None:
    jobs = [(text, max_length) for text in AWKWARD for max_length in (None, 5, 9)] * 4
    alone = [tokenizer.encode(text, max_length=max_length) for text, max_length in jobs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda job: tokenizer.encode(job[0], max_length=job[1]), jobs))
    assert together == alone


# -- files -------------------------------------------------------------------------------------------------------------


def test_save_and_read_back(saved: dict[TokenizerKind, Path], tokenizer: Tokenizer) -> None:
    again = Tokenizer.from_folder(saved[tokenizer.kind], tokenizer.kind)
    assert again.definition == tokenizer.definition
    assert all(again.encode(text) == tokenizer.encode(text) for text in AWKWARD)


@pytest.mark.parametrize("kind", KINDS)
def test_classic_files_give_the_same_ids(
    kind: TokenizerKind, saved: dict[TokenizerKind, Path], trained: Any, tmp_path: Path
) -> None:
    for file in saved[kind].iterdir():
        if file.name != "tokenizer.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    again = Tokenizer.from_folder(tmp_path)
    assert again.vocabulary == trained[kind].vocabulary
    assert all(again.encode(text).ids == trained[kind].encode(text).ids for text in AWKWARD)


def test_spiece_model_is_sentencepiece(
    saved: dict[TokenizerKind, Path], trained: dict[TokenizerKind, Tokenizer]
) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(saved["unigram"] / "spiece.model"))
    encoding = trained["unigram"].encode("paris is the capital of france.")
    assert processor.encode("paris is the capital of france.") == list(encoding.ids[1:-1])


def test_number_comma_pieces_are_made_rare(tmp_path: Path) -> None:
    proto = pytest.importorskip("sentencepiece.sentencepiece_model_pb2")
    model = proto.ModelProto()
    for piece in ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"):
        model.pieces.add(piece=piece, score=0.0, type=2 if piece == "<unk>" else 3)
    for piece, score in (("▁", -1.0), ("1", -2.0), (",", -2.0), ("1,", -1.0), ("a,", -1.0), ("a", -2.0)):
        model.pieces.add(piece=piece, score=score)
    model.trainer_spec.model_type, model.trainer_spec.unk_id = 1, 1
    (tmp_path / "spiece.model").write_bytes(model.SerializeToString())
    assert Tokenizer.from_folder(tmp_path).encode("1, A,").tokens[1:-1] == ("▁", "1", ",", "▁", "a,")


def test_roberta_pair_format_survives_saving(trained: dict[TokenizerKind, Tokenizer], tmp_path: Path) -> None:
    double = Tokenizer(trained["byte-bpe"].definition, pair_format="double")
    double.save(tmp_path)
    assert Tokenizer.from_folder(tmp_path).encode("a", "b") == double.encode("a", "b")
    assert Tokenizer.from_folder(tmp_path, pair_format="single").encode("a", "b") != double.encode("a", "b")


def test_config_is_honoured(saved: dict[TokenizerKind, Path], tmp_path: Path) -> None:
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<blank>", "The", "the", "café", "cafe"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab), encoding="utf-8")
    config = {"mask_token": {"content": "<blank>"}, "do_lower_case": False}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    cased = Tokenizer.from_folder(tmp_path)
    assert cased.encode("The café [MASK]").tokens[1:-1] == ("The", "café", "<blank>")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"do_lower_case": True}))
    assert Tokenizer.from_folder(tmp_path).encode("The café").tokens[1:-1] == ("the", "cafe")
    keep = config | {"do_lower_case": True, "strip_accents": False}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(keep))
    kept = Tokenizer.from_folder(tmp_path)
    assert kept.encode("The café").tokens[1:-1] == ("the", "café")
    kept.save(tmp_path)  # tokenizer.json now stands first
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert Tokenizer.from_folder(tmp_path).encode("The café").tokens[1:-1] == ("The", "café")


def test_words_added_to_a_vocabulary_keep_their_ids(saved: dict[TokenizerKind, Path], tmp_path: Path) -> None:
    document = json.loads((saved["wordpiece"] / "tokenizer.json").read_text())
    size = len(document["model"]["vocab"])
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    document["added_tokens"] += [
        {"id": size, "content": "[EXTRA]", "special": True, **flags},
        {"id": size + 1, "content": "covid-19", "special": False, **flags},
    ]
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    tokenizer = Tokenizer.from_folder(tmp_path)
    encoding = tokenizer.encode("the covid-19 [EXTRA]")
    assert tokenizer.vocab_size == size + 2 and encoding.ids[2] == size + 1 and encoding.source(2) == "covid-19"
    assert size not in encoding.ids
    transformers = pytest.importorskip("transformers")
    oracle = transformers.BertTokenizer.from_pretrained(tmp_path)
    assert oracle("the covid-19")["input_ids"] == list(tokenizer.encode("the covid-19").ids)


def evil(saved: dict[TokenizerKind, Path], **changes: Any) -> str:
    document = json.loads((saved["wordpiece"] / "tokenizer.json").read_text(encoding="utf-8"))
    return json.dumps(document | changes)


SPLIT = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}


def test_a_panic_is_a_tokenizer_error(
    saved: dict[TokenizerKind, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should one get past the look at regular expressions (tests/hostile)."""
    monkeypatch.setattr(definition, "check_pipeline", lambda document: None)
    (tmp_path / "tokenizer.json").write_text(evil(saved, pre_tokenizer=SPLIT))
    tokenizer = Tokenizer.from_folder(tmp_path)
    for call in (tokenizer.encode, tokenizer.encode_word, lambda text: tokenizer.ids_of([text])):
        with pytest.raises(TokenizerError, match="could not"):
            call("a" * 30 + "b")
    assert tokenizer.encode("the").ids  # and it still works afterwards


@pytest.mark.parametrize("control_flow", [KeyboardInterrupt, SystemExit, type("RerunException", (BaseException,), {})])
def test_control_flow_passes_through(control_flow: type[BaseException]) -> None:
    with pytest.raises(control_flow), parsing.rust("cut the text"):
        raise control_flow


def test_folders_that_hold_no_tokenizer(saved: dict[TokenizerKind, Path], tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"vocab\.txt"):
        Tokenizer.from_folder(tmp_path)
    with pytest.raises(TokenizerError, match="expected unigram"):
        Tokenizer.from_folder(saved["wordpiece"], "unigram")
    with pytest.raises(TokenizerError, match="Known"):
        Tokenizer.from_folder(tmp_path, "wordlevel")  # type: ignore[arg-type]
    (tmp_path / "spiece.model").write_bytes(b"\xff" * 100)
    with pytest.raises(TokenizerError, match="SentencePiece"):
        Tokenizer.from_folder(tmp_path)
    os.mkfifo(tmp_path / "tokenizer.json")
    with pytest.raises(TokenizerError, match="regular file"):
        Tokenizer.from_folder(tmp_path)


def test_bpe_without_bytes_is_refused() -> None:
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={"<s>": 0}, merges=[]))
    with pytest.raises(TokenizerError, match="ByteLevel"):
        Tokenizer(backend.to_str())
