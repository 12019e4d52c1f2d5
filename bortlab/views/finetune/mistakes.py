"""What is taken for what, class by class, and the examples themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from bortlab.analysis.evaluation import Predictions, confusion, measure_of
from bortlab.data.labelled import Example, LabelledData
from bortlab.training.finetune.comparison import Comparison, Entry
from bortlab.views.escape import plotly
from bortlab.views.figures import layout, plain_axis, scale
from bortlab.views.theme import Look
from bortlab.views.view import View

if TYPE_CHECKING:
    import pandas

MOST_NUMBERS = 15
"""Classes up to which every field of the matrix bears its number."""


def confusion_matrix(comparison: Comparison, entry: Entry, data: LabelledData, look: Look) -> View:
    """How often each class was taken for each, by the run that was kept."""
    counts = _confusion(comparison, entry, data)
    names = [plotly(name if len(name) <= 24 else name[:23] + "…") for name in data.labels]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    colour = look.family(entry.family) if entry.family else look.faint
    height = max(260, 90 + 26 * len(names))
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=list(range(len(names))),
            y=list(range(len(names))),
            text=counts,
            texttemplate="%{text}" if len(names) <= MOST_NUMBERS else None,
            colorscale=scale(colour, look, most=0.55 if len(names) <= MOST_NUMBERS else 1.0),
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=1,
            ygap=1,
            customdata=np.array([[f"{row} taken for {column}" for column in names] for row in names]),
            hovertemplate="%{customdata}: %{text} (%{z:.0%})<extra></extra>",
        ),
        layout(
            look,
            height,
            margin={"l": 4, "r": 8, "t": 40, "b": 8},
            xaxis=_classes(names, look, title="predicted", side="top", tickangle=0 if len(names) < 8 else -40),
            yaxis=_classes(names, look, title="label", autorange="reversed"),
        ),
    )
    title = f"Confusion matrix, {entry.title}"
    return View(title, figure, f"{title}: {_most_confused(counts, data)}", _matrix_table(counts, data), height=height)


def _classes(names: list[str], look: Look, **more: Any) -> dict[str, Any]:
    return plain_axis(look, tickmode="array", tickvals=list(range(len(names))), ticktext=names, **more)


def _confusion(comparison: Comparison, entry: Entry, data: LabelledData) -> np.ndarray[Any, Any]:
    measure = measure_of(data)
    predictions = Predictions(tuple(entry.kept["labels"]))
    return confusion(measure.outcomes(data, comparison.examples(data), predictions))


def _matrix_table(counts: np.ndarray[Any, Any], data: LabelledData) -> pandas.DataFrame:
    import pandas

    table = pandas.DataFrame(counts, columns=list(data.labels))
    table.insert(0, "label \\ predicted", list(data.labels))
    return table


def _most_confused(counts: np.ndarray[Any, Any], data: LabelledData) -> str:
    """The commonest mistake in a sentence."""
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.any():
        return "no example is taken for another class."
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return f"most often {data.labels[row]} is taken for {data.labels[column]} ({wrong[row, column]} times)."


def per_class(comparison: Comparison, entry: Entry, data: LabelledData) -> pandas.DataFrame:
    """Precision, recall and F1 of each class."""
    import pandas

    counts = _confusion(comparison, entry, data).astype(float)
    right, true, predicted = np.diag(counts), counts.sum(1), counts.sum(0)

    def share(part: np.ndarray[Any, Any], whole: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))

    return pandas.DataFrame(
        {
            "class": list(data.labels),
            "examples": true.astype(int),
            "precision": share(right, predicted),
            "recall": share(right, true),
            "F1": share(2 * right, true + predicted),
        }
    )


def errors(comparison: Comparison, entry: Entry, data: LabelledData) -> pandas.DataFrame:
    """The examples that the kept run gets wrong, the surest mistakes first; numbers by how far they are off."""
    import pandas

    examples, run = comparison.examples(data), entry.kept
    confidence = run["confidence"] or [None] * len(examples)
    trained_on = {example.content for example in data.train}
    rows = []
    for number, (example, predicted, sure) in enumerate(zip(examples, run["labels"], confidence, strict=True)):
        distance = _wrong_by(example, predicted, data)
        if distance:
            rows.append(
                {
                    "text": example.text if example.pair is None else f"{example.text}  ‖  {example.pair}",
                    "label": _plain(example.label),
                    "prediction": _plain(predicted),
                    "confidence": sure,
                    "in training": example.content in trained_on,
                    "number": number,
                    "distance": distance,
                }
            )
    columns = ["text", "label", "prediction", "confidence", "in training", "number", "distance"]
    table = pandas.DataFrame(rows, columns=columns)
    by = ["confidence"] if run["confidence"] else ["distance"]
    return table.sort_values(by, ascending=False, kind="stable").drop(columns="distance").reset_index(drop=True)


def _wrong_by(example: Example, predicted: Any, data: LabelledData) -> float:
    """0 where it is right; of numbers how far it is off."""
    if data.problem_type == "regression":
        return abs(float(predicted) - float(example.label))  # type: ignore[arg-type]
    if data.problem_type == "multi_label_classification":
        return float(set(predicted) != set(example.label))  # type: ignore[arg-type]
    if data.task == "question-answering":
        texts = {text for _, text in example.answers}
        return float((predicted[0][1] if predicted else "") not in (texts or {""}))
    return float(_plain(predicted) != _plain(example.label))


def _plain(label: Any) -> str:
    """A label in a cell of a table."""
    if isinstance(label, list | tuple):
        return " ".join(map(_plain, label)) if label else "—"
    return f"{label:.3g}" if isinstance(label, float) else str(label)


def disagreements(comparison: Comparison, one: Entry, other: Entry, data: LabelledData) -> pandas.DataFrame:
    """The examples that two models label differently, those that one of them gets right first."""
    import pandas

    rows = [
        {
            "text": example.text if example.pair is None else f"{example.text}  ‖  {example.pair}",
            "label": _plain(example.label),
            one.title: _plain(first),
            other.title: _plain(second),
            "right": _plain(example.label) in (_plain(first), _plain(second)),
        }
        for example, first, second in zip(
            comparison.examples(data), one.kept["labels"], other.kept["labels"], strict=True
        )
        if _plain(first) != _plain(second)
    ]
    columns = ["text", "label", one.title, other.title, "right"]
    return pandas.DataFrame(rows, columns=columns).sort_values("right", ascending=False, kind="stable")
