"""CoNLL columns: a word a line with its labels beside it, an empty line between sentences."""

from __future__ import annotations

import io
from collections import Counter
from typing import IO

from bortlab.data.labelled.delimited import encoding_of
from bortlab.data.labelled.errors import DataError
from bortlab.data.labelled.tables import Table, check_rows, excerpt

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The columns of CoNLL-U (universaldependencies.org/format.html)."""
WORDS = "words"


def read_conll(name: str, stream: IO[bytes]) -> Table:
    """A row a sentence: the column "words", and one for each column of labels; cells are lists as long as the sentence.

    The columns of CoNLL-U bear its names; of other files the first is the words, and the last, "labels", is what is
    learned unless another is named ("column 2"). Numbers are lines. Raises DataError for a line of another width.
    """
    encoding, note = encoding_of(stream)
    text = io.TextIOWrapper(stream, encoding)
    try:
        lines = [(number, line.rstrip("\n")) for number, line in enumerate(text, 1)]
    except UnicodeError as error:
        raise DataError(f"{name} is no {encoding} text: {error}. Save it as UTF-8.") from error
    finally:
        text.detach()
    separator = "\t" if any("\t" in line for _, line in lines[:200]) else None
    widths = Counter(len(line.split(separator)) for _, line in lines if line.strip() and not line.startswith("# "))
    width = widths.most_common(1)[0][0] if widths else 0
    if width < 2:
        raise DataError(
            f"{name} has no columns. Expected a word and its label on each line, an empty line between sentences."
        )
    sentences, starts = _sentences(name, lines, separator, width)
    check_rows(name, len(sentences))
    columns, places = _columns(width)
    rows = tuple(tuple([word[place] for word in sentence] for place in places) for sentence in sentences)
    return Table(name, columns, rows, tuple(starts), unit="line", notes=(note,) if note else ())


def _sentences(
    name: str, lines: list[tuple[int, str]], separator: str | None, width: int
) -> tuple[list[list[list[str]]], list[int]]:
    """(sentences of words of cells, the line each begins at)."""
    sentences: list[list[list[str]]] = []
    starts: list[int] = []
    inside = False
    for number, line in lines:
        cells = line.split(separator)
        if not line.strip() or line.startswith("-DOCSTART-"):
            inside = False
        elif len(cells) != width:
            if line.startswith("#"):
                continue  # a comment
            raise DataError(
                f"{name}, line {number:,}: expected {width} columns, got {len(cells)}: {excerpt(line)}.",
                row=number,
                column=f"column {len(cells)}",
            )
        elif width == len(CONLLU) and not cells[0].isdigit():
            continue  # a contraction (1-2), whose words follow, or an empty node (1.1)
        else:
            if not inside:
                sentences.append([])
                starts.append(number)
                inside = True
            sentences[-1].append(cells)
    return sentences, starts


def _columns(width: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """(names, places in the file): the words first, then what they may be labelled with."""
    if width == len(CONLLU):
        places = (1, 3, 4, 7, 2)
        return (WORDS, *(CONLLU[place] for place in places[1:])), places
    middle = tuple(f"column {place + 1}" for place in range(1, width - 1))
    return (WORDS, *middle, "labels"), tuple(range(width))
