"""Jobs in real processes: what they report, how they end, and how they go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bortlab.system.assets import CHECKOUT
from bortlab.work import jobs
from bortlab.work.jobs import Job

COUNT = "tests.jobs_work:count"
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that has to happen."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def runs(job: Job) -> bool:
    status = job.status()
    return status is not None and status.state == "running" and status.progress > 0


def is_gone(pid: int) -> bool:
    """Has it ended, without a zombie of ours? An orphan's is whoever adopted it to bury."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z" and int(parent) != os.getpid()


def test_a_job_reports_and_ends_with_its_numbers() -> None:
    job = Job("count", COUNT, {"to": 5})
    assert job.status() is None and job.log() == ""
    before = time.time()
    status = job.start().wait(60)
    assert (status.state, status.progress, status.alive) == ("done", 1.0, False)
    assert status.numbers["total"] == 10 and status.numbers["began_at"] == 0
    assert before <= status.started <= time.time()
    assert [(found.arguments, told.state) for found, told in jobs.listed()] == [({"to": 5}, "done")]
    until(lambda: is_gone(status.numbers["pid"]))


def test_progress_can_be_read_while_it_runs_from_anywhere() -> None:
    job = jobs.start("count", COUNT, {"to": 1000, "pause": 0.05})
    until(lambda: runs(job))
    again = Job("count", COUNT, {"pause": 0.05, "to": 1000})  # as a page that was reloaded sees it
    status = again.status()
    assert status is not None and 0 < status.progress < 1 and status.message.endswith("of 1000")
    again.cancel()


def test_cancel_takes_less_than_two_seconds_and_the_job_can_go_on() -> None:
    job = jobs.start("count", COUNT, {"to": 40, "pause": 0.05})
    until(lambda: runs(job))
    pid = job.status().pid  # type: ignore[union-attr]
    started = time.monotonic()
    job.cancel()
    assert time.monotonic() - started < 2
    status = job.status()
    assert status is not None and status.state == "cancelled" and "Start it again" in status.message
    until(lambda: is_gone(pid))
    job.cancel()  # again: nothing happens
    assert job.status() == status
    done = job.start().wait(60)
    assert done.state == "done" and done.numbers["total"] == 780 and done.numbers["began_at"] > 0


def test_a_job_that_ends_otherwise_because_it_was_cancelled_was_cancelled() -> None:
    job = jobs.start("disguised", "tests.jobs_work:disguised", {})
    until(lambda: runs(job) and "Half of it" in job.status().message)  # type: ignore[union-attr]
    job.cancel()
    status = job.status()
    assert status is not None and status.state == "cancelled" and "Start it again" in status.message


def test_a_stubborn_job_and_the_processes_it_started_are_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    job = jobs.start("stubborn", "tests.jobs_work:stubborn", {"pids": str(pids)})
    until(lambda: runs(job))
    started = time.monotonic()
    job.cancel()
    assert time.monotonic() - started < 2
    assert job.status().state == "cancelled"  # type: ignore[union-attr]
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: is_gone(pid))


@pytest.mark.parametrize("groups", [True, False], ids=["with process groups", "as on Windows"])
def test_what_a_job_started_in_a_session_of_its_own_ends_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: bool
) -> None:
    if not groups:
        monkeypatch.delattr(os, "killpg")
    pids = tmp_path / "pids"
    job = jobs.start("stubborn", "tests.jobs_work:stubborn", {"pids": str(pids), "own_session": True})
    until(lambda: runs(job))
    started = time.monotonic()
    job.cancel()
    assert time.monotonic() - started < 2.5
    assert job.status().state == "cancelled"  # type: ignore[union-attr]
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: is_gone(pid))


def test_a_job_that_ends_by_itself_leaves_no_process(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    job = jobs.start("careless", "tests.jobs_work:careless", {"pids": str(pids)})
    assert job.wait(60).state == "done"
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: is_gone(pid))


def test_a_killed_job_says_so_and_goes_on_to_the_same_result() -> None:
    job = jobs.start("count", COUNT, {"to": 40, "die_at": 25})
    status = job.wait(60)
    assert status.state == "failed" and "killed" in status.message and status.numbers["total"] == sum(range(25))
    done = job.start().wait(60)
    assert done.state == "done" and done.numbers["began_at"] == 25
    assert done.numbers["total"] == Job("count", COUNT, {"to": 40}).start().wait(60).numbers["total"]


