"""The curve of an adaptation and the sentences about what it is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.model import Adaptation
from bortlab.views import adapt
from bortlab.views.theme import Look

POINTS = [
    {"pieces": 0, "accuracy": 0.05, "loss": 6.0},
    {"pieces": 50_000, "accuracy": 0.18, "loss": 4.2},
    {"pieces": 100_000, "accuracy": 0.21, "loss": 4.0},
]
SHARES = st.none() | st.floats(0, 1)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_curve_shows_every_point_above_the_line_of_guessing(mode: str) -> None:
    view = adapt.learning_curve(POINTS, frequency=0.065, title="<b>Bort", family="bort", look=Look(mode))  # type: ignore[arg-type]
    (line,) = view.picture.data  # type: ignore[union-attr]
    assert list(line.x) == [0, 50_000, 100_000] and [round(share) for share in line.y] == [5, 18, 21]
    assert view.picture.layout.shapes[0].y0 == 6.5  # type: ignore[union-attr]
    assert list(view.table["loss"]) == [6.0, 4.2, 4.0]
    assert "5.0% of the held-out pieces right before the first step, 21% after 100 k pieces" in view.alt
    assert "frequency gives 6.5%" in view.alt


def test_one_point_and_none_are_said() -> None:
    one, none = (
        adapt.learning_curve(points, frequency=0.0, title="Bort", family="bort", look=Look("light"))
        for points in (POINTS[:1], [])
    )
    assert "5.0% of the held-out pieces right before the first step" in one.alt and "nothing is measured" in none.alt


@given(SHARES, SHARES, SHARES)
def test_the_sentence_is_right_for_every_sign_and_tie(
    accuracy: float | None, before: float | None, frequency: float | None
) -> None:
    adaptation = Adaptation(base="bert", accuracy=accuracy, before=before, frequency=frequency)
    sentence = adapt.worth(adaptation)
    assert (sentence == "") == (accuracy is None)
    if accuracy is None:
        return
    assert ("up from" in sentence) == (before is not None and accuracy - before >= 0.0005)
    assert ("down from" in sentence) == (before is not None and before - accuracy >= 0.0005)
    assert ("commonest piece" in sentence) == (frequency is not None)
    assert (adapt.advice(adaptation) != "") == adaptation.is_weak


@pytest.mark.parametrize(
    ("trained", "words"), [("all", "more pieces"), ("head", "upper layers"), ("top:2", "all weights")]
)
def test_the_advice_fits_what_was_trained(trained: str, words: str) -> None:
    assert words in adapt.advice(Adaptation(base="bert", trained=trained, accuracy=0.07, frequency=0.06)).lower()
