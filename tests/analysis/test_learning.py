"""Learning curves: read as they were written, and when a value was reached."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bortlab.analysis.learning import KINDS, LearningCurve, bundled_curves, frame, pieces_to, ranked, read_curve
from bortlab.models import FAMILIES
from bortlab.system.assets import CHECKPOINTS


def curve(accuracy: list[float], loss: list[float], key: str = "a") -> LearningCurve:
    steps = np.arange(1.0, len(accuracy) + 1)
    return LearningCurve(
        key, key, "bert", 100 * steps, steps, np.array(loss), np.array(accuracy), {"stories": np.array(accuracy) / 2}
    )


def test_the_bundled_curves_are_those_of_the_files() -> None:
    curves = bundled_curves()
    assert [curve.key for curve in curves] == [*(family.mini_key for family in FAMILIES.values()), "minilm-l6"]
    for each in curves:
        points = json.loads((CHECKPOINTS / each.key / "curve.json").read_text(encoding="utf-8"))
        assert each.pieces.tolist() == [point["pieces"] for point in points]
        assert each.values("loss").tolist() == [point["loss"] for point in points]
        assert set(each.by_kind) == set(KINDS)
        assert each.values("stories").tolist() == [point["stories"] for point in points]
        assert each.from_scratch == (each.key != "minilm-l6")
    table = frame(curves)
    assert len(table) == sum(len(each.pieces) for each in curves)
    assert table["accuracy on novels"].notna().all()


def test_when_a_value_was_reached() -> None:
    learned = curve([0.1, 0.3, 0.2, 0.5], [5.0, 4.0, 4.5, 3.0])
    assert pieces_to(learned, "accuracy", 0.2) == pytest.approx(150)
    assert pieces_to(learned, "accuracy", 0.4) == pytest.approx(300 + 100 * 2 / 3)
    assert pieces_to(learned, "accuracy", 0.05) == 100
    assert pieces_to(learned, "accuracy", 0.6) is None
    assert pieces_to(learned, "loss", 3.0) == 400
    assert pieces_to(learned, "stories", 0.25) == 400


def test_the_best_come_first() -> None:
    one, other = curve([0.1, 0.5], [5.0, 3.0], "one"), curve([0.2, 0.4], [4.0, 2.0], "other")
    assert [each.key for each in ranked([one, other], "accuracy", 0)] == ["other", "one"]
    assert [each.key for each in ranked([one, other], "accuracy", -1)] == ["one", "other"]
    assert [each.key for each in ranked([one, other], "loss", -1)] == ["other", "one"]


def test_a_folder_without_a_curve_and_a_measure_without_values_say_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no learning curve. Expected curve\.json"):
        read_curve(tmp_path)
    (tmp_path / "card.json").write_text("{}")
    for content in ("[]", "{}", "x", '[{"pieces": 1}]'):
        (tmp_path / "curve.json").write_text(content)
        with pytest.raises(ValueError, match="holds no learning curve"):
            read_curve(tmp_path)
    with pytest.raises(ValueError, match=r"'poems' was not measured\. Known: loss, accuracy, stories"):
        curve([0.1], [1.0]).values("poems")
