"""Predict: which engine computed the guesses, and that they are the same."""

from __future__ import annotations

import pytest

from bortlab import registry
from bortlab.runtimes.engines import answering
from tests.pages.visiting import check, visit

TEXT = "The opposite of slow is [MASK]."


def test_the_page_says_which_engine_computed_the_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_ENGINE", "torch-packed")
    monkeypatch.setattr("bortlab.ui.shared.asking.ANSWERING", fresh := answering.Answering(quiet_s=0.01))
    at = visit("predict", models=["albert-mini"])
    assert "Computed by torch." in [caption.value for caption in at.caption]
    model = registry.load("albert-mini")
    assert fresh.wait(model) == "torch-packed"
    at = check(at.text_input(key="text").set_value(TEXT).run())
    assert "Computed by torch-packed." in [caption.value for caption in at.caption]
    guesses = at.dataframe[0].value
    expected = model.fill_mask(TEXT).blanks[0].candidates
    assert guesses["probability"].tolist() == pytest.approx([guess.probability for guess in expected], abs=1e-4)
