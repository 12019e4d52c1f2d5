"""Search a space of sizes for the sub-architecture that pays: our interpretation of how Bort was found.

Parameters and operations are exact, by closed formula. The error is a formula, a file of measured errors (JSON: name ->
error), or what candidates that are trained here reach (--train, resumable).
"""

from __future__ import annotations

import argparse
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bortlab.cli.progress import Progress

if TYPE_CHECKING:
    from bortlab.search import Extraction

EXAMPLES = """\
  bortlab search --space bort --stride 3
  bortlab search --space bort --maximum bert-large-uncased --error power --pieces 512 --out results
  bortlab search --space albert --error width-depth --size effective
  bortlab search --space mine.toml --error measured.json
  bortlab search --space bort --stride 25 --pieces 128 --latency
      time the representatives here, and compare with operations
  bortlab search --space minis --stride 4 --train folder
      train the representatives; call it again to go on
  bortlab search --study folder/grid.json
      what a trained grid says of the search itself\
"""
COLUMNS = ("candidate", "parameters", "without embeddings", "operations", "factor", "error", "W", "on the front")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--space",
        default="bort",
        metavar="NAME",
        help="bort, minis, minis-heads, albert, convbert, or FILE.toml (default: bort)",
    )
    parser.add_argument("--stride", type=int, default=1, help="look at one of every so many (default: 1, all)")
    parser.add_argument(
        "--maximum", default="largest", metavar="MODEL", help="maximum point: a model, or largest (default: largest)"
    )
    parser.add_argument(
        "--error",
        default="equal",
        metavar="NAME",
        help="equal, power, width-depth, or FILE.json with measured errors (default: equal)",
    )
    parser.add_argument("--pieces", type=int, help="length that operations are for (default: the longest, at most 512)")
    parser.add_argument("--size", default="parameters", choices=("parameters", "effective"), help="what p counts")
    parser.add_argument("--keep", default="first", choices=("first", "last"), help="which of each block is looked at")
    parser.add_argument("--ends", action="store_true", help="look at the smallest and the largest too")
    parser.add_argument("--top", type=int, default=10, help="candidates that are printed (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save everything")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="save a report (HTML), the numbers (JSON) and CSV")
    parser.add_argument("--latency", action="store_true", help="time the representatives on this machine")
    parser.add_argument("--threads", type=int, default=1, help="of --latency (default: %(default)s)")
    training = parser.add_argument_group("training")
    training.add_argument("--train", type=Path, metavar="FOLDER", help="train the representatives; goes on in a folder")
    training.add_argument(
        "--candidates", nargs="+", metavar="NAME", help="train these instead, in this order, such as 2-4-224-168"
    )
    training.add_argument("--teacher", default="bert-mini", metavar="MODEL", help="the maximum point, which teaches")
    training.add_argument("--budget", type=int, default=480_000, help="pieces each sees (default: %(default)s)")
    training.add_argument("--seeds", type=int, default=3, help="trainings of each (default: %(default)s)")
    training.add_argument("--rates", nargs="+", type=float, default=[4e-3, 1e-2], help="learning rates to choose from")
    training.add_argument("--every-rate", action="store_true", help="all seeds try all rates, not only the first")
    training.add_argument("--workers", type=int, help="trainings at once (default: as cores and memory allow)")
    training.add_argument("--ray", metavar="ADDRESS", help="train on a Ray cluster: auto, HOST:PORT or local")
    training.add_argument("--study", type=Path, metavar="JSON", help="study a trained grid; search nothing")


def run(options: argparse.Namespace) -> None:
    """Search and print the candidates with the largest W; or train, time or study."""
    if options.study:
        _study(options)
    elif options.train:
        _train(options)
    else:
        _search(options)


def _extraction(options: argparse.Namespace) -> Extraction:
    from bortlab import search

    return search.search(
        options.space,
        stride=options.stride,
        maximum=options.maximum,
        error=_error(options.error),
        seq=options.pieces,
        size=options.size,
        keep=options.keep,
        ends=options.ends,
    )


