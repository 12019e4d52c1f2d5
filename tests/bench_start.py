"""From `bortlab lab` to the first prediction on a screen, step by step: `python -m tests.bench_start [CHECKOUT ...]`.

A fresh server and a fresh tab of Chromium each time; the link goes straight to Predict. Of several checkouts, such as
one before and one after a change, each starts once in every turn. Wall seconds, and the processor seconds of the
server, which other programs on the machine disturb less. `make bench ARGS="--only start"` does it for this checkout.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from playwright.sync_api import Browser, sync_playwright

from tests import chromium
from tests.bench import ROOT, How, Row

STEPS: Mapping[str, str] = {
    "navigation": "[data-testid=stSidebarNavLink]",
    "title": "[data-testid=stMain] h1",
    "first prediction": ".js-plotly-plot .main-svg",
}
"""What appears on the screen, in this order, and by what it is told."""
ANSWERS = "the server answers"
PATIENCE_S = 120.0
BAR_S = 5.0
"""Seconds within which the first prediction is to be there."""

Waterfall = Mapping[str, tuple[float, float]]
"""Step -> seconds since the start, and seconds of the processor that the server has taken by then."""


@contextmanager
def server(checkout: Path) -> Iterator[tuple[int, psutil.Process]]:
    """`bortlab lab` of a checkout on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "bortlab", "lab", "--server.port", str(port)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start(checkout: Path, browser: Browser) -> Waterfall:
    """Start the lab of a checkout once, and watch a first page come up."""
    waterfall: dict[str, tuple[float, float]] = {}
    page = browser.new_page()
    began = time.perf_counter()
    with server(checkout) as (port, process):

        def note(step: str) -> None:
            took = process.cpu_times()
            waterfall[step] = (time.perf_counter() - began, took.user + took.system)

        _until_it_listens(port, process)
        note(ANSWERS)
        page.goto(f"http://localhost:{port}/predict", wait_until="commit", timeout=1e3 * PATIENCE_S)
        for step, what in STEPS.items():
            page.wait_for_selector(what, timeout=1e3 * PATIENCE_S)
            note(step)
        page.close()
    return waterfall


def _until_it_listens(port: int, process: psutil.Process) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError as error:
            if time.monotonic() > end or process.status() == psutil.STATUS_ZOMBIE:
                raise RuntimeError(f"The lab does not listen on port {port}. Does it start by hand?") from error
            time.sleep(0.01)


def starts(checkouts: Sequence[Path], turns: int) -> dict[Path, list[Waterfall]]:
    """Start every checkout so many times, taking turns, after one start each that fills the disk's cache."""
    waterfalls: dict[Path, list[Waterfall]] = {checkout: [] for checkout in checkouts}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.FLAGS))
        for turn in range(turns + 1):
            for checkout in checkouts:
                waterfall = start(checkout, browser)
                if turn:
                    waterfalls[checkout].append(waterfall)
        browser.close()
    return waterfalls


def bench_start(how: How) -> Iterator[Row]:
    """Milliseconds from the server's start to each step; the ratio of the last one is to BAR_S."""
    (waterfalls,) = starts([ROOT], 2 if how.quick else 3).values()
    for step in (ANSWERS, *STEPS):
        ms = {
            "wall": [1e3 * waterfall[step][0] for waterfall in waterfalls],
            "server's processor": [1e3 * waterfall[step][1] for waterfall in waterfalls],
        }
        bar = 1.0 if step == [*STEPS][-1] else None
        yield Row("start of the lab", step, ms, f"{BAR_S:g} s", median(ms["wall"]) / (1e3 * BAR_S), bar)


def table(waterfalls: Mapping[Path, Sequence[Waterfall]]) -> str:
    """Markdown: a line a step; for each checkout the median and the least wall seconds, and the processor's median."""
    head = [f"{checkout.name}: seconds (least) | its processor" for checkout in waterfalls]
    lines = [f"| | {' | '.join(head)} |", "|---" * (1 + 2 * len(head)) + "|"]
    for step in (ANSWERS, *STEPS):
        cells: list[Any] = [step]
        for of_checkout in waterfalls.values():
            wall, processor = zip(*(waterfall[step] for waterfall in of_checkout), strict=True)
            cells += [f"{median(wall):.1f} ({min(wall):.1f})", f"{median(processor):.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the waterfalls."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench_start", description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT], metavar="CHECKOUT")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args(arguments)
    checkouts = [checkout.resolve() for checkout in options.checkouts]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BORTLAB_CACHE"] = folder  # nothing that this user has measured before
        print(table(starts(checkouts, options.turns)))
    print(f"\nLoad average {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
