"""Text as flat arrays of pieces, cut by one tokenizer or by two whose words are matched.

Masked-LM training reads the same sentences many times, so they are cut once. A sentence is a run of *chunks*, the parts
between white space; no tokenizer here lets a piece cross a chunk's edge, so each different chunk is cut once, and a
corpus of 20 million words costs a few hundred thousand calls. Inside a chunk stand the *words* of `word_spans`: what is
hidden is hidden word by word, alike in both cuttings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bortlab.text import MASK, Tokenizer
from bortlab.text.words import word_spans

Ints = NDArray[np.int32]
LONGEST_CHUNK = 60
"""Characters of a chunk; what is longer is an address or a table, and is left out."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """A text's pieces as one tokenizer cuts them.

    pieces: (pieces,) ids. words: (pieces,) number of the word that each belongs to, never falling. starts:
    (chunks + 1,): where each chunk's pieces begin.
    """

    pieces: Ints
    words: Ints
    starts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EncodedText:
    """Sentences of documents, cut by one or two tokenizers.

    cuttings: one for each tokenizer. sentences: (sentences + 1,): where each sentence's chunks begin. documents and
    sources: (sentences,): the document and the kind of text that each stands in. names: of the sources.
    """

    cuttings: tuple[Cutting, ...]
    sentences: NDArray[np.int64]
    documents: Ints
    sources: Ints
    names: tuple[str, ...]

    @property
    def n_pieces(self) -> int:
        """Pieces of the first cutting."""
        return len(self.cuttings[0].pieces)

    @property
    def n_words(self) -> int:
        """Words, up to the last that any cutting has a piece of (a lone accent is none to those that drop accents)."""
        return max((int(cutting.words[-1]) + 1 for cutting in self.cuttings if len(cutting.words)), default=0)


def encode_text(
    documents: Iterable[tuple[str, Sequence[str]]], tokenizers: Sequence[Tokenizer], *, names: Sequence[str] = ()
) -> EncodedText:
    """Cut documents, each (source, sentences), by every tokenizer.

    names: sources in the order that their numbers shall have; others follow as they come.
    """
    known: dict[str, int] = {}
    sources: dict[str, int] = {name: number for number, name in enumerate(names)}
    chunks: list[int] = []
    lengths: list[int] = []
    of_document: list[int] = []
    of_source: list[int] = []
    first: list[int] = []  # positions of the chunks that begin a sentence
    for number, (source, sentences) in enumerate(documents):
        for sentence in sentences:
            row = [chunk for chunk in sentence.replace(MASK, "").split() if len(chunk) <= LONGEST_CHUNK]
            if not row:
                continue
            first.append(len(chunks))
            chunks.extend(known.setdefault(chunk, len(known)) for chunk in row)
            lengths.append(len(row))
            of_document.append(number)
            of_source.append(sources.setdefault(source, len(sources)))
    order = np.asarray(chunks, dtype=np.int64)
    begins = np.zeros(len(order), dtype=bool)
    begins[np.asarray(first, dtype=np.int64)] = True
    n_words = np.asarray([len(word_spans(chunk)) for chunk in known], dtype=np.int64)
    first_word = np.concatenate([[0], np.cumsum(n_words[order])])
    return EncodedText(
        cuttings=tuple(_cut(list(known), order, begins, first_word, tokenizer) for tokenizer in tokenizers),
        sentences=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        documents=np.asarray(of_document, dtype=np.int32),
        sources=np.asarray(of_source, dtype=np.int32),
        names=tuple(sources),
    )


def _cut(
    chunks: Sequence[str],
    order: NDArray[np.int64],
    begins: NDArray[np.bool_],
    first_word: NDArray[np.int64],
    tokenizer: Tokenizer,
) -> Cutting:
    """The pieces of chunks in the order in which they stand in the text."""
    inner = [_cut_chunk(tokenizer, chunk, after_space=True) for chunk in chunks]
    if tokenizer.kind == "byte-bpe":  # a word that begins a text has no space before it, and other pieces
        table = [*inner, *(_cut_chunk(tokenizer, chunk, after_space=False) for chunk in chunks)]
        order = order + len(chunks) * begins
    else:
        table = inner
    sizes = np.asarray([len(ids) for ids, _ in table], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    ids = np.asarray([number for ids, _ in table for number in ids], dtype=np.int32)
    words = np.asarray([number for _, numbers in table for number in numbers], dtype=np.int32)
    starts = np.concatenate([[0], np.cumsum(sizes[order])])
    places = np.repeat(offsets[order] - starts[:-1], sizes[order]) + np.arange(starts[-1])
    numbers = words[places] + np.repeat(first_word[:-1], sizes[order])
    return Cutting(ids[places], numbers.astype(np.int32), starts)


def _cut_chunk(tokenizer: Tokenizer, chunk: str, *, after_space: bool) -> tuple[list[int], list[int]]:
    """Ids of a chunk's pieces, and the word inside the chunk that each belongs to."""
    before = "a " if after_space and tokenizer.kind == "byte-bpe" else ""
    encoding = tokenizer.encode(before + chunk)
    ids: list[int] = []
    words: list[int] = []
    for number, word, special in zip(encoding.ids, encoding.words, encoding.special, strict=True):
        word = words[-1] + bool(before) if word is None and words else word
        if special or (before and word == 0):
            continue
        ids.append(number)
        words.append(max(0, (word or 0) - bool(before)))
    return ids, words
