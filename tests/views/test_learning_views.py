"""Learning curves as pictures, and the sentences that are read from them, whatever the numbers."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.analysis.learning import LearningCurve, bundled_curves
from bortlab.views.learning import learning_curves, sentences, title_of
from bortlab.views.theme import Look


def curve(title: str, accuracy: list[float], loss: list[float], *, from_scratch: bool = True) -> LearningCurve:
    steps = np.arange(1.0, len(accuracy) + 1)
    numbers = (1e6 * steps, steps, np.array(loss), np.array(accuracy))
    return LearningCurve(title, title, "bert", *numbers, {"stories": np.array(accuracy)}, from_scratch)


@pytest.mark.parametrize("measure", ["accuracy", "loss", "stories"])
def test_the_picture_holds_the_numbers_and_says_them(measure: str) -> None:
    curves = bundled_curves()
    view = learning_curves(curves, measure=measure, look=Look("dark"))
    assert isinstance(view.picture, go.Figure)
    for line, each in zip(view.picture.data, curves, strict=True):
        assert list(line.y) == each.values(measure).tolist() and list(line.x) == each.pieces.tolist()
        assert line.name == each.title and line.name in view.alt
        assert (line.line.dash == "solid") == each.from_scratch
    assert title_of(measure) in view.title and len(view.table) == sum(len(each.pieces) for each in curves)


def test_a_title_is_no_markup() -> None:
    view = learning_curves([curve("<b>bold", [0.1, 0.2], [2.0, 1.0])])
    assert isinstance(view.picture, go.Figure)
    assert "<b>" not in view.picture.data[0].name and "<b>" not in view.picture.data[0].hovertext[0]


def test_what_is_read_from_known_curves() -> None:
    slow = curve("Slow", [0.10, 0.20, 0.30], [5.0, 4.5, 4.0])
    fast = curve("Fast", [0.20, 0.40, 0.50], [4.0, 3.5, 3.0])
    taught = curve("Taught", [0.9, 0.9, 0.9], [0.1, 0.1, 0.1], from_scratch=False)
    assert sentences([slow, fast, taught], "accuracy") == [
        "In the end Fast (50.0%) is ahead; last is Slow (30.0%).",
        "What Slow reaches with 3.0 M pieces, Fast had reached after 1.5 M.",
    ]
    assert sentences([slow, fast], "loss")[1].endswith("Fast had reached by the first point.")
    early = curve("Early", [0.3, 0.35, 0.38], [3.9, 3.9, 3.9])
    assert "At the first point, 1.0 M pieces, Early (30.0%) was ahead." in sentences([early, fast], "accuracy")
    close = curve("Close", [0.2, 0.4, 0.499], [4.0, 3.5, 3.0])
    assert sentences([close, fast], "accuracy") == [
        "In the end Fast (50.0%) and Close (49.9%) are too close to tell apart."
    ]
    assert sentences([slow], "accuracy") == [] and sentences([slow, taught], "accuracy") == [] == sentences([], "loss")


values = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@given(st.lists(values, min_size=1, max_size=4), st.sampled_from(["accuracy", "loss"]))
def test_sentences_are_whole_for_all_numbers(table: list[list[float]], measure: str) -> None:
    curves = [curve(f"Model {number}", row, row) for number, row in enumerate(table)]
    for sentence in sentences(curves, measure):
        assert sentence.endswith(".") and "nan" not in sentence and "None" not in sentence
