"""A class on the lab for some minutes: `make load`, or `python -m tests.load.classroom --visitors 100 --seconds 300`.

Each visitor opens a page in a tab, reads, writes the next sentence, reads, and after a few sentences goes on to another
page in another tab. Everybody must be answered, or told that the lab is busy, within the time that the pool promises;
no page may show an exception, and the server's memory must not grow. Visitors and server share the machine, and the
report says what else it did. Exit code 1 if a page failed, an answer was late, or memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bortlab.ui.shared import FOOTER
from tests.load.protocol import Run, Visitor, in_a_thread
from tests.load.serving import (
    LIMIT_S,
    Lab,
    Watch,
    is_busy,
    percentiles,
    sentences,
    serve,
    state_of_the_machine,
    until_empty,
)

PAGES = ("predict", "attention", "attribution", "layers", "Fine_tune")
COMPARISON = {"data": "field", "models": "bort-mini", "examples": "50", "epochs": "1"}
"""A small comparison whose results the visitors of Fine-tune look at; it is made beforehand."""
THINK_S = (5.0, 15.0)
"""Least and most seconds between an answer and the next sentence."""
STAY = (3, 6)
"""Least and most sentences on a page."""
GROWTH = 1.1
"""Memory in the last third by that in the first, at most."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One answer. outcome: "answered", "busy", "late", or what went wrong."""

    page: str
    seconds: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """How a class went. megabytes: of the server, medians of the first and the last third."""

    visits: Sequence[Visit]
    seconds: float
    megabytes: tuple[float, float]
    health_max_s: float

    @property
    def failures(self) -> list[str]:
        """All that must not be: failed and late answers by page, and memory that grew."""
        wrong = [f"{visit.page}: {visit.outcome}" for visit in self.visits if visit.outcome not in ("answered", "busy")]
        first, last = self.megabytes
        return wrong + ([f"memory grew from {first:.0f} to {last:.0f} MB"] if last > GROWTH * first else [])

    def figures(self, page: str = "") -> dict[str, float]:
        """Of one page, or of all."""
        visits = [visit for visit in self.visits if page in ("", visit.page)]
        if len(visits) < 2:
            return {"answers": len(visits)}
        counts = {
            outcome: sum(visit.outcome == outcome for visit in visits) for outcome in ("answered", "busy", "late")
        }
        failed = len(visits) - sum(counts.values())
        seconds = [visit.seconds for visit in visits]
        return {
            "answers": len(visits),
            **counts,
            "failed": failed,
            **percentiles(seconds),
            "max_ms": 1e3 * max(seconds),
        }


def outcome(run: Run) -> str:
    """What a run of a page came to."""
    if run.exceptions:
        return f"exception: {run.exceptions[0]}"
    if not run.finished or run.seconds > LIMIT_S + 1:  # a second for the page around the answer
        return "late"
    if is_busy(run):
        return "busy"
    if FOOTER not in [element.markdown.body for element in run.of("markdown")]:
        return "the page did not run to its end"
    wrong = [alert for alert in run.alerts if "went wrong" in alert]
    return wrong[0] if wrong else "answered"


async def attend(port: int, seed: int, pages: Sequence[str], texts: Sequence[str], until: float) -> list[Visit]:
    """What one visitor does until then: page after page, the first by the visitor's number."""
    chance = random.Random(seed)
    visits: list[Visit] = []
    await asyncio.sleep(chance.uniform(0, THINK_S[1]))
    page = pages[seed % len(pages)]
    while time.monotonic() < until:
        async with Visitor(port) as visitor:
            query = COMPARISON if page == "Fine_tune" else {"text": chance.choice(texts)}
            run = await visitor.visit(page, query, limit_s=2 * LIMIT_S)
            visits.append(Visit(page, run.seconds, outcome(run)))
            box = "probe" if page == "Fine_tune" else "text"
            for _ in range(chance.randint(*STAY)):
                await asyncio.sleep(chance.uniform(*THINK_S))
                if time.monotonic() >= until or box not in visitor.widgets:
                    break
                run = await visitor.write(box, chance.choice(texts), limit_s=2 * LIMIT_S)
                visits.append(Visit(page, run.seconds, outcome(run)))
        page = chance.choice(pages)
    return visits


