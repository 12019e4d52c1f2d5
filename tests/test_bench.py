"""The benchmark itself: its statistics and table on made-up numbers, and a run with tiny networks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
import torch

from bortlab.models import FAMILIES, Config, Family, Network
from bortlab.registry import find
from bortlab.runtimes.engines.program import TorchProgram
from tests import bench, bench_networks, bench_start
from tests.bench import Row

MS = {"ours": [2.0, 4.0, 9.0], "eager": [4.0, 5.0, 9.0], "sdpa": [4.0, 8.0, 12.0], "onnxruntime": [1.0, 2.0, 3.0]}


def row(name: str = "bort (1, 16)", bar: float | None = 0.95, notes: tuple[str, ...] = (), **ms: list[float]) -> Row:
    times = MS | ms
    return Row("networks", name, times, "eager", bench.ratio(times, "ours", "eager"), bar, notes, load=1.5)


def test_a_ratio_is_of_times_in_one_turn() -> None:
    """Turns twice as slow for everybody change nothing; the medians alone would say something else."""
    assert bench.ratio(MS, "ours", "eager") == 0.8  # of 0.5, 0.8 and 1
    slow = {name: [time * factor for time, factor in zip(times, (1, 2, 7), strict=True)] for name, times in MS.items()}
    assert bench.ratio(slow, "ours", "eager") == 0.8
    with pytest.raises(ValueError, match="zip"):
        bench.ratio({"ours": [1.0], "eager": [1.0, 2.0]}, "ours", "eager")


def test_the_best_has_the_least_median() -> None:
    assert bench.best(MS, ("eager", "sdpa")) == "eager"
    assert bench.best(MS, ("sdpa", "absent")) == "sdpa"
    assert bench.best(MS | {"eager": [1.0, 9.0, 9.0]}, ("eager", "sdpa")) == "sdpa"


@pytest.mark.parametrize(("bar", "met"), [(0.95, True), (0.8, True), (0.75, False), (None, None)])
def test_a_bar_is_met_up_to_its_value(bar: float | None, met: bool | None) -> None:
    assert row(bar=bar).met is met


def test_contestants_take_turns_and_nobody_is_always_first() -> None:
    order: list[str] = []
    runs = {name: lambda name=name: order.append(name) for name in "abc"}
    ms = bench.take_turns(runs, seconds=0, turns=4, rest=0)
    assert order == [*"abc", *"abc", *"bca", *"cab", *"abc"]  # once unmeasured
    assert {name: len(times) for name, times in ms.items()} == {"a": 4, "b": 4, "c": 4}
    assert all(time >= 0 for times in ms.values() for time in times)
    assert len(bench.take_turns({"a": lambda: None}, seconds=0.02, turns=1, rest=0.001)["a"]) > 1


def test_the_table_says_who_met_what() -> None:
    slow = row("bert (1, 16)", ours=[4.0, 10.0, 18.0], notes=("no sdpa: why",))
    del slow.ms["sdpa"]  # type: ignore[attr-defined]
    lines = bench.table([row(), slow]).splitlines()
    assert lines[0] == "networks"
    assert " ".join(lines[1].split()) == "ours, ms eager, ms sdpa, ms onnxruntime, ms ratio of minima bar load"
    times = "2.00 / 4.00 4.00 / 5.00 4.00 / 8.00 1.00 / 2.00"
    assert " ".join(lines[2].split()) == f"bort (1, 16) {times} 0.80 0.50 0.95 met 1.5"
    times = "4.00 / 10.00 4.00 / 5.00 - 1.00 / 2.00"
    assert " ".join(lines[3].split()) == f"bert (1, 16) {times} 2.00 1.00 0.95 MISSED 1.5"
    assert lines[4] == "  bert (1, 16): no sdpa: why"
    assert lines[1].index("ratio") + len("ratio") == lines[2].index("0.80") + len("0.80")  # columns end together


def test_a_table_without_bar_and_ours() -> None:
    plain = Row("imports", "import", {"bortlab": [2.0], "torch": [1.0]}, "torch", 2.0, load=0.0)
    assert " ".join(bench.table([plain]).splitlines()[2].split()) == "import 2.00 / 2.00 1.00 / 1.00 2.00 - 0.0"


def test_every_network_is_a_published_architecture() -> None:
    for key in bench.NETWORKS:
        assert find(key)[1].config is not None
    assert set(bench.NETWORKS) < set(bench.BENCHES)


@pytest.mark.parametrize(
    ("family", "pieces", "expected"),
    [
        ("bert", 16, (0.8, 1.6)),
        ("albert", 128, (0.95, 1.15)),
        ("convbert", 16, (0.7, 1.6)),
        ("convbert", 512, (0.7, 1.15)),
    ],
)
def test_bars_by_family_and_length(family: str, pieces: int, expected: tuple[float, float]) -> None:
    assert bench_networks.bars(family, pieces) == expected


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_tiny_networks_end_to_end(
    family: Family, tiny_config: Callable[..., Config], build: Callable[..., Network]
) -> None:
    """Everyone runs, and gives torch's numbers, for texts of two lengths."""
    network = build(family, tiny_config(family)).requires_grad_(False)
    rows = list(bench_networks.network_rows("tiny", family, network, [(1, 4), (2, 7)], bench.How(seconds=0)))
    for shape in ("tiny (1, 4)", "tiny (2, 7)"):
        torchs, fastest, *by_runtime = [row for row in rows if row.name == shape]
        assert not [note for note in torchs.notes if "left out" in note]
        assert {"torch", "torch-packed", "eager"} <= torchs.ms.keys()
        assert torchs.against == fastest.against and torchs.against in bench_networks.TRANSFORMERS
        assert torchs.ours in bench_networks.TORCH and fastest.ours in bench_networks.EXACT
        assert median(fastest.ms[fastest.ours]) <= median(torchs.ms[torchs.ours])
        assert all(len(times) == 3 for row in rows for times in row.ms.values())
        assert (torchs.bar is None, fastest.bar is None) == (False, True)
        for row in by_runtime:
            assert row.against in bench_networks.RUNTIME and row.ours == torchs.ours and row.bar == 1.6
        assert by_runtime or "onnx" in str(torchs.notes)


