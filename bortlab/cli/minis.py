"""Train a bundled model as it was made (a mini with minilm-l6 as its teacher, or minilm-l6 itself), or score them all.

The text is that of folders of JSON Lines (--corpus, see docs/minis.md for the sources) and the bundled corpus. A run
lives in a folder and may be killed at any moment, also with -9: the same command resumes it from its last checkpoint.
Uses CUDA with bfloat16 where there is a GPU.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

EXAMPLES = """\
  bortlab minis bert-mini --corpus texts/
  bortlab minis bort-mini --corpus texts/ --pieces 2000000 --minutes 30
      for half an hour; the same line again resumes
  bortlab minis bert-mini --corpus texts/ --keep 1000000 5000000 20000000
      the model at these numbers of pieces too, each in a folder
  bortlab minis minilm-l6 --start all-MiniLM-L6-v2/ --corpus texts/ --device cuda
  bortlab minis --score --corpus texts/ --blanks blanks.jsonl
      the figures of the bundled models, beside unigrams and trigrams of the text\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, from which text, and how long."""
    parser.add_argument("key", nargs="?", help="albert-mini, convbert-mini, bort-mini, bert-mini or minilm-l6")
    parser.add_argument("--corpus", type=Path, nargs="+", default=[], metavar="FOLDER", help="folders of text")
    parser.add_argument("--start", type=Path, metavar="FOLDER", help="the published encoder, for minilm-l6")
    parser.add_argument("--pieces", type=int, help="budget, in pieces seen (default: the recipe's)")
    parser.add_argument("--folder", type=Path, help="the run's folder (default: in bortlab's cache)")
    parser.add_argument("--out", type=Path, help="where the trained model is written (default: FOLDER/model)")
    parser.add_argument(
        "--keep", type=int, nargs="+", default=[], metavar="PIECES", help="write the model at these too, in OUT-PIECES"
    )
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is a GPU)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after this time, resumably")
    parser.add_argument("--every", type=int, default=1_000_000, metavar="PIECES", help="between measurements")
    parser.add_argument("--score", action="store_true", help="train nothing; score the model, or all, and counting")
    parser.add_argument(
        "--blanks",
        type=Path,
        metavar="FILE",
        help="sentences to score with: a JSON object a line, with text and answers",
    )


def run(options: argparse.Namespace) -> None:
    """Train, resume and write a bundled model, or score what there is."""
    if options.score:
        score(options)
        return
    if options.key is None:
        raise ValueError("Name the model to train, such as bert-mini, or say --score.")
    from dataclasses import replace

    import torch

    from bortlab.system.settings import runs_folder
    from bortlab.training import cards, minis

    recipe = minis.recipe_of(options.key)
    if options.pieces:
        recipe = replace(recipe, pieces=options.pieces)
    folder = options.folder or runs_folder() / options.key
    out = options.out or folder / "model"
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    trained = minis.run_of(options.key, options.corpus, folder, recipe=recipe, device=device, start=options.start)
    heldout = minis.read_texts(options.corpus, heldout=True)
    command = f"bortlab minis {options.key} --corpus FOLDER"

    def write(pieces: int) -> None:
        place = out.with_name(f"{out.name}-{pieces}")
        cards.write_run(place, options.key, trained, heldout, command=f"{command} --keep {pieces}")
        print(place)

    if minis.train(
        trained,
        heldout,
        every=options.every,
        minutes=options.minutes,
        title=options.key,
        keep=options.keep,
        write=write,
    ):
        cards.write_run(out, options.key, trained, heldout, command=command)
        print(out)


def score(options: argparse.Namespace) -> None:
    """Print the figures of one model or of all, and of counting the same text, as a table."""
    from bortlab.models import FAMILIES
    from bortlab.training import minis, scoring

    keys = [options.key] if options.key else [*(family.mini_key for family in FAMILIES.values()), minis.ENCODER]
    blanks = scoring.read_blanks(options.blanks) if options.blanks else []
    heldout = minis.read_texts(options.corpus, heldout=True)
    counted = scoring.score_counts(minis.read_texts(options.corpus, heldout=False), heldout, blanks)
    models = (scoring.score_model(key, heldout, blanks) for key in keys)
    print(scoring.table([*counted, *models]))
