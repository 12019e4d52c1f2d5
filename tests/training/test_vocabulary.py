"""train_tokenizer: order of special tokens, size, case, determinism across processes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from bortlab.tokenization import Kind, TokenizerError
from bortlab.training.vocabulary import train_tokenizer

KINDS: tuple[Kind, ...] = ("unigram", "wordpiece", "byte-bpe")
TEXTS = [
    f"The {noun} of {name} is {adjective}, isn't it? Über {i} ..."
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
def test_order_size_and_case(kind: Kind) -> None:
    tokenizer = train_tokenizer(kind, iter(TEXTS), vocab_size=320)
    assert [tokenizer.token_of(i) for i in range(len(FIRST[kind]))] == FIRST[kind]
    assert 100 < tokenizer.vocab_size <= 320
    assert sorted(tokenizer.vocabulary.values()) == list(range(tokenizer.vocab_size))
    if kind == "byte-bpe":
        assert tokenizer.mask_id == tokenizer.vocab_size - 1
    assert (tokenizer.encode("PARIS").ids == tokenizer.encode("paris").ids) == (kind != "byte-bpe")
    assert len(tokenizer.encode_word("capital")) < 4
    assert tokenizer.unk_id not in tokenizer.encode("The capital of Berlin is 7.").ids


@pytest.mark.parametrize("kind", KINDS)
def test_same_texts_same_tokenizer_in_every_process(kind: Kind) -> None:
    program = (
        "import sys, hashlib; from bortlab.training.vocabulary import train_tokenizer;"
        f"t = train_tokenizer({kind!r}, {TEXTS!r}, vocab_size=320);"
        "print(hashlib.sha256(t.definition.encode()).hexdigest())"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    other = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    mine = train_tokenizer(kind, TEXTS, vocab_size=320).definition
    assert other.stdout.strip() == hashlib.sha256(mine.encode()).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_rare_characters_surrogates_and_long_words_do_not_flood(kind: Kind) -> None:
    flood = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    tokenizer = train_tokenizer(kind, [*TEXTS, flood, "\ud800 [CLS] <pad>", "x" * 70_000, ""], vocab_size=320)
    assert tokenizer.vocab_size <= 320
    assert any(token.endswith("the") for token in tokenizer.vocabulary)


@pytest.mark.parametrize("kind", KINDS)
def test_errors(kind: Kind) -> None:
    with pytest.raises(TokenizerError, match="at least"):
        train_tokenizer(kind, TEXTS, vocab_size=10)
    if kind != "byte-bpe":
        with pytest.raises(TokenizerError, match="no text"):
            train_tokenizer(kind, [" "])
    with pytest.raises(TokenizerError, match="Known"):
        train_tokenizer("wordlevel", TEXTS)  # type: ignore[arg-type]
