"""The panel of a job, on a page of its own: what it says of real jobs in every state, and what its buttons do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from bortlab.system import numbers
from bortlab.ui.job_panel import Labels, progress_text
from bortlab.views.escape import markdown
from bortlab.work.jobs import Job, Status

LABELS = Labels(doing="Counting", start="Count", resume="Resume counting", note="It takes a second.", meanwhile="Wait.")
COUNT = "tests.jobs_work:count"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))


def page(job, labels):  # type: ignore[no-untyped-def]  # its source is the script, where no type has a name
    """The script of a page with nothing but a panel on it."""
    import streamlit as st

    from bortlab.ui.job_panel import job_panel

    if st.session_state.get("ends above"):
        st.stop()
    job_panel(job, labels, results=lambda: st.caption("results so far"))


def visit(job: Job, labels: Labels = LABELS) -> AppTest:
    at = AppTest.from_function(page, args=(job, labels), default_timeout=60)
    return rerun(at)


def rerun(at: AppTest) -> AppTest:
    at.run()
    assert not at.exception and "results so far" in words(at)
    return at


def words(at: AppTest) -> str:
    bars = [bar.proto.text for bar in at.get("progress")]
    return " ".join([*bars, *(e.value for kind in ("caption", "info", "error") for e in getattr(at, kind))])


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click()
    return rerun(at)


def buttons(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_job_is_started_followed_cancelled_and_resumed() -> None:
    job = Job("count", COUNT, {"to": 40, "pause": 0.05})
    at = visit(job)
    assert buttons(at) == ["Count"] and "It takes a second." in words(at)
    press(at, "Count")
    until(lambda: job.status().progress > 0)  # type: ignore[union-attr]
    rerun(at)
    assert buttons(at) == ["Cancel"] and "Counting. " in words(at) and " of 40 Wait." in words(at)
    assert buttons(visit(job)) == ["Cancel"]  # another visitor sees the same job
    press(at, "Cancel")
    assert buttons(at) == ["Resume counting"] and "Cancelled" in words(at) and not at.error
    press(at, "Resume counting")
    assert job.wait(60).state == "done" and job.status().numbers["began_at"] > 0  # type: ignore[union-attr]
    rerun(at)
    assert buttons(at) == [] and "results so far" in words(at)


def test_a_press_counts_though_its_run_ends_above_the_panel() -> None:
    """As where another run of the page takes its place."""
    job = Job("count", COUNT, {"to": 1000, "pause": 0.1})
    at = visit(job)
    for label, alive in (("Count", True), ("Cancel", False)):
        at.session_state["ends above"] = True
        next(button for button in at.button if button.label == label).click()
        at.run()
        assert not buttons(at)  # nothing of the panel was drawn
        status = job.status()
        assert status is not None and status.alive is alive
        at.session_state["ends above"] = False
        rerun(at)


def test_a_job_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Job, "start", lambda job: int("x" + job.name))
    at = press(visit(Job("count", COUNT, {})), "Count")
    assert "invalid literal" in at.error[0].value and buttons(at) == ["Count"]
    assert not rerun(at).error


def test_a_job_that_fails_says_why_and_can_be_resumed() -> None:
    job = Job("count", "tests.jobs_work:fail", {}).start()
    assert job.wait(60).state == "failed"
    at = visit(job)
    assert [e.value for e in at.error] == [markdown("The corpus is empty: give it a sentence.")]
    assert buttons(at) == ["Resume counting"]
    at = visit(job, replace(LABELS, start="", stopped=lambda status: f"It {status.state}."))
    assert buttons(at) == [] and [e.value for e in at.error] == ["It failed."]  # started elsewhere


def test_a_job_in_the_queue_says_whom_it_waits_for() -> None:
    first = Job("*sleep*", COUNT, {"to": 1000, "pause": 0.1}).start()
    until(lambda: first.status().state == "running")  # type: ignore[union-attr]
    second = Job("count", COUNT, {"to": 3}).start()
    at = visit(second)
    assert "Counting: waiting for another job (&#42;sleep&#42;) to finish." in words(at)
    second.cancel()
    first.cancel()


def test_the_time_that_is_left_is_said_where_the_job_knows_it() -> None:
    job = Job("count", COUNT, {"to": 3})
    for left, sentence in ((61.0, " About 60 seconds left."), (0, ""), (None, ""), ("soon", "")):
        status = Status("running", 0.5, "Half of it.", numbers={} if left is None else {"seconds_left": left})
        assert progress_text(job, status, LABELS) == f"Counting. Half of it&#46;{sentence}"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "about 10 seconds"), (44, "about 40 seconds"), (100, "about 2 minutes"), (7200, "about 2.0 hours")],
)
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert numbers.duration(seconds) == words
