"""Train a tuned lens for a frozen model: one affine map a layer, so that each layer's state can be read as words.

The lens is kept in the user's cache with a card of what it gains on text it has not read; the Layers page and
`bortlab.training.lens.read_lens` use it from then on. One to three minutes for a mini. The bundled models bring one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bortlab.cli.models import add_training, open_for_training

EXAMPLES = """\
  bortlab lens albert-mini
  bortlab lens path/to/folder --pieces 500000 --corpus texts/\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the text and the budget."""
    from bortlab.training.lens import PIECES

    add_training(parser, PIECES)
    parser.add_argument(
        "--corpus",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="folders of text to learn from, as for `bortlab minis` (default: the bundled corpus)",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the lens is written (default: the cache)")


def run(options: argparse.Namespace) -> None:
    """Train the lens and print its card."""
    import json

    from bortlab.data.folders import read_folder
    from bortlab.training import lens

    base = open_for_training(options)
    documents, heldout = (
        [document for folder in options.corpus for document in read_folder(folder, heldout=split)] or None
        for split in (False, True)
    )
    tuned = lens.fit(base, documents, heldout, pieces=options.pieces, seed=options.seed, out=options.out)
    print(json.dumps(tuned.card, indent=2))
