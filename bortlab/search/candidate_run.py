"""Training one candidate for a while: distilled from the maximum point, its weights clipped, graded on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bortlab.model import Model
from bortlab.models import Config
from bortlab.search.teacher import Exam, RememberedTeacher
from bortlab.system.store import write
from bortlab.training.encoded import EncodedText
from bortlab.training.hiding import Rows
from bortlab.training.masked_lm import MaskedLMRun, Recipe
from bortlab.training.minis import log_frequencies
from bortlab.training.starts import starting_point
from bortlab.training.teaching import start_words

MEASURED_AT = (0.25, 0.5, 1.0)
"""Shares of the budget after which a candidate is graded: does the ranking at a quarter hold at the end?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How every candidate is trained.

    pieces: seen in all. step_pieces: in an optimiser step, about. warmup: pieces over which the rate rises. decay:
    share of the budget over which it falls to 0. teach: share of the loss that is the teacher's. clip: the largest
    entry of a weight matrix, the compactness that OSE asks for; the value is ours.
    """

    pieces: int
    step_pieces: int = 2_048
    length: int = 64
    warmup: int = 50_000
    decay: float = 0.3
    teach: float = 0.7
    clip: float = 2.0

    def __post_init__(self) -> None:
        if not self.step_pieces <= self.pieces <= 10**9:
            raise ValueError(f"pieces: expected one step ({self.step_pieces:,}) to 1,000,000,000, got {self.pieces:,}.")
        if not self.clip > 0:
            raise ValueError(f"clip: expected a number above 0, got {self.clip:g}.")

    def recipe(self, rate: float, seed: int) -> Recipe:
        """The recipe of masked-LM training."""
        return Recipe(
            pieces=self.pieces,
            step_pieces=self.step_pieces,
            length=self.length,
            rate=rate,
            warmup=self.warmup,
            decay=self.decay,
            hide=0.15,
            teach=self.teach,
            seed=seed,
        )


@dataclass(frozen=True, slots=True)
class Classroom:
    """What the trainings of a search share: the teacher, the text, the exam, the folder of the teacher's answers."""

    teacher: Model
    text: EncodedText
    exam: Exam
    answers: Path


class CandidateRun(MaskedLMRun):
    """Masked-LM training with its weight matrices kept within a bound."""

    bound = 0.0

    def take_step(self, rows: Rows) -> Tensor:
        """As before, then clip."""
        loss = super().take_step(rows)
        with torch.no_grad():
            for parameter in self.network.parameters():
                if parameter.ndim > 1:
                    parameter.clamp_(-self.bound, self.bound)
        return loss


def train_candidate(
    config: Config,
    room: Classroom,
    budget: Budget,
    *,
    rate: float,
    seed: int,
    folder: Path,
    tell: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Train a candidate, or go on where it stopped; its curve and what it took, as JSON.

    Once done, the result lies in folder/result.json and is read from there. A candidate whose loss stops being a
    number has `failed` in its result, the reason.
    """
    result_file = folder / "result.json"
    if result_file.is_file():
        return dict(json.loads(result_file.read_text()))
    run = _run(config, room, budget, rate=rate, seed=seed, folder=folder)
    run.resume()
    failed = ""
    try:
        for point in _points(run, room.exam, budget, tell):
            run.curve.append(point)
            run.save()
    except FloatingPointError as error:
        failed = str(error)
    cpu = sum(point["cpu_seconds"] for point in run.curve)
    result = {"rate": rate, "seed": seed, "curve": run.curve, "steps": run.step, "cpu_seconds": round(cpu, 2)}
    result |= {"failed": failed} if failed else {}
    write(result_file, json.dumps(result).encode())
    (folder / "state.pt").unlink(missing_ok=True)
    return result


def _run(config: Config, room: Classroom, budget: Budget, *, rate: float, seed: int, folder: Path) -> CandidateRun:
    teacher = room.teacher
    generator = torch.Generator().manual_seed(seed)
    network = starting_point(teacher.family.network(config), generator)
    assert network.masked_lm is not None
    with torch.no_grad():
        network.masked_lm.bias.copy_(log_frequencies(room.text, config.vocab_size))
    start_words(network, teacher.network, None, generator)
    run = CandidateRun(
        budget.recipe(rate, seed),
        folder,
        network,
        room.text,
        teacher.tokenizer,
        teacher=lambda text: RememberedTeacher(teacher.network, text, room.answers),
    )
    run.bound = budget.clip
    return run


def _points(run: CandidateRun, exam: Exam, budget: Budget, tell: Callable[[float], None]) -> Iterator[dict[str, float]]:
    """The grades on the way and at the end, from where the run stands."""
    due = [share for share in MEASURED_AT if share * budget.pieces > run.seen]
    started = time.process_time()
    for _ in run.train():
        tell(run.seen / budget.pieces)
        if due and run.seen >= due[0] * budget.pieces:
            run.check_finite()
            grade = {name: round(value, 5) for name, value in asdict(exam.grade(run.network)).items()}
            cpu, started = time.process_time() - started, time.process_time()
            yield {"pieces": run.seen, "step": run.step, **grade, "cpu_seconds": round(cpu, 2)}
            due = [share for share in due if share * budget.pieces > run.seen]
