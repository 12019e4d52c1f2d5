"""The Latency page through Streamlit's test runner: any result, a first visit, a measurement under way, bad links."""

from __future__ import annotations

import html
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from bortlab.analysis import latency as analysis
from bortlab.analysis.latency import Measured, Plan, Run, cases
from bortlab.analysis.latency.cases import Case
from bortlab.analysis.latency.machine import Noise
from bortlab.runtimes.comparison import Agreement
from bortlab.runtimes.engines import ENGINES
from bortlab.system.errors import BusyError
from bortlab.system.numbers import milliseconds
from bortlab.ui import latency as ui
from bortlab.views import latency as view
from bortlab.views.theme import Look
from bortlab.work.jobs import Job
from tests.pages.visiting import charts, check, visit

lab = partial(visit, "latency")
TINY = Plan((Case(model="bort-mini", seq=8, threads=1),), rounds=2, seconds=0.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))


def result(name: str = "2026-01-02-030405-1", *, noise: float = 0.0, error: str = "", **axes: Any) -> Run:
    """A made-up result of three minis, kept as one of this machine."""
    plan = analysis.plan(analysis.MINIS[:3], **{"seq": [16, 64], "threads": [2], **axes})
    measured = tuple(
        Measured(
            case,
            tuple((ms * (1 + noise * (n % 2)),) * 6 for n in range(12)),
            parameters=10**6 * (1 + number),
            flops=cases.flops(case.model, case.output, case.batch, case.seq),
            difference=0.0,
            rss=10**8,
        )
        for number, case in enumerate(plan.cases)
        for ms in [(1.0 + number) * case.batch]
    )
    if error:
        measured = (replace(measured[0], rounds=(), error=error), *measured[1:])
    run = Run(
        plan,
        measured,
        {"processor": "Testium <b>9</b>", "cores": 2, "date": "2026-01-02T03:04:05+00:00"},
        Noise(0.5, 0.6, 0.01),
        9.0,
        True,
        name,
    )
    run.save(analysis.runs_folder() / f"{name}.json")
    return run


def said(at: AppTest) -> str:
    found = (e.value for kind in ("markdown", "caption", "info", "error") for e in getattr(at, kind))
    return html.unescape(" ".join(found)).replace("\u2060", "")


def button(at: AppTest, label: str) -> Any:
    return next(button for button in at.button if button.label == label)


def the_job() -> Any:
    found = ui.latest_job()
    assert found is not None
    return found[0]


def test_a_kept_result_is_shown_at_once_and_nothing_is_measured() -> None:
    result()
    at = lab()
    assert charts(at) and "Median times" in charts(at)[0].proto.alt
    assert "is the fastest" in said(at) and "Testium" in said(at)
    assert not any("<b>9" in element.value for element in at.markdown)
    assert ui.latest_job() is None


@pytest.mark.parametrize("picture", ui.VIEWS)
def test_every_picture(picture: str) -> None:
    result(batch=[1, 4])
    at = lab()
    views = next(group for group in at.button_group if group.key == "view")
    assert picture in views.options
    views.select(picture)
    check(at.run())
    assert charts(at) and all(len(chart.proto.alt) > 30 for chart in charts(at))


def test_one_model_in_several_runtimes_has_a_condition_as_baseline() -> None:
    plan = analysis.plan(["bort-mini"], seq=[16], threads=[1], runtime=["fused", "eager"], roof=False)
    measured = tuple(Measured(case, ((1.0 + n,) * 5,) * 5, parameters=1, flops=1) for n, case in enumerate(plan.cases))
    Run(plan, measured, {}, complete=True).save(analysis.runs_folder() / "a.json")
    at = lab()
    assert next(box for box in at.selectbox if box.key == "baseline").value == "runtime=fused"
    assert "torch, fused attention" in said(at)


