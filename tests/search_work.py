"""What the tests call in the workers of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def fake_training(setting: dict[str, Any], folder: Path, progress: Any) -> dict[str, Any]:
    """As `train_one`, at once: the higher rate does better, and one candidate dies of it."""
    if setting["name"] == "2-4-112-168" and setting["rate"] == 4e-3:
        raise ValueError("The loss is not a number.")
    error = 5.0 + 0.1 * setting["seed"] - 100 * setting["rate"]
    progress(0.5, "half")
    return {"curve": [{"error": error}], "steps": 1, "cpu_seconds": 1.0}
