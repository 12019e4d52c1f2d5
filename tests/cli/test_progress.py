"""How far a command is: a line that is written over on a terminal, few lines in a log."""

from __future__ import annotations

import io

import pytest

from bortlab.cli.progress import SECONDS_BETWEEN_LINES, Progress


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_has_a_line_every_half_minute_and_the_last_one() -> None:
    """An hour of training that reports ten times a second: 36,000 reports, 121 lines, none of them twice."""
    log, seconds = io.StringIO(), 0.0
    with Progress(log, clock=lambda: seconds) as progress:
        for number in range(36_000):
            seconds = number / 10
            progress(number / 36_000, f"{number // 600} of 60 trained.")
    lines = log.getvalue().splitlines()
    assert len(lines) == 3_600 / SECONDS_BETWEEN_LINES + 1 == len(set(lines))
    assert lines[0] == "  0% 0 of 60 trained." and lines[-1] == "100% 59 of 60 trained."
    assert "\r" not in log.getvalue()


def test_what_has_not_changed_is_not_written_again() -> None:
    log, seconds = io.StringIO(), 0.0
    with Progress(log, clock=lambda: seconds) as progress:
        for number in range(100):
            seconds = 60.0 * number
            progress(0.5, "Waiting.")
    assert log.getvalue() == " 50% Waiting.\n"


def test_a_stop_leaves_how_far_it_was() -> None:
    log = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress(log, clock=lambda: 0.0) as progress:
        progress(0.0, "Reading.")
        progress(0.4, "Training.")
        raise KeyboardInterrupt
    assert log.getvalue() == "  0% Reading.\n 40% Training.\n"


def test_a_terminal_has_one_line() -> None:
    terminal = Terminal()
    with Progress(terminal) as progress:
        for number in range(1001):
            progress(number / 1000, f"Round {number}.")
    text = terminal.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n")
    assert text.rsplit("\r", 1)[1].rstrip() == "100% Round 1000."
