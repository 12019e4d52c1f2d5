"""How the subcommands name a model, and what those that train a part of one have in common."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bortlab.model import Model


def add_family(parser: argparse.ArgumentParser) -> None:
    """The option for a folder that does not say what it is."""
    parser.add_argument(
        "--family", help="of a folder whose config.json cannot tell: a published Bort calls itself bert"
    )


def add_training(parser: argparse.ArgumentParser, pieces: int) -> None:
    """The model whose part is trained, and the budget; pieces: unless told otherwise."""
    parser.add_argument("model", help="key of a model that is on this machine, or its folder")
    add_family(parser)
    parser.add_argument(
        "--pieces", type=int, default=pieces, metavar="N", help="pieces of text to learn from (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the order of the text (default: 0)")


def open_model(
    name: str, *, family: str | None = None, download: bool = False, task: str | None = "masked-lm"
) -> Model:
    """The model of a folder if there is one of this name, else of a key.

    download: if it is not on this machine. task: None is the one that its files were made for, if they say so.
    """
    from bortlab import registry
    from bortlab.work.reference import ModelReference

    reference = ModelReference.named(name, family=family)
    if task is None:
        own = registry.own_task_from if reference.is_folder else registry.own_task
        task = own(name, family=family) or "masked-lm"
    if reference.is_folder:
        return registry.load_from(name, family=family, task=task)
    return registry.load(name, family=family, task=task, download=download)


def open_for_training(options: argparse.Namespace) -> Model:
    """The model that `add_training` names, on the fastest device."""
    from bortlab.work.reference import ModelReference, fastest_device

    return ModelReference.named(options.model, family=options.family).load(fastest_device())
