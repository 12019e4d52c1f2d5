"""Fifty visitors for a minute, 120 at one moment: the real server, started as `make app` does, asked over its protocol.

`pytest -m load -s` prints the figures; BORTLAB_LOAD_REPORT=load.json writes them down, with the machine's state beside
them. Visitors and server share the machine, so the times are those of a laptop that does both. No time is asserted but
the pool's own limit for an answer, and one second for the health endpoint.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas
import pytest
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.proto.Element_pb2 import Element

import bortlab
from bortlab.analysis import predict
from bortlab.system.machine import cores
from bortlab.text import MASK
from bortlab.ui.shared import FOOTER
from bortlab.ui.startup import minis
from bortlab.work import pool
from tests.load import classroom
from tests.load.protocol import Run, Visitor, in_a_thread
from tests.load.serving import (
    LIMIT_S,
    Lab,
    Watch,
    assert_answered,
    is_busy,
    percentiles,
    sentences,
    serve,
    shows,
    state_of_the_machine,
    until_empty,
)

pytestmark = [
    pytest.mark.load,
    pytest.mark.skipif(not minis(), reason="needs a bundled model in assets/checkpoints"),
]

REPORT = "BORTLAB_LOAD_REPORT"
VISITORS, SECONDS, THINK_S = 50, 60.0, (2.0, 4.0)
WARM_S = 10.0
BURST = 120
EXECUTOR = cores() + 4
"""Threads that asyncio's own pool may start at any time, and keeps."""
KEPT: int = inspect.signature(pool.Pool).parameters["results"].default
"""Results that the pool keeps; more than these, and a few under way, would be a leak."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The server as it is shipped; only that it forgets sessions soon after they end."""
    with serve("", tmp_path_factory.mktemp("lab") / "log.txt") as lab:
        yield lab


@pytest.fixture(scope="module")
def small_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server with one worker and room for two requests, where "busy" is certain to be said."""
    small = "pool.configure_torch(); pool._default = pool.Pool(1, 2)"
    with serve(small, tmp_path_factory.mktemp("small") / "log.txt") as lab:
        yield lab


def assert_right(run: Run, text: str) -> None:
    """The page's numbers are those that are computed here, without server, pool and neighbours."""
    shown = convert_arrow_bytes_to_pandas_df(run.of("dataframe")[-1].dataframe.arrow_data.data)
    alone = predict.frame({key: bortlab.load(key).fill_mask(text, top_k=5) for key in minis()})
    pandas.testing.assert_frame_equal(shown, alone, check_dtype=False, rtol=1e-4)


# -- a minute of a class -----------------------------------------------------------------------------------------------


async def stay(
    port: int, texts: Sequence[str], seed: int, until: float, think_s: tuple[float, float] = THINK_S
) -> list[tuple[str, Run]]:
    """Come, read, write the next sentence, read, and so on; every fifth time in two pieces, as one who types."""
    chance = random.Random(seed)
    runs = []
    await asyncio.sleep(chance.uniform(0, think_s[1]))
    async with Visitor(port) as visitor:
        first = await visitor.visit("predict", limit_s=LIMIT_S)
        assert_answered(first)
        for text in texts:
            await asyncio.sleep(chance.uniform(*think_s))
            if time.monotonic() >= until:
                break
            if chance.random() < 0.2:
                await visitor.type("text", text[: text.index(MASK)])
                await asyncio.sleep(chance.uniform(0.02, 0.3))
            run = await visitor.write("text", text, limit_s=LIMIT_S)
            if run.finished and not shows(run, text):  # the end of what was typed before, under way when this was sent
                run = await visitor.answer(time.perf_counter() - run.seconds, limit_s=LIMIT_S)
            runs.append((text, run))
    return runs


