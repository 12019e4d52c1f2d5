"""Labelled examples as a model reads them: ids, types and targets, in batches of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bortlab.data.labelled import Example, LabelledData
from bortlab.model.answers import windows
from bortlab.models import SPANS
from bortlab.text import Encoding, Tokenizer

LEFT_OUT = -100
"""The label of a position that none belongs to, as in transformers."""
POOL = 32
"""Batches that are sorted by length together: little padding, and no epoch like another."""


@dataclass(frozen=True, slots=True)
class Item:
    """What is read at once for an example.

    encodings: one, of multiple choice one for each choice. targets: by the name of the logits they belong to (see
    `Network.solve`): a number, or a list of numbers. example: its place in its split.
    offset: of the context's first character, where a context is read in parts.
    """

    encodings: tuple[Encoding, ...]
    targets: Mapping[str, float | int | Sequence[float] | Sequence[int]]
    example: int
    offset: int = 0

    @property
    def length(self) -> int:
        """Pieces of its longest encoding."""
        return max(map(len, self.encodings))


@dataclass(frozen=True, slots=True)
class Batch:
    """ids, mask and type_ids: (batch, seq), of multiple choice (batch, choices, seq). targets: by name."""

    ids: Tensor
    mask: Tensor
    type_ids: Tensor
    targets: dict[str, Tensor]


def items_of(data: LabelledData, examples: Sequence[Example], tokenizer: Tokenizer, *, length: int) -> list[Item]:
    """Examples, encoded for the task of the data. length: pieces of a text at most; the rest is left out.

    A context that is longer than that is several items.
    """
    reader = READERS[data.task]
    return [
        item for number, example in enumerate(examples) for item in reader(data, example, number, tokenizer, length)
    ]


def _whole_text(data: LabelledData, example: Example, number: int, tokenizer: Tokenizer, length: int) -> list[Item]:
    encoding = tokenizer.encode(example.text, example.pair, max_length=length)
    target: float | int | list[float]
    if data.problem_type == "regression":
        target = float(example.label)  # type: ignore[arg-type]
    elif data.problem_type == "multi_label_classification":
        target = [float(label in example.label) for label in data.labels]  # type: ignore[operator]
    else:
        target = data.labels.index(str(example.label))
    return [Item((encoding,), {"sequence-classification": target}, number)]


def _words(data: LabelledData, example: Example, number: int, tokenizer: Tokenizer, length: int) -> list[Item]:
    encoding = tokenizer.encode(" ".join(example.words), max_length=length)
    targets = [LEFT_OUT] * len(encoding)
    for piece, label in zip(first_pieces(example, encoding), example.label, strict=True):  # type: ignore[arg-type]
        if piece is not None:
            targets[piece] = data.labels.index(str(label))
    return [Item((encoding,), {"token-classification": targets}, number)]


def first_pieces(example: Example, encoding: Encoding) -> list[int | None]:
    """For each of an example's words its first piece; None for one that was cut off, or that the vocabulary drops."""
    ends = np.cumsum([len(word) + 1 for word in example.words])
    pieces: list[int | None] = [None] * len(example.words)
    for piece, ((start, end), special) in enumerate(zip(encoding.offsets, encoding.special, strict=True)):
        word = int(np.searchsorted(ends, start, side="right"))
        if not special and end > start and word < len(pieces) and pieces[word] is None:
            pieces[word] = piece
    return pieces


def _choices(data: LabelledData, example: Example, number: int, tokenizer: Tokenizer, length: int) -> list[Item]:
    encodings = tuple(tokenizer.encode(example.text, choice, max_length=length) for choice in example.choices)
    return [Item(encodings, {"multiple-choice": int(example.label)}, number)]  # type: ignore[arg-type]


def _answers(data: LabelledData, example: Example, number: int, tokenizer: Tokenizer, length: int) -> list[Item]:
    """The windows of a context. Where an answer is not whole in a window, the window's answer is the first position."""

    def encode(question: str, part: str) -> Encoding:
        return tokenizer.encode(question, part, max_length=length)

    items = []
    for offset, encoding in windows(encode, example.text, example.pair or "", longest=length):
        spans = [_pieces_of(encoding, start - offset, start - offset + len(text)) for start, text in example.answers]
        start, end = next((span for span in spans if span), (0, 0))
        items.append(Item((encoding,), dict(zip(SPANS, (start, end), strict=True)), number, offset))
    return items


def _pieces_of(encoding: Encoding, start: int, end: int) -> tuple[int, int] | None:
    """First and last piece of a context's characters, None where they are not all there."""
    inside = [
        piece
        for piece, (side, (first, last)) in enumerate(zip(encoding.parts, encoding.offsets, strict=True))
        if side == 1 and first < end and last > start
    ]
    whole = inside and encoding.offsets[inside[0]][0] <= start and encoding.offsets[inside[-1]][1] >= end
    return (inside[0], inside[-1]) if whole else None


READERS = {
    "sequence-classification": _whole_text,
    "token-classification": _words,
    "multiple-choice": _choices,
    "question-answering": _answers,
}
"""How each task's examples are read."""


def shuffled_batches(items: Sequence[Item], size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """The numbers of the items of each batch of an epoch: a function of (seed, epoch), similar lengths together."""
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(items))
    lengths = np.array([item.length for item in items])
    widths = np.array([len(item.encodings) for item in items])  # multiple choice: only equal numbers of choices
    batches: list[list[int]] = []
    for start in range(0, len(order), POOL * size):
        pool = order[start : start + POOL * size]
        pool = pool[np.lexsort((lengths[pool], widths[pool]))]
        for same in np.split(pool, np.flatnonzero(np.diff(widths[pool])) + 1):
            batches.extend(same[at : at + size].tolist() for at in range(0, len(same), size))
    return [batches[number] for number in rng.permutation(len(batches))]


def unpadded_batches(items: Sequence[Item], size: int) -> Iterator[list[int]]:
    """The numbers of items of equal shape, so that none is padded, which would change what a ConvBERT says."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for number, item in enumerate(items):
        by_shape.setdefault(tuple(map(len, item.encodings)), []).append(number)
    for same in by_shape.values():
        yield from (same[start : start + size] for start in range(0, len(same), size))


def collate(items: Sequence[Item], tokenizer: Tokenizer, device: torch.device) -> Batch:
    """Items of one batch as tensors, padded on the right to their longest."""
    flat = [encoding for item in items for encoding in item.encodings]
    ids, mask, type_ids = (torch.tensor(rows) for rows in tokenizer.pad(flat))
    if len(items[0].encodings) > 1:
        ids, mask, type_ids = (rows.view(len(items), -1, rows.shape[-1]) for rows in (ids, mask, type_ids))
    targets = {name: _targets([item.targets[name] for item in items], ids.shape[-1]) for name in items[0].targets}
    return Batch(
        ids.to(device), mask.to(device), type_ids.to(device), {name: rows.to(device) for name, rows in targets.items()}
    )


def _targets(values: Sequence[object], width: int) -> Tensor:
    """Targets of a batch; those of pieces are filled up with LEFT_OUT."""
    if isinstance(values[0], list) and isinstance(values[0][0], int):
        rows: NDArray[np.int64] = np.full((len(values), width), LEFT_OUT)
        for row, value in zip(rows, values, strict=True):
            row[: len(value)] = value  # type: ignore[arg-type]
        return torch.from_numpy(rows)
    return torch.tensor(values)
