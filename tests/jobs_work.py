"""Functions that the tests run as jobs: tests/test_jobs.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bortlab.system import assets
from bortlab.system.store import write
from bortlab.work.jobs import Running


def count(running: Running, *, to: int, pause: float = 0.0, die_at: int = -1) -> dict[str, Any]:
    """Add up the numbers below `to`, with a checkpoint after each. die_at: be killed there, the first time."""
    path, total, first = running.folder / "total", 0, 0
    if path.exists():
        first, total = map(int, path.read_text().split())
    for number in range(first, to):
        if number == die_at and first == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        total += number
        write(path, f"{number + 1} {total}".encode())
        running.report((number + 1) / to, f"{number + 1} of {to}", total=total)
        time.sleep(pause)
    return {"total": total, "began_at": first, "pid": os.getpid()}


def fail(running: Running) -> None:
    """Fail after a while."""
    running.report(0.5, "Half of it.", half=1)
    raise ValueError("The corpus is empty:\n  give it a sentence.")


def disguised(running: Running) -> None:
    """Fail with another error when it is cancelled, as numpy does if that happens while C imports it."""
    running.report(0.5, "Half of it.")
    try:
        time.sleep(600)
    except BaseException:
        raise ImportError("cannot load module more than once per process") from None


SLEEP = (sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")


def stubborn(running: Running, *, pids: str, own_session: bool = False) -> None:
    """Start a process, and let nothing end either of them but SIGKILL."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(SLEEP, start_new_session=own_session)
    Path(pids).write_text(f"{os.getpid()} {child.pid}")
    running.report(0.1, "Running.")
    while True:
        time.sleep(1)


def careless(running: Running, *, pids: str) -> None:
    """Start processes, one in a session of its own, and end without ending them."""
    children = [subprocess.Popen(SLEEP, start_new_session=own_session) for own_session in (False, True)]
    Path(pids).write_text(" ".join(str(child.pid) for child in children))


def side_by_side(running: Running, *, folder: str, number: int) -> dict[str, int]:
    """How many of these run at this moment."""
    mark = Path(folder) / str(number)
    mark.touch()
    most = 0
    for _ in range(10):
        most = max(most, len(list(Path(folder).iterdir())))
        time.sleep(0.02)
    mark.unlink()
    return {"most": most}


def adapt_and_die(running: Running, **arguments: Any) -> Any:
    """Adapt a model, with a checkpoint after each step; be killed at the third, the first time."""
    import torch

    from bortlab.training import adapt

    adapt.SAVE_S = 0.0
    adapt.give_way = lambda: torch.set_num_threads(1)  # as many threads as the tests: sums depend on it
    save, mark = adapt.MaskedLMRun.save, running.folder / "died"

    def save_and_die(run: adapt.MaskedLMRun, name: str = "state.pt") -> None:
        save(run, name)
        if run.step >= 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    adapt.MaskedLMRun.save = save_and_die  # type: ignore[method-assign]
    return adapt.run(running, **arguments)


def adapt_elsewhere(running: Running, *, checkpoints: str, seconds: float = 0.0, **arguments: Any) -> Any:
    """Adapt a model that lies where the tests put bundled ones; wait first."""
    from bortlab.training import adapt

    assets.CHECKPOINTS = Path(checkpoints)
    curve = [{"pieces": 0, "accuracy": 0.01, "loss": 9.0}, {"pieces": 500, "accuracy": 0.07, "loss": 8.0}]
    running.report(0.25, "500 of 2,000 pieces read.", seconds_left=200.0, curve=curve, frequency=0.06)
    time.sleep(seconds)
    return adapt.run(running, **arguments)


def fit_lens_elsewhere(running: Running, *, checkpoints: str, **arguments: Any) -> Any:
    """Fit a lens to a model that lies where the tests put bundled ones."""
    from bortlab.training import lens

    assets.CHECKPOINTS = Path(checkpoints)
    return lens.run(running, **arguments)


not_a_function = 3