def _error(name: str) -> Any:
    """A name of an error, or the contents of a file of measured ones."""
    if not name.endswith(".json"):
        return name
    try:
        errors = json.loads(Path(name).read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ValueError(f"{name} is not JSON: {problem}.") from None
    if not isinstance(errors, dict) or not all(type(value) in (int, float) for value in errors.values()):
        raise ValueError(f'{name}: expected names and errors, as in {{"4-8-1024-768": 2.1}}.')
    return errors


def _search(options: argparse.Namespace) -> None:
    from bortlab.search import standings
    from bortlab.views.search import findings, table

    extraction = _extraction(options)
    if options.latency:
        _latency(options, extraction)
        return
    best = table(extraction)[list(COLUMNS)].head(max(1, options.top))
    print(best.to_string(index=False, float_format="{:.4g}".format))
    print("\n".join(map(_plain, findings(extraction))))
    for standing in standings(extraction):
        factor = "larger than the maximum point" if standing.factor is None else f"factor {standing.factor:.3f}"
        print(f"{standing.landmark.title} ({standing.name}): {standing.costs.parameters:,} parameters, {factor}.")
    _save(options, extraction.to_dict(), extraction)


def _plain(sentence: str) -> str:
    """A sentence of Markdown as a terminal shows it."""
    return html.unescape(sentence.replace("**", ""))


def _save(options: argparse.Namespace, data: dict[str, Any], extraction: Extraction) -> None:
    from bortlab.system.store import write
    from bortlab.views.search import pair
    from bortlab.views.theme import Look
    from bortlab.views.view import page

    text = json.dumps(data, indent=1).encode()
    if options.json:
        write(options.json, text)
    if options.out:
        views = [pair(extraction, x, y, Look("light")) for x, y in (("parameters", "operations"), ("parameters", "W"))]
        write(options.out / "search.json", text)
        write(options.out / "candidates.csv", extraction.frame().to_csv(index=False).encode())
        write(options.out / "report.html", page(views).encode())


def _latency(options: argparse.Namespace, extraction: Extraction) -> None:
    from bortlab.analysis import latency
    from bortlab.search.latency import latency_plan, timed
    from bortlab.system.store import write
    from bortlab.views.search import timed_sentences

    plan = latency_plan(extraction, threads=options.threads)
    with Progress() as progress:
        run = latency.measure(plan, report=progress)
    result = timed(extraction, run)
    print(result.frame().to_string(index=False, float_format="{:.4g}".format))
    print("\n".join(map(_plain, timed_sentences(result))))
    if options.json:
        write(options.json, json.dumps(result.to_dict(), indent=1).encode())


def _train(options: argparse.Namespace) -> None:
    from bortlab.search.candidate_run import Budget
    from bortlab.search.grid import TrainingGrid, train_grid

    if not options.candidates:
        options.error, options.maximum = "equal", "largest"
        options.candidates = [row.name for row in _extraction(options).representatives]
    grid = TrainingGrid(
        space=options.space,
        candidates=tuple(options.candidates),
        teacher=options.teacher,
        budget=Budget(pieces=options.budget),
        rates=tuple(options.rates),
        seeds=tuple(range(options.seeds)),
        every_rate=options.every_rate,
    )
    with Progress() as progress:
        train_grid(grid, options.train, tell=progress, workers=options.workers, ray=options.ray)
    print(f"{options.train / 'grid.json'} holds the trainings; study them with --study.")


def _study(options: argparse.Namespace) -> None:
    from bortlab.search.grid import read_grid
    from bortlab.search.heads import heads_study
    from bortlab.search.learning_curves import learning_curves
    from bortlab.search.study import study
    from bortlab.system.store import write
    from bortlab.views.search import heads_sentences, length_sentence, study_sentences, verdict_sentences

    trained = read_grid(options.study)
    result = study(trained, size=options.size)
    sentences = [*study_sentences(trained, result), length_sentence(learning_curves(trained, result.names))]
    sentences += verdict_sentences(trained, result, size=options.size)
    sentences += heads_sentences(heads_study(trained))
    print("\n".join(map(_plain, sentences)))
    if options.json:
        write(options.json, json.dumps({**trained.to_dict(), "study": result.to_dict()}, indent=1).encode())
