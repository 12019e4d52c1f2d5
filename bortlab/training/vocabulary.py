"""Learn a vocabulary from text: the tokenizer of a bundled mini, of any of the three kinds.

The same texts must give the same tokenizer, and two trainers of `tokenizers` 0.23 do not keep that promise: their
hash maps are seeded anew in each process. So Unigram is trained by SentencePiece, as ALBERT's own was, and WordPiece
gets its alphabet spelled out beforehand, which fixes the order in which ties are broken.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import tokenizers
from tokenizers import pre_tokenizers, trainers

from bortlab.text import (
    SPECIAL_TOKENS,
    SpecialTokens,
    Tokenizer,
    TokenizerError,
    TokenizerKind,
    blank,
    sentencepiece_proto,
    without_surrogates,
)

MAX_ALPHABET = 1000  # characters a vocabulary keeps; rarer ones become unknown
MIN_FREQUENCY = 2  # how often a pair of pieces must be seen to be merged
SEEDS_PER_PIECE = 25  # candidates Unigram starts from; SentencePiece's fixed million is a waste for small vocabularies
CHUNK_WORDS = 256  # SentencePiece takes lines, and skips long ones
CHUNK_BYTES = 65_536


def train_tokenizer(kind: TokenizerKind, texts: Iterable[str], *, vocab_size: int = 8192) -> Tokenizer:
    """Train a tokenizer on `texts`; the same texts give the same tokenizer.

    Special tokens stand as in the family's published vocabulary: ALBERT `<pad> <unk> [CLS] [SEP] [MASK]` first, BERT
    and ConvBERT `[PAD] [UNK] [CLS] [SEP] [MASK]` first, Bort `<s> <pad> </s> <unk>` first and `<mask>` last.
    ALBERT, ConvBERT and BERT lower-case; Bort keeps case. A small corpus may give fewer pieces than `vocab_size`.
    Raises `TokenizerError` for an unknown kind, a `vocab_size` too small for special tokens and alphabet, or no text.
    """
    backend = blank(kind)
    names = SPECIAL_TOKENS[kind]
    smallest = {"unigram": 32, "wordpiece": 32, "byte-bpe": 256 + 5}[kind]
    if vocab_size < smallest:
        raise TokenizerError(f"vocab_size is {vocab_size}; a {kind} vocabulary needs at least {smallest}.")
    texts = map(without_surrogates, texts)
    if kind == "unigram":
        model = _train_unigram(backend, names, texts, vocab_size)
    elif kind == "wordpiece":
        model = _train_wordpiece(backend, names, texts, vocab_size)
    else:
        model = _train_byte_bpe(backend, names, texts, vocab_size)
    document = json.loads(backend.to_str())
    document |= {"model": document["model"] | model, "added_tokens": []}  # the Tokenizer adds its own special tokens
    return Tokenizer(json.dumps(document, ensure_ascii=False))


def _train_unigram(
    backend: tokenizers.Tokenizer, names: SpecialTokens, texts: Iterable[str], vocab_size: int
) -> dict[str, Any]:
    """The model part of a tokenizer.json, by SentencePiece on text that our own normaliser has seen."""
    try:
        import sentencepiece
    except ImportError as error:
        raise TokenizerError("Training a Unigram vocabulary needs: pip install sentencepiece protobuf") from error
    normalized = _normalized(backend, texts)
    alphabet = set(_alphabet(normalized, min(MAX_ALPHABET, vocab_size // 2)))
    rare = dict.fromkeys(map(ord, set(chain.from_iterable(normalized)) - alphabet), " ")
    content = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(text.translate(rare) for text in normalized),
            model_writer=content,
            model_type="unigram",
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",
            max_sentence_length=2 * CHUNK_BYTES,
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            pad_piece=names.pad,
            unk_piece=names.unk,
            control_symbols=[names.cls, names.sep, names.mask],
            seed_sentencepiece_size=SEEDS_PER_PIECE * vocab_size,
            num_threads=2,  # fixed: sums depend on how the work is divided
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise TokenizerError(f"No Unigram vocabulary of {vocab_size} pieces from these texts: {error}") from error
    trained = sentencepiece_proto(required=True).ModelProto()
    trained.ParseFromString(content.getvalue())
    return {"vocab": [[piece.piece, piece.score] for piece in trained.pieces], "unk_id": 1}


def _train_wordpiece(
    backend: tokenizers.Tokenizer, names: SpecialTokens, texts: Iterable[str], vocab_size: int
) -> dict[str, Any]:
    """The model part of a tokenizer.json; the alphabet, plain and as continuation, comes after the special tokens."""
    normalized = _normalized(backend, texts)
    alphabet = _alphabet(normalized, min(MAX_ALPHABET, vocab_size // 4))
    special = [names.pad, names.unk, names.cls, names.sep, names.mask]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        special_tokens=[*special, *alphabet, *(f"##{character}" for character in alphabet)],
        min_frequency=MIN_FREQUENCY,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix="##",
        show_progress=False,
    )
    backend.train_from_iterator(normalized, trainer)
    return {}


def _train_byte_bpe(
    backend: tokenizers.Tokenizer, names: SpecialTokens, texts: Iterable[str], vocab_size: int
) -> dict[str, Any]:
    """The model part of a tokenizer.json: 256 bytes, merges, and the mask last."""
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1,
        special_tokens=[names.cls, names.pad, names.sep, names.unk],
        min_frequency=MIN_FREQUENCY,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    vocab = json.loads(backend.to_str())["model"]["vocab"]
    return {"vocab": vocab | {names.mask: len(vocab)}}


def _normalized(backend: tokenizers.Tokenizer, texts: Iterable[str]) -> list[str]:
    normalizer = backend.normalizer
    assert normalizer is not None  # `blank` gives Unigram and WordPiece one
    return [normalizer.normalize_str(text) for text in texts]


def _alphabet(texts: Sequence[str], limit: int) -> list[str]:
    """The `limit` most frequent characters that are no white space, in code point order."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    visible = [character for character in counts if not character.isspace()]
    if not visible:
        raise TokenizerError("There is no text to learn a vocabulary from. Pass some sentences.")
    return sorted(sorted(visible, key=lambda character: (-counts[character], character))[:limit])


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Lines of at most `CHUNK_WORDS` words; words too long for a line are no words."""
    for text in texts:
        words = [word for word in text.split() if len(word) < CHUNK_BYTES // CHUNK_WORDS]
        for start in range(0, len(words), CHUNK_WORDS):
            yield " ".join(words[start : start + CHUNK_WORDS])
