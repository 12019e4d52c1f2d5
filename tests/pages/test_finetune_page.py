"""The Fine-tune page through Streamlit's test runner: bundled tasks, files of one's own, results, deletion."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from bortlab.data.labelled import load_task, tasks
from bortlab.training.finetune import ComparisonPlan, compare, job
from bortlab.ui.finetune import data as page_data
from bortlab.work.job_folder import Status, write_status
from bortlab.work.reference import ModelReference
from tests.pages.visiting import check, visit

lab = partial(visit, "Fine_tune")
REVIEWS = "review;stars\n" + "\n".join(
    f"{'A good and happy' if n % 2 else 'A poor and sad'} day, number {n}.;{'glad' if n % 2 else 'sad'}"
    for n in range(40)
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    page_data._task.cache_clear()


def words(at: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "warning", "error", "header")
    return " ".join(str(element.value) for kind in kinds for element in getattr(at, kind))


def test_a_first_visit_shows_a_task_and_what_it_would_take() -> None:
    at = lab()
    assert "4,000" in words(at) and "12 labels" in words(at)
    assert [button.label for button in at.button if "Fine-tune" in button.label] == ["Fine-tune and compare"]
    assert "4 trainings and the baselines, about" in words(at)


@pytest.mark.parametrize("name", [card.name for card in tasks()])
def test_every_bundled_task_is_shown(name: str) -> None:
    at = lab(data=name, models=["bort-mini"])
    assert not at.error
    assert "1 training and the baselines" in words(at)


def test_without_models_nothing_can_be_started() -> None:
    at = lab(models=[""])
    assert "Choose models in the sidebar." in words(at)
    assert next(button for button in at.button if "Fine-tune" in button.label).disabled


def upload(at: AppTest, content: str | bytes, name: str = "reviews.csv") -> AppTest:
    raw = content.encode() if isinstance(content, str) else content
    at.file_uploader(key="labelled").set_value((name, raw, "text/csv"))
    return check(at.run())


def test_a_file_of_ones_own_is_read_checked_and_can_be_deleted() -> None:
    at = upload(lab(**{"from": "a file of your own"}), "\ufeff" + REVIEWS)
    assert "2 labels: " in words(at)
    assert [box.value for box in at.selectbox if box.label in ("Text", "Label")] == ["review", "stars"]
    assert any("Fine-tune" in button.label for button in at.button)
    at.button(key="delete-data").click()
    check(at.run())
    assert "Bring a table" in words(at)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "empty"),
        ("text,label\n", "no examples"),
        (b"PK\x03\x04" + b"0" * 50, "spreadsheet"),
        ("text,label\none,a\ntwo,\n", "no label"),
    ],
)
def test_what_cannot_be_read_is_told(content: str | bytes, says: str) -> None:
    at = upload(lab(**{"from": "a file of your own"}), content)
    assert any(says in str(error.value) for error in at.error), [error.value for error in at.error]
    assert not any("Fine-tune" in button.label for button in at.button)


def test_a_column_chosen_twice_is_told() -> None:
    at = upload(lab(**{"from": "a file of your own"}), REVIEWS)
    next(box for box in at.selectbox if box.label == "Label").set_value("review")
    check(at.run())
    assert any("chosen twice" in str(error.value) for error in at.error)


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Put the results of a small comparison of one mini where the page looks for them."""
    monkeypatch.setattr(page_data, "MOST_TEST", 24)
    monkeypatch.setattr(page_data, "MOST_DEV", 12)

    def make() -> None:
        data = page_data.bounded(load_task("field"))
        plan = ComparisonPlan(
            models=(ModelReference.named("bort-mini"),),
            changes={"batch": 16, "balanced": False, "epochs": 1},
            examples=50,
        )
        this = job.job_of(data, plan)
        (this.folder / "work").mkdir(parents=True)
        list(compare(data, plan, job.results_folder(this)))
        (this.folder / "job.json").write_text(
            json.dumps({"name": this.name, "function": this.function, "arguments": dict(this.arguments)})
        )
        write_status(this.folder, Status("done", 1.0, "Done."))

    return make


def test_results_are_shown_with_their_verdict_mistakes_and_models(results: Callable[[], None]) -> None:
    results()
    at = lab(data="field", models=["bort-mini"], examples="50", epochs="1")
    text = words(at)
    assert "Which is best for these data?" in text
    assert "is best: accuracy" in text
    assert "24 test examples only" in text
    assert "Mistakes of Bort mini" in text and "of 24" in text
    assert len(at.get("plotly_chart")) >= 4
    at.text_input(key="probe").set_value("a term of geometry")
    check(at.run())
    assert any("%" in block.value for block in at.code)
    python = next(block.value for block in at.code if "compare_models" in block.value)
    compile(python, "as Python", "exec")
    assert "load_task('field')" in python and "examples=50" in python and "epochs=1" in python


def test_the_plan_that_a_link_names_is_the_plan_that_runs() -> None:
    at = lab(data="field", models=["bort-mini"], examples="100", epochs="2", seeds="3", curve="true")
    assert "4 trainings and the baselines" in words(at)  # three seeds, and one on 50 examples


def test_what_was_made_of_data_is_forgotten_with_them(results: Callable[[], None]) -> None:
    results()
    data = page_data.bounded(load_task("field"))
    other = replace(data, name="other", train=data.train[:9])
    assert job.job_of(other, ComparisonPlan(models=())).folder != job.jobs_of(data)[0].folder
    folder = job.jobs_of(data)[0].folder
    job.forget(other)
    assert folder.is_dir()
    job.forget(data)
    assert not folder.exists()
