"""The figures of the bundled tasks: `python -m tests.tasks_table FOLDER`.

Reads FOLDER/TASK/results.json of the comparisons that are finished, as `bortlab finetune TASK --out FOLDER/TASK` writes
them, and writes assets/experiments/tasks.json and the table of docs/finetune.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bortlab.analysis.evaluation import NAMES
from bortlab.analysis.latency.machine import processor
from bortlab.data.labelled import tasks
from bortlab.system.documents import write_block
from bortlab.training.finetune.comparison import read_comparison

ROOT = Path(__file__).parent.parent
FILE = ROOT / "assets" / "experiments" / "tasks.json"
DOCUMENT = ROOT / "docs" / "finetune.md"
BASELINES = ("majority", "words", "frozen bort-mini")


def collected(folder: Path) -> dict[str, Any]:
    """The figures of all comparisons in a folder that are finished, in the order of the bundled tasks."""
    record: dict[str, Any] = {"processor": processor(), "tasks": {}}
    for card in tasks():
        comparison = read_comparison(folder / card.name)
        if comparison is None or not comparison.finished:
            continue
        record["tasks"][card.name] = {
            "measure": comparison.measure,
            "examples": comparison.data["examples"],
            "entries": {
                entry.key: {
                    "title": entry.title,
                    "seeds": [round(run["figures"][comparison.measure], 4) for run in entry.runs.values()],
                    "figures": {
                        name: [round(number, 4) for number in (figure.value, figure.low, figure.high)]
                        for name, figure in entry.figures.items()
                    },
                    "significantly_below_best": comparison.differences.get(entry.key, {}).get("significant", False),
                }
                for entry in comparison.entries
            },
        }
    return record


def table(record: dict[str, Any]) -> list[str]:
    """A row a task: the figure that models are chosen by, with its interval; bold: nothing is significantly better."""
    keys = list(dict.fromkeys(key for task in record["tasks"].values() for key in task["entries"]))
    keys.sort(key=lambda key: (key not in BASELINES, BASELINES.index(key) if key in BASELINES else 0, key))
    entries = [task["entries"] for task in record["tasks"].values()]
    titles = {key: _either(list(dict.fromkeys(its[key]["title"] for its in entries if key in its))) for key in keys}
    lines = ["| task | " + " | ".join(titles[key] for key in keys) + " |", "|---" * (len(keys) + 1) + "|"]
    for name, task in record["tasks"].items():
        cells = []
        for key in keys:
            entry = task["entries"].get(key)
            if entry is None:
                cells.append("—")
                continue
            value, low, high = entry["figures"][task["measure"]]
            mark = "" if entry["significantly_below_best"] else "**"
            cells.append(f"{mark}{value:.2f}{mark} ({low:.2f}–{high:.2f})")
        lines.append(f"| {name}, {NAMES[task['measure']]} | {' | '.join(cells)} |")
    return lines


def _either(titles: list[str]) -> str:
    """What a baseline is called depends on the task: "the commonest class, the mean or the commonest label"."""
    *others, last = titles
    return f"{', '.join(others)} or {last}" if others else last


def main() -> None:
    """Write both files."""
    record = collected(Path(sys.argv[1]))
    FILE.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    write_block(DOCUMENT, "tasks", "\n".join(table(record)))


if __name__ == "__main__":
    main()
