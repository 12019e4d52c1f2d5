"""List the models that can be loaded: their size, their licence, and whether they are on this machine."""

from __future__ import annotations

import argparse

EXAMPLES = """\
  bortlab checkpoints
  bortlab checkpoints --offline
  bortlab checkpoints --json > checkpoints.json\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which models, and how they are written."""
    parser.add_argument("--offline", action="store_true", help="only those that load without a network")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: argparse.Namespace) -> None:
    """Print `bortlab.checkpoints()`."""
    from bortlab.registry import checkpoints

    table = checkpoints()
    if options.offline:
        table = table[table["offline"]]
    print(table.to_json(orient="records", indent=2) if options.json else table.to_string(index=False))
