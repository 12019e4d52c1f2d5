"""Train a masked-LM head for a frozen encoder, on the bundled corpus.

The published ConvBERT and Bort have no trained head, and an own encoder may have none. The head is kept in the user's
cache with a card of what it reaches on text it has not read, and `bortlab.load` uses it from then on. A minute or two
for a mini.
"""

from __future__ import annotations

import argparse

from bortlab.cli.models import add_training, open_for_training

EXAMPLES = """\
  bortlab fit conv-bert-small
  bortlab fit path/to/bort --family bort --pieces 2000000
  bortlab fit albert-mini --recover
      how much of a trained head's accuracy a new one recovers; nothing is kept\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model and the budget."""
    from bortlab.training.fit import PIECES

    add_training(parser, PIECES)
    parser.add_argument(
        "--recover", action="store_true", help="forget the trained head, and measure how much comes back"
    )


def run(options: argparse.Namespace) -> None:
    """Fit the head and print its card, or what recovers."""
    import json

    from bortlab.training import fit

    base = open_for_training(options, head="published")
    if not options.recover:
        _, card = fit.fit(base, pieces=options.pieces, seed=options.seed)
        print(json.dumps(card, indent=2))
        return
    recovery = fit.recover(base, pieces=options.pieces, seed=options.seed)
    print(
        f"{base.key}, accuracy on hidden pieces of held-out text: {recovery.trained:.1%} with the head it was trained "
        f"with, {recovery.random:.1%} with a random one, {recovery.fitted:.1%} with one fitted on {options.pieces:,} "
        f"pieces: {recovery.share:.0%} recovered."
    )
