"""Training a grid of candidates, shape by shape: every seed of one before the next, so that it may end at any time.

A grid lives in a folder. Killed, it goes on from the last point that was graded. With several rates, the first seed
tries them all, and the other seeds take the best: OSE's Theta, at a price that a laptop can pay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bortlab import registry
from bortlab.analysis.latency import machine
from bortlab.search.candidate_run import Budget, Classroom, train_candidate
from bortlab.search.space import Space, SpaceError, Subarchitecture, space
from bortlab.search.teacher import Exam, read_text, set_exam
from bortlab.system import assets
from bortlab.system.store import write
from bortlab.work.jobs import Job, Running

INFORMATIVE = 0.9
"""A candidate whose error is above this share of the unigram's has not left the plateau: it says nothing of its shape,
neither good nor bad."""
JOB_NAME = "search"
MOST_TRAININGS = 2_000
Tell = Callable[..., None]
"""tell(progress, message, **numbers): see `Running.report`."""


@dataclass(frozen=True, kw_only=True)
class TrainingGrid:
    """Which candidates are trained, and how.

    space: a name of SPACES, or a TOML file. candidates: their names, in the order in which they are trained. teacher:
    the key of the maximum point, whose sizes no candidate may exceed. every: each so-manieth document is read.
    """

    space: str
    candidates: tuple[str, ...]
    teacher: str
    budget: Budget
    rates: tuple[float, ...] = (4e-3, 1e-2)
    seeds: tuple[int, ...] = (0, 1, 2)
    every: int = 8

    def __post_init__(self) -> None:
        if not self.candidates:
            raise SpaceError("There is nothing to train: name a candidate.")
        if not self.rates or not all(0 < rate < 1 for rate in self.rates):
            raise SpaceError(f"rates: expected learning rates between 0 and 1, got {list(self.rates)}.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise SpaceError(f"seeds: expected different whole numbers, got {list(self.seeds)}.")
        if self.n_trainings > MOST_TRAININGS:
            raise SpaceError(
                f"{self.n_trainings:,} trainings are too many; at most {MOST_TRAININGS:,} are done at once."
            )

    @property
    def n_trainings(self) -> int:
        """Trainings in all."""
        return len(self.candidates) * (len(self.seeds) - 1 + len(self.rates))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainingGrid:
        """From JSON."""
        lists = {name: tuple(data[name]) for name in ("candidates", "rates", "seeds")}
        return cls(**{**data, **lists, "budget": Budget(**data["budget"])})

    def of(self, where: Space) -> tuple[Subarchitecture, ...]:
        """The candidates, each smaller than the maximum point or equal to it; SpaceError for others."""
        teacher = registry.architecture(self.teacher)[1]
        if type(teacher) is not type(where.base) or teacher.vocab_size != where.base.vocab_size:
            raise SpaceError(
                f"{self.teacher} cannot teach this space: it must be of the same family with the same vocabulary."
            )
        chosen = tuple(where.named(name) for name in self.candidates)
        for candidate in chosen:
            for field, value in zip(where.sizes, candidate.sizes, strict=True):
                if value > getattr(teacher, field):
                    raise SpaceError(
                        f"The maximum point {self.teacher} is smaller than the candidate {candidate.name}: {field} is "
                        f"{getattr(teacher, field)}, the candidate's {value}. Choose a larger maximum point."
                    )
        return chosen


@dataclass(frozen=True)
class TrainedGrid:
    """What the trainings of a grid gave so far.

    trainings: as `train_candidate` gives them, with the candidate's name. complete: were all done? machine: where.
    """

    grid: TrainingGrid
    trainings: tuple[Mapping[str, Any], ...]
    exam: Mapping[str, Any]
    machine: Mapping[str, Any]
    complete: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The candidates whose trainings are all done, in the order of the grid."""
        return tuple(name for name in self.grid.candidates if len(self.errors_of(name)) == len(self.grid.seeds))

    @property
    def unigram(self) -> float:
        """The error of knowing how frequent each piece is, and nothing else."""
        return float(self.exam["unigram"]["error"])

    def best(self, name: str) -> list[Mapping[str, Any]]:
        """One training for each seed of a candidate: that of its best rate; those that failed are left out."""
        own = [entry for entry in self.trainings if entry["name"] == name and not entry.get("failed")]
        by_seed = {seed: [entry for entry in own if entry["seed"] == seed] for seed in self.grid.seeds}
        return [min(entries, key=error_of) for entries in by_seed.values() if entries]

    def errors_of(self, name: str) -> list[float]:
        """The errors of a candidate at the end of training, a seed each."""
        return [error_of(entry) for entry in self.best(name)]

    def is_informative(self, name: str) -> bool:
        """Did the candidate leave the plateau, by the mean over its seeds?"""
        errors = self.errors_of(name)
        return bool(errors) and sum(errors) / len(errors) <= INFORMATIVE * self.unigram

    def curves(self, names: Sequence[str]) -> dict[str, list[float]]:
        """The mean error over the seeds after each share of the budget."""
        return {
            name: [
                sum(values) / len(values)
                for values in zip(
                    *([point["error"] for point in entry["curve"]] for entry in self.best(name)), strict=True
                )
            ]
            for name in names
        }

    @property
    def cpu_seconds(self) -> float:
        """Seconds of processor time in all."""
        return sum(float(entry["cpu_seconds"]) for entry in self.trainings)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "grid": self.grid.to_dict(),
            "complete": self.complete,
            "cpu_seconds": round(self.cpu_seconds, 1),
            "exam": dict(self.exam),
            "machine": dict(self.machine),
            "trainings": [dict(entry) for entry in self.trainings],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainedGrid:
        """From JSON."""
        grid = TrainingGrid.from_dict(data["grid"])
        return cls(grid, tuple(data["trainings"]), data["exam"], data["machine"], data["complete"])


