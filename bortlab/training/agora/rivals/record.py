"""The experiments that come with bortlab, and what they say of each round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from bortlab.analysis.intervals import Interval
from bortlab.system import assets
from bortlab.training.agora.rivals.verdict import mean_of

Record = Mapping[str, Any]
"""What `experiment.run_experiment` wrote."""
FILES = "agora-*.json"


def recorded() -> dict[str, Record]:
    """The experiments that come with bortlab, by the model that learns; those without a verdict are left out."""
    records = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(assets.EXPERIMENTS.glob(FILES)))
    return {record["plan"]["base"]: record for record in records if record["verdict"]}


def splits_of(record: Record) -> dict[str, list[dict[str, Any]]]:
    """The splits of each task that the verdict is about."""
    opponent = record["primary"][1]
    tasks = {task: its["splits"] for task, its in record["tasks"].items()}
    return {task: splits for task, splits in tasks.items() if all(opponent in split for split in splits)}


def differences(record: Record, rival: str) -> dict[str, list[float]]:
    """Of each task, how much better than a rival Agora is on H, split by split."""
    ours = record["primary"][0]
    return {
        task: [split[ours]["test"] - split[rival]["test"] for split in splits if rival in split]
        for task, splits in splits_of(record).items()
    }


def by_round(record: Record) -> list[dict[str, Any]]:
    """What Agora's rounds reached, each over the splits that have such a round.

    round: from 1. splits: how many. search, test: of the round's best model, means over tasks on E and H. gap: E minus
    H with its interval. sets, kept: means of the sets that were trained and of the points that were kept.
    """
    ours = record["primary"][0]
    rounds = [[split[ours]["rounds"] for split in splits] for splits in splits_of(record).values()]
    most = max((len(one) for task in rounds for one in task), default=0)
    rows = []
    for number in range(most):
        there = [[one[number] for one in task if len(one) > number] for task in rounds]
        there = [task for task in there if task]

        def mean(name: str, there: list[list[dict[str, Any]]] = there) -> float:
            return float(np.mean([np.mean([this[name] for this in task]) for task in there]))

        gap: Interval = mean_of([np.array([this["search"] - this["test"] for this in task]) for task in there])
        rows.append(
            {
                "round": number + 1,
                "splits": sum(map(len, there)),
                "gap": gap,
                **{name: mean(name) for name in ("search", "test", "sets", "mistakes", "kept")},
            }
        )
    return rows
