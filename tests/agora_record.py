"""Records of experiments on Agora with known figures, as `rivals.experiment` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bortlab.training.agora.rivals import ARMS, verdict

PRIMARY = ("agora", "random search")


def record(lead: Sequence[float], *, tasks: int = 2, arms: Sequence[str] = tuple(ARMS)) -> dict[str, Any]:
    """An experiment in which Agora is so much better than each other rival on H in each split, a little more in each
    further task."""
    names = [f"task {n + 1}" for n in range(tasks)]
    splits = {
        name: [
            {arm: _result(arm, place, by * (1 + 0.01 * n) if arm == "agora" else 0.0) for arm in arms}
            for place, by in enumerate(lead)
        ]
        for n, name in enumerate(names)  # no two differences are equal, or the exact test enumerates all signs
    }
    return {
        "command": "a command",
        "machines": [{"processor": "a processor", "cores": 2, "date": "2026-01-01T00:00:00+00:00"}],
        "plan": {
            "base": "bort-mini",
            "encoder": "minilm-l6",
            "tasks": names,
            "splits": len(lead),
            "learn": 100,
            "search": 100,
            "test": 200,
            "sets": 6,
            "budget": 16,
        },
        "primary": list(PRIMARY),
        "tasks": {name: {"classes": ["a", "b"], "splits": splits[name]} for name in names},
        "missing": [],
        "verdict": verdict(splits, primary=PRIMARY),
    }


def _result(arm: str, place: int, by: float) -> dict[str, Any]:
    """What a rival reached on a split: figures that differ between splits, E 10 points above H, and 2 more a round."""
    test = 0.6 + 0.01 * place + by
    result: dict[str, Any] = {"search": test + 0.1, "test": test, "trainings": 10, "seconds": 20.0}
    if arm.startswith("agora"):
        rounds = 2 + place % 2
        result["rounds"] = [_round(test, n) for n in range(rounds)]
        result["points"] = 20 * rounds
        result["examples"] = [{"old": "an <old> text", "new": "a new text", "its label": "a", "label given": "b"}]
    return result


def _round(test: float, n: int) -> Mapping[str, Any]:
    gap = 0.1 + 0.02 * n
    counts = {"sets": 6 - 2 * n, "removed": 2, "mistakes": 30 - n, "kept": 20, "refused": 10 - n}
    return {"search": test + gap, "test": test, **counts}
