"""What config.json says of an adapted model: read as it was written, and not believed where it makes no sense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.model import ADAPTED_KEY, Adaptation

WHOLE = Adaptation(
    base="conv-bert-base",
    revision="abc",
    text="reviews.txt",
    pieces=2_000_000,
    accuracy=0.29,
    before=0.0,
    frequency=0.065,
)


def test_it_is_read_as_it_was_written() -> None:
    assert Adaptation.read({ADAPTED_KEY: WHOLE.to_json()}) == WHOLE
    assert Adaptation.read({ADAPTED_KEY: {"base": "bert-mini"}}) == Adaptation(base="bert-mini")
    assert Adaptation.read({}) is None


@pytest.mark.parametrize(
    "data",
    [
        None,
        "bert",
        {},
        {"base": 3},
        {"base": "x" * 201},
        {"base": "bert", "pieces": -1},
        {"base": "bert", "pieces": "many"},
        {"base": "bert", "accuracy": float("nan")},
        {"base": "bert", "accuracy": 2},
        {"base": "bert", "trained": None},
        {"base": "bert", "command": "rm"},
    ],
)
def test_what_makes_no_sense_is_not_believed(data: Any) -> None:
    assert Adaptation.read({ADAPTED_KEY: data}) is None


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_anything_may_stand_there(data: Any) -> None:
    assert Adaptation.read({ADAPTED_KEY: data}) is None or data["base"]


@pytest.mark.parametrize(
    ("trained", "words"),
    [
        ("all", "conv-bert-base, 2.0 M pieces"),
        ("top:2", "conv-bert-base, 2.0 M pieces, top 2 layers"),
        ("head", "conv-bert-base, 2.0 M pieces, head alone"),
    ],
)
def test_the_origin_says_what_was_trained(trained: str, words: str) -> None:
    assert Adaptation(base="conv-bert-base", pieces=2_000_000, trained=trained).origin == words


@pytest.mark.parametrize(
    ("accuracy", "frequency", "weak"),
    [(0.069, 0.065, True), (0.164, 0.065, True), (0.166, 0.065, False), (None, 0.5, False)],
)
def test_a_head_near_guessing_by_frequency_is_weak(accuracy: float | None, frequency: float, weak: bool) -> None:
    assert Adaptation(base="bert", accuracy=accuracy, frequency=frequency).is_weak == weak
