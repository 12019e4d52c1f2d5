"""The processes of contestants, seen from the one that measures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from bortlab.analysis.latency.cases import Contestant
from bortlab.system import settings
from bortlab.system.assets import CHECKOUT


class ContestantError(RuntimeError):
    """A contestant that cannot go on; the message is for people. dead: its process has ended."""

    def __init__(self, message: str, *, dead: bool = False) -> None:
        super().__init__(message)
        self.dead = dead


@dataclass(slots=True)
class Process:
    """The process of a contestant. cpu_s: processor time it has used."""

    popen: subprocess.Popen[str]
    cpu_s: float = field(default=0.0)

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Give an order and wait for the answer.

        Raises:
            ContestantError: if the order failed, or the process has ended.
        """
        assert self.popen.stdin is not None and self.popen.stdout is not None
        try:
            self.popen.stdin.write(json.dumps(order) + "\n")
            self.popen.stdin.flush()
            line = self.popen.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise ContestantError(_why_it_ended(self.popen.wait()), dead=True)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ContestantError(answer["error"])
        self.cpu_s = answer.get("cpu_s", self.cpu_s)
        return answer


def _why_it_ended(code: int) -> str:
    if code == -9:
        return (
            "Its process was killed by the system, most likely for lack of memory. What was measured before is kept. "
            "Choose a smaller batch, a shorter sequence or a smaller model."
        )
    return f"Its process ended unexpectedly (exit code {code}). What was measured before is kept."


@contextmanager
def contestant_process(contestant: Contestant) -> Iterator[Process]:
    """A process for a contestant, which ends with the block."""
    environment = settings.environment_for(
        CHECKOUT, OMP_NUM_THREADS=str(contestant.threads), TORCHINDUCTOR_COMPILE_THREADS="1"
    )
    popen = subprocess.Popen(
        [sys.executable, "-m", "bortlab.analysis.latency.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
    )
    try:
        yield Process(popen)
    finally:
        popen.kill()
        popen.wait()
        for pipe in (popen.stdin, popen.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not written goes nowhere
                    pipe.close()
