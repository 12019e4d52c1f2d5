"""Training a grid of candidates as sweeps, in processes of this machine or on Ray.

A grid lives in a folder. Killed, it goes on from the last point that was graded. With several rates, the first seed of
a candidate tries them all, and its other seeds take the best: OSE's Theta, at a price that a laptop can pay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

from bortlab import registry
from bortlab.analysis.latency import machine
from bortlab.search.candidate_run import Budget, Classroom, train_candidate
from bortlab.search.space import ARCHITECTURE, HEADS, Space, SpaceError, Subarchitecture, space
from bortlab.search.teacher import EXAM_PIECES, Exam, read_text, set_exam
from bortlab.system import assets
from bortlab.system.store import write
from bortlab.work import sweeps
from bortlab.work.jobs import Job, Running
from bortlab.work.sweeps import SweepProgress

INFORMATIVE = 0.9
"""A candidate whose error is above this share of the unigram's has not left the plateau: it says nothing of its shape,
neither good nor bad."""
JOB_NAME = "search"
MOST_TRAININGS = 2_000
TOGETHER = 4
"""Candidates whose first seeds choose their rates before the others begin: a grid may end at any time, and then has
fewer candidates, not fewer seeds. With `every_rate` there is nothing to choose, and all trainings are one sweep."""
Tell = Callable[..., None]
"""tell(progress, message, **numbers): see `Running.report`."""


@dataclass(frozen=True, kw_only=True)
class TrainingGrid:
    """Which candidates are trained, and how.

    space: a name of SPACES, or a TOML file. candidates: their names, in the order in which they are trained. teacher:
    the key of the maximum point, whose sizes no candidate may exceed. every: each so-manieth document is read.
    exam_pieces: hidden pieces that errors are measured on. every_rate: do all seeds try all rates?
    """

    space: str
    candidates: tuple[str, ...]
    teacher: str
    budget: Budget
    rates: tuple[float, ...] = (4e-3, 1e-2)
    seeds: tuple[int, ...] = (0, 1, 2)
    every: int = 8
    exam_pieces: int = EXAM_PIECES
    every_rate: bool = False

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
        others = len(self.seeds) - 1
        return len(self.candidates) * (len(self.rates) + others * (len(self.rates) if self.every_rate else 1))

    @property
    def command(self) -> str:
        """The command that trains it."""
        words = ["bortlab search --space", self.space, "--train folder --teacher", self.teacher]
        words += ["--budget", str(self.budget.pieces), "--seeds", str(len(self.seeds))]
        words += ["--rates", *(f"{rate:g}" for rate in self.rates)]
        words += ["--every-rate"] * self.every_rate
        if set(self.candidates) != {candidate.name for candidate in space(self.space).candidates}:
            words += ["--candidates", *self.candidates]
        return " ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainingGrid:
        """From JSON."""
        lists = {name: tuple(data[name]) for name in ("candidates", "rates", "seeds")}
        return cls(**{**data, **lists, "budget": Budget(**data["budget"])})

    def of(self, where: Space) -> tuple[Subarchitecture, ...]:
        """The candidates, each smaller than the maximum point or equal to it; SpaceError for others.

        Heads are not compared: more of them make no model larger.
        """
        teacher = registry.architecture(self.teacher)[1]
        if type(teacher) is not type(where.base) or teacher.vocab_size != where.base.vocab_size:
            raise SpaceError(
                f"{self.teacher} cannot teach this space: it must be of the same family with the same vocabulary."
            )
        chosen = tuple(where.named(name) for name in self.candidates)
        for candidate in chosen:
            for field, value in zip(where.sizes, candidate.sizes, strict=True):
                if field != HEADS and value > getattr(teacher, field):
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


def train_grid(
    grid: TrainingGrid,
    folder: Path,
    *,
    tell: Tell = lambda *_, **__: None,
    workers: int | None = None,
    ray: str | None = None,
) -> TrainedGrid:
    """Train a grid, or go on with it; folder/grid.json holds what is known after every training.

    workers, ray: where the trainings run, see `bortlab.work.sweeps.run`.

    Raises:
        SpaceError: for a candidate that is not in the space or larger than the maximum point.
        TeacherError: if the maximum point is not much better than the unigram.
    """
    grid.of(space(grid.space))
    tell(0.0, "Reading the text, and asking the maximum point about what is held out.")
    exam = classroom(grid.teacher, grid.every, grid.budget.length, grid.exam_pieces).exam
    exam.check_teacher()
    empty = TrainedGrid(grid, (), _facts(exam), machine.environment(), complete=False)
    trainings = _Trainings(empty, folder, tell, {"workers": workers, "ray": ray})
    first, *others = grid.seeds
    if grid.every_rate:
        trainings.train(list(product(grid.candidates, grid.seeds, grid.rates)))
    else:
        for start in range(0, len(grid.candidates), TOGETHER):
            names = grid.candidates[start : start + TOGETHER]
            trainings.train(list(product(names, [first], grid.rates)))
            trainings.train([(name, seed, trainings.best_rate(name)) for name in names for seed in others])
    return trainings.save()


class _Trainings:
    """The trainings of a grid, done as sweeps in its folder."""

    def __init__(self, empty: TrainedGrid, folder: Path, tell: Tell, where: Mapping[str, Any]) -> None:
        self._empty, self._folder, self._tell, self._where = empty, folder, tell, where
        self._items: list[dict[str, Any]] = []
        self._failed: dict[int, str] = {}
        self._saved = -1

    def train(self, which: Sequence[tuple[str, int, float]]) -> None:
        """Do the trainings of these candidates, seeds and rates."""
        settings = [self._setting(*training) for training in which]
        before = len(self._items)
        self._items += settings

        def follow(progress: SweepProgress) -> None:
            if progress.done != self._saved:
                self._saved = progress.done
                self.save()
            share = (before + progress.share * len(settings)) / self._empty.grid.n_trainings
            self._tell(share, f"{before + progress.done} of {self._empty.grid.n_trainings} trained. {progress.message}")

        if not settings:
            return
        outcomes = sweeps.run(train_one, settings, self._folder, on_progress=follow, **self._where)
        self._failed |= {before + number: outcome.failed for number, outcome in enumerate(outcomes) if outcome.failed}

    def best_rate(self, name: str) -> float:
        """The learning rate that did best with the first seed of a candidate."""
        tried = [entry for entry in self.known().trainings if entry["name"] == name]
        return float(min(tried, key=_failures_last)["rate"])

    def known(self) -> TrainedGrid:
        """All that is known, each candidate's seeds together, in the order of the grid."""
        kept = sweeps.results(train_one, self._items, self._folder)
        trainings = []
        for number, (item, result) in enumerate(zip(self._items, kept, strict=True)):
            names = {"name": item["name"], "rate": item["rate"], "seed": item["seed"]}
            if result is not None:
                trainings.append(names | result)
            elif number in self._failed:
                trainings.append(names | {"curve": [], "steps": 0, "cpu_seconds": 0.0, "failed": self._failed[number]})
        trainings.sort(key=lambda training: self._empty.grid.candidates.index(training["name"]))
        complete = len(trainings) == self._empty.grid.n_trainings
        return replace(self._empty, trainings=tuple(trainings), complete=complete)

    def save(self) -> TrainedGrid:
        """Write what is known."""
        known = self.known()
        write(self._folder / "grid.json", json.dumps(known.to_dict()).encode())
        return known

    def _setting(self, name: str, seed: int, rate: float) -> dict[str, Any]:
        grid = self._empty.grid
        config = space(grid.space).named(name).config
        return {
            "name": name,
            "seed": seed,
            "rate": rate,
            "sizes": {knob: getattr(config, knob) for knob in ARCHITECTURE if hasattr(config, knob)},
            "teacher": grid.teacher,
            "every": grid.every,
            "exam_pieces": grid.exam_pieces,
            "budget": asdict(grid.budget),
        }


def train_one(setting: Mapping[str, Any], folder: Path, progress: Tell) -> dict[str, Any]:
    """One training of a grid, as an item of a sweep."""
    budget = Budget(**setting["budget"])
    room = classroom(setting["teacher"], setting["every"], budget.length, setting["exam_pieces"])
    message = f"{setting['name']}, seed {setting['seed']}, rate {setting['rate']:g}"
    return train_candidate(
        replace(room.teacher.config, **setting["sizes"]),
        replace(room, answers=folder.parent / "answers"),
        budget,
        rate=setting["rate"],
        seed=setting["seed"],
        folder=folder / "training",
        tell=lambda share: progress(share, message),
    )


@lru_cache(maxsize=1)
def classroom(teacher: str, every: int, length: int, exam_pieces: int) -> Classroom:
    """What all trainings of a grid share; kept in each process."""
    model = registry.load(teacher)
    text = read_text(model, "train", every)
    exam = set_exam(model, text, read_text(model, "heldout"), length=length, pieces=exam_pieces)
    return Classroom(model, text, exam, Path())


def _facts(exam: Exam) -> dict[str, Any]:
    return {"teacher": asdict(exam.teacher), "unigram": asdict(exam.unigram), "hidden_pieces": exam.n_hidden}


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
