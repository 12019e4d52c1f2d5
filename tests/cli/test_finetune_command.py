"""`bortlab finetune`: a file of one's own to a report, and again without training anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bortlab
from bortlab import cli

ROWS = ("A poor and sad day {}.,sad", "A good and happy day {}.,glad")


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    path.write_text("review,stars\n" + "\n".join(ROWS[n % 2].format(n) for n in range(60)), encoding="utf-8")
    return path


def test_a_file_becomes_a_report_and_a_model(reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results"
    command = ["finetune", str(reviews), "--text", "review", "--label", "stars", "--models", "bort-mini"]
    command += ["--epochs", "2", "--rate", "1e-3", "--out", str(out)]
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    assert "Bort mini" in printed and "TF-IDF" in printed and "is best: accuracy" in printed
    assert "&#" not in printed
    record = json.loads((out / "results.json").read_text(encoding="utf-8"))
    entry = record["entries"]["bort-mini"]
    model = bortlab.load_from(out / entry["folder"], family="bort", task="sequence-classification")
    assert model.classify("A good and happy day.").labels[0].label in ("glad", "sad")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Bort mini" in page and "Confusion matrix" in page

    assert cli.main(command) == 0
    assert (
        json.loads((out / "results.json").read_text(encoding="utf-8"))["entries"]["bort-mini"]["runs"] == entry["runs"]
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["--label", "mood"], "mood"),
        (["--models", "no-such-model"], "no-such-model"),
        (["--seeds", "0"], "seeds"),
        (["--rate", "-1"], "rate"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    data = [] if arguments[0].endswith(".csv") else [str(reviews)]
    models = [] if "--models" in arguments else ["--models", "bort-mini"]
    assert cli.main(["finetune", *data, *arguments, *models, "--out", str(tmp_path / "results")]) == 1
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error
    assert not (tmp_path / "results" / "models").exists()
