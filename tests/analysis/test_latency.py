"""Measuring: plans and their refusals, real processes with tiny minis, what is killed or fails, results as files."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bortlab.analysis import latency
from bortlab.analysis.latency import Measured, Plan, Run, cases, machine, measuring, plans, requirements, worker
from bortlab.analysis.latency.cases import MATMUL, Case, Contestant
from bortlab.analysis.latency.networks import build, example
from bortlab.cli import main
from bortlab.runtimes import RUNTIMES, UnsupportedError
from bortlab.work.jobs import Job

BORT = Case(model="bort-mini", seq=8, threads=1)
BERT = replace(BORT, model="bert-mini")
TINY = Plan((BORT, BERT), rounds=3, seconds=0.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def tiny() -> Run:
    """Two minis and a matrix product, measured in processes of their own."""
    return latency.measure(latency.plan(["bort-mini", "bert-mini"], seq=[8], threads=[1], rounds=3, seconds=0.0))


def made(ms: dict[str, list[list[float]]], **changes: Any) -> Run:
    """A run with these times of models."""
    measured = tuple(
        Measured(
            Case(model=model, threads=1, **changes), tuple(map(tuple, times)), parameters=10**6, flops=10**9, cpus=(0,)
        )
        for model, times in ms.items()
    )
    return Run(Plan(tuple(one.case for one in measured)), measured, {"processor": "X", "cores": 1}, complete=True)


# -- plans -------------------------------------------------------------------------------------------------------------


def test_a_plan_is_everything_by_everything_with_a_roof_for_each_kind() -> None:
    plan = latency.plan(["bort", "albert-base-v2"], batch=[1, 8], seq=[16, 512], threads=[1, 2], dtype=["int8"])
    cases = [case for case in plan.cases if case.model != MATMUL]
    assert len(cases) == 16 == len(set(cases)) and not plan.left_out
    assert {(case.threads, case.dtype) for case in plan.cases if case.model == MATMUL} == {(1, "int8"), (2, "int8")}
    assert {case.scenario for case in cases} == {"single stream", "offline"}
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == replace(plan, left_out=())


def test_what_cannot_be_run_is_left_out_and_said() -> None:
    plan = latency.plan(["albert-mini", "bort"], seq=[64, 512], dtype=["float32", "float16"], threads=[1])
    assert [(case.model, case.seq) for case in plan.cases if case.model != MATMUL] == [
        ("albert-mini", 64),
        ("bort", 64),
        ("bort", 512),
    ]
    said = " ".join(plan.left_out)
    assert "ALBERT mini has 128 positions, so it cannot read 512 pieces at once" in said
    assert "Choose bfloat16 or int8 on a CPU" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seq": 4096}, "512 positions, so it cannot read 4,096 pieces"),
        ({"batch": 0}, "batch: expected a whole number from 1"),
        ({"device": "cuda:7"}, "There is no cuda:7 here. Devices: cpu"),
        ({"runtime": "abacus"}, "Unknown runtime 'abacus'. Known: fused"),
        ({"runtime": "onnx", "dtype": "int8"}, "ONNX Runtime runs in float32"),
        ({"dtype": "float16"}, "float16 is for GPUs"),
        ({"threads": 0}, "threads: expected 1 to 1024"),
        ({"model": "brot"}, "Did you mean"),
        ({"model": "bort:hidden_size=1001"}, "must be a multiple of num_attention_heads"),
        ({"model": "bort:hidden_act=1"}, "expected sizes such as hidden_size=768"),
        ({"model": "bort:hidden_size=99999999"}, "expected 1 to 8192"),
    ],
)
def test_bad_cases_are_explained(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace(".", r"\.").replace("'", ".")):
        Plan((Case(**{"model": "bort", **changes}),)).check()


def test_sizes_beyond_memory_are_refused_with_the_number_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = Plan((Case(model="bert-large-uncased", batch=65_536, seq=512, output="masked-lm"),))
    monkeypatch.setattr(measuring, "contestant_process", None)  # nothing may be started
    with pytest.raises(latency.MemoryNeededError, match=r"needs about [\d,]+\.\d GB of memory .* are free"):
        latency.measure(plan)
    with pytest.raises(latency.MemoryNeededError):
        latency.job(plan)
    monkeypatch.setattr(plans, "memory_available", lambda: 10**15)  # on a larger machine it fits
    plan.check()


@pytest.mark.parametrize(("cases", "said"), [((), "nothing to measure"), ((BORT, BORT), "twice")])
def test_plans_of_nothing_or_of_the_same_are_refused(cases: tuple[Case, ...], said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        Plan(cases)
    with pytest.raises(UnsupportedError, match="too many"):
        latency.plan(["bort"], seq=range(1, 200))


def test_the_smaller_bort_has_the_published_56_million() -> None:
    assert cases.n_parameters(latency.SMALL_BORT, "encoder") == pytest.approx(55.0e6, rel=0.03)
    assert cases.n_parameters("bort", "encoder") == pytest.approx(75.5e6, rel=0.03)
    assert cases.title(latency.SMALL_BORT) == "Bort, 768 wide"


# -- measuring ---------------------------------------------------------------------------------------------------------


def test_a_measurement_in_real_processes(tiny: Run) -> None:
    assert tiny.complete and not tiny.failed and tiny.models == ("bort-mini", "bert-mini") and tiny.rounds >= 3
    for one in tiny.timed:
        assert one.times.shape[1] >= 1 and (one.times > 0).all()
        assert one.difference is not None and one.difference < 1e-5
        assert one.p50.low <= one.p50.value <= one.p50.high
        assert one.rss is None or one.rss > 50e6
        assert one.cpus is None or len(one.cpus) == 1
        assert 0 < (tiny.share_of_roof(one) or 0) < 1.5
    assert len({len(one.rounds) for one in tiny.timed}) == 1
    assert tiny.environment["processor"] and tiny.environment["versions"]["torch"]
    assert set(tiny.ratios("bert-mini")) == {tiny.timed[0].case}


def test_contestants_take_turns_and_another_one_begins_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    turn = latency.Measurement._turn
    monkeypatch.setattr(
        latency.Measurement, "_turn", lambda self, case: (order.append(case.model[:4]), turn(self, case))[1]
    )
    latency.measure(TINY)
    assert order == ["bort", "bert", "bert", "bort", "bort", "bert"]


def test_a_killed_worker_is_told_and_the_others_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measurement = latency.Measurement(replace(TINY, rounds=6), measuring.silent, tmp_path / "x.json", 60.0)
    turn, turns = measurement._turn, []

    def kill_in_the_third_round(case: Case) -> None:
        turns.append(case)
        if len(turns) == 5:
            os.kill(measurement.processes[BORT.contestant].popen.pid, signal.SIGKILL)
        turn(case)

    monkeypatch.setattr(measurement, "_turn", kill_in_the_third_round)
    run = measurement.run()
    bort, bert = (next(one for one in run.measured if one.case == case) for case in (BORT, BERT))
    assert "killed by the system, most likely for lack of memory" in bort.error and len(bort.rounds) == 2
    assert not bert.error and len(bert.rounds) == 6
    assert latency.load(tmp_path / "x.json").failed == run.failed


def test_a_stopped_measurement_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(progress: float, message: str = "", **numbers: Any) -> None:
        if message.startswith("Round 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        latency.measure(TINY, report=stop, path=tmp_path / "x.json")
    run = latency.load(tmp_path / "x.json")
    assert not run.complete and run.rounds == 2 and len(run.timed) == 2


def test_a_job_measures_and_can_be_cancelled_within_two_seconds() -> None:
    done = latency.job(TINY).start()
    assert done.wait(120).state == "done", done.log()
    run = latency.load(done.status().numbers["path"])  # type: ignore[union-attr]
    assert run.complete and len(run.timed) == 2 and latency.kept()[0].stem == run.name

    job = latency.job(replace(TINY, rounds=10_000)).start()
    deadline = time.monotonic() + 120
    while not (status := job.status()).message.startswith("Round") and time.monotonic() < deadline:  # type: ignore[union-attr]
        time.sleep(0.05)
    time.sleep(0.3)
    started = time.monotonic()
    job.cancel()
    assert time.monotonic() - started < 2
    assert job.status().state == "cancelled", job.log()  # type: ignore[union-attr]
    partial = latency.load(status.numbers["path"])  # type: ignore[union-attr]
    assert not partial.complete and partial.rounds >= 1


def test_a_job_that_is_killed_keeps_its_last_partial_result(monkeypatch: pytest.MonkeyPatch) -> None:
    job = latency.job(replace(TINY, rounds=10_000)).start()
    deadline = time.monotonic() + 120
    while not latency.kept() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(job.status().pid, signal.SIGKILL)  # type: ignore[union-attr]
    assert job.wait(20).state == "failed"
    assert latency.load(latency.kept()[0]).rounds >= 1


# -- the worker --------------------------------------------------------------------------------------------------------


def answers(*orders: Any) -> list[dict[str, Any]]:
    """What a worker in this process answers."""
    said = io.StringIO()
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    threads = torch.get_num_threads()

    def serve() -> None:  # pins its own thread alone
        worker.serve(io.StringIO("".join(json.dumps(order) + "\n" for order in orders)), said)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    torch.set_num_threads(threads)
    assert affinity is None or os.sched_getaffinity(0) == affinity
    return [json.loads(line) for line in said.getvalue().splitlines()]


def order(**changes: Any) -> dict[str, Any]:
    return {"build": {"model": "bort-mini", "threads": 1, **changes}, "shapes": [[2, 8]]}


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({}, 1e-6),
        ({"runtime": "eager"}, 1e-5),
        ({"output": "masked-lm"}, 1e-6),
        ({"dtype": "bfloat16"}, 0.1),
        ({"dtype": "int8"}, 0.3),
        ({"runtime": "onnx", "model": "convbert-mini"}, 1e-4),
        ({"runtime": "onnx", "model": "albert-mini", "output": "masked-lm"}, 1e-4),
        ({"runtime": "torch-packed", "model": "convbert-mini", "output": "masked-lm"}, 1e-4),
        ({"runtime": "onnx-int8", "output": "masked-lm"}, 0.3),
        ({"runtime": "openvino"}, 1e-4),
    ],
)
def test_every_runtime_and_precision_computes_the_same(changes: dict[str, Any], most: float) -> None:
    if missing := RUNTIMES[changes.get("runtime", "fused")].missing():
        pytest.skip(missing)
    built, warm, ran = answers(order(**changes), {"warm": [2, 8]}, {"run": [2, 8], "calls": 3})
    assert "error" not in built | warm | ran
    assert warm["difference"] <= most and len(ran["ms"]) == 3 and min(ran["ms"]) > 0
    if changes.get("dtype") in ("bfloat16", "int8") or changes.get("runtime") == "onnx-int8":
        assert warm["difference"] > 1e-5  # it is another precision


def test_a_runtime_that_computes_something_else_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(RUNTIMES["fused"], open=lambda module: lambda x: lambda: module(x) + 1)
    monkeypatch.setattr(worker, "RUNTIMES", {**RUNTIMES, "fused": wrong})
    _, warm = answers(order(), {"warm": [2, 8]})
    assert "computes something else" in warm["error"] and "not timed" in warm["error"]


def test_a_missing_onnx_runtime_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match="not installed here: pip install onnx onnxruntime"):
        requirements.check(replace(BORT, runtime="onnx"))


def test_an_order_before_anything_is_built_is_refused() -> None:
    (said,) = answers({"warm": [1, 8]})
    assert "Nothing was built" in said["error"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB"), "Out of memory: CUDA out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"), "Out of memory"),
        (MemoryError(), "Out of memory. Choose a smaller batch"),
        (RuntimeError("CUDA error: device lost"), "The device failed or is gone"),
        (UnsupportedError("No such thing."), "No such thing."),
        (KeyError("x"), "KeyError: 'x'."),
    ],
)
def test_errors_become_sentences(error: BaseException, said: str) -> None:
    assert worker.sentence(error).startswith(said)


def test_a_worker_that_runs_out_of_memory_says_so_and_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(module: Any) -> Any:
        return lambda x: lambda: torch.empty(2**50, dtype=torch.int8)

    monkeypatch.setattr(worker, "RUNTIMES", {**RUNTIMES, "fused": replace(RUNTIMES["fused"], open=hungry)})
    _, warm, again = answers(order(), {"warm": [2, 8]}, {"warm": [2, 8]})
    assert "Out of memory" in warm["error"] and "error" in again


def test_threads_are_pinned_to_cores_that_are_there() -> None:
    chosen = machine.chosen_cpus(1)
    assert chosen is None or (len(chosen) == 1 and chosen[0] in os.sched_getaffinity(0))
    assert machine.chosen_cpus(10_000) is None


def test_what_others_take_is_told() -> None:
    watch = machine.Watch()
    time.sleep(0.05)
    noise = watch.noise(time.process_time())
    assert noise.others is None or 0 <= noise.others <= 1


def test_arithmetic_is_torchs_own_count() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    who = Contestant(model="convbert-mini", output="masked-lm")
    plain = torch.backends.mkldnn.flags(enabled=False)  # oneDNN's own product is not counted
    with FlopCounterMode(display=False) as counter, torch.no_grad(), plain:
        build(who, ((2, 8),))(example(who, (2, 8)))
    assert cases.flops("convbert-mini", "masked-lm", 2, 8) == pytest.approx(counter.get_total_flops(), rel=0.01)


# -- results -----------------------------------------------------------------------------------------------------------


def test_a_result_survives_a_file(tiny: Run, tmp_path: Path) -> None:
    tiny.save(tmp_path / "here.json")
    again = latency.load(tmp_path / "here.json")
    assert again.measured == tiny.measured and again.noise == tiny.noise and again.complete and again.name == "here"
    assert again.frame("bert-mini").equals(tiny.frame("bert-mini"))
    ratios = latency.compare(again, tiny)
    assert set(ratios) == set(tiny.by_case) and all(ratio.value == 1 for ratio in ratios.values())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"bortlab_latency": 2}',
        b"[" * 100_000,
        b"1" * 6_000_000,
        b'{"bortlab_latency": 1, "measured": [{"case": {"model": "<script>"}}]}',
    ],
)
def test_files_that_hold_no_result_are_refused(content: bytes) -> None:
    with pytest.raises(latency.ResultError):
        latency.read(content)


@given(st.data())
def test_a_damaged_result_is_refused_or_read(data: Any) -> None:
    """Whatever stands in its place: a ResultError or a result, never anything else."""
    whole = json.loads(made({"bort-mini": [[1.0], [2.0]], "bert-mini": [[2.0], [3.0]]}).to_json())
    junk = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers()))
    places = [(whole, key) for key in whole] + [(whole["noise"], key) for key in whole["noise"]]
    for entry in whole["measured"]:
        places += [(entry, key) for key in entry] + [(entry["case"], key) for key in entry["case"]]
        places.append((entry["rounds"], 0))
    place, key = data.draw(st.sampled_from(places))
    place[key] = data.draw(junk)
    try:
        run = latency.read(json.dumps(whole).encode())
    except latency.ResultError:
        return
    assert all(one.p50.value > 0 for one in run.timed)
    run.frame("bert-mini")


def test_ratios_frames_and_verdicts() -> None:
    run = made({"bort-mini": [[1.0], [1.1], [0.9]], "bert-mini": [[2.0], [2.2], [1.8]]})
    (ratio,) = run.ratios("bert-mini").values()
    assert ratio.value == pytest.approx(0.5) and ratio.verdict == "faster"
    table = run.frame("bert-mini").set_index("model")
    assert table.loc["Bort mini", "times as fast"] == pytest.approx(2)
    assert table.loc["BERT mini", "verdict"] == "baseline"
    assert table.loc["Bort mini", "p50 ms"] == 1.0 and table.loc["Bort mini", "sequences a second"] == 1000


def test_a_condition_can_be_the_baseline() -> None:
    one, other = made({"bort-mini": [[1.0], [1.0]]}), made({"bort-mini": [[2.0], [2.0]]}, runtime="eager")
    run = Run(Plan((*one.plan.cases, *other.plan.cases)), (*one.measured, *other.measured), {})
    assert {case.runtime: ratio.value for case, ratio in run.ratios("runtime=eager").items()} == {"fused": 0.5}
    assert latency.baseline_title("runtime=eager") == "torch, eager attention"


def test_a_busy_machine_is_told() -> None:
    quiet = made({"bort-mini": [[1.0], [1.0], [1.0]]})
    assert quiet.disturbed() == []
    busy = replace(made({"bort-mini": [[1.0], [3.0], [1.0]]}), noise=machine.Noise(1, 2, 0.5))
    first, second = busy.disturbed()
    assert "Bort mini most: 69%" in first and "50%" in second


def test_claims_are_checked_with_both_sizes() -> None:
    run = made(
        {
            "bort": [[10.0], [10.0]],
            latency.SMALL_BORT: [[8.0], [8.0]],
            "bert-base-uncased": [[60.0], [60.0]],
            "bert-large-uncased": [[200.0], [200.0]],
        }
    )
    found = {(check.published.name, check.published.model): check for check in latency.measured_speedups(run)}
    assert found["7.9 times", "bort"].verdict == "not reached"
    assert found["about 20 times", "bort"].verdict == "reached"
    assert found["about 20 times", latency.SMALL_BORT].speedup.value == pytest.approx(25)
    assert "7.9 times as fast as BERT base, Bort" in found["7.9 times", "bort"].sentence


def test_the_pareto_front() -> None:
    a, b, c, d = (replace(BORT, seq=seq) for seq in (1, 2, 3, 4))
    points = {a: (1.0, 50.0), b: (2.0, 60.0), c: (3.0, 55.0), d: (1.0, 40.0)}
    assert latency.pareto_front(points) == [a, b]
    accuracy = latency.heldout_accuracy("bert-mini")
    assert accuracy is not None and 0 < accuracy.low < accuracy.value < accuracy.high < 1
    assert latency.heldout_accuracy("../bert-mini") is None and latency.heldout_accuracy("bort") is None


def test_what_came_with_the_lab_can_be_read_and_says_where_it_is_from() -> None:
    (path,) = latency.recorded()
    run = latency.load(path)
    assert run.complete and run.environment["processor"] and run.environment["date"]
    assert {check.published.model for check in latency.measured_speedups(run)} == {"bort", latency.SMALL_BORT}


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_measures_compares_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here, table = tmp_path / "here.json", tmp_path / "here.csv"
    asked = ["bort-mini", "bert-mini", "--seq", "8", "--threads", "1", "--rounds", "2", "--seconds", "0"]
    assert main(["latency", *asked, "--json", str(here), "--csv", str(table)]) == 0
    assert "BERT mini" in capsys.readouterr().out and "p50 ms" in table.read_text()
    assert main(["latency", "--compare", str(here), str(here)]) == 0
    assert "Bort mini, 1 × 8, fused, float32: 1.00" in capsys.readouterr().out
    assert main(["latency", "brot"]) == 1
    assert "Unknown model" in capsys.readouterr().err
    assert main(["latency", "--compare", str(table), str(here)]) == 1
    assert "not a measurement" in capsys.readouterr().err


def test_equal_plans_are_one_job() -> None:
    assert latency.job(TINY) == latency.job(Plan((BORT, BERT), rounds=3, seconds=0.0))
    assert isinstance(latency.job(TINY), Job)
