"""Train a tuned lens for a frozen model: one affine map a layer, so that each layer's state can be read as words.

The lens is kept in the user's cache with a card of what it gains on text it has not read; the Layers page and
`bortlab.training.lens.read_lens` use it from then on. One to three minutes for a mini.
"""

from __future__ import annotations

import argparse

EXAMPLES = """\
  bortlab lens albert-mini
  bortlab lens path/to/folder --pieces 500000\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model and the budget."""
    from bortlab.training.lens import PIECES

    parser.add_argument("model", help="key of a model that is on this machine, or its folder")
    parser.add_argument(
        "--family", help="of a folder whose config.json cannot tell: a published Bort calls itself bert"
    )
    parser.add_argument(
        "--pieces", type=int, default=PIECES, help="pieces of text to learn from (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the order of the text (default: 0)")


def run(options: argparse.Namespace) -> None:
    """Fit the lens and print its card."""
    import json

    from bortlab.training import lens
    from bortlab.work.reference import ModelReference, fastest_device

    base = ModelReference.named(options.model, family=options.family).load(fastest_device())
    print(json.dumps(lens.fit(base, pieces=options.pieces, seed=options.seed).card, indent=2))
