"""A teacher's distribution over what stands behind a mask, carried over to a student's vocabulary.

Hinton et al. 2015 (arXiv 1503.02531), at temperature 1, mixed with the hidden piece itself. Where teacher and
student cut text alike, the whole distribution carries over. Where they do not, the teacher speaks of words that are one
piece on both sides, over the words that both have as one piece, renormalised; the rest is learned from the text alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bortlab.models import Network
from bortlab.training.encoded import EncodedText
from bortlab.training.hiding import DeviceText, Hidden, Rows, hide_alike


@dataclass(frozen=True, slots=True)
class Shared:
    """Words that are one piece on both sides: the teacher's ids and the student's, (words,) each, in one order."""

    teacher: Tensor
    student: Tensor


def shared_words(text: EncodedText) -> Shared:
    """The pieces that stand for the same whole words in both cuttings of a text (student, teacher).

    A piece of the teacher (lower case) goes to the student's piece that stands for it most often.
    """
    student, teacher = text.cuttings
    n_words = text.n_words
    single = (np.bincount(student.words, minlength=n_words) == 1) & (np.bincount(teacher.words, minlength=n_words) == 1)
    ours = student.pieces[np.searchsorted(student.words, np.flatnonzero(single))]
    theirs = teacher.pieces[np.searchsorted(teacher.words, np.flatnonzero(single))]
    counts = Counter(zip(theirs.tolist(), ours.tolist(), strict=True))
    best: dict[int, tuple[int, int]] = {}
    for (their, our), count in counts.items():
        if count > best.get(their, (0, 0))[0]:
            best[their] = count, our
    order = sorted(best)
    return Shared(torch.tensor(order), torch.tensor([best[their][1] for their in order]))


class Teacher:
    """A trained network that is asked for distributions; its weights stay as they are."""

    def __init__(self, network: Network, text: DeviceText, student: DeviceText, shared: Shared | None) -> None:
        """text: the teacher's own cutting. shared: None where both cut alike."""
        self.network = network.eval().requires_grad_(False).to(text.device)
        self.text, self.student = text, student
        self.shared, self.form = None, torch.empty(0)
        self.taught = self.hidden = torch.zeros((), dtype=torch.long, device=text.device)
        if shared is not None:
            self.shared = Shared(shared.teacher.to(text.device), shared.student.to(text.device))
            self.form = torch.full((network.config.vocab_size,), -1, device=text.device)
            self.form[self.shared.teacher] = self.shared.student

    @torch.no_grad()
    def distributions(self, rows: Rows, hidden: Hidden) -> tuple[Tensor, Tensor | None, Tensor]:
        """probabilities (batch, hidden, words), the student's ids of those words (None: all; or as many for each
        place, in a teacher that gives the likeliest alone), where it speaks.

        The last is (batch, hidden): True where the teacher says something.
        """
        if self.shared is None:
            states = self._states(hidden.ids, None, hidden.places)
            return self.network.predict(states).float().softmax(-1), None, hidden.labels >= 0
        ids, visible = hide_alike(self.text, rows.chunks, rows.widths[1], hidden)
        first, _ = self.text.rows(rows.chunks)
        places = self.text.first_piece[hidden.words] - first[:, None] + 1
        single = (self.text.sizes[hidden.words] == 1) & (self.student.sizes[hidden.words] == 1)
        # Of the forms that a student has ("the", "The", glued to a bracket), the teacher can only mean one.
        piece = self.text.pieces[self.text.first_piece[hidden.words]].long()
        speaks = single & (hidden.labels >= 0) & (self.form[piece] == hidden.labels)
        self.taught, self.hidden = self.taught + speaks.sum(), self.hidden + (hidden.labels >= 0).sum()
        states = self._states(ids, visible, places.clamp(0, ids.shape[1] - 1))
        logits = self.network.predict(states).float()[..., self.shared.teacher]
        return logits.softmax(-1), self.shared.student, speaks

    def spoken_share(self) -> float | None:
        """On what share of the hidden pieces it has spoken so far; None where it cuts text as the student does."""
        return None if self.shared is None or not int(self.hidden) else int(self.taught) / int(self.hidden)

    def _states(self, ids: Tensor, visible: Tensor | None, places: Tensor) -> Tensor:
        states = self.network.encode(self.network.embed(ids), mask=visible).hidden
        return states.gather(1, places[..., None].expand(-1, -1, states.shape[-1]))


@torch.no_grad()
def start_words(student: Network, teacher: Network, shared: Shared | None, generator: torch.Generator) -> None:
    """Start the student's word table from the teacher's: centred, its principal components, turned at random.

    Words that the teacher does not have keep their random start. The scale is that of a trained table.
    """
    table, source = student.embeddings.words.weight, teacher.embeddings.words.weight.float().cpu()
    width = table.shape[1]
    centred = source - source.mean(0)
    _, _, components = torch.linalg.svd(centred, full_matrices=False)
    turn = torch.linalg.qr(torch.randn(width, width, generator=generator)).Q
    known = min(width, components.shape[0])
    reduced = torch.zeros(len(source), width)
    reduced[:, :known] = centred @ components[:known].T
    reduced = reduced @ turn
    reduced *= 0.04 / reduced.std()
    if shared is None:
        table.copy_(reduced)
    else:
        table[shared.student] = reduced[shared.teacher].to(table.dtype)
