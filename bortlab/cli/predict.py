"""Fill the blanks of a text: what each model puts in place of [MASK], and how probable it finds that."""

from __future__ import annotations

import argparse

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
    parser.add_argument(
        "--family", help="of a folder whose config.json cannot tell: a published Bort calls itself bert"
    )
    parser.add_argument("--top", type=int, default=5, metavar="N", help="guesses for each blank (default: 5)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: argparse.Namespace) -> None:
    """Ask one model after the other."""
    import json

    from bortlab.cli.models import open_model

    answers = {}
    for name in options.model:
        model = open_model(name, options.family)
        answers[name] = model.fill_mask(options.text, top_k=options.top)
        if not options.json:
            print(f"{model.key} ({model.family.title}; masked-LM head: {model.heads['masked-lm']})\n{answers[name]}\n")
    if options.json:
        print(
            json.dumps(
                {
                    name: [
                        [{"text": guess.text, "probability": guess.probability} for guess in blank.candidates]
                        for blank in filled.blanks
                    ]
                    for name, filled in answers.items()
                },
                ensure_ascii=False,
                indent=2,
            )
        )
