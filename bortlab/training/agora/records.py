"""What a run of Agora leaves behind: its models' scores, its rounds, and the log of both."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bortlab.data.labelled import Example, LabelOf
from bortlab.training.agora.points import Point
from bortlab.training.agora.pruning import Theta


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained model. name: by which its learner finds it again. score, predictions: on E, in its order."""

    name: str
    score: float
    predictions: tuple[LabelOf, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """One round. scores: of each set. mistakes: of the best model on E. points: kept first, then those refused."""

    number: int
    scores: dict[Theta, float]
    mistakes: int
    points: tuple[Point, ...]
    removed: tuple[Theta, ...]


@dataclass(frozen=True, slots=True)
class History:
    """How a search went. axes: what the values of a set are. learned: examples of D at its start."""

    axes: tuple[str, ...]
    learned: int
    rounds: tuple[Round, ...]

    @property
    def trainings(self) -> int:
        """How many its rounds took."""
        return sum(len(this.scores) for this in self.rounds)

    def examples(self, number: int) -> int:
        """Examples of D that a round's sets learned from."""
        return self.learned + sum(len(kept(this)) for this in self.rounds[:number])


def kept(this: Round) -> list[Point]:
    """The points of a round that were appended to D."""
    return [point for point in this.points if not point.refused]


class Log:
    """A line for each training and each round, in a file that is written as things happen; path None keeps none."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._done: dict[str, dict[str, Any]] = {}
        if path is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    record = json.loads(line)
                except ValueError:  # the last line, cut by a kill
                    continue
                self._done[record["what"]] = record

    @property
    def trainings(self) -> int:
        """How many trainings it has."""
        return sum("predictions" in record for record in self._done.values())

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds that have ended, in their order."""
        ended = sorted((r for r in self._done.values() if "points" in r), key=lambda r: int(r["what"].split()[1]))
        return tuple(map(_round, ended))

    def once(self, what: str, train: Callable[[str], Candidate]) -> Candidate:
        """The training of this name, from the log where it was done before."""
        if what in self._done:
            record = self._done[what]
            return Candidate(record["name"], record["score"], tuple(map(_tuples, record["predictions"])))
        candidate = train(what.replace(" ", "-").replace(",", ""))
        self._write({"what": what, **asdict(candidate)})
        return candidate

    def note(self, this: Round) -> None:
        """A round that has ended."""
        what = f"round {this.number}"
        if what not in self._done:
            points = [
                {
                    "from": point.mistake.content,
                    "to": point.example.content,
                    "its label": point.mistake.label,
                    "label": None if point.refused else point.example.label,
                    "refused": point.refused,
                }
                for point in this.points
            ]
            scores = [[list(theta), score] for theta, score in this.scores.items()]
            removed = [list(theta) for theta in this.removed]
            self._write(
                {"what": what, "scores": scores, "mistakes": this.mistakes, "points": points, "removed": removed}
            )

    def _write(self, record: dict[str, Any]) -> None:
        self._done[record["what"]] = record
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut = self.path.is_file() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut else "") + json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _round(record: dict[str, Any]) -> Round:
    """A round as `note` wrote it."""
    return Round(
        number=int(record["what"].split()[1]),
        scores={_tuples(theta): score for theta, score in record["scores"]},
        mistakes=record["mistakes"],
        points=tuple(map(_point, record["points"])),
        removed=tuple(map(_tuples, record["removed"])),
    )


def _point(record: dict[str, Any]) -> Point:
    old, new = (content[:2] for content in (record["from"], record["to"]))
    mistake = Example(old[0], _tuples(record.get("its label", "")), pair=old[1] or None)
    example = Example(new[0], _tuples(record["label"]) if not record["refused"] else "", pair=new[1] or None)
    return Point(example, mistake, record["refused"])


def _tuples(value: Any) -> Any:
    """JSON has lists where labels have tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