def test_a_job_that_was_done_begins_anew() -> None:
    job = jobs.start("count", COUNT, {"to": 3})
    first = job.wait(60)
    second = job.start().wait(60)
    assert second.numbers["began_at"] == 0 and second.numbers["pid"] != first.numbers["pid"]


def test_an_error_ends_as_a_sentence_and_its_traceback_in_the_log() -> None:
    job = jobs.start("fail", "tests.jobs_work:fail", {})
    status = job.wait(60)
    assert (status.state, status.progress, status.numbers) == ("failed", 0.5, {"half": 1})
    assert status.message == "The corpus is empty: give it a sentence."
    assert "Traceback" in job.log() and "jobs_work.py" in job.log()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("tests.jobs_work:nothing", "No function"),
        ("tests.no_such_module:count", "No function"),
        ("count", "No function"),
        ("", "No function"),
        ("tests.jobs_work:not_a_function", "no function"),
    ],
)
def test_an_unknown_function_is_refused(function: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        jobs.start("unknown", function, {})
    assert jobs.listed() == []


@pytest.mark.parametrize("arguments", [{"to": Path("x")}, {"to": float("nan")}, {"to": {1}}])
def test_arguments_that_are_not_json_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be JSON"):
        jobs.start("count", COUNT, arguments)


def test_many_starters_join_one_job() -> None:
    job = Job("count", COUNT, {"to": 400, "pause": 0.05})
    pids: list[int] = []

    def begin() -> None:
        pids.append(job.start().status().pid)  # type: ignore[union-attr]

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 4 and len(set(pids)) == 1 and pids[0] > 0
    job.cancel()


def test_another_process_joins_too() -> None:
    job = jobs.start("count", COUNT, {"to": 400, "pause": 0.05})
    code = f"from bortlab.work import jobs; print(jobs.start('count', {COUNT!r}, {dict(job.arguments)}).status().pid)"
    other = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    status = job.status()
    assert status is not None and status.alive and int(other.stdout) == status.pid  # it outlives who only joined it
    job.cancel()


def test_jobs_wait_for_one_another(tmp_path: Path) -> None:
    folder = tmp_path / "marks"
    folder.mkdir()
    started = [
        jobs.start("side", "tests.jobs_work:side_by_side", {"folder": str(folder), "number": number})
        for number in range(3)
    ]
    assert [job.wait(60).numbers["most"] for job in started] == [1, 1, 1]


def test_a_queued_job_says_so_and_can_be_cancelled() -> None:
    first = jobs.start("count", COUNT, {"to": 1000, "pause": 0.05})
    until(lambda: runs(first))
    second = jobs.start("count", COUNT, {"to": 5})
    until(lambda: "another job" in second.status().message)  # type: ignore[union-attr]
    assert second.status().state == "queued"  # type: ignore[union-attr]
    second.cancel()
    assert second.status().state == "cancelled"  # type: ignore[union-attr]
    first.cancel()


def test_a_job_ends_with_the_process_that_started_it_however_that_ends() -> None:
    arguments = {"to": 1000, "pause": 0.05}
    code = (
        f"import time; from bortlab.work import jobs; jobs.start('count', {COUNT!r}, {arguments});"
        "print('started', flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None and starter.stdout.readline() == "started\n"
    job = Job("count", COUNT, arguments)
    pid = job.status().pid  # type: ignore[union-attr]
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    status = job.wait(60)
    assert status.state == "cancelled" and "closed" in status.message
    starter.stdout.close()
    until(lambda: is_gone(pid))


def test_what_was_left_long_ago_is_swept() -> None:
    running = jobs.start("count", COUNT, {"to": 1000, "pause": 0.05})
    done = jobs.start("fail", "tests.jobs_work:fail", {})
    running.cancel()
    done.wait(60)
    assert jobs.sweep(older_than_s=3600) == 0
    assert jobs.sweep(older_than_s=0) == 2 and jobs.listed() == [] and done.status() is None
