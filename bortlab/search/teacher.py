"""The maximum point as a teacher: how good it is, what it says of held-out text, and its answers kept on disk.

Every candidate with one seed sees the same rows with the same words hidden (batches are a function of seed and step),
so the teacher answers each batch once, for all of them.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bortlab.data import corpus
from bortlab.model import Model
from bortlab.models import Network
from bortlab.system.store import write
from bortlab.training.encoded import EncodedText, encode_text
from bortlab.training.hiding import IGNORED, DeviceText, Hidden, Rows, Template
from bortlab.training.masked_lm import hidden_logits, measured_batches
from bortlab.training.minis import log_frequencies
from bortlab.training.packing import epoch_rows, parts_of
from bortlab.training.teaching import Teacher

KEPT = 64
"""Pieces of the teacher's distribution that are kept, the likeliest; the rest is left out and the kept rescaled."""
GOOD_TEACHER = 0.8
"""A maximum point must bring the cross-entropy of hidden pieces below this share of the unigram's."""
EXAM_PIECES = 1_500
"""Hidden pieces that an error is measured on."""


class TeacherError(ValueError):
    """A maximum point that knows too little to measure candidates by."""


class RememberedTeacher(Teacher):
    """A teacher that keeps what it said of each batch in a folder, and is asked once."""

    def __init__(self, network: Network, text: DeviceText, folder: Path) -> None:
        super().__init__(network, text, text, None)
        self.folder = folder

    @torch.no_grad()
    def distributions(self, rows: Rows, hidden: Hidden) -> tuple[Tensor, Tensor | None, Tensor]:
        """As `Teacher.distributions`, of the KEPT likeliest pieces at each place: (batch, hidden, KEPT) twice."""
        asked = hidden.ids.cpu().numpy().astype(np.int32).tobytes() + hidden.places.cpu().numpy().tobytes()
        path = self.folder / f"{hashlib.sha256(asked).hexdigest()[:32]}.npz"
        speaks = hidden.labels >= 0
        if path.is_file():
            with np.load(path) as answers:
                kept, ids = (torch.from_numpy(answers[name].astype(kind)) for name, kind in _KINDS)
        else:
            probabilities, _, _ = super().distributions(rows, hidden)
            kept, ids = probabilities.topk(min(KEPT, probabilities.shape[-1]), dim=-1)
            buffer = io.BytesIO()
            np.savez(buffer, kept=kept.cpu().half().numpy(), ids=ids.cpu().numpy().astype(np.int32))
            write(path, buffer.getvalue(), durable=False)
            kept = kept.half().float()  # as it will be read back, so that a resumed run computes the same
        kept = kept / kept.sum(-1, keepdim=True)
        return kept.to(speaks.device), ids.long().to(speaks.device), speaks


_KINDS = (("kept", np.float32), ("ids", np.int64))


@dataclass(frozen=True, slots=True)
class Grade:
    """How a network did in an exam, as means over its hidden pieces, in nats.

    error: cross-entropy to the teacher's distribution. loss: to the piece that stood there. accuracy: share of the
    pieces guessed first.
    """

    error: float
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Exam:
    """Held-out rows with fixed words hidden, and what the teacher says of each.

    teacher: its own grade; its error is the entropy of its answers, the least that any candidate can reach. unigram:
    the grade of a model that knows how frequent each piece is, and nothing else.
    """

    batches: tuple[Hidden, ...]
    answers: tuple[Tensor, ...]
    teacher: Grade
    unigram: Grade
    n_hidden: int

    @torch.no_grad()
    def grade(self, network: Network) -> Grade:
        """How a network does; it is left in the mode that it was in."""
        was_training = network.training
        network.eval()
        logs = (hidden_logits(network, hidden).float().log_softmax(-1) for hidden in self.batches)
        grade = _grade(logs, self.batches, self.answers)
        network.train(was_training)
        return grade

    def check_teacher(self) -> None:
        """TeacherError unless the teacher is much better than the unigram."""
        ratio = self.teacher.loss / self.unigram.loss
        if not ratio <= GOOD_TEACHER:
            raise TeacherError(
                f"The maximum point must bring the cross-entropy of hidden pieces to {GOOD_TEACHER:g} of the unigram's "
                f"or less before candidates can be measured by it; it reaches {ratio:.2f} ({self.teacher.loss:.2f} of "
                f"{self.unigram.loss:.2f} nats). Choose a teacher that was trained for longer."
            )


def _grade(logs: Iterable[Tensor], batches: Sequence[Hidden], answers: Sequence[Tensor]) -> Grade:
    """The means over hidden pieces. logs, answers: (batch, hidden, vocab), log-probabilities and probabilities."""
    error = loss = right = n_hidden = 0.0
    for log, hidden, answer in zip(logs, batches, answers, strict=True):
        there = hidden.labels != IGNORED
        error += float((-(answer.float() * log).sum(-1) * there).sum())
        loss += float(F.nll_loss(log[there], hidden.labels[there], reduction="sum"))
        right += float((log[there].argmax(-1) == hidden.labels[there]).sum())
        n_hidden += float(there.sum())
    return Grade(error / n_hidden, loss / n_hidden, right / n_hidden)


def read_text(model: Model, split: corpus.Split, every: int = 1) -> EncodedText:
    """Every so-manieth document of the bundled corpus, cut by a model's tokenizer."""
    documents = corpus.read(split)[::every]
    return encode_text([(document.source, document.sentences) for document in documents], [model.tokenizer])


@torch.no_grad()
def set_exam(model: Model, train: EncodedText, heldout: EncodedText, *, length: int, pieces: int = EXAM_PIECES) -> Exam:
    """The exam that a maximum point sets: always the same words of the held-out text."""
    template = Template.of(model.tokenizer)
    batches = _hidden_batches(heldout, template, length=length, pieces=pieces)
    unigram = log_frequencies(train, model.config.vocab_size).log_softmax(-1)
    answers = [hidden_logits(model.network, hidden).float().softmax(-1) for hidden in batches]
    own = (answer.clamp_min(1e-30).log() for answer in answers)
    frequencies = (unigram.expand_as(answer) for answer in answers)
    return Exam(
        batches=tuple(batches),
        answers=tuple(answers),
        teacher=_grade(own, batches, answers),
        unigram=_grade(frequencies, batches, answers),
        n_hidden=int(sum(int((hidden.labels != IGNORED).sum()) for hidden in batches)),
    )


def _hidden_batches(text: EncodedText, template: Template, *, length: int, pieces: int) -> list[Hidden]:
    """Batches with words hidden, until so many pieces are."""
    device_text = DeviceText(text, 0, template, torch.device("cpu"))
    rows = epoch_rows(text, parts_of(text, length - 2), room=length - 2, weights={}, seed=0, epoch=0)
    batches: list[Hidden] = []
    hidden_pieces = 0
    for hidden in measured_batches(device_text, rows, seed=0, batch_pieces=2048):
        batches.append(hidden)
        hidden_pieces += int((hidden.labels != IGNORED).sum())
        if hidden_pieces >= pieces:
            break
    if not batches:
        raise ValueError("The held-out text has no row to measure with.")
    return batches
