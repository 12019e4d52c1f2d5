"""Train a model further to fill the blanks of a text: masked-LM training of all of its weights, unless told otherwise.

So an encoder that was published without a trained masked-LM head (ConvBERT, Bort) gets one, and any model learns the
words of your text. The result is a Hugging Face folder with a card of what it gained on text that was held out. A run
may be killed at any moment, also with -9: the same command resumes it from its last checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bortlab.cli.models import add_family

EXAMPLES = """\
  bortlab adapt bert-mini --text reviews.txt --pieces 500000 --out folder
  bortlab adapt conv-bert-base --text reviews.csv --column review --train top:2
  bortlab adapt path/to/bort --family bort --vocabulary 8192
      fails: a byte-level BPE cannot be cut, only WordPiece can
  bortlab adapt conv-bert-small --train head
      a head on a frozen encoder, which stays weak: compare\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the text, what learns, and how much."""
    parser.add_argument("model", help="key of a model that is on this machine, or its folder")
    add_family(parser)
    parser.add_argument(
        "--text", type=Path, metavar="FILE", help="a .txt, .jsonl or .csv file, or a folder (default: bundled corpus)"
    )
    parser.add_argument("--column", metavar="NAME", help='of a .csv, or field of a .jsonl (default: "text")')
    parser.add_argument(
        "--pieces", type=int, default=500_000, metavar="N", help="pieces of text to read (default: %(default)s)"
    )
    parser.add_argument(
        "--train", default="all", metavar="PART", help="all, top:N (the head and N upper layers) or head (default: all)"
    )
    parser.add_argument(
        "--vocabulary", type=int, metavar="N", help="cut the word table to the N pieces that the text uses most"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="a new folder (default: in bortlab's cache)")
    parser.add_argument("--rate", type=float, help="the highest learning rate (default: one that fits the width)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the order of the text (default: 0)")


def run(options: argparse.Namespace) -> None:
    """Adapt, and say what it gained and where it is."""
    import json

    from bortlab import registry
    from bortlab.training.adapt import adapt
    from bortlab.work.reference import ModelReference, fastest_device

    base = ModelReference.named(options.model, family=options.family).load(fastest_device())
    model = adapt(
        base,
        options.text,
        column=options.column,
        pieces=options.pieces,
        train=options.train,
        vocabulary=options.vocabulary,
        out=options.out,
        rate=options.rate,
        seed=options.seed,
    )
    folder = options.out or registry.adapted_folder(model.key)
    held = json.loads((folder / "card.json").read_text(encoding="utf-8"))["heldout"]
    shares = {name: f"{held[name]['masked_accuracy']:.1%}" for name in ("before", "after", "by_frequency")}
    print(
        f"{folder}: {shares['after']} of {held['hidden_pieces']:,} hidden pieces of held-out text are guessed right, "
        f"{shares['before']} before; guessing by frequency gives {shares['by_frequency']}."
    )
    if model.adaptation is not None and model.adaptation.is_weak:
        print("That is little better than guessing by frequency. " + BETTER[options.train == "all"])


BETTER = {
    False: "Train the whole encoder: --train all.",
    True: "Give it more pieces or more text.",
}
"""What to do about a weak result: whether all weights were trained -> advice."""
