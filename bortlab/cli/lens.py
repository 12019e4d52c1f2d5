"""Train a tuned lens for a frozen model: one affine map a layer, so that each layer's state can be read as words.

The lens is kept in the user's cache with a card of what it gains on text it has not read; the Layers page and
`bortlab.training.lens.read_lens` use it from then on. One to three minutes for a mini.
"""

from __future__ import annotations

import argparse

from bortlab.cli.models import add_training, open_for_training

EXAMPLES = """\
  bortlab lens albert-mini
  bortlab lens path/to/folder --pieces 500000\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model and the budget."""
    from bortlab.training.lens import PIECES

    add_training(parser, PIECES)


def run(options: argparse.Namespace) -> None:
    """Fit the lens and print its card."""
    import json

    from bortlab.training import lens

    base = open_for_training(options)
    print(json.dumps(lens.fit(base, pieces=options.pieces, seed=options.seed).card, indent=2))
