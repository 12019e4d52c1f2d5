"""Fill the blanks of a text: what each model puts in place of [MASK], and how probable it finds that."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bortlab.cli.models import add_family, open_model

if TYPE_CHECKING:
    from bortlab.model import FilledMask

EXAMPLES = """\
  bortlab predict "Paris is the [MASK] of France."
  bortlab predict "A [MASK] is a kind of [MASK]." --model albert-mini bort-mini --top 3
  bortlab predict "Paris is the [MASK] of France." --model path/to/folder --json\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The text, the models, and how the answer is written."""
    parser.add_argument("text", help="a text with at least one [MASK], whatever the model's own mask token is")
    parser.add_argument(
        "--model",
        nargs="+",
        default=["albert-mini"],
        metavar="MODEL",
        help="keys (see `bortlab checkpoints`) or folders in Hugging Face layout (default: albert-mini)",
    )
    add_family(parser)
    parser.add_argument("--download", action="store_true", help="fetch published models that are not on this machine")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="guesses for each blank (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: argparse.Namespace) -> None:
    """Ask one model after the other."""
    import json

    answers = {}
    for name in options.model:
        model = open_model(name, family=options.family, download=options.download)
        answers[name] = model.fill_mask(options.text, top_k=options.top)
        if not options.json:
            print(f"{model.key} ({model.family.title}; masked-LM head: {model.heads['masked-lm']})\n{answers[name]}\n")
    if options.json:
        print(json.dumps({name: guesses(filled) for name, filled in answers.items()}, ensure_ascii=False, indent=2))


def guesses(filled: FilledMask) -> list[list[dict[str, str | float]]]:
    """For each blank its guesses, best first."""
    return [
        [{"text": guess.text, "probability": guess.probability} for guess in blank.candidates]
        for blank in filled.blanks
    ]
