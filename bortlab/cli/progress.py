"""How far a command is, on standard error: a line that is written over on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0
"""Between two lines of a log: hours of training fill it with hundreds, not with hundreds of thousands."""


class Progress:
    """What long work reports to: progress(share, message). Use it in a `with` statement, which ends the line.

    file: standard error unless told. clock: seconds, by which lines of a log are held apart.
    """

    def __init__(self, file: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._file, self._clock = sys.stderr if file is None else file, clock
        self._bar: tqdm[Any] | None = None
        self._written = self._line = ""
        self._due = -float("inf")

    def __enter__(self) -> Self:
        if self._file.isatty():
            self._bar = tqdm(
                total=1.0, bar_format="{percentage:3.0f}% {desc}", file=self._file, miniters=0, dynamic_ncols=True
            )
        return self

    def __call__(self, share: float, message: str = "", **numbers: Any) -> None:
        """Show that this share of the work is done, from 0 to 1, and what is done now."""
        if self._bar is not None:
            self._bar.set_description_str(message, refresh=False)
            self._bar.update(share - self._bar.n)
            return
        self._line = f"{share:4.0%} {message}".rstrip()
        if self._clock() >= self._due:
            self._write()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        else:
            self._write()

    def _write(self) -> None:
        """Write the latest line, unless it stands there already."""
        if self._line != self._written:
            print(self._line, file=self._file, flush=True)
            self._written, self._due = self._line, self._clock() + SECONDS_BETWEEN_LINES
