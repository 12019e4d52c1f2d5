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
import platform
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas
import psutil
import pytest
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df

import bortlab
from bortlab.analysis import predict
from bortlab.data import corpus
from bortlab.system.machine import cores
from bortlab.text import MASK
from bortlab.ui.shared import FOOTER
from bortlab.ui.startup import minis
from bortlab.work import pool
from tests.load.protocol import Run, Visitor, get, in_a_thread

pytestmark = [
    pytest.mark.load,
    pytest.mark.skipif(not minis(), reason="needs a bundled model in assets/checkpoints"),
]

ROOT = Path(__file__).resolve().parents[2]
REPORT = "BORTLAB_LOAD_REPORT"
VISITORS, SECONDS, THINK_S = 50, 60.0, (2.0, 4.0)
WARM_S, TTL_S = 10.0, 1
BURST = 120
EXECUTOR = cores() + 4
"""Threads that asyncio's own pool may start at any time, and keeps."""
LIMIT_S: float = inspect.signature(pool.Pool.run).parameters["timeout"].default
"""What the pool promises: an answer, or "busy", within this time."""
KEPT: int = inspect.signature(pool.Pool).parameters["results"].default
"""Results that the pool keeps; more than these, and a few under way, would be a leak."""


@dataclass(slots=True)
class Lab:
    """A running server, and what psutil sees of it."""

    port: int
    process: psutil.Process
    log: Path

    def threads(self) -> int:
        """How many threads it has."""
        return int(self.process.num_threads())

    def files(self) -> int:
        """How many file descriptors it holds."""
        return int(self.process.num_fds())

    def megabytes(self) -> float:
        """Its resident memory."""
        return float(self.process.memory_info().rss / 1e6)

    async def results(self) -> int:
        """How many predictions live in it, after a full collection."""
        said = self.log.read_text().count("results alive:")
        self.process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(LIMIT_S):
            while (text := self.log.read_text()).count("results alive:") == said:
                await asyncio.sleep(0.1)
        return int(text.rpartition("results alive:")[2].split()[0])


START = """
import gc, signal, sys
from bortlab.cli.lab import settle_environment
settle_environment()
from bortlab.system.machine import cores
from bortlab.work import pool
from bortlab.model import FilledMask
from bortlab import cli

def count(*_):
    gc.collect()
    print("results alive:", sum(type(thing) is FilledMask for thing in gc.get_objects()), flush=True)

signal.signal(signal.SIGUSR1, count)
{more}
cli.main(["lab", *sys.argv[1:]])
"""
"""`bortlab lab`, which also says on a signal how many results it holds."""


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


@contextmanager
def serve(more: str, log: Path) -> Iterator[Lab]:
    """A server as `bortlab lab` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.port", str(port), "--server.disconnectedSessionTTL", str(TTL_S)]
    with (
        log.open("w") as out,
        subprocess.Popen(
            [sys.executable, "-c", START.format(more=more), *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            in_a_thread(_until_it_answers(port, process, log))
            yield Lab(port, psutil.Process(process.pid), log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


async def _until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the server, then for the first page, which waits for the models."""
    deadline = time.monotonic() + 120
    while True:
        try:
            await get(port, "/_stcore/health")
            break
        except (OSError, TimeoutError):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            await asyncio.sleep(0.2)
    async with Visitor(port) as visitor:
        run = await visitor.visit("predict", limit_s=120)
        assert_answered(run)


# -- what visitors do and see ------------------------------------------------------------------------------------------


def sentences(n: int, seed: int) -> list[str]:
    """n different sentences of the corpus, 4 to 20 words each, one of them hidden."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    documents = corpus.read("heldout")
    while len(found) < n:
        text = chance.choice(chance.choice(documents).sentences)
        words = [word for word in predict.words_of(text) if not word.is_mark]
        if 4 <= len(words) <= 20:
            found[predict.blank_out(text, chance.choice(words))] = None
    return list(found)


def assert_answered(run: Run, text: str | None = None) -> None:
    """The page ran to its end with no exception element, and shows a chart for every model, about this very text."""
    assert run.finished, f"No script_finished within {run.seconds:.0f} s."
    assert not run.exceptions, run.exceptions
    assert FOOTER in [element.markdown.body for element in run.of("markdown")], "The page did not run to its end."
    assert len(run.charts) == len(minis()), f"{len(run.charts)} charts, alerts {run.alerts}."
    if text is not None:
        assert shows(run, text), f"The answer is not about {text!r}."


def shows(run: Run, text: str) -> bool:
    """Is the page about this text? Its Python snippet quotes it."""
    return any(repr(text) in element.code.code_text for element in run.of("code"))


def is_busy(run: Run) -> bool:
    """Does the page say that there is too much to do?"""
    return any("busy" in alert for alert in run.alerts)


def assert_right(run: Run, text: str) -> None:
    """The page's numbers are those that are computed here, without server, pool and neighbours."""
    shown = convert_arrow_bytes_to_pandas_df(run.of("dataframe")[-1].dataframe.arrow_data.data)
    alone = predict.frame({key: bortlab.load(key).fill_mask(text, top_k=5) for key in minis()})
    pandas.testing.assert_frame_equal(shown, alone, check_dtype=False, rtol=1e-4)


# -- a minute of a class -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Watch:
    """What was seen of the server while visitors were there, a line every half second."""

    lab: Lab
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)

    async def run(self) -> None:
        """Look until cancelled."""
        began = time.perf_counter()
        while True:
            asked = time.perf_counter()
            assert await get(self.lab.port, "/_stcore/health", limit_s=LIMIT_S) == "ok"
            self.health_s.append(time.perf_counter() - asked)
            self.seconds.append(asked - began)
            self.megabytes.append(self.lab.megabytes())
            await asyncio.sleep(0.5)

    def assert_healthy(self, machine: Mapping[str, object]) -> None:
        """The health endpoint answers within a second; where others use the cores too, at least half of the time."""
        assert statistics.median(self.health_s) < 1
        assert max(self.health_s) < 1 or float(str(machine["busy_before"])) > 0.5, self.health_s

    def growth(self, start: float, end: float) -> tuple[float, float]:
        """Median megabytes in the first and in the last third of the time between start and end."""
        third = (end - start) / 3
        first = [mb for at, mb in zip(self.seconds, self.megabytes, strict=True) if start <= at < start + third]
        last = [mb for at, mb in zip(self.seconds, self.megabytes, strict=True) if end - third <= at < end]
        return statistics.median(first), statistics.median(last)


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


async def until_empty(lab: Lab) -> None:
    """Wait until nobody is there, and the sessions that were are let go of: by the next one to leave after the TTL."""
    deadline = time.monotonic() + 30
    while "\nactive_sessions 0\n" not in await get(lab.port, "/_stcore/metrics"):
        assert time.monotonic() < deadline, "Sessions stay although everybody has left."
        await asyncio.sleep(0.2)
    for _ in range(2):
        await asyncio.sleep(TTL_S + 0.5)
        async with Visitor(lab.port) as visitor:
            await visitor.visit("predict")
    await asyncio.sleep(1)


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


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The times that half, 95 and 99 of 100 stay below, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50_ms": 1000 * cuts[49], "p95_ms": 1000 * cuts[94], "p99_ms": 1000 * cuts[98]}


def state_of_the_machine() -> dict[str, object]:
    """What the times depend on. busy_before: share of all cores that others used in the second before."""
    return {
        "cpu": next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), ""),
        "cores": cores(),
        "busy_before": round(psutil.cpu_percent(1.0) / 100, 2),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "models": minis(),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


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
