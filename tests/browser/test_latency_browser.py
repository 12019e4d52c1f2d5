"""The Latency page in a real Chromium: a small measurement to its end, one that is cancelled, a result from a file."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from bortlab.analysis import latency as analysis
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Arrive = Callable[..., Visit]
SMALL = {"architectures": ["Bort mini", "BERT mini"], "pieces": "8", "threads": "1"}


def start(lab: Visit) -> None:
    """Press Measure, and wait until it runs."""
    lab.page.get_by_text("Measure something else").click()
    button = lab.page.get_by_role("button", name="Measure", exact=True)
    expect(button).to_be_enabled()
    lab.settled()
    button.press("Enter")  # a pointer may miss a button that moves while the box above it unfolds
    expect(lab.page.get_by_role("button", name="Cancel")).to_be_visible()


def test_a_small_measurement_runs_to_its_end_and_is_shown(visit: Arrive) -> None:
    lab = visit().open("latency", **SMALL, effort="quick")
    start(lab)
    expect(lab.page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(lab.page.get_by_text(re.compile("mini (is the fastest|has the lowest median)"))).to_be_visible()
    expect(lab.page.get_by_text("1 × 8 pieces")).to_be_visible()
    expect(lab.page.get_by_text("Measured on", exact=True)).to_be_visible()
    lab.settled()
    assert "Bort mini" in (lab.charts.first.get_attribute("aria-label") or "")
    lab.page.get_by_role("radio", name="Speed-up").click()
    expect(lab.page.get_by_label("times as fast as BERT mini")).to_be_visible()


def test_engines_are_compared_and_the_verdict_is_shown(visit: Arrive) -> None:
    small = {"engine-models": "Bort mini", "engine-pieces": "8", "engines": "torch, packed weights"}
    lab = visit().open("latency", **small, **{"engine-effort": "quick"})
    button = lab.page.get_by_role("button", name="Compare engines here")
    expander = lab.page.get_by_text("Compare engines", exact=True)
    if not button.is_visible():
        expander.click()
    expect(button).to_be_enabled()
    lab.settled()
    button.press("Enter")
    expect(lab.page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(lab.page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(lab.page.get_by_text("On this processor, for Bort mini")).to_be_visible()
    lab.settled()
    expect(lab.page.get_by_label("Times of Bort mini by engine")).to_be_visible()


def test_a_measurement_survives_a_reload_and_is_cancelled_within_two_seconds(visit: Arrive) -> None:
    lab = visit().open("latency", **SMALL, effort="thorough")
    start(lab)
    lab.page.reload()
    cancel = lab.page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible()
    other = visit().open("models")
    expect(other.page.get_by_text("Latency is being measured")).to_be_visible()
    started = time.monotonic()
    cancel.click()
    expect(cancel).to_have_count(0)
    assert time.monotonic() - started < 5  # two of them for the job, the rest for drawing the page
    expect(lab.page.get_by_text("The last measurement was cancelled.")).to_be_visible()
    lab.settled()


def test_a_result_of_another_machine_can_be_opened(visit: Arrive) -> None:
    path = analysis.kept()[0]  # what the page shows, as another machine's: they have all cases in common
    lab = visit().open("latency")
    lab.page.get_by_text("Compare with another run or machine").click()
    lab.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(path)
    expect(lab.page.get_by_text("below 1: this one is faster")).to_be_visible()
    lab.settled()
