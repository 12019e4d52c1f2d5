"""What was measured of each model and baseline of a comparison: to read, and to compute with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bortlab.analysis.evaluation import NAMES
from bortlab.training.finetune.comparison import Comparison, Entry

if TYPE_CHECKING:
    import pandas


def table(comparison: Comparison) -> pandas.DataFrame:
    """Everything that was measured of each, best first."""
    import pandas

    rows = []
    for entry in comparison.entries:
        row: dict[str, object] = {"model": entry.title}
        for name, figure in entry.figures.items():
            row |= {NAMES[name]: figure.value, f"{NAMES[name]}, from": figure.low, f"{NAMES[name]}, to": figure.high}
        row |= {
            "ms a text": entry.ms.value if entry.ms else None,
            "MB": entry.n_bytes / 1e6,
            "parameters": entry.parameters,
            "seeds": len(entry.runs),
            "training, s": sum(run.get("seconds", 0.0) for run in entry.runs.values()),
        }
        rows.append(row)
    return pandas.DataFrame(rows)


def overview(comparison: Comparison) -> pandas.DataFrame:
    """The same to read, best first: each figure with its interval in one cell; no column that is empty or the same."""
    import pandas

    most_seeds = max((len(entry.runs) for entry in comparison.models), default=1)
    rows = []
    for entry in comparison.entries:
        row = {"model": entry.title} | {NAMES[name]: with_interval(entry, name) for name in entry.figures}
        if any(other.ms for other in comparison.entries):
            row["ms a text"] = f"{entry.ms.value:.2g}" if entry.ms else ""
        row["MB"] = f"{entry.n_bytes / 1e6:.1f}" if not entry.is_baseline else ""
        if most_seeds > 1:
            row["seeds"] = f"{len(entry.runs)}" if not entry.is_baseline else ""
        rows.append(row)
    return pandas.DataFrame(rows)


def with_interval(entry: Entry, name: str) -> str:
    """A figure, and where it lies with 95% confidence."""
    figure = entry.figures[name]
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
