"""train_tokenizer: order of special tokens, size, case, determinism across processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bortlab.text import TokenizerError, TokenizerKind
from bortlab.training.vocabulary import train_tokenizer

KINDS: tuple[TokenizerKind, ...] = ("unigram", "wordpiece", "byte-bpe")
TEXTS = [
    f"The {noun} of {name} is {adjective}, all {noun}s are {adjective}ish, isn't it? Über {i} ..."
    for i, (noun, name, adjective) in enumerate(
        (noun, name, adjective)
        for noun in ("capital", "river", "weather", "history", "kitchen")
        for name in ("Paris", "Berlin", "Madrid", "Lisbon", "Vienna")
        for adjective in ("old", "famous", "beautiful", "surprising")
    )
]

FIRST = {
    "unigram": ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"],
    "wordpiece": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    "byte-bpe": ["<s>", "<pad>", "</s>", "<unk>"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_order_size_and_case(kind: TokenizerKind) -> None:
    tokenizer = train_tokenizer(kind, iter(TEXTS), vocab_size=320)
    assert [tokenizer.token_of(i) for i in range(len(FIRST[kind]))] == FIRST[kind]
    assert 40 < tokenizer.vocab_size <= 320  # Unigram needs substrings that several words share, so it may stay small
    assert sorted(tokenizer.vocabulary.values()) == list(range(tokenizer.vocab_size))
    if kind == "byte-bpe":
        assert tokenizer.mask_id == tokenizer.vocab_size - 1
    assert (tokenizer.encode("PARIS").ids == tokenizer.encode("paris").ids) == (kind != "byte-bpe")
    assert len(tokenizer.encode_word("capital")) < len("capital")
    assert tokenizer.unk_id not in tokenizer.encode("The capital of Berlin is 7.").ids


def test_same_texts_same_tokenizer_in_every_process() -> None:
    program = (
        "import sys; from bortlab.training.vocabulary import train_tokenizer;"
        f"[print(train_tokenizer(kind, {TEXTS!r}, vocab_size=320).definition) for kind in {KINDS!r}]"
    )
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"}
    other = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    mine = [train_tokenizer(kind, TEXTS, vocab_size=320).definition for kind in KINDS]
    assert other.stdout.decode().splitlines() == mine


@pytest.mark.parametrize("kind", KINDS)
def test_rare_characters_surrogates_and_long_words_do_not_flood(kind: TokenizerKind) -> None:
    flood = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    tokenizer = train_tokenizer(kind, [*TEXTS, flood, "\ud800 [CLS] <pad>", "x" * 7_000, ""], vocab_size=600)
    assert tokenizer.vocab_size <= 600
    assert len(tokenizer.encode_word("beautiful")) < len("beautiful")


@pytest.mark.parametrize("kind", KINDS)
def test_errors(kind: TokenizerKind) -> None:
    with pytest.raises(TokenizerError, match="at least"):
        train_tokenizer(kind, TEXTS, vocab_size=10)
    if kind != "byte-bpe":
        with pytest.raises(TokenizerError, match="no text"):
            train_tokenizer(kind, [" "])
    with pytest.raises(TokenizerError, match="Known"):
        train_tokenizer("wordlevel", TEXTS)  # type: ignore[arg-type]