def engines_compared(**more: Any) -> Run:
    """A made-up comparison of engines, kept: packed weights win at 16 pieces, and ONNX Runtime in 8 bits at both."""
    ms = {
        (16, "fused"): 2.0,
        (16, "torch-packed"): 1.0,
        (16, "onnx-int8"): 0.5,
        (64, "fused"): 4.0,
        (64, "torch-packed"): 5.0,
        (64, "onnx-int8"): 2.0,
    }
    measured = tuple(
        Measured(
            Case(model="bort-mini", output="masked-lm", seq=seq, threads=1, runtime=runtime),
            tuple((time * (1 + n / 100),) * 3 for n in range(6)),
            parameters=10**6,
            difference=0.0,
            agreement=None if runtime == "fused" else Agreement(5, 0.4, 22.0, 1.0, 66, 69),
        )
        for (seq, runtime), time in ms.items()
    )
    failed = Measured(replace(measured[0].case, runtime="onnx"), error="It has no such instruction.")
    plan = Plan((*(entry.case for entry in measured), failed.case))
    run = Run(plan, (*measured, failed), {"processor": "X", "cores": 1}, complete=True, **more)
    run.save(analysis.runs_folder() / "2026-01-01-000000-1.json")
    return run


def test_a_comparison_of_engines_shows_what_the_library_computes() -> None:
    run = engines_compared()
    at = lab()
    (chart,) = charts(at, "latency-engines")
    assert chart.proto.alt == view.engine_times(run, "bort-mini", Look("light")).alt
    assert "torch (packed weights) is the fastest at 16 pieces, 2.0× as fast as torch" in said(at)
    assert "torch is the fastest at 64 pieces" in said(at)
    assert "gives the same top answer in 66 of 69 places (96%)" in said(at)
    assert "It has no such instruction." in said(at)
    table = next(frame.value for frame in at.dataframe if "times as fast as torch" in frame.value)
    expected = analysis.engine_frame(run)
    assert list(table["p50 ms"].dropna()) == list(expected["p50 ms"].dropna())
    python = next(code.value for code in at.code if "engines_plan" in code.value)
    assert "engines=['torch', 'torch-packed', 'onnx-int8', 'onnx'], threads=[1]" in python


def test_engines_that_are_not_installed_are_named_and_the_others_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    result()
    for name in ("onnx", "onnx-int8", "openvino"):
        without = replace(ENGINES[name], missing=lambda name=name: f"{name} is not here: pip install {name}.")
        monkeypatch.setitem(ENGINES, name, without)  # type: ignore[arg-type]
    at = lab()
    assert "openvino is not here: pip install openvino." in said(at)
    offered = next(box for box in at.multiselect if box.key == "engines")
    assert offered.value == ["torch-packed"] and "ONNX Runtime" not in offered.options
    assert not button(at, "Compare engines here").disabled


def test_a_press_compares_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    result()
    plan = Plan((TINY.cases[0], replace(TINY.cases[0], runtime="torch-packed")), rounds=2, seconds=0.0)
    monkeypatch.setattr(analysis, "engines_plan", lambda *args, **kwargs: plan)
    at = lab()
    button(at, "Compare engines here").click()
    check(at.run())
    assert the_job().wait(120).state == "done", the_job().log()
    check(at.run())
    assert charts(at, "latency-engines") and "On this processor, for Bort mini" in said(at)


def test_models_that_stay_with_torch_in_the_lab_are_told() -> None:
    result()
    at = lab(**{"engine-models": ["BERT large"], "engine-pieces": ["16"]})
    assert "in the lab torch answers for models beyond 256.0 MB" in said(at)


def test_a_busy_machine_offers_a_retry_and_failures_are_told() -> None:
    result(noise=1.0, error="Its process was killed by the system, most likely for lack of memory.")
    at = lab()
    assert "The machine was busy" in said(at) and "killed by the system" in said(at)
    assert button(at, "Measure again")


