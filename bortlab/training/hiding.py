"""Batches on the device: rows of a text with whole words hidden, alike in every cutting."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bortlab.text import Tokenizer
from bortlab.training.encoded import EncodedText

IGNORED = -100
"""The label of a position that is not predicted (cross_entropy's ignore_index)."""


@dataclass(frozen=True, slots=True)
class Template:
    """What stands around every row: the first and the last piece, and the mask."""

    cls: int
    sep: int
    mask: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Template:
        """The template of a vocabulary."""
        return cls(tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a batch. chunks: (batch, 2) first and last chunk. widths: the most pieces in each cutting.

    The widths are known to the host, so that the device need not be waited for.
    """

    chunks: Tensor
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Hidden:
    """A batch as the student sees it.

    ids: (batch, seq) with hidden words behind the mask. places: (batch, hidden) positions to predict; labels: (batch,
    hidden) the pieces there, IGNORED where a row has fewer. words: (batch, hidden) numbers of their words in the text.
    is_hidden: (batch, words of a row) which words are hidden. first_word: (batch, 1).
    """

    ids: Tensor
    places: Tensor
    labels: Tensor
    words: Tensor
    is_hidden: Tensor
    first_word: Tensor


class DeviceText:
    """One cutting of a text as tensors of a device, from which batches are gathered."""

    def __init__(self, text: EncodedText, cutting: int, template: Template, device: torch.device) -> None:
        cut = text.cuttings[cutting]
        self.template, self.device = template, device
        self.pieces = torch.from_numpy(cut.pieces).to(device)
        self.words = torch.from_numpy(cut.words).to(device)
        self.starts = torch.from_numpy(cut.starts).to(device)
        n_words = text.n_words
        ones = torch.ones_like(self.words, dtype=torch.int16)
        self.sizes = torch.zeros(n_words, dtype=torch.int16, device=device).index_add_(0, self.words, ones)
        self.first_piece = torch.searchsorted(self.words, torch.arange(n_words, device=device, dtype=torch.int32))
        self.first_piece.clamp_(max=max(0, len(cut.pieces) - 1))  # last words that this cutting has no piece of

    def rows(self, chunks: Tensor) -> tuple[Tensor, Tensor]:
        """First piece (batch) and number of pieces (batch) of rows, each (first chunk, last chunk): (batch, 2)."""
        first = self.starts[chunks[:, 0]]
        return first, self.starts[chunks[:, 1]] - first

    def gather(self, chunks: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """ids and words (batch, width), and which of them are pieces of the row: (batch, width)."""
        first, lengths = self.rows(chunks)
        steps = torch.arange(width, device=self.device)
        real = steps < lengths[:, None]
        at = (first[:, None] + steps).clamp_(max=len(self.pieces) - 1)
        return self.pieces[at].long(), self.words[at].long(), real


def hide(text: DeviceText, chunks: Tensor, width: int, *, rate: float, generator: torch.Generator) -> Hidden:
    """Hide whole words of rows that all have `width` pieces: each with this chance, and at least one in a row.

    Every hidden piece becomes the mask itself: Wettig et al. 2023 (arXiv 2202.08005, section 5) found nothing gained by
    BERT's 10% random and 10% unchanged pieces.
    """
    ids, words, _ = text.gather(chunks, width)
    batch, device = len(chunks), text.device
    first = words[:, :1]
    local = words - first  # (batch, width), from 0
    n_words = int(width) if width else 1
    chance = torch.rand(batch, n_words, generator=generator, device=device)
    exists = torch.zeros_like(chance, dtype=torch.bool).scatter_(1, local.clamp(max=n_words - 1), True)
    chance = chance.masked_fill(~exists, 2.0)  # also a word without pieces, which would leave a row nothing to predict
    is_hidden = (chance < rate) | (chance == chance.min(dim=1, keepdim=True).values)
    covered = is_hidden.gather(1, local.clamp(max=n_words - 1))  # (batch, width)
    most = min(width, math.ceil(width * min(1.0, 1.3 * rate)) + 3)
    order = covered.float() + 0.5 * torch.rand(covered.shape, generator=generator, device=device)
    places = order.topk(most, dim=1).indices
    labels = torch.where(covered.gather(1, places), ids.gather(1, places), IGNORED)
    masked = torch.where(covered, text.template.mask, ids)
    framed = torch.empty(batch, width + 2, dtype=torch.long, device=device)
    framed[:, 0], framed[:, -1], framed[:, 1:-1] = text.template.cls, text.template.sep, masked
    return Hidden(framed, places + 1, labels, words.gather(1, places), is_hidden, first)


def hide_alike(text: DeviceText, chunks: Tensor, width: int, hidden: Hidden) -> tuple[Tensor, Tensor]:
    """The same rows in another cutting with the same words hidden: ids and mask, (batch, longest + 2)."""
    _, lengths = text.rows(chunks)
    ids, words, real = text.gather(chunks, width)
    local = (words - hidden.first_word).clamp(0, hidden.is_hidden.shape[1] - 1)
    ids = torch.where(hidden.is_hidden.gather(1, local) & real, text.template.mask, ids)
    framed = torch.zeros(len(chunks), width + 2, dtype=torch.long, device=text.device)
    framed[:, 0], framed[:, 1:-1] = text.template.cls, torch.where(real, ids, 0)
    framed.scatter_(1, (lengths + 1)[:, None], text.template.sep)
    visible = torch.arange(width + 2, device=text.device) < (lengths + 2)[:, None]
    return framed, visible
