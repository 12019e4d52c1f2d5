"""Sweeps in processes of this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from bortlab.system import machine
from bortlab.work import sweeps
from bortlab.work.sweeps import SweepError, SweepProgress, SweepStopped
from tests import sweeps_work

if not hasattr(__import__("signal"), "SIGKILL"):
    pytest.skip("workers are killed by SIGKILL", allow_module_level=True)


def numbers(*values: int) -> list[dict[str, Any]]:
    return [{"number": value} for value in values]


def calls(folder: Path, number: int) -> int:
    return len((sweeps.item_folder(sweeps_work.square, {"number": number}, folder) / "calls").read_text())


def test_results_errors_and_deaths_each_stay_with_their_item_and_a_second_run_goes_on(tmp_path: Path) -> None:
    """One sweep with everything: results in order, twins once, an error at once, a death three times."""
    seen: list[SweepProgress] = []
    settings = numbers(5, 13, 2, 7, 5, 3)
    outcomes = sweeps.run(sweeps_work.square, settings, tmp_path, workers=2, on_progress=seen.append)
    assert [outcome.setting for outcome in outcomes] == settings
    assert [outcome.result for outcome in outcomes] == [25, None, 4, None, 25, 9]
    assert outcomes[1].failed == "Thirteen brings bad luck."
    assert outcomes[3].failed.startswith("Its worker died 3 times (signal 9).") and outcomes[3].deaths == 3
    assert [bool(outcome.failed) for outcome in outcomes] == [False, True, False, True, False, False]
    assert [calls(tmp_path, number) for number in (5, 13, 2, 7, 3)] == [1, 1, 1, 3, 1]
    assert (seen[0].share, seen[-1].share, seen[-1].done, seen[-1].failed, seen[-1].total) == (0.0, 1.0, 3, 2, 5)
    assert any("squaring 5" in progress.message for progress in seen)
    assert all(len(progress.running) <= 2 for progress in seen)

    again = sweeps.run(sweeps_work.square, numbers(3, 13, 5), tmp_path, workers=1)
    assert [outcome.result for outcome in again] == [9, None, 25]
    assert [calls(tmp_path, number) for number in (5, 13, 3)] == [1, 2, 1]  # what failed is tried again


def test_nothing_to_do_needs_no_worker(tmp_path: Path) -> None:
    assert sweeps.run(sweeps_work.square, [], tmp_path) == []


def test_stop_ends_the_workers_and_what_is_done_stays(tmp_path: Path) -> None:
    folder = sweeps.item_folder(sweeps_work.wait, {"number": 0}, tmp_path)
    began = 0.0

    def stop() -> bool:
        nonlocal began
        began = began or (time.monotonic() if (folder / "pid").is_file() and (folder / "pid").read_text() else 0.0)
        return began > 0

    with pytest.raises(SweepStopped, match="0 of 1"):
        sweeps.run(sweeps_work.wait, numbers(0), tmp_path, stop=stop)
    assert time.monotonic() - began < 2
    assert not psutil.pid_exists(int((folder / "pid").read_text()))


def test_a_folder_has_one_sweep_at_a_time(tmp_path: Path) -> None:
    def start_another(progress: SweepProgress) -> None:
        with pytest.raises(SweepError, match="Another sweep is running"):
            sweeps.run(sweeps_work.square, numbers(3), tmp_path)

    sweeps.run(sweeps_work.square, numbers(2), tmp_path, on_progress=start_another)


def test_a_result_that_is_not_json_fails_alone(tmp_path: Path) -> None:
    (outcome,) = sweeps.run(sweeps_work.not_json, numbers(1), tmp_path)
    assert "not JSON serializable" in outcome.failed and outcome.deaths == 0


@pytest.mark.parametrize("work", [lambda *_: None, "tests.sweeps_work:missing", "no.such.module:f", "__main__:f"])
def test_a_function_that_no_worker_can_import_is_refused(work: Any, tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="top of a module"):
        sweeps.run(work, numbers(1), tmp_path)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"workers": 0}, "workers: expected 1"), ({"retries": 0}, "retries"), ({"threads": -1}, "threads")],
)
def test_numbers_below_one_are_refused(options: dict[str, int], says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        sweeps.run(sweeps_work.square, numbers(1), tmp_path, **options)


def test_settings_that_are_not_json_are_refused(tmp_path: Path) -> None:
    for value in (float("nan"), tmp_path):
        with pytest.raises(ValueError, match="must be JSON"):
            sweeps.run(sweeps_work.square, [{"number": value}], tmp_path)


@pytest.mark.parametrize(
    ("cores", "gigabytes", "threads", "expected"), [(8, 100, 1, 8), (8, 100, 3, 2), (8, 4, 1, 2), (2, 0, 4, 1)]
)
def test_workers_are_bounded_by_cores_and_memory(
    cores: int, gigabytes: int, threads: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(machine, "memory_available", lambda: gigabytes * 10**9)
    assert sweeps.most_workers(threads) == expected
