"""The Agora page through Streamlit's test runner: the answer, the recorded run, and a run on one's own data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from bortlab.data.labelled import load_task, store
from bortlab.training.agora import job, scarce
from bortlab.training.agora.example import example
from bortlab.training.finetune import job as finetuning
from bortlab.ui.agora import evidence
from bortlab.ui.agora.own import python
from bortlab.ui.agora.setting import Setting
from bortlab.ui.finetune import data as page_data
from bortlab.views import agora as draw
from bortlab.work.job_folder import Status, write_status
from bortlab.work.running import Running
from tests.agora_record import record
from tests.pages.visiting import charts, check, elements, sentences, visit

lab = partial(visit, "Agora")
OWN = {"view": "On your data"}
SMALL = {
    **OWN,
    "data": "field",
    "learn": "50",
    "labeller": "TF-IDF + linear",
    "sets": "2",
    "epochs": "1",
    "generator": "swap",
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(page_data, "MOST_TEST", 24)
    monkeypatch.setattr(page_data, "MOST_DEV", 20)
    page_data._task.cache_clear()
    evidence.records.cache_clear()
    yield
    page_data._task.cache_clear()
    evidence.records.cache_clear()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """Let the page have experiments with known figures."""

    def have(**records: dict) -> None:
        monkeypatch.setattr(evidence, "recorded", lambda: records)

    return have


def words(at: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "warning", "error", "header")
    return " ".join(str(element.value) for kind in kinds for element in getattr(at, kind))


# -- the answer --------------------------------------------------------------------------------------------------------


def test_without_an_experiment_the_page_says_so_and_shows_how_it_works(recorded: Callable) -> None:
    recorded()
    at = lab()
    assert any("No experiment has been recorded here yet" in sentence for sentence in sentences(at))
    assert "our interpretation" in words(at) and len(charts(at, "rounds")) == 1
    assert at.button_group(key="view").options == ["How it works", "On your data"]


def test_the_answer_comes_first_and_the_rivals_below(recorded: Callable) -> None:
    its = record([0.052, 0.04, 0.06, 0.05, 0.03, 0.045])
    recorded(bort=its)
    at = lab()
    assert "**Yes, it helps**" in words(at) and not at.info
    assert [chart.key for chart in charts(at)] == ["rivals", "by-task", "over-fitting"]
    table = next(frame.value for frame in at.dataframe if "Agora minus it" in frame.value)
    assert table["rival"].tolist() == draw.rivals_frame(its)["rival"].tolist()
    assert "E minus H" in words(at) and "declared beforehand" in words(at)
    python = next(code.value for code in at.code if "recorded()" in code.value)
    compile(python, "as Python", "exec")
    assert not any("<old>" in element.value for element in at.markdown)


def test_of_several_experiments_one_is_looked_at(recorded: Callable) -> None:
    recorded(**{"bort-mini": record([0.052, 0.04]), "bert-mini": record([-0.052, -0.04])})
    at = lab()
    box = next(box for box in at.selectbox if box.key == "experiment")
    assert box.options == ["Bort mini", "BERT mini"]
    first = words(at)
    box.set_value("bert-mini")
    assert words(check(at.run())) != first


def test_the_bundled_experiment_says_what_its_file_says() -> None:
    at = lab()
    for its in evidence.records().values():
        assert draw.answer(its) in words(at)


# -- how it works ------------------------------------------------------------------------------------------------------


def test_the_recorded_run_moves_with_its_rounds() -> None:
    history = example().history
    at = lab(view="How it works", round="1")
    assert at.slider(key="round").value == 1 and "Round 1 trains 6 sets on 200 examples" in words(at)
    (picture,) = charts(at, "rounds")
    assert "Round 2" not in picture.proto.alt
    at.slider(key="round").set_value(len(history.rounds))
    check(at.run())
    (picture,) = charts(at, "rounds")
    assert f"Round {len(history.rounds)}" in picture.proto.alt
    table = next(frame.value for frame in at.dataframe if "leaves" in frame.value)
    assert len(table) == history.trainings == example().summary["trainings"]


def test_points_are_shown_kept_and_refused() -> None:
    at = lab(view="How it works")
    its = example().history.rounds[-1]
    body = next(e.proto.body for e in elements(at._tree) if e.type == "html" and "bg-points" in e.proto.body)
    assert body.count('role="listitem"') == 6 and 'bg-refused"' not in body
    at.button_group(key="points").select("refused")
    check(at.run())
    refused = [point.refused for point in its.points if point.refused]
    table = next(frame.value for frame in at.dataframe if "refused because" in frame.value)
    assert table["refused because"].tolist() == refused


def test_the_python_of_the_rounds_runs(capsys: pytest.CaptureFixture[str]) -> None:
    at = lab(view="How it works", round="2")
    exec(compile(next(code.value for code in at.code if "example()" in code.value), "as Python", "exec"), {})
    assert capsys.readouterr().out.startswith("Round 2 trains 4 sets")


def test_foreign_values_in_the_link_change_nothing() -> None:
    for value in ("99", "x", "-1"):
        at = lab(view="How it works", round=value, learner="brot", learn="7", sets="1000", rule="<b>", points="$x$")
        assert not at.error
        at = lab(
            **OWN, data="direct-speech", learner="brot", learn=value, search=value, sets=value, rule="<b>", labeller="x"
        )
        assert not at.error and any(button.label == "Run Agora" for button in at.button)


# -- on one's own data -------------------------------------------------------------------------------------------------


def test_what_is_taken_for_granted_is_checked_on_the_data() -> None:
    at = lab(**SMALL)
    text = words(at)
    assert "No:** " not in text and "No: **The labeller is right in more than 2/3.**" in text
    assert "The search set has 20 examples" in text and "so what is chosen by it is mostly chance" in text
    assert "do not hold" in text and "At most 3 trainings" in text
    assert [button.label for button in at.button if "Agora" in button.label] == ["Run Agora"]
    better = words(lab(**{**SMALL, "labeller": "frozen MiniLM + linear"}))
    assert better != text


def upload(content: str) -> AppTest:
    at = lab(**OWN, **{"from": "a file of your own"})
    at.file_uploader(key="labelled").set_value(("own.csv", content.encode(), "text/csv"))
    return check(at.run())


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["text,label", *(f"text {n},a" for n in range(30))], "nothing to learn"),
        (["text,label", *(f"text {n},{n / 7}" for n in range(60))], "one class a text"),
        (["text,label", "one,a"], "cannot be divided"),
    ],
)
def test_data_that_cannot_be_searched_are_told_and_nothing_can_be_started(rows: list[str], says: str) -> None:
    at = upload("\n".join(rows))
    assert any(says in sentence for sentence in sentences(at)), sentences(at)
    assert not any(button.label == "Run Agora" for button in at.button)


def test_more_classes_than_examples_can_be_looked_at() -> None:
    at = upload("\n".join(["text,label", *(f"the text {n},class {n // 4}" for n in range(40))]))
    assert not at.error and any(button.label == "Run Agora" for button in at.button)
    assert "a class has not even 5" in words(at)


@pytest.fixture
def finished() -> Setting:
    """The results of a small run where the page looks for them."""
    data = scarce(page_data.bounded(load_task("field")), learn=50)
    choices = {**job.SMALL, "n_sets": 2, "epochs": 1, "generator": "swap", "options": {"budget": 3, "rule": "lcs"}}
    setting = Setting("field", data, "bort-mini", "words", choices)
    store(data, job.data_path(data))
    this = job.job_of(data, setting.reference, "words", choices)
    (this.folder / "work").mkdir(parents=True)
    numbers = job.run(Running(this.folder), **this.arguments)
    about = {"name": this.name, "function": this.function, "arguments": dict(this.arguments)}
    (this.folder / "job.json").write_text(json.dumps(about))
    write_status(this.folder, Status("done", 1.0, "Done.", numbers=numbers))
    return setting


def test_results_stay_with_their_rounds_points_python_and_model(finished: Setting) -> None:
    at = lab(**SMALL)
    text = words(at)
    assert "24 sealed examples that were read once" in text and "E minus H is" in text
    assert "It took 3 trainings" in text and len(charts(at, "rounds")) == 1
    assert not any(button.label == "Run Agora" for button in at.button)
    assert any(e.proto.label == "The best model" for e in elements(at._tree) if e.type == "download_button")
    shown = next(code.value for code in at.code if "bortlab.agora(" in code.value)
    assert shown == python(finished).strip()
    compile(shown, "as Python", "exec")
    for part in ("load_task('field')", "learn=50", "n_sets=2", "'bort-mini'", "labeller_named('words', data)"):
        assert part in shown
    this = job.job_of(finished.data, finished.reference, finished.labeller, finished.choices)
    write_status(this.folder, Status("cancelled", 0.5, "Cancelled."))
    stopped = lab(**SMALL)
    assert [chart.key for chart in charts(stopped)] == ["rounds-so-far"] and "Cancelled." in sentences(stopped)
    assert any(button.label == "Go on" for button in stopped.button)
    finetuning.forget(finished.data)
    assert any(button.label == "Run Agora" for button in lab(**SMALL).button)
