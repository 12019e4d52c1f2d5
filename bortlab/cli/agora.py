"""Fine-tune with Agora when labelled data are scarce: our interpretation of what Bort was published with.

DATA is a bundled task or a file, as for `bortlab finetune`; its train split is D, dev the search set E, and test the
sealed set H, which is read once, at the end. The labeller gives the labels of new points: `words` (TF-IDF with logistic
regression on D), `frozen KEY` (the same on the vectors of an encoder as it is), or the folder of a fine-tuned model.
The same command resumes a run that was killed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
  bortlab agora book-genre --model bort-mini --examples 200 --out agora/
  bortlab agora reviews.csv --text review --label stars --labeller results/models/bert-mini/ --out agora/\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Data, model, labeller, and how much is searched."""
    parser.add_argument("data", metavar="DATA", help="a bundled task, or a file of labelled texts")
    parser.add_argument("--model", default="bort-mini", help="the encoder to fine-tune (default: bort-mini)")
    parser.add_argument("--labeller", default="words", help="words, 'frozen minilm-l6', or a fine-tuned model's folder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="log, models and result")
    for name, what in (("text", "texts"), ("pair", "second texts"), ("label", "labels"), ("split", "splits")):
        parser.add_argument(f"--{name}", metavar="COLUMN", help=f"the column of {what}")
    parser.add_argument("--examples", type=int, default=0, metavar="N", help="examples of D (default: all)")
    parser.add_argument("--search", type=int, default=0, metavar="N", help="examples of E (default: all)")
    parser.add_argument("--sets", type=int, default=8, metavar="N", help="hyper-parameter sets (default: 8)")
    parser.add_argument("--budget", type=int, default=200, metavar="N", help="trainings at most (default: 200)")
    parser.add_argument("--rule", default="lcs", help="lcs, run, prefix or worst: which sets leave (default: lcs)")
    parser.add_argument("--generator", default="masked-lm", help="masked-lm, embedding-noise, swap or delete")
    parser.add_argument("--no-points", action="store_true", help="prune alone: the rival without new points")
    parser.add_argument("--epochs", type=int, metavar="N", help="of a training (default: by the number of examples)")
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> None:
    """Search, measure on H once, and say what held."""
    import json
    from dataclasses import asdict

    from bortlab.analysis.latency.machine import environment
    from bortlab.data.labelled import labelled, read
    from bortlab.system.store import write
    from bortlab.training.agora import GRID, agora, kept, labeller_named, scarce
    from bortlab.training.agora.example import SUMMARY

    columns = {name: getattr(options, name) for name in ("text", "pair", "label", "split")}
    data = read(options.data, **columns) if any(columns.values()) else labelled(options.data)
    data = scarce(data, learn=options.examples, search=options.search)
    report = agora(
        options.model,
        labeller_named(options.labeller, data),
        data,
        folder=options.out,
        n_sets=options.sets,
        generator=options.generator,
        seed=options.seed,
        options={"rule": options.rule, "budget": options.budget, "augment": not options.no_points},
        **({"epochs": options.epochs} if options.epochs else {}),
    )
    result = report.result
    for this in result.rounds:
        print(
            f"round {this.number + 1}: best {max(this.scores.values()):.3f} on E, {this.mistakes} mistakes, "
            f"{len(kept(this))} points kept of {len(this.points)}, "
            f"{len(this.removed)} of {len(this.scores)} sets removed"
        )
    for warning in report.warnings:
        print(f"note: {warning}")
    print(
        f"{result.trainings} trainings; best on E {result.best.score:.3f}, on H {report.test.value:.3f} "
        f"({report.test.low:.3f} to {report.test.high:.3f}); the model: {options.out / result.best.name / 'model'}"
    )
    summary = {
        "data": data.name,
        "examples": {"D": len(data.train), "E": len(data.dev), "H": len(data.test)},
        "model": options.model,
        "labelled by": options.labeller,
        "axes": list(GRID),
        "machine": environment(),
        "trainings": result.trainings,
        "test": asdict(report.test),
        "labeller": asdict(report.labeller),
        "best": asdict(result.best),
    }
    write(options.out / SUMMARY, json.dumps(summary, indent=1, ensure_ascii=False).encode())
