"""Fine-tune several models on labelled texts and compare them, with plain baselines beside.

DATA is a bundled task (`bortlab tasks` lists them) or a file: CSV, TSV, JSON lines, Parquet, CoNLL or SQuAD's JSON.
Columns and splits are guessed where they are not named. The folder of --out gets results.json, report.html and the
models, each as a Hugging Face folder with a card; the same command resumes a comparison that was stopped.
"""

from __future__ import annotations

import argparse
from html import unescape
from pathlib import Path

EXAMPLES = """\
  bortlab finetune supersense --models bert-mini bort-mini --examples 500 --out results/
  bortlab finetune reviews.csv --text review --label stars --models albert-mini convbert-mini --seeds 3 --out results/
  bortlab finetune reviews.csv --models bert-mini --sizes 50 100 200 --out results/\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Data, models, and how they are trained."""
    parser.add_argument("data", metavar="DATA", help="a bundled task, or a file of labelled texts")
    parser.add_argument("--models", nargs="+", required=True, metavar="MODEL", help="keys, repositories or folders")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where all results are written")
    for name, what in (("text", "texts"), ("pair", "second texts"), ("label", "labels"), ("split", "splits")):
        parser.add_argument(f"--{name}", metavar="COLUMN", help=f"the column of {what}")
    parser.add_argument("--task", help="what labels are, where they do not tell: regression, token-classification …")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="trainings of each model (default: 1)")
    parser.add_argument("--examples", type=int, default=0, metavar="N", help="training examples (default: all)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[], metavar="N", help="learning curve: also train on N")
    parser.add_argument("--epochs", type=int, metavar="N", help="at most (default: by the number of examples)")
    parser.add_argument("--rate", type=float, help="highest learning rate (default: by the model's width)")
    parser.add_argument("--batch", type=int, metavar="N", help="examples of a step (default: 16)")
    parser.add_argument("--length", type=int, metavar="N", help="pieces of a text at most (default: 128)")
    parser.add_argument("--frozen-layers", type=int, metavar="N", help="so many of the lowest layers stay as they are")
    parser.add_argument("--balanced", action="store_true", default=None, help="rare classes count like common ones")


def run(options: argparse.Namespace) -> None:
    """Read, check, train, compare and report."""
    from bortlab.data.labelled import check, labelled, read
    from bortlab.training.finetune import compare_models
    from bortlab.views.finetune import overview, report, verdict
    from bortlab.views.theme import Look

    columns = {name: getattr(options, name) for name in ("text", "pair", "label", "split", "task")}
    data = read(options.data, **columns) if any(columns.values()) else labelled(options.data)
    for finding in check(data):
        print(f"{finding.severity}: {finding.sentence}")
    names = ("epochs", "rate", "batch", "length", "frozen_layers", "balanced")
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    comparison = compare_models(
        data,
        options.models,
        folder=options.out,
        seeds=options.seeds,
        examples=options.examples,
        sizes=options.sizes,
        **changes,
    )
    print(overview(comparison).to_string(index=False))
    print(unescape(verdict(comparison)).replace("**", ""))
    page = report(comparison, data, Look("light"))
    (options.out / "report.html").write_text(page, encoding="utf-8")
    print(options.out / "report.html")
