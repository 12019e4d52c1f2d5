"""`bortlab search`: a search, times in the place of operations, and what a trained grid says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bortlab import cli, search
from bortlab.analysis import latency
from bortlab.analysis.latency import Measured, Plan, Run
from bortlab.search.latency import Timed
from tests.search import test_heads


def test_the_representatives_and_everything_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "search.json"
    cli.main(["search", "--space", "minis", "--stride", "4", "--error", "power", "--json", str(file)])
    result = search.search("minis", stride=4, error="power")
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["best"] == [row.name for row in result.best] and len(written["candidates"]) == 24
    assert "one of every 4 is looked at, 6 in all" in capsys.readouterr().out


def test_times_are_told_with_their_sentences_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(plan: Plan, **_: object) -> Run:
        return Run(plan, tuple(Measured(case, ((1.0 + n,),) * 3) for n, case in enumerate(plan.cases)), {})

    monkeypatch.setattr(latency, "measure", measure)
    file = tmp_path / "times.json"
    cli.main(["search", "--space", "minis", "--stride", "4", "--pieces", "64", "--latency", "--json", str(file)])
    timed = Timed.from_dict(json.loads(file.read_text(encoding="utf-8")))
    assert [entry.ms.value for entry in timed.candidates] == [1, 2, 3, 4, 5, 6] and timed.pieces == 64
    assert f"milliseconds is {timed.spearman.value:.2f} (" in capsys.readouterr().out


def test_a_study_says_whether_heads_matter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, copy = tmp_path / "grid.json", tmp_path / "study.json"
    file.write_text(json.dumps(test_heads.trained({2: 0.2, 4: 0.0, 8: 0.1}).to_dict()), encoding="utf-8")
    cli.main(["search", "--study", str(file), "--json", str(copy)])
    printed = capsys.readouterr().out
    assert "9 of the 9 candidates were trained" in printed and "the number of heads matters" in printed
    assert json.loads(copy.read_text(encoding="utf-8"))["study"]["names"]
