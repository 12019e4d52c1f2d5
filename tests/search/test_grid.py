"""Training a grid: distilled, clipped, graded, resumed as if never stopped; and what cannot be trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import bortlab
from bortlab.search import SpaceError, grid, teacher
from bortlab.search.candidate_run import Budget, CandidateRun, Classroom, train_candidate
from bortlab.search.grid import TrainedGrid, TrainingGrid, read_grid, train_grid
from bortlab.search.teacher import Exam, Grade, RememberedTeacher, TeacherError, read_text, set_exam
from bortlab.training.hiding import hide

TINY = Budget(pieces=3_000, step_pieces=600, length=24, warmup=600)
GRID = TrainingGrid(
    space="minis",
    candidates=("1-4-112-168", "2-4-112-168"),
    teacher="bert-mini",
    budget=TINY,
    rates=(1e-3, 4e-3),
    seeds=(0, 1),
    every=400,
    exam_pieces=100,
)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    model = bortlab.load("bert-mini")
    text = read_text(model, "train", 400)
    exam = set_exam(model, text, read_text(model, "heldout", 40), length=24, pieces=100)
    return Classroom(model, text, exam, tmp_path_factory.mktemp("answers"))


def test_the_bundled_maximum_point_knows_enough(room: Classroom) -> None:
    exam = room.exam
    exam.check_teacher()
    assert exam.n_hidden >= 100
    assert exam.teacher.error < exam.unigram.error  # the entropy of its answers is the least there can be
    again = exam.grade(room.teacher.network)
    assert abs(again.error - exam.teacher.error) < 1e-4 and again.accuracy == exam.teacher.accuracy


def test_a_maximum_point_that_knows_little_is_refused(room: Classroom) -> None:
    poor = replace(room.exam, teacher=Grade(5.0, 6.0, 0.1), unigram=Grade(6.5, 6.5, 0.07))
    with pytest.raises(TeacherError, match=r"it reaches 0.92 .6.00 of 6.50 nats"):
        poor.check_teacher()
    with pytest.raises(TeacherError):
        replace(poor, teacher=Grade(float("nan"), float("nan"), 0.0)).check_teacher()


def test_the_teacher_is_asked_once_for_each_batch(room: Classroom, tmp_path: Path) -> None:
    """Its answers, read back from the disk, are those that it gave: KEPT pieces at each place, rescaled to 1."""
    run = CandidateRun(
        TINY.recipe(1e-3, 0),
        tmp_path,
        _network(room),
        room.text,
        room.teacher.tokenizer,
        teacher=lambda text: RememberedTeacher(room.teacher.network, text, tmp_path / "answers"),
    )
    rows = next(run.batches())
    hidden = hide(run.on_device, rows.chunks, rows.widths[0], rate=0.15, generator=torch.Generator().manual_seed(0))
    assert run.teacher is not None
    first = run.teacher.distributions(rows, hidden)
    (file,) = (tmp_path / "answers").glob("*.npz")
    written = file.stat().st_mtime_ns
    second = run.teacher.distributions(rows, hidden)
    assert file.stat().st_mtime_ns == written
    assert torch.equal(first[0], second[0]) and first[1] is not None and second[1] is not None
    assert torch.equal(first[1], second[1])
    assert first[0].shape[-1] == teacher.KEPT and torch.allclose(first[0].sum(-1), torch.ones(()), atol=1e-5)
    whole = teacher.hidden_logits(room.teacher.network, hidden).float().softmax(-1)
    assert torch.equal(first[1][..., 0], whole.argmax(-1))


def _network(room: Classroom) -> Any:
    config = replace(room.teacher.config, num_hidden_layers=1, hidden_size=112, intermediate_size=168)
    return room.teacher.family.network(config).initialise(torch.Generator().manual_seed(0))


def test_weights_stay_within_the_bound(room: Classroom, tmp_path: Path) -> None:
    config = _network(room).config
    seen: list[float] = []

    class Watched(Exam):
        def grade(self, network: Any) -> Grade:
            seen.append(max(float(p.detach().abs().max()) for p in network.parameters() if p.ndim > 1))
            return Exam.grade(self, network)

    exam = Watched(room.exam.batches, room.exam.answers, room.exam.teacher, room.exam.unigram, room.exam.n_hidden)
    train_candidate(
        config, replace(room, exam=exam), replace(TINY, clip=0.05), rate=1e-3, seed=0, folder=tmp_path / "run"
    )
    assert len(seen) == 3 and max(seen) == pytest.approx(0.05)


def test_a_grid_that_was_stopped_goes_on_to_the_numbers_of_a_job_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BORTLAB_CACHE", str(tmp_path / "cache"))
    planned = replace(GRID, candidates=("1-4-112-168",), seeds=(0,), rates=(4e-3,))

    class Stop(Exception):
        pass

    def stop(progress: float, message: str = "", **numbers: Any) -> None:
        if progress > 0.4:  # after the first grade
            raise Stop

    with pytest.raises(Stop):
        train_grid(planned, tmp_path / "stopped", tell=stop)
    resumed = train_grid(planned, tmp_path / "stopped")
    work = grid.job(planned).start()
    status = work.wait(300)
    assert status.state == "done", work.log()
    whole = read_grid(Path(status.numbers["path"]))
    assert whole.complete and resumed.complete and whole.names == ("1-4-112-168",)
    numbers = [
        [[(point["step"], point["error"], point["loss"]) for point in entry["curve"]] for entry in result.trainings]
        for result in (resumed, whole)
    ]
    assert numbers[0] == numbers[1]
    assert read_grid(tmp_path / "stopped" / "grid.json").trainings == resumed.trainings
    assert not list((tmp_path / "stopped").rglob("state.pt"))


@pytest.fixture
def by_formula(monkeypatch: pytest.MonkeyPatch, room: Classroom) -> None:
    monkeypatch.setattr(grid, "train_one", "tests.search_work:fake_training")
    monkeypatch.setattr(grid, "classroom", lambda *_: room)


@pytest.mark.usefixtures("by_formula")
def test_the_first_seed_tries_all_rates_and_the_others_the_best(tmp_path: Path) -> None:
    result = train_grid(GRID, tmp_path, workers=1)
    tried = [(entry["name"], entry["seed"], entry["rate"]) for entry in result.trainings]
    first, second = GRID.candidates
    chosen = [(first, [1e-3, 4e-3, 4e-3]), (second, [1e-3, 4e-3, 1e-3])]
    assert tried == [(name, seed, rate) for name, rates in chosen for seed, rate in zip((0, 0, 1), rates, strict=True)]
    assert result.complete and result.names == GRID.candidates
    assert [entry["rate"] for entry in result.best(first)] == [4e-3, 4e-3]
    assert [entry.get("failed") for entry in result.trainings if entry["name"] == second][1] == (
        "The loss is not a number."
    )
    assert result.errors_of(second) == pytest.approx([4.9, 5.0])


@pytest.mark.usefixtures("by_formula")
def test_every_seed_may_try_every_rate_in_one_sweep(tmp_path: Path) -> None:
    shares: list[float] = []
    every = replace(GRID, candidates=("1-4-112-168",), every_rate=True)
    result = train_grid(every, tmp_path, workers=1, tell=lambda share, *_: shares.append(share))
    tried = [(entry["seed"], entry["rate"]) for entry in result.trainings]
    assert tried == [(0, 1e-3), (0, 4e-3), (1, 1e-3), (1, 4e-3)] and every.n_trainings == 4
    assert result.complete and shares == sorted(shares) and shares[-1] == 1


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"candidates": ()}, "There is nothing to train"),
    "no such candidate": ({"candidates": ("9-9-9-9",)}, "No candidate '9-9-9-9' in this space. Its names read D-A-H-I"),
    "a teacher of another kind": ({"teacher": "albert-mini"}, "albert-mini cannot teach this space"),
    "another vocabulary": ({"teacher": "bert-base-uncased"}, "cannot teach this space"),
    "rates": ({"rates": (0.0,)}, "rates: expected learning rates between 0 and 1"),
    "no rates": ({"rates": ()}, "rates: expected"),
    "seeds": ({"seeds": (1, 1)}, "seeds: expected different whole numbers"),
    "too many": ({"seeds": tuple(range(1500))}, "3,002 trainings are too many"),
}


@pytest.mark.parametrize(("changes", "words"), BAD.values(), ids=BAD)
def test_what_cannot_be_trained_is_refused_before_anything_starts(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpaceError) as caught:
        grid.job(replace(GRID, **changes))
    assert words in str(caught.value)


def test_a_candidate_larger_than_the_teacher_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.toml"
    path.write_text('base = "bert-mini"\n[sizes]\nhidden_size = [224, 448]\n')
    with pytest.raises(
        SpaceError, match="The maximum point bert-mini is smaller than the candidate 448: hidden_size is"
    ):
        grid.job(replace(GRID, space=str(path), candidates=("224", "448")))


@pytest.mark.parametrize(("pieces", "clip"), [(10, 2.0), (10**10, 2.0), (3_000, 0.0)])
def test_a_budget_that_is_none_is_refused(pieces: int, clip: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        Budget(pieces=pieces, clip=clip)


def test_a_file_that_is_no_grid_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "grid.json"
    for text in ("", "[]", "{}", '{"grid": {}}'):
        path.write_text(text)
        with pytest.raises(SpaceError, match="is no trained grid"):
            read_grid(path)


def test_a_training_that_failed_counts_for_nothing() -> None:
    trainings = (
        {"name": "1-4-112-168", "seed": 0, "rate": 1e-3, "curve": [{"error": 3.0}], "cpu_seconds": 1.0},
        {"name": "1-4-112-168", "seed": 1, "rate": 1e-3, "curve": [], "failed": "not finite", "cpu_seconds": 1.0},
    )
    facts = {"unigram": {"error": 6.0}, "teacher": {"error": 2.0}}
    result = TrainedGrid(GRID, trainings, facts, {}, complete=False)
    assert result.names == () and result.errors_of("1-4-112-168") == [3.0]
