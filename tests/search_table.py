"""The results of the search: `python -m tests.search_table`.

Reads assets/experiments/search-*.json, as `bortlab search --study` and `--latency` write them with `--json`, and writes
the block of docs/search.md that tells their results.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from bortlab.analysis.latency.machine import described
from bortlab.search import grid, heads, latency, space
from bortlab.search.grid import TrainedGrid
from bortlab.search.heads import heads_study
from bortlab.search.latency import Timed
from bortlab.search.learning_curves import learning_curves
from bortlab.search.study import Study, study
from bortlab.system import assets
from bortlab.system.documents import write_block
from bortlab.system.numbers import duration, percent
from bortlab.views.search import (
    errors_frame,
    heads_sentences,
    length_sentence,
    study_sentences,
    timed_sentences,
    verdict_sentences,
)

DOCUMENT = Path(__file__).parent.parent / "docs" / "search.md"
SHARES = {
    "regret": "of the best W missed",
    "recall": "of the front found",
    "hypervolume": "of its volume covered",
}
"""What a choice of candidates is measured by, and its heading."""
NONE = "No results are published yet."


def block() -> str:
    """The results, as the document tells them."""
    sections = [trained_section(name, trained) for name, trained in grid.recorded().items()]
    sections += [heads_section(trained) for trained in heads.recorded().values()]
    sections += [timed_section(timed) for timed in latency.recorded().values()]
    return "\n\n".join(sections) or NONE


def trained_section(name: str, trained: TrainedGrid) -> str:
    """A trained grid: what it says, its front, and each stride beside its rivals."""
    result = study(trained)
    sentences = [*verdict_sentences(trained, result), *study_sentences(trained, result)]
    sentences.append(length_sentence(learning_curves(trained, result.names)))
    note = json.loads((assets.EXPERIMENTS / f"{name}.json").read_text(encoding="utf-8")).get("note", "")
    parts = [
        f"### Trained: {space(trained.grid.space).title}",
        bullets(sentences),
        front_table(result),
        strides_table(result),
        footer(trained),
        *[note] * bool(note),
    ]
    return "\n\n".join(parts)


def heads_section(trained: TrainedGrid) -> str:
    """A grid of shapes with several numbers of heads."""
    return "\n\n".join(
        [f"### {space(trained.grid.space).title}", bullets(heads_sentences(heads_study(trained))), footer(trained)]
    )


def footer(trained: TrainedGrid) -> str:
    """How much was trained, where, when and how."""
    return (
        f"{len(trained.trainings)} of {trained.grid.n_trainings} trainings, {duration(trained.cpu_seconds)} of "
        f"processor time on {described(trained.machine)}, {trained.machine['date'][:10]}: `{trained.grid.command}`"
    )


def timed_section(timed: Timed) -> str:
    """A measurement of candidates."""
    return "\n\n".join(
        [
            f"### Timed: {timed.space.title}",
            bullets(timed_sentences(timed)),
            f"`bortlab search --space {timed.space.name} --pieces {timed.pieces} --error power --latency`, on "
            f"{described(timed.machine)}, {timed.machine['date'][:10]}.",
        ]
    )


def bullets(sentences: Iterable[str]) -> str:
    """A list of Markdown."""
    return "\n".join(f"* {html.unescape(sentence)}" for sentence in sentences)


def front_table(result: Study) -> str:
    """A row for each member of the front, the smallest first."""
    rows = [
        [row["candidate"], f"{row['mean error']:.2f}", f"{row['W']:.3f}", row["on the front in"]]
        for row in errors_frame(result).to_dict("records")
        if row["on the front"]
    ]
    return table(["on the front", "mean error", "W", "of the resamplings"], rows)


def strides_table(result: Study) -> str:
    """A row for each stride above 1: what it, random choices and the smallest miss and find."""
    rows = []
    for entry in result.comparisons[1:]:
        rivals = entry.chosen, entry.random, entry.smallest
        shares = [" / ".join(percent(getattr(rival, what)) for rival in rivals) for what in SHARES]
        rows.append([f"{entry.stride} ({entry.trained} trained)", *shares])
    return table(["stride / random / smallest", *SHARES.values()], rows)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the block of the document."""
    write_block(DOCUMENT, "search", block())


if __name__ == "__main__":
    main()
