"""Which engine is the fastest here: plans, verdicts on made-up times, and a real comparison held to `Model.on`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bortlab import registry
from bortlab.analysis import latency
from bortlab.analysis.latency import Measured, Plan, Run, worker
from bortlab.analysis.latency.cases import Case
from bortlab.analysis.latency.engines import RUNTIME_OF
from bortlab.cli import main
from bortlab.runtimes import RUNTIMES, UnsupportedError
from bortlab.runtimes.comparison import Agreement
from bortlab.runtimes.engines import ENGINES

BORT = Case(model="bort-mini", output="masked-lm", seq=16, threads=1)
ALIKE, OTHER = (0.98, 1.02, 0.99, 1.01, 1.0, 1.0), (1.02, 0.98, 1.01, 0.99, 1.0, 1.0)
"""Two courses of equal medians that differ from round to round."""


def made(ms: dict[str, float], *, seq: int = 16, error: str = "", course: tuple[float, ...] = ALIKE) -> Run:
    """A run of engines with these medians; every other engine has its rounds in another order."""
    measured = [
        Measured(
            replace(BORT, runtime=RUNTIME_OF[name], seq=seq),
            tuple((time * noise,) for noise in (course if number % 2 else OTHER)),
            parameters=10**6,
            difference=0.0,
            agreement=None if name == "torch" else Agreement(5, 2e-5, 22.0, 1.0, 66, 69),
        )
        for number, (name, time) in enumerate(ms.items())
    ]
    if error:
        measured.append(Measured(replace(BORT, runtime="openvino", seq=seq), error=error))
    return Run(Plan(tuple(entry.case for entry in measured)), tuple(measured), {"processor": "X", "cores": 1})


def fastest(run: Run) -> list[str]:
    (group,) = latency.engine_groups(run).values()
    return [RUNTIMES[entry.case.runtime].engine for entry in latency.fastest_engines(run, group)]


def test_engines_are_what_a_model_can_be_put_on() -> None:
    assert set(RUNTIME_OF) == set(ENGINES)
    assert set(latency.TRIED) <= set(ENGINES)


def test_a_plan_has_torch_and_each_engine_at_each_length() -> None:
    plan = latency.engines_plan(["bort-mini"], seq=[8, 16], engines=["torch-packed"], threads=[1])
    assert [(case.seq, case.runtime, case.output) for case in plan.cases] == [
        (8, "fused", "masked-lm"),
        (8, "torch-packed", "masked-lm"),
        (16, "fused", "masked-lm"),
        (16, "torch-packed", "masked-lm"),
    ]
    with pytest.raises(UnsupportedError, match=r"Unknown engine 'abacus'\. Known: torch, "):
        latency.engines_plan(["bort-mini"], engines=["abacus"])


def test_what_is_not_installed_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    plan = latency.engines_plan(["bort-mini", "bert-mini"], seq=[8, 16], threads=[1])
    assert {case.runtime for case in plan.cases} == {"fused", "torch-packed"}
    assert len(plan.left_out) == 2  # each program once
    assert "OpenVINO is not installed here: pip install onnx openvino" in " ".join(plan.left_out)


@pytest.mark.parametrize(
    ("ms", "names"),
    [
        ({"torch": 10.0, "torch-packed": 8.0, "onnx": 4.0}, ["onnx"]),
        ({"torch": 4.0, "torch-packed": 8.0}, ["torch"]),
        ({"torch": 10.0, "onnx": 5.0, "openvino": 5.0}, ["onnx", "openvino"]),
        ({"torch": 10.0, "torch-packed": 8.0, "onnx-int8": 1.0}, ["torch-packed"]),  # 8 bits are another answer
    ],
)
def test_the_fastest_computes_what_torch_does_and_ties_are_told(ms: dict[str, float], names: list[str]) -> None:
    assert sorted(fastest(made(ms))) == sorted(names)


def test_the_frame_holds_times_ratios_agreement_and_failures() -> None:
    frame = latency.engine_frame(made({"torch": 10.0, "onnx": 5.0}, error="It could not be built."))
    table = frame.set_index("engine")
    assert table.loc["onnx", "p50 ms"] == pytest.approx(5.0)
    assert table.loc["onnx", "shortest ms"] == pytest.approx(5.0 * min(ALIKE))
    assert table.loc["onnx", "times as fast as torch"] == pytest.approx(2.0, rel=0.03)
    assert table.loc["onnx", "verdict"] == "faster"
    assert table.loc["torch", "times as fast as torch"] == 1.0
    assert (table.loc["onnx", "same answers"], table.loc["onnx", "answers"]) == (66, 69)
    assert table.loc["openvino", "error"] == "It could not be built."


def test_a_run_of_one_engine_compares_nothing() -> None:
    assert latency.engine_groups(made({"torch": 1.0})) == {}
    assert latency.engine_groups(made({"onnx": 1.0, "openvino": 1.0})) == {}


def test_the_resolution_is_the_widest_half_interval() -> None:
    run = made({"torch": 10.0, "onnx": 5.0, "torch-packed": 9.0})
    ratios = latency.ratios_to_torch(run)
    widths = [(ratio.high - ratio.low) / 2 for ratio in ratios.values()]
    assert len(widths) == 2 and latency.resolution(run, ratios) == max(widths) > 0
    assert latency.resolution(run, []) == 0


def test_a_real_comparison_agrees_as_the_engine_itself_does(tmp_path: Path) -> None:
    names = [name for name in ("torch-packed", "onnx-int8") if not ENGINES[name].missing()]
    plan = latency.engines_plan(["bort-mini"], seq=[8], engines=names, threads=[1], rounds=2, seconds=0.0)
    run = latency.measure(plan, path=tmp_path / "here.json")
    assert not run.failed and latency.load(tmp_path / "here.json").measured == run.measured
    model = registry.load("bort-mini")
    for measured in run.timed:
        engine = RUNTIMES[measured.case.runtime].engine
        if engine == "torch":
            assert measured.agreement is None and measured.difference == 0
        else:
            expected = model.on(engine).agreement  # type: ignore[attr-defined]
            assert measured.agreement is not None
            assert measured.agreement.largest_difference == pytest.approx(expected.largest_difference, abs=1e-4)
            assert (measured.agreement.same, measured.agreement.decisions) == (expected.same, expected.decisions)


def test_an_engine_that_cannot_be_built_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(module: object) -> None:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(
        worker, "RUNTIMES", {**RUNTIMES, "torch-packed": replace(RUNTIMES["torch-packed"], open=broken)}
    )
    with pytest.raises(RuntimeError) as caught:
        worker.Worker(replace(BORT, runtime="torch-packed").contestant, ((1, 8),))
    assert worker.sentence(caught.value) == "RuntimeError: no such instruction."


def test_the_command_prints_the_table_and_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here, table = tmp_path / "here.json", tmp_path / "here.csv"
    words = ["latency", "bort-mini", "--engines", "torch-packed", "--seq", "8", "--threads", "1", "--rounds", "2"]
    assert main([*words, "--seconds", "0", "--json", str(here), "--csv", str(table)]) == 0
    printed = capsys.readouterr().out
    assert "torch-packed" in printed and "On this processor" in printed and "Bort mini" in printed
    assert "times as fast as torch" in table.read_text()
    assert [case.runtime for case in latency.engine_groups(latency.load(here))] == ["fused"]
    assert main(["latency", "bort-mini", "--engines", "abacus"]) == 1
    assert "Unknown engine 'abacus'" in capsys.readouterr().err