def test_a_peer_with_other_numbers_is_left_out(
    tiny_config: Callable[..., Config], build: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    family = FAMILIES["bort"]
    network, other = (build(family, tiny_config(family), seed=seed).requires_grad_(False) for seed in (0, 1))

    def broken(*_: object) -> None:
        raise RuntimeError("no such thing\nand more")

    monkeypatch.setattr(bench_networks, "onnx_session", broken)
    models = {name: bench_networks.theirs(family, of, name) for name, of in (("eager", network), ("sdpa", other))}
    engines = {"torch": TorchProgram(network)}
    with torch.no_grad():
        runs, notes = bench_networks.contestants(network, engines, models, torch.arange(8).view(1, 8))
    assert list(runs) == ["torch", "eager"]
    assert notes[0] == "no onnxruntime: RuntimeError: no such thing"
    assert notes[1].startswith("sdpa left out: its logits differ by ")


def test_main_writes_what_it_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(bench, "BENCHES", {"good": lambda how: [row()], "bad": lambda how: [row("x", 0.5)]})
    assert bench.main(["--json", str(tmp_path / "bench.json")]) == 1
    assert "Missed: x." in capsys.readouterr().out
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [(entry["name"], entry["met"]) for entry in written["rows"]] == [("bort (1, 16)", True), ("x", False)]
    assert written["rows"][0]["ms"]["ours"] == MS["ours"]
    assert {"processor", "versions", "threads", "load_average", "load_average_after"} <= written["machine"].keys()
    assert written["machine"]["threads"] == bench.THREADS
    assert bench.main(["--busy", "--only", "good", "--json", str(tmp_path / "busy.json")]) == 0
    busy = json.loads((tmp_path / "busy.json").read_text())["machine"]
    assert (busy["threads"], busy["clock"], written["machine"]["clock"]) == (1, "thread_time", "perf_counter")
    assert "All bars met." in capsys.readouterr().out
    assert bench.main(["--threads", "3", "--only", "good", "--json", str(tmp_path / "three.json")]) == 0
    assert json.loads((tmp_path / "three.json").read_text())["machine"]["threads"] == 3
    with pytest.raises(SystemExit):
        bench.main(["--busy", "--threads", "2", "--only", "good"])
    assert "--busy counts the processor time of one thread" in capsys.readouterr().err
    assert torch.get_num_threads() == before


def test_convolution_by_unfold_is_ours() -> None:
    rows = list(bench.bench_convolution(bench.How(seconds=0), heads=1, size=4, width=3))
    assert {tuple(row.ms) for row in rows} == {("ours", "window", "taps", "unfold")}
    assert all(row.met is None for row in rows)


def test_the_waterfalls_of_checkouts_stand_side_by_side() -> None:
    def waterfall(first: float) -> bench_start.Waterfall:
        return {step: (first + n, (first + n) / 2) for n, step in enumerate((bench_start.ANSWERS, *bench_start.STEPS))}

    starts = {Path("before"): [waterfall(2.0), waterfall(3.0), waterfall(7.0)], Path("after"): [waterfall(1.0)]}
    head, rule, *lines = bench_start.table(starts).splitlines()
    assert head.count("|") == rule.count("|") == 6 and head.index("before") < head.index("after")
    assert lines[0] == "| the server answers | 3.0 (2.0) | 1.5 | 1.0 (1.0) | 0.5 |"
    assert lines[-1] == "| first prediction | 6.0 (5.0) | 3.0 | 4.0 (4.0) | 2.0 |"
