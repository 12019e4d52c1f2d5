"""What an experiment says: each rival's mean on H, and Agora's difference from it over the splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bortlab.analysis.intervals import Interval

RESAMPLES = 10_000
Split = Mapping[str, Mapping[str, Any]]
"""A split's results: rival -> what it reached."""


def verdict(tasks: Mapping[str, Sequence[Split]], *, primary: tuple[str, str]) -> dict[str, Any]:
    """The primary contrast and all others, over the splits of all tasks in which both sides are there.

    A contrast is the mean over tasks of the paired differences in the figure on H, with a 95% bootstrap interval that
    draws splits within each task, and Wilcoxon's signed-rank test over all splits. All but the primary contrast have
    Holm's correction too; the contrast of each task alone counts among them.
    """
    ours, opponent = primary
    rivals = sorted({arm for splits in tasks.values() for split in splits for arm in split} - {ours})
    contrasts = {rival: contrast(_differences(tasks, ours, rival)) for rival in rivals}
    alone = {
        task: contrast(_differences({task: splits}, ours, opponent)) for task, splits in tasks.items() if len(tasks) > 1
    }
    first = contrasts.pop(opponent, None)
    _holm([value for value in (*contrasts.values(), *alone.values()) if value["p"] is not None])
    return {
        "primary": {"contrast": [ours, opponent], **(first or contrast({}))},
        "secondary": contrasts,
        "by task": alone,
        "means": {arm: _mean(tasks, arm) for arm in (ours, opponent, *contrasts)},
        "search minus test": {arm: over_fitting(tasks, arm) for arm in (ours, opponent)},
    }


def contrast(differences: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """The mean over tasks of paired differences: mean, low, high, p, splits, and who won; None where there is none."""
    from scipy.stats import wilcoxon

    rows = [row for row in differences.values() if len(row)]
    if not rows:
        return {"mean": None, "low": None, "high": None, "p": None, "splits": 0, "better": 0, "worse": 0}
    every = np.concatenate(rows)
    mean = mean_of(rows)
    p = float(wilcoxon(every).pvalue) if np.any(every) else 1.0
    return {
        "mean": mean.value,
        "low": mean.low,
        "high": mean.high,
        "p": p,
        "splits": len(every),
        "better": int((every > 0).sum()),
        "worse": int((every < 0).sum()),
    }


def over_fitting(tasks: Mapping[str, Sequence[Split]], arm: str) -> float | None:
    """The mean of E minus H: how much the figure that a rival chose by flatters it."""
    gaps = [split[arm]["search"] - split[arm]["test"] for splits in tasks.values() for split in splits if arm in split]
    return float(np.mean(gaps)) if gaps else None


def _differences(tasks: Mapping[str, Sequence[Split]], ours: str, rival: str) -> dict[str, NDArray[np.float64]]:
    return {
        task: np.array(
            [split[ours]["test"] - split[rival]["test"] for split in splits if ours in split and rival in split]
        )
        for task, splits in tasks.items()
    }


def _mean(tasks: Mapping[str, Sequence[Split]], arm: str) -> dict[str, Any]:
    """A rival's mean figure on H over tasks, with its interval, and what it cost in a split."""
    both = [[split[arm] for split in splits if arm in split] for splits in tasks.values()]
    rows = [np.array([result["test"] for result in results]) for results in both if results]
    mean = mean_of(rows) if rows else Interval(float("nan"), float("nan"), float("nan"))
    results = [result for task in both for result in task]
    return {
        "mean": mean.value,
        "low": mean.low,
        "high": mean.high,
        "trainings": float(np.mean([result["trainings"] for result in results])),
        "seconds": float(np.mean([result["seconds"] for result in results])),
    }


def mean_of(rows: Sequence[NDArray[np.float64]]) -> Interval:
    """The mean of the rows' means, with a 95% percentile interval over draws within each row."""
    rng = np.random.default_rng(0)
    drawn = np.mean([row[rng.integers(len(row), size=(RESAMPLES, len(row)))].mean(1) for row in rows], axis=0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(np.mean([row.mean() for row in rows])), float(low), float(high))


def _holm(contrasts: Sequence[dict[str, Any]]) -> None:
    """Add Holm's step-down correction to each as p_holm."""
    largest = 0.0
    for place, this in enumerate(sorted(contrasts, key=lambda value: value["p"])):
        largest = max(largest, min(1.0, this["p"] * (len(contrasts) - place)))
        this["p_holm"] = largest