def test_fifty_visitors_for_a_minute(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Everybody is answered, with the right answer; memory, threads, files and sessions are where they were before."""
    each = int(SECONDS / THINK_S[0]) + 1
    texts = sentences(VISITORS * 2 * each, seed=1)
    machine = state_of_the_machine()

    async def minute() -> tuple[list[list[tuple[str, Run]]], Watch, float, int]:
        warm, until = texts[VISITORS * each :], time.monotonic() + WARM_S  # harder than what follows
        await asyncio.gather(*(stay(lab.port, warm[i::VISITORS], i, until, (0.1, 0.5)) for i in range(VISITORS)))
        await until_empty(lab)
        before.extend((lab.threads(), lab.files()))
        watch = Watch(lab)
        watching = asyncio.create_task(watch.run())
        began, until = time.perf_counter(), time.monotonic() + SECONDS
        runs = await asyncio.gather(
            *(stay(lab.port, texts[i : VISITORS * each : VISITORS], i, until) for i in range(VISITORS))
        )
        took = time.perf_counter() - began
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert watching.cancelled(), watching.exception()
        await until_empty(lab)
        return runs, watch, took, await lab.results()

    before: list[int] = []
    of_visitors, watch, took, alive = in_a_thread(minute())
    runs = [pair for visits in of_visitors for pair in visits]
    for text, run in runs:
        assert_answered(run, text)
        assert run.seconds < LIMIT_S
    for visits in of_visitors[::5]:
        text, run = visits[-1]
        assert_right(run, text)

    first, last = watch.growth(took / 6, took)  # the first sixth belongs to those who are still coming
    between = len(runs) * (2 / 3) * (5 / 6)  # from the middle of the first third to that of the last
    allowed = between * statistics.mean(run.n_bytes for _, run in runs) / 1e6  # if what one run sends stayed each time
    threads, files = lab.threads(), lab.files()
    times = [run.seconds for _, run in runs]
    report(
        capsys,
        "50 visitors, 1 minute",
        machine,
        visitors=VISITORS,
        runs=len(runs),
        seconds=took,
        runs_per_s=len(runs) / took,
        failed=0,
        **percentiles(times),
        kilobytes_per_run=statistics.mean(run.n_bytes for _, run in runs) / 1000,
        rss_first_third_mb=first,
        rss_last_third_mb=last,
        rss_allowed_mb=allowed,
        results_alive=alive,
        threads_before=before[0],
        threads_after=threads,
        files_before=before[1],
        files_after=files,
        health_max_ms=1000 * max(watch.health_s),
    )
    assert len(runs) > VISITORS * SECONDS / (THINK_S[1] + LIMIT_S)
    assert len(runs) * len(minis()) > 4 * KEPT  # else the next line could not fail
    assert alive <= KEPT + len(minis()), "Results outlive the pool's store."
    assert last - first < allowed, "Memory grows with every run."
    assert threads <= before[0] + EXECUTOR and files <= before[1] + 3
    watch.assert_healthy(machine)
    assert "Traceback" not in lab.log.read_text(), lab.log.read_text()


def test_the_same_again_costs_little(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """With fifty tabs open, a rerun that changes nothing is answered from what is kept; its time is only printed."""
    machine = state_of_the_machine()

    async def reruns() -> list[Run]:
        visitors = [Visitor(lab.port) for _ in range(VISITORS)]
        try:
            for visitor in visitors:
                await visitor.__aenter__()
                assert_answered(await visitor.visit("predict", limit_s=LIMIT_S))
            return [await visitor.rerun(limit_s=LIMIT_S) for _ in range(2) for visitor in visitors]
        finally:
            await asyncio.gather(*(visitor.socket.close() for visitor in visitors))

    runs = in_a_thread(reruns())
    for run in runs:
        assert_answered(run)
    report(capsys, "no-op rerun, 50 tabs open", machine, runs=len(runs), **percentiles([run.seconds for run in runs]))


# -- a class on many pages ---------------------------------------------------------------------------------------------


def test_a_class_on_many_pages(lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What `make load` does for minutes, for some seconds: every page answers, or says that the lab is busy."""
    monkeypatch.setattr(classroom, "THINK_S", (0.2, 1.0))
    machine = state_of_the_machine()
    lesson = classroom.hold(lab, classroom.PAGES, visitors=2 * len(classroom.PAGES), seconds=6)
    assert {visit.outcome for visit in lesson.visits} <= {"answered", "busy"}, lesson.failures
    assert {visit.page for visit in lesson.visits} == set(classroom.PAGES)
    report(capsys, "10 visitors on many pages", machine, **lesson.figures())
    assert "Traceback" not in lab.log.read_text(), lab.log.read_text()


def test_what_must_not_be_is_told() -> None:
    visit = classroom.Visit("predict", 1.0, "answered")
    fine = classroom.Lesson([visit, replace(visit, outcome="busy")], 10.0, (500.0, 540.0), 0.1)
    assert not fine.failures
    assert fine.figures("predict")["busy"] == 1 and fine.figures("layers") == {"answers": 0}
    wrong = classroom.Lesson([visit, replace(visit, outcome="late")], 10.0, (500.0, 560.0), 0.1)
    assert wrong.failures == ["predict: late", "memory grew from 500 to 560 MB"]


def test_what_a_run_came_to() -> None:
    run = Run(finished=True, seconds=1.0)
    assert classroom.outcome(run) == "the page did not run to its end"
    run.elements.append(Element())
    run.elements[0].markdown.body = FOOTER
    assert classroom.outcome(run) == "answered"
    assert (
        classroom.outcome(replace(run, seconds=LIMIT_S + 2))
        == classroom.outcome(replace(run, finished=False))
        == "late"
    )
    for body, expected in (
        ("The lab is busy: 9 wait.", "busy"),
        ("Something went wrong here.", "Something went wrong here."),
    ):
        warning = Element()
        warning.alert.body = body
        assert classroom.outcome(replace(run, elements=[*run.elements, warning])) == expected
    broken = Element()
    broken.exception.type, broken.exception.message = "KeyError", "x"
    assert classroom.outcome(replace(run, elements=[broken])) == "exception: KeyError: x"


# -- everybody at once -------------------------------------------------------------------------------------------------


def test_a_burst_is_answered(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """120 sentences at one moment: each is answered or told "busy", and the server lives on."""
    burst(lab, capsys, "120 at one moment")


def test_a_burst_that_does_not_fit_is_told_so(small_lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """The same where next to nothing may wait: many read that the lab is busy, and still nobody sees an exception."""
    assert burst(small_lab, capsys, "120 at one moment, room for 2") > 0


def burst(lab: Lab, capsys: pytest.CaptureFixture[str], name: str) -> int:
    """Everybody presses at once; how many were told "busy"."""
    texts = sentences(BURST + 1, seed=2)
    machine = state_of_the_machine()
    watch = Watch(lab)

    async def press() -> tuple[list[Run], Run]:
        visitors = [Visitor(lab.port) for _ in range(BURST)]
        try:
            for visitor in visitors:
                await visitor.__aenter__()
                assert_answered(await visitor.visit("predict", limit_s=LIMIT_S))
            watching = asyncio.create_task(watch.run())
            runs = await asyncio.gather(
                *(who.write("text", text, limit_s=2 * LIMIT_S) for who, text in zip(visitors, texts[:-1], strict=True))
            )
            watching.cancel()
            return runs, await visitors[0].write("text", texts[-1], limit_s=LIMIT_S)
        finally:
            await asyncio.gather(*(visitor.socket.close() for visitor in visitors))

    runs, afterwards = in_a_thread(press())
    busy = [run for run in runs if is_busy(run)]
    for text, run in zip(texts[:-1], runs, strict=True):
        assert run.finished and not run.exceptions, (text, run.exceptions)
        if not is_busy(run):
            assert_answered(run, text)
    assert_answered(afterwards, texts[-1])
    report(
        capsys,
        name,
        machine,
        visitors=BURST,
        told_busy=len(busy),
        failed=0,
        **percentiles([run.seconds for run in runs]),
        health_max_ms=1000 * max(watch.health_s),
    )
    assert "Traceback" not in lab.log.read_text(), lab.log.read_text()
    return len(busy)


# -- figures -----------------------------------------------------------------------------------------------------------


def report(capsys: pytest.CaptureFixture[str], name: str, machine: dict[str, object], **figures: float) -> None:
    """One line to read; and, where the environment names a file, the same in it."""
    rounded = {key: round(value, 1) for key, value in figures.items()}
    with capsys.disabled():
        said = ", ".join(f"{key} {value:,}" for key, value in rounded.items())
        print(f"\n{name}: {said} ({machine['cores']} cores, {machine['busy_before']:.0%} busy before)")
    if path := os.environ.get(REPORT):
        file = Path(path)
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(known | {name: {"figures": rounded, "machine": machine}}, indent=2) + "\n")
