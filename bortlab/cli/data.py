"""Look at labelled data before anything is learned from them.

Prints which column was taken for what, the task that the labels make, the splits, and what is to be known: duplicates,
leaks from train to test, classes that are rare or unknown, texts that are longer than a model reads.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
  bortlab data reviews.csv
  bortlab data reviews.csv --text review --label stars --task regression
  bortlab data reviews.csv --model albert-mini
      counts the texts that are longer than this model reads\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the data are, and what their columns mean."""
    parser.add_argument(
        "source", type=Path, metavar="FILE", help="CSV, TSV, JSON lines, Parquet, CoNLL, SQuAD; or a folder of splits"
    )
    add_columns(parser)
    parser.add_argument("--model", metavar="KEY", help="whose pieces texts are counted in")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the examples with their splits: .csv, .tsv, .jsonl"
    )


def add_columns(parser: argparse.ArgumentParser) -> None:
    """What the columns mean; guessed unless named."""
    from bortlab.data.labelled import TASKS

    for role, meaning in (
        ("text", "the texts"),
        ("pair", "the second texts, or the passages of questions"),
        ("label", "the labels"),
        ("split", "train, dev or test of each row"),
    ):
        parser.add_argument(f"--{role}", metavar="COLUMN", help=f"the column of {meaning} (guessed unless named)")
    parser.add_argument("--task", choices=TASKS, help="guessed from the labels unless named")
    parser.add_argument("--seed", type=int, default=0, help="of the splits that are not given (default: 0)")


def run(options: argparse.Namespace) -> None:
    """Read, check, print."""
    from bortlab.data.labelled import check, guess, read, read_table
    from bortlab.data.labelled.exported import write_examples
    from bortlab.registry import load

    named = {role: getattr(options, role) for role in ("text", "pair", "label", "split")}
    data = read(options.source, **named, task=options.task, seed=options.seed)
    if options.source.is_file():
        columns = guess(read_table(options.source), **named)
        print(", ".join(f"{role}: {name!r}" for role in named if (name := getattr(columns, role))))
    print(f"{data.task}{f', {data.problem_type}' if data.problem_type else ''}")
    print(", ".join(f"{len(part):,} {split}" for split, part in data.splits.items()))
    for label, count in data.counts().most_common(20):
        print(f"{count:>9,}  {label}")
    model = load(options.model) if options.model else None
    tokenizer, longest = (model.tokenizer, model.config.max_position_embeddings) if model else (None, 0)
    for finding in check(data, tokenizer=tokenizer, longest=longest):
        print(f"{finding.severity}: {finding.sentence}")
    if options.out:
        write_examples(data, options.out)
        print(options.out)