def error_of(training: Mapping[str, Any]) -> float:
    """The error at the end of a training; infinite for one that failed before it was graded."""
    return float(training["curve"][-1]["error"]) if training["curve"] else math.inf


def train_grid(grid: TrainingGrid, folder: Path, *, tell: Tell = lambda *_, **__: None) -> TrainedGrid:
    """Train a grid, or go on with it; folder/grid.json holds what is known after every training.

    Raises:
        SpaceError: for a candidate that is not in the space or larger than the maximum point.
        TeacherError: if the maximum point is not much better than the unigram.
    """
    chosen = grid.of(space(grid.space))
    tell(0.0, "Reading the text, and asking the maximum point about what is held out.")
    teacher = registry.load(grid.teacher)
    text = read_text(teacher, "train", grid.every)
    exam = set_exam(teacher, text, read_text(teacher, "heldout"), length=grid.budget.length)
    exam.check_teacher()
    room = Classroom(teacher, text, exam, folder / "answers")
    trainings: list[Mapping[str, Any]] = []
    result = TrainedGrid(grid, (), _facts(exam), machine.environment(), complete=False)
    for name, training in _trainings(grid, chosen, room, folder, tell):
        trainings.append({"name": name, **training})
        result = TrainedGrid(grid, tuple(trainings), result.exam, result.machine, len(trainings) == grid.n_trainings)
        write(folder / "grid.json", json.dumps(result.to_dict()).encode())
    return result


def _facts(exam: Exam) -> dict[str, Any]:
    return {"teacher": asdict(exam.teacher), "unigram": asdict(exam.unigram), "hidden_pieces": exam.n_hidden}


def _trainings(
    grid: TrainingGrid, chosen: Sequence[Subarchitecture], room: Classroom, folder: Path, tell: Tell
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(candidate, result) of each training, in order."""
    done = 0
    for candidate in chosen:
        best = grid.rates[0]
        for seed in grid.seeds:
            results = []
            for rate in grid.rates if seed == grid.seeds[0] else (best,):
                message = f"Training {candidate.name}, seed {seed}, rate {rate:g} ({done + 1} of {grid.n_trainings})."

                def tell_share(share: float, done: int = done, message: str = message) -> None:
                    tell((done + share) / grid.n_trainings, message)

                result = train_candidate(
                    candidate.config,
                    room,
                    grid.budget,
                    rate=rate,
                    seed=seed,
                    folder=folder / candidate.name / f"seed-{seed}-rate-{rate:g}",
                    tell=tell_share,
                )
                results.append(result)
                done += 1
                yield candidate.name, result
            if seed == grid.seeds[0]:
                best = float(min(results, key=_failures_last)["rate"])


def _failures_last(training: Mapping[str, Any]) -> float:
    return math.inf if training.get("failed") else error_of(training)


def recorded() -> dict[str, TrainedGrid]:
    """The trained grids that come with bortlab, by the name of their file."""
    paths = sorted(assets.EXPERIMENTS.glob("search-grid*.json"))
    return {path.stem: read_grid(path) for path in paths}


def read_grid(path: Path) -> TrainedGrid:
    """A trained grid from its file.

    Raises:
        SpaceError: for a file that is no trained grid.
        OSError: for one that cannot be read.
    """
    try:
        return TrainedGrid.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise SpaceError(
            f"{path} is no trained grid ({error}). Expected the grid.json of `bortlab search --train`."
        ) from None


# -- as a job ----------------------------------------------------------------------------------------------------------


def job(grid: TrainingGrid) -> Job:
    """The job that trains a grid; SpaceError for one that cannot be trained."""
    grid.of(space(grid.space))
    return Job(JOB_NAME, f"{__name__}:run", grid.to_dict())


def run(running: Running, **arguments: Any) -> Mapping[str, Any]:
    """Train a grid in a job; its folder keeps grid.json, and the numbers say where."""
    result = train_grid(TrainingGrid.from_dict(arguments), running.folder, tell=running.report)
    return {"path": str(running.folder / "grid.json"), "cpu_seconds": result.cpu_seconds}
