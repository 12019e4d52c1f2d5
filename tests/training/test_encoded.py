"""Text as flat arrays: cut by chunks it must be what the tokenizer makes of whole sentences, word for word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab.text import Tokenizer, TokenizerKind
from bortlab.text.words import word_spans
from bortlab.training.encoded import LONGEST_CHUNK, EncodedText, encode_text
from bortlab.training.vocabulary import train_tokenizer

KINDS: tuple[TokenizerKind, ...] = ("unigram", "wordpiece", "byte-bpe")
DOCUMENTS = [
    (
        "stories",
        ["The cat sat on the mat.", "It's   the cat's mat, (isn't it?) said 1,000.5 cats.", "the", "Über-cat!"],
    ),
    ("modern", ["A cat: \"sat\" -- the cat sat... 'the' mat", "naïve cats in 2024 pay $3.50 for the_mat"]),
    ("stories", ["On the mat the cat sat and sat and sat."]),
]
TEXTS = [sentence for _, sentences in DOCUMENTS for sentence in sentences] * 3
TOKENIZERS = {kind: train_tokenizer(kind, TEXTS, vocab_size=300) for kind in KINDS}


def plain(tokenizer: Tokenizer, sentence: str) -> tuple[list[int], list[int | None]]:
    """Ids and words of a sentence without the template."""
    encoding = tokenizer.encode(sentence)
    inner = [i for i, special in enumerate(encoding.special) if not special]
    return [encoding.ids[i] for i in inner], [encoding.words[i] for i in inner]


def sentence_pieces(text: EncodedText, cutting: int, sentence: int) -> tuple[list[int], list[int]]:
    """Ids and words of a sentence as the arrays have them."""
    cut = text.cuttings[cutting]
    start, end = cut.starts[text.sentences[sentence]], cut.starts[text.sentences[sentence + 1]]
    return cut.pieces[start:end].tolist(), cut.words[start:end].tolist()


def flat(documents: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    return [" ".join(sentence.split()) for _, sentences in documents for sentence in sentences if sentence.split()]


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_and_words_are_the_tokenizers_own(kind: TokenizerKind) -> None:
    text = encode_text(DOCUMENTS, [TOKENIZERS[kind]])
    first_word = 0
    for number, sentence in enumerate(flat(DOCUMENTS)):
        ids, words = sentence_pieces(text, 0, number)
        expected_ids, expected_words = plain(TOKENIZERS[kind], sentence)
        assert ids == expected_ids
        for ours, theirs in zip(words, expected_words, strict=True):
            assert theirs is None or ours - first_word == theirs
        first_word += len(word_spans(sentence))
    assert text.n_pieces == len(text.cuttings[0].pieces) == text.cuttings[0].starts[-1]


def test_borts_first_word_stands_without_space() -> None:
    tokenizer = TOKENIZERS["byte-bpe"]
    text = encode_text([("a", ["cat cat", "cat"])], [tokenizer])
    bare, spaced = list(tokenizer.encode_word("cat", after_space=False)), list(tokenizer.encode_word("cat"))
    assert bare != spaced
    assert text.cuttings[0].pieces.tolist() == [*bare, *spaced, *bare]


words = st.text(st.sampled_from("catCATsm.,'’\"-(é1$ü"), min_size=1, max_size=8)


@settings(max_examples=30)
@given(st.lists(st.lists(words, min_size=1, max_size=5).map(" ".join), min_size=1, max_size=3))
def test_any_sentence_is_cut_as_the_tokenizer_cuts_it(sentences: list[str]) -> None:
    text = encode_text([("a", sentences)], list(TOKENIZERS.values()))
    for cutting, tokenizer in enumerate(TOKENIZERS.values()):
        for number, sentence in enumerate(sentences):
            assert sentence_pieces(text, cutting, number)[0] == plain(tokenizer, sentence)[0]


def test_the_words_of_all_cuttings_are_the_same_words() -> None:
    text = encode_text(DOCUMENTS, list(TOKENIZERS.values()))
    spelled = [sentence[start:end] for sentence in flat(DOCUMENTS) for start, end in word_spans(sentence)]
    for cut, tokenizer in zip(text.cuttings, TOKENIZERS.values(), strict=True):
        assert (np.diff(cut.words) >= 0).all()
        assert sorted(set(cut.words.tolist())) == list(range(len(spelled)))
        for number, word in enumerate(spelled):
            ids = cut.pieces[cut.words == number].tolist()
            if tokenizer.unk_id not in ids:
                read = tokenizer.decode(ids).strip().replace(" ", "")
                assert read == (word if tokenizer.kind == "byte-bpe" else _lowered(tokenizer, word))


def _lowered(tokenizer: Tokenizer, word: str) -> str:
    """A word as this tokenizer's normaliser leaves it, by its own decoding."""
    return tokenizer.decode(plain(tokenizer, word)[0]).strip().replace(" ", "")


def test_documents_sources_and_sentences_are_numbered() -> None:
    text = encode_text(DOCUMENTS, [TOKENIZERS["wordpiece"]], names=["absent", "modern"])
    assert text.names == ("absent", "modern", "stories")
    assert text.documents.tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert text.sources.tolist() == [2, 2, 2, 2, 1, 1, 2]
    assert np.diff(text.sentences).tolist() == [len(sentence.split()) for sentence in flat(DOCUMENTS)]
    assert len(text.cuttings[0].starts) == text.sentences[-1] + 1


def test_blank_sentences_long_chunks_and_masks_are_left_out() -> None:
    long = "x" * (LONGEST_CHUNK + 1)
    for kind in KINDS:
        text = encode_text([("a", ["", " \n", long, f"the {long} cat[MASK] [MASK]"])], [TOKENIZERS[kind]])
        assert len(text.sentences) == 2
        assert text.cuttings[0].pieces.tolist() == plain(TOKENIZERS[kind], "the cat")[0]
        assert TOKENIZERS[kind].mask_id not in text.cuttings[0].pieces
    kept = encode_text([("a", ["x" * LONGEST_CHUNK])], [TOKENIZERS["byte-bpe"]])
    assert kept.n_pieces > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_chunk_at_the_front_leaves_the_next_to_begin_the_sentence(kind: TokenizerKind) -> None:
    text = encode_text([("a", [f"{'y' * 100} cat sat"])], [TOKENIZERS[kind]])
    assert text.cuttings[0].pieces.tolist() == plain(TOKENIZERS[kind], "cat sat")[0]


def test_no_text_is_an_empty_text() -> None:
    text = encode_text([("a", [" "])], [TOKENIZERS["wordpiece"]])
    assert text.n_pieces == 0
    assert text.sentences.tolist() == [0]
