"""Word, position and type embeddings, and the step from embedding width to hidden width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bortlab.nn.linear import Linear


class Embeddings(nn.Module):
    """Turns words (batch, seq, embed) into what enters the first layer (batch, seq, hidden).

    The word table is looked up by `look_up` alone, so that an attribution method can vary the word vectors and keep
    positions, types, norm and projection as they are. Positions count from 0.

    Args:
        vocab, embed, positions, types: sizes of the tables.
        hidden: width to project to, with bias (ALBERT always, ConvBERT where embed != hidden); None: no projection.
    """

    def __init__(
        self, *, vocab: int, embed: int, positions: int, types: int, hidden: int | None, eps: float, dropout: float
    ) -> None:
        super().__init__()
        self.words = _table(vocab, embed)
        self.positions = _table(positions, embed)
        self.types = _table(types, embed)
        self.norm = nn.LayerNorm(embed, eps=eps)
        self.dropout = nn.Dropout(dropout)
        self.project = None if hidden is None else Linear(embed, hidden)

    def look_up(self, ids: Tensor) -> Tensor:
        """ids (batch, seq) -> words (batch, seq, embed)."""
        return self.words(ids)  # type: ignore[no-any-return]

    def forward(self, words: Tensor, type_ids: Tensor | None) -> Tensor:
        """words (batch, seq, embed), type_ids (batch, seq) or None for all 0 -> (batch, seq, hidden)."""
        types = self.types.weight[0] if type_ids is None else self.types(type_ids)
        positions = self.positions.weight[: words.shape[1]]
        summed = self.dropout(self.norm(words + types + positions))
        return summed if self.project is None else self.project(summed)  # type: ignore[no-any-return]


def _table(rows: int, width: int) -> nn.Embedding:
    """A table of vectors. On the meta device none are drawn: torch would import its compiler for that, 1 to 2 s."""
    if torch.get_default_device().type == "meta":
        return nn.Embedding(rows, width, _weight=torch.empty(rows, width))
    return nn.Embedding(rows, width)
