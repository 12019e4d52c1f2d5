"""Ending processes together with those that they started, on every system.

psutil finds the children of a process, and theirs; what has lost its parent is found, where the system has process
groups (not on Windows), by the group that its leader founded. Signals go to the process that was seen: psutil sends
none to another one that has got the same number since.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress

import psutil


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it started, and these started; [] if it has ended. To be taken before any of them ends."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(processes: Iterable[psutil.Process], *, gently: bool, group: int | None = None) -> None:
    """Tell processes to end, or kill them; on Windows, which knows no request, both kill.

    group: number of the process group that they belong to, whose other members end with them.
    """
    alone = [process for process in processes if group is None or not _belongs(process.pid, group)]
    if group is not None and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # it has just ended
            os.killpg(group, signal.SIGTERM if gently else signal.SIGKILL)
    for process in alone:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.terminate() if gently else process.kill()


def _belongs(pid: int, group: int) -> bool:
    """Is a process a member of a group? Such a one gets the group's signal, and must not get it twice."""
    try:
        return hasattr(os, "killpg") and os.getpgid(pid) == group
    except ProcessLookupError:
        return False


def end_what_this_one_started() -> None:
    """Kill every process that this one started, and those that these started."""
    end(psutil.Process().children(recursive=True), gently=False)
