"""List the tasks that are ready to fine-tune on, and write one to a file.

The bundled tasks need no network. The others are fetched once with --fetch and stay on this machine; one without a
network can be given the file, or the checkout, with --from.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bortlab.data.labelled import Card

EXAMPLES = """\
  bortlab tasks
  bortlab tasks supersense
      its card: source, licence, rows, classes, baselines
  bortlab tasks supersense --out supersense.csv
  bortlab tasks tweet-sentiment --fetch --from ~/Downloads/vaderSentiment-3.3.2.tar.gz\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which task, and what becomes of it."""
    parser.add_argument("task", nargs="?", metavar="NAME", help="a task; all of them unless named")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write its examples: .csv, .tsv or .jsonl by the name")
    parser.add_argument("--fetch", action="store_true", help="download it, and the others of its source")
    parser.add_argument("--from", dest="place", metavar="PLACE", help="a file, a folder or an address to fetch it from")
    parser.add_argument(
        "--build",
        action="store_true",
        help="make the bundled tasks anew from the bundled corpus, and measure baselines",
    )


def run(options: argparse.Namespace) -> None:
    """List, show, fetch, write or build."""
    from bortlab.data.labelled import fetch_task, load_task, tasks
    from bortlab.data.labelled.exported import write_examples

    if options.build:
        build(options.out)
        return
    if options.task is None:
        if options.out or options.fetch:
            raise ValueError("Name the task: bortlab tasks NAME --out FILE. `bortlab tasks` lists them.")
        print(listing(tasks(fetchable=True)))
        return
    data = fetch_task(options.task, options.place) if options.fetch or options.place else None
    if options.out:
        data = data or load_task(options.task)
        write_examples(data, options.out)
        print(f"{options.out}: {len(data):,} examples")
    else:
        card = next((card for card in tasks(fetchable=True) if card.name == options.task), None)
        print(about(card) if card else load_task(options.task))  # the latter says which are known


def listing(cards: tuple[Card, ...]) -> str:
    """A line for each task, the bundled ones before the others."""
    width = max(len(card.name) for card in cards)
    lines = []
    for card in cards:
        rows = f"{sum(card.rows.values()):,}" if card.rows else "fetched" if card.is_here else "--fetch"
        lines.append(f"{card.name:<{width}}  {rows:>7}  {card.description}")
    return "\n".join([f"{'task':<{width}}  {'rows':>7}  what is asked", *lines])


def about(card: Card) -> str:
    """A card as lines."""
    facts = {
        "asked": card.description,
        "task": card.task,
        "source": card.source,
        "licence": card.licence,
        "rows": ", ".join(f"{count:,} {split}" for split, count in card.rows.items())
        or ("fetched" if card.is_here else "not fetched yet"),
        "split by": card.group,
        "classes": ", ".join(f"{name} {count:,}" for name, count in card.classes.items()),
    }
    if card.majority is not None and card.linear is not None:
        facts["on test"] = f"{card.measure}: commonest class {card.majority:.3f}, TF-IDF + linear {card.linear:.3f}"
    return "\n".join(f"{name:<9} {fact}" for name, fact in facts.items() if fact)


def build(out: Path | None) -> None:
    """Make the bundled tasks anew and measure their baselines."""
    from bortlab.data.labelled.bundled.build import note_measured, write_tasks
    from bortlab.data.labelled.bundled.recipes import RECIPES
    from bortlab.system.assets import TASKS

    folder = out or TASKS
    write_tasks(folder)
    note_measured(folder, {name: baselines(name, folder) for name in RECIPES})
    print(folder)


def baselines(name: str, folder: Path) -> dict[str, object]:
    """What the baselines that read no more than words reach on a bundled task's test examples."""
    from bortlab.analysis.evaluation import main_measure, measure_of
    from bortlab.data.labelled.tasks import bundled_task
    from bortlab.training.finetune import BASELINES

    data = bundled_task(name, folder)
    measure, main = measure_of(data), main_measure(data)
    figures = {}
    for key, column in (("majority", "majority"), ("words", "linear")):
        baseline = BASELINES[key](data)
        if baseline is not None:
            outcomes = measure.outcomes(data, data.test, baseline.predict(data.test))
            figures[column] = round(float(measure.figures(outcomes)[main]), 4)
    return {"measure": main, **figures}
