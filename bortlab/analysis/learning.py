"""Learning curves: how well a model filled blanks while it was trained, by pieces seen.

`bortlab minis` and `bortlab adapt` write one (curve.json) beside each model. It is measured on held-out text, 15% of
the words hidden, on some batches of each kind of text, so its last point differs a little from the model's card.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bortlab.models import FAMILIES
from bortlab.system import assets

if TYPE_CHECKING:
    import pandas

Array = NDArray[np.float64]

KINDS: Mapping[str, str] = {
    "stories": "children's stories",
    "modern": "modern text",
    "openstax": "textbooks",
    "standard-ebooks": "novels",
    "wordnet": "dictionary sentences",
    "bible": "the Bible",
}
"""Kinds of text, by their names in the files."""


@dataclass(frozen=True, slots=True, eq=False)
class LearningCurve:
    """A model's quality while it was trained.

    pieces, seconds: (points,): seen, and taken until then. loss: (points,): mean cross-entropy of a hidden piece, in
    nats. accuracy: (points,): share of hidden pieces guessed first; by_kind: the same by kind of text. from_scratch:
    whether the training began with nothing, rather than with weights that were pre-trained elsewhere.
    """

    key: str
    title: str
    family: str
    pieces: Array
    seconds: Array
    loss: Array
    accuracy: Array
    by_kind: Mapping[str, Array]
    from_scratch: bool = True

    def values(self, measure: str) -> Array:
        """(points,): "loss", "accuracy", or the accuracy on a kind of text. ValueError for what was not measured."""
        if measure in ("loss", "accuracy"):
            return self.loss if measure == "loss" else self.accuracy
        if measure not in self.by_kind:
            raise ValueError(
                f"{self.key}: {measure!r} was not measured. Known: loss, accuracy, {', '.join(self.by_kind)}."
            )
        return self.by_kind[measure]


def read_curve(folder: Path) -> LearningCurve:
    """The learning curve beside a model, in its folder. ValueError for a folder without one."""
    try:
        points = json.loads((folder / "curve.json").read_text(encoding="utf-8"))
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        columns = {name: np.array([point[name] for point in points], dtype=np.float64) for name in points[0]}
        return LearningCurve(
            key=card["key"],
            title=card["title"],
            family=card["family"],
            pieces=columns.pop("pieces"),
            seconds=columns.pop("seconds"),
            loss=columns.pop("loss"),
            accuracy=columns.pop("accuracy"),
            by_kind=columns,
            from_scratch="base" not in card,
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"{folder} holds no learning curve. Expected curve.json and card.json, as `bortlab minis` writes them "
            f"({error!r})."
        ) from error


def bundled_curves() -> list[LearningCurve]:
    """The curves of the bundled models: the minis, in the order of their families, then the others."""
    minis = [family.mini_key for family in FAMILIES.values()]
    folders = [path.parent for path in assets.CHECKPOINTS.glob("*/curve.json")]
    order = {key: number for number, key in enumerate(minis)}
    return [
        read_curve(path) for path in sorted(folders, key=lambda path: (order.get(path.name, len(minis)), path.name))
    ]


def pieces_to(curve: LearningCurve, measure: str, value: float) -> float | None:
    """Pieces seen when a measure first reached a value, between two points by a straight line; None if it never did.

    Reached means at least the value for an accuracy, at most for the loss. Before the first point nothing is known: a
    value that it has already gives its own pieces.
    """
    values = curve.values(measure)
    sign = -1.0 if measure == "loss" else 1.0
    reached = np.flatnonzero(sign * values >= sign * value)
    if not len(reached):
        return None
    after = int(reached[0])
    if after == 0:
        return float(curve.pieces[0])
    before = after - 1
    share = (value - values[before]) / (values[after] - values[before])
    return float(curve.pieces[before] + share * (curve.pieces[after] - curve.pieces[before]))


def frame(curves: Iterable[LearningCurve]) -> pandas.DataFrame:
    """One row a model and point: pieces, seconds, loss, accuracy, and accuracy by kind of text."""
    import pandas

    rows: list[dict[str, object]] = []
    for curve in curves:
        for point in range(len(curve.pieces)):
            rows.append(
                {
                    "model": curve.title,
                    "pieces": int(curve.pieces[point]),
                    "seconds": float(curve.seconds[point]),
                    "loss": float(curve.loss[point]),
                    "accuracy": float(curve.accuracy[point]),
                    **{f"accuracy on {KINDS.get(kind, kind)}": float(v[point]) for kind, v in curve.by_kind.items()},
                }
            )
    return pandas.DataFrame(rows)


def ranked(curves: Sequence[LearningCurve], measure: str, point: int) -> list[LearningCurve]:
    """The curves by their value at a point, counted as in a list: best first."""
    sign = 1.0 if measure == "loss" else -1.0
    return sorted(curves, key=lambda curve: sign * float(curve.values(measure)[point]))