def hold(lab: Lab, pages: Sequence[str], visitors: int, seconds: float) -> Lesson:
    """So many visitors on these pages for so long."""
    texts = sentences(max(50, visitors * int(seconds / THINK_S[0])), seed=3)

    async def everybody() -> tuple[list[Visit], Watch, float]:
        watch = Watch(lab)
        watching = asyncio.create_task(watch.run())
        began, until = time.perf_counter(), time.monotonic() + seconds
        of_visitors = await asyncio.gather(*(attend(lab.port, seed, pages, texts, until) for seed in range(visitors)))
        took = time.perf_counter() - began
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert watching.cancelled(), watching.exception()
        return [visit for visits in of_visitors for visit in visits], watch, took

    visits, watch, took = in_a_thread(everybody())
    # The first sixth belongs to those who are still coming, and to what is made once.
    return Lesson(visits, took, watch.growth(took / 6, took), max(watch.health_s))


def make_comparison() -> None:
    """Fine-tune one mini, and put the results where the Fine-tune page looks for them."""
    from bortlab.data.labelled import load_task
    from bortlab.training.finetune import ComparisonPlan, compare, job
    from bortlab.ui.finetune.data import bounded
    from bortlab.work.job_folder import Status, write_status
    from bortlab.work.reference import ModelReference

    changes = {"batch": 16, "balanced": False, "epochs": int(COMPARISON["epochs"])}
    models = (ModelReference.named(COMPARISON["models"]),)
    plan = ComparisonPlan(models=models, changes=changes, examples=int(COMPARISON["examples"]))
    data = bounded(load_task(COMPARISON["data"]))
    this = job.job_of(data, plan)
    (this.folder / "work").mkdir(parents=True)
    for _ in compare(data, plan, job.results_folder(this)):
        pass
    about = {"name": this.name, "function": this.function, "arguments": dict(this.arguments)}
    (this.folder / "job.json").write_text(json.dumps(about))
    write_status(this.folder, Status("done", 1.0, "Done."))


def table(lesson: Lesson, pages: Sequence[str]) -> str:
    """A line a page, and one for all."""
    lines = []
    for name in (*pages, ""):
        figures = lesson.figures(name)
        said = ", ".join(f"{key} {value:,.0f}" for key, value in figures.items())
        lines.append(f"{name or 'all'}: {said}")
    first, last = lesson.megabytes
    lines.append(f"memory {first:,.0f} to {last:,.0f} MB, health answered within {lesson.health_max_s:.2f} s")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Hold a class, print how it went, write the JSON; 1 if something must not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.classroom", description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=list(PAGES))
    parser.add_argument("--json", type=Path, help="write every answer's time here")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BORTLAB_CACHE"] = folder  # the visitors' comparison, and nothing of the user's
        if "Fine_tune" in options.pages:
            print("Making the comparison that is looked at ...", file=sys.stderr, flush=True)
            make_comparison()
        machine: Mapping[str, Any] = state_of_the_machine()
        log = Path(folder, "log.txt")
        with serve("", log) as lab:
            lesson = hold(lab, options.pages, options.visitors, options.seconds)
            in_a_thread(until_empty(lab))
            left = lab.megabytes()
        tracebacks = log.read_text().count("Traceback")
    print(f"{options.visitors} visitors, {options.seconds:g} s: {machine}\n{table(lesson, options.pages)}")
    failures = [*lesson.failures, *(["the server's log has a traceback"] if tracebacks else [])]
    for failure in sorted(set(failures)):
        print(f"{failures.count(failure)} times {failure}")
    if options.json:
        about = {"machine": machine, "visitors": options.visitors, "megabytes_afterwards": left}
        options.json.write_text(json.dumps({**about, **asdict(lesson), "failures": failures}, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
