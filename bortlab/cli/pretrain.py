"""Train a mini from scratch on the bundled corpus, or resume its training.

A run lives in a folder and may be killed at any moment, also with -9: the same command resumes it from its last
checkpoint, and reaches the same weights as an uninterrupted run. Uses CUDA with bfloat16 where there is a GPU.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

EXAMPLES = """\
  bortlab pretrain --family albert --pieces 20000000 --export
  bortlab pretrain --family bort --minutes 10
      for ten minutes; the same line again resumes\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The recipe, and how long to run it."""
    from bortlab.models import FAMILIES
    from bortlab.training.pretrain import OPTIONS, RUNS, Recipe

    recipe = Recipe(family="")
    parser.add_argument("--family", required=True, choices=list(FAMILIES))
    for name in OPTIONS[1:]:
        value = getattr(recipe, name)
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(value), default=value, help="of the recipe (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help=f"the run's folder (default: {RUNS}/FAMILY-mini)")
    parser.add_argument("--device", help="cpu or cuda (default: cuda where there is a GPU)")
    parser.add_argument("--threads", type=int, help="of the CPU (default: torch's choice)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after this time, resumably")
    parser.add_argument(
        "--every", type=int, default=500_000, metavar="PIECES", help="between measurements (default: %(default)s)"
    )
    parser.add_argument("--export", action="store_true", help="write the mini to assets/checkpoints when the run ends")


def run(options: argparse.Namespace) -> None:
    """Train, resume and export a mini."""
    import torch

    from bortlab.training.pretrain import OPTIONS, RUNS, Recipe, train

    if options.threads:
        torch.set_num_threads(options.threads)
    folder = options.folder or RUNS / f"{options.family}-mini"
    folder.mkdir(parents=True, exist_ok=True)
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    recipe = Recipe(**{name: getattr(options, name) for name in OPTIONS})
    trained = train(recipe, folder, device=device, minutes=options.minutes, every=options.every)
    if options.export:
        from bortlab.training.export import export

        print(export(trained))
