"""The `bortlab` command, and `python -m bortlab`, which is the same program.

A subcommand is a module of this package with a docstring (its help), `EXAMPLE` (shown beneath the options),
`add_arguments(parser)` and `run(options)`, and one line in `COMMANDS`. What is slow to import is imported inside these
functions, so that `bortlab --help` answers at once.

Exit status: 0 if all went well; 1 with a sentence on standard error for what the user can mend; 2 for a wrong call; 130
for Ctrl+C. A traceback means a bug.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bortlab import __version__

COMMANDS = {
    "lab": "open the lab in a browser",
    "predict": "fill the blanks of a text",
    "lessons": "list the lab's lessons, or check your own",
    "notebook": "list the bundled notebooks, or copy them",
    "checkpoints": "list the models that can be loaded",
    "export": "write a model as files that run without torch",
    "search": "search a space of sizes for the sub-architecture that pays",
    "latency": "measure how fast models are on this machine",
    "finetune": "fine-tune models on labelled texts, and compare them",
    "agora": "fine-tune when labelled texts are scarce, as Bort was",
    "adapt": "train a model further to fill the blanks of a text",
    "lens": "train a tuned lens for a frozen model",
    "minis": "train a bundled model as it was made",
    "tasks": "list the tasks that are ready to fine-tune on, and write one to a file",
    "data": "look at labelled data: columns, task, splits, what is to be known of them",
    "corpus": "build the bundled corpus anew",
}
"""Name of a subcommand, and of its module here -> what it does."""

EXAMPLES = """\
examples:
  bortlab lab
  bortlab predict "Paris is the [MASK] of France." --model albert-mini bert-mini
  bortlab latency --help
"""


class Help(argparse.RawDescriptionHelpFormatter):
    """Help texts as they are written, the names of all commands on their own lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=100)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = parser_for(next((name for name in arguments if not name.startswith("-")), ""))
    options, others = parser.parse_known_args(arguments)
    if others and not hasattr(options, "streamlit_options"):
        parser.error(f"unrecognised arguments: {' '.join(others)}")
    options.streamlit_options = others
    try:
        import_module(f"{__name__}.{options.command}").run(options)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not is_for_the_user(error):
            raise
        print(f"bortlab {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def parser_for(command: str) -> argparse.ArgumentParser:
    """The whole program's parser, with the arguments of this subcommand only: those of others may be slow to import."""
    parser = argparse.ArgumentParser(
        prog="bortlab",
        description="Explore and compare ALBERT, ConvBERT and Bort, with BERT as the reference.",
        epilog=EXAMPLES + "\nbortlab COMMAND --help explains a command.",
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"bortlab {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        module = import_module(f"{__name__}.{name}") if name == command else None
        subparser = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__ if module else None,
            epilog=f"examples:\n{module.EXAMPLES}" if module else None,
            formatter_class=Help,
            allow_abbrev=False,
        )
        if module:
            module.add_arguments(subparser)
    return parser


def is_for_the_user(error: Exception) -> bool:
    """Whether the message tells the user what to mend: the system's errors, and those that bortlab itself raises.

    A ValueError that comes out of another package's code is a bug here, and keeps its traceback.
    """
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    is_ours = Path(frame.f_code.co_filename).is_relative_to(Path(__file__).parents[1])
    return isinstance(error, OSError) or (is_ours and isinstance(error, ValueError | RuntimeError | ImportError))
