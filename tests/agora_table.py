"""The tables of the experiments on Agora: `python -m tests.agora_table`.

Reads assets/experiments/agora-*.json, as `python -m bortlab.training.agora.rivals.experiment` writes them, and writes
the block of docs/agora.md that tells their results.
"""

from __future__ import annotations

from pathlib import Path

from bortlab.analysis.latency.machine import described
from bortlab.registry import title
from bortlab.system.documents import write_block
from bortlab.training.agora.rivals import Record, recorded
from bortlab.views.agora import answer, over_fitting_frame, points_of, rivals_frame, verdict_sentences

DOCUMENT = Path(__file__).parent.parent / "docs" / "agora.md"
NONE = "No results are published yet."


def block() -> str:
    """The results, as the document tells them."""
    return "\n\n".join(map(section, recorded().values())) or NONE


def section(record: Record) -> str:
    """An experiment: its verdict, its rivals, its tasks and its rounds."""
    parts = [
        f"### {title(record['plan']['base'])}",
        answer(record),
        "\n".join(f"* {sentence}" for sentence in verdict_sentences(record)),
        "\n".join(rivals_table(record)),
        "\n".join(tasks_table(record)),
        "\n".join(rounds_table(record)),
        f"`{record['command']}`, on {', then '.join(map(described, record['machines']))}, "
        f"{record['machines'][-1]['date'][:10]}.",
    ]
    if record["missing"]:
        parts.append(f"Not run to the end: {'; '.join(record['missing'])}.")
    return "\n\n".join(parts)


def rivals_table(record: Record) -> list[str]:
    """A row a rival: accuracy on H, Agora's difference from it, and what it took."""
    lines = [
        "| rival | accuracy on H | Agora minus it, points | Wilcoxon p | Holm p | better / worse | trainings | CPU s |",
        "|---" * 8 + "|",
    ]
    for row in rivals_frame(record).to_dict("records"):
        contrast = ["—"] * 4
        if row["Wilcoxon p"] == row["Wilcoxon p"]:  # Agora has no contrast with itself
            interval = {"low": row["minus it, from"], "high": row["minus it, to"]}
            holm = row["Holm p"]
            contrast = [
                points_of(row["Agora minus it"], interval),
                f"{row['Wilcoxon p']:.2g}",
                f"{holm:.2g}" if holm == holm else "primary",
                f"{row['Agora better']:.0f} / {row['Agora worse']:.0f}",
            ]
        accuracy = f"{row['accuracy on H']:.3f} ({row['from']:.3f}–{row['to']:.3f})"
        cost = [f"{row['trainings']:.1f}", f"{row['processor seconds']:.0f}"]
        lines.append(f"| {' | '.join([row['rival'], accuracy, *contrast, *cost])} |")
    return lines


def tasks_table(record: Record) -> list[str]:
    """A row a task: the primary contrast in it."""
    lines = ["| task | Agora minus random search, points | Wilcoxon p | Holm p |", "|---" * 4 + "|"]
    for task, contrast in record["verdict"]["by task"].items():
        difference = points_of(contrast["mean"], contrast)
        lines.append(f"| {task} | {difference} | {contrast['p']:.2g} | {contrast['p_holm']:.2g} |")
    return lines if len(lines) > 2 else []


def rounds_table(record: Record) -> list[str]:
    """A row a round: E, H and what lies between."""
    lines = ["| round | splits | on E | on H | E minus H, points | mistakes | points kept |", "|---" * 7 + "|"]
    for row in over_fitting_frame(record).to_dict("records"):
        gap = points_of(row["E minus H"], {"low": row["from"], "high": row["to"]})
        shares = f"{row['accuracy on E']:.3f} | {row['accuracy on H']:.3f}"
        counts = f"{row['mistakes']:.1f} | {row['points kept']:.1f}"
        lines.append(f"| {row['round']} | {row['splits']} | {shares} | {gap} | {counts} |")
    return lines


def main() -> None:
    """Write the block of the document."""
    write_block(DOCUMENT, "agora", block())


if __name__ == "__main__":
    main()
