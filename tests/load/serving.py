"""The lab's server as `bortlab lab` starts it, watched, for visitors who measure it; and what they write and see."""

from __future__ import annotations

import asyncio
import inspect
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

import psutil

from bortlab.analysis import predict
from bortlab.data import corpus
from bortlab.system.machine import cores, processor
from bortlab.ui.shared import FOOTER
from bortlab.ui.startup import minis
from bortlab.work import pool
from tests.load.protocol import Run, Visitor, get, in_a_thread

ROOT = Path(__file__).resolve().parents[2]
TTL_S = 1
"""Seconds after which the server forgets who has left."""
LIMIT_S: float = inspect.signature(pool.Pool.run).parameters["timeout"].default
"""What the pool promises: an answer, or "busy", within this time."""


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
            in_a_thread(until_it_answers(port, process, log))
            yield Lab(port, psutil.Process(process.pid), log)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


async def until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
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
        assert run.finished and not run.exceptions, log.read_text()


# -- what visitors write and see ---------------------------------------------------------------------------------------


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


# -- watching --------------------------------------------------------------------------------------------------------


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


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The times that half, 95 and 99 of 100 stay below, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50_ms": 1000 * cuts[49], "p95_ms": 1000 * cuts[94], "p99_ms": 1000 * cuts[98]}


def state_of_the_machine() -> dict[str, object]:
    """What the times depend on. busy_before: share of all cores that others used in the second before."""
    return {
        "cpu": processor(),
        "cores": cores(),
        "busy_before": round(psutil.cpu_percent(1.0) / 100, 2),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "models": minis(),
    }