def test_the_first_visit_measures_the_minis_and_shows_what_came_with_the_lab_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(analysis, "quick", lambda: TINY)
    at = lab()
    assert "Not your machine" in said(at) and charts(at)
    assert the_job().wait(120).state == "done", the_job().log()
    check(at.run())
    check(at.run())
    assert "Measured on" in said(at) and "Not your machine" not in said(at)
    assert len(analysis.kept()) == 1
    lab()
    assert len(analysis.kept()) == 1  # once, not at every visit


def test_a_measurement_is_seen_by_all_told_on_other_pages_and_cancelled() -> None:
    result()
    at = lab()
    analysis.job(replace(TINY, rounds=10_000)).start()
    check(at.run())
    assert button(at, "Cancel") and "Measuring Bort mini" in " ".join(p.text for p in at.get("progress"))  # type: ignore[attr-defined]
    assert button(at, "Measure").disabled and "one at a time" in said(at)
    assert "Latency is being measured" in " ".join(e.value for e in visit("models").sidebar.markdown)
    started = time.monotonic()
    button(at, "Cancel").click()
    check(at.run())
    assert time.monotonic() - started < 5 and not the_job().status().alive
    assert "cancelled" in said(at)


def test_a_press_counts_even_if_the_run_that_follows_it_is_stopped_above_the_button(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As by a click elsewhere, or a change of what is measured: on a busy machine the run takes long to get there."""
    result()
    monkeypatch.setattr(analysis, "plan", lambda *args, **kwargs: TINY)
    at = lab()
    button(at, "Measure").click()
    monkeypatch.setattr(ui, "progress", st.stop)
    at.run()
    assert the_job().wait(120).state == "done", the_job().log()


def test_a_measurement_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    result()
    at = lab()

    def refuse(plan: Plan) -> Job:
        raise BusyError("Too much is running.")

    button(at, "Measure").click()
    monkeypatch.setattr(analysis, "job", refuse)
    at.run()
    assert "Too much is running" in " ".join(warning.value for warning in at.warning)


def test_a_failed_measurement_is_told_and_the_page_lives() -> None:
    result()
    job = analysis.job(TINY)
    broken = replace(job, arguments={**job.arguments, "cases": []}).start()
    assert broken.wait(120).state == "failed"
    at = lab()
    assert any("The last measurement failed" in error.value for error in at.error) and charts(at)


def test_what_cannot_be_measured_is_said_before_anything_starts() -> None:
    result()
    at = lab(architectures=["ALBERT mini", "BERT large"], pieces=["512"], batch=["64"], output="masked-lm")
    assert "ALBERT mini has 128 positions" in said(at)
    at = lab(architectures=[], pieces=["16"])
    assert check(at.run()).title


def test_hostile_links_and_broken_files_are_survived() -> None:
    folder = analysis.runs_folder()
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text("{", encoding="utf-8")
    (folder / "other.json").write_text(json.dumps({"bortlab_latency": 1}), encoding="utf-8")
    result()
    at = lab(
        architectures=["<script>", "x" * 5000], pieces="nan", threads="0", runtime="rm -rf", precision="1", effort="?"
    )
    assert charts(at)


def test_pictures_of_any_look() -> None:
    shown = result(batch=[1, 4]).timed[:3]
    for look in (Look("light"), Look("dark")):
        times = view.times(shown, look)
        assert list(times.picture.data[0].x) == [one.p50.value for one in shown] == list(times.table["milliseconds"])
        for picture in (view.size_speed_quality(shown, look), view.size_and_speed(shown, look)):
            assert picture.picture.data and len(picture.table) == len(shown) and len(picture.alt) > 40


@pytest.mark.parametrize(
    ("ms", "text"), [(0.4211, "0.42 ms"), (5.83, "5.8 ms"), (31.2, "31 ms"), (312.3, "312 ms"), (1240.0, "1.24 s")]
)
def test_times_for_reading(ms: float, text: str) -> None:
    assert milliseconds(ms) == text
