"""Agora with data and parts that are odd: it ends, tells what is wrong, and learns nothing that it must not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bortlab.data.labelled import Example, LabelledData
from bortlab.training.agora import (
    GRID,
    RULES,
    AgoraPlan,
    AgoraReport,
    Candidate,
    History,
    Log,
    Point,
    Theta,
    agora,
    assumptions,
    drawn_sets,
    kept,
    labeller_named,
    scarce,
    search,
    unmet,
)
from bortlab.training.agora.assumptions import labeller_accuracy

SETS: tuple[Theta, ...] = ((1, 1), (1, 2), (2, 1), (2, 2))


def data_of(classes: Sequence[str], n: int, *, word: str = "thing {} of {}") -> LabelledData:
    """n examples a split, classes in turn."""
    splits = [
        tuple(
            Example(f"{split} {word.format(i, classes[i % len(classes)])}", classes[i % len(classes)]) for i in range(n)
        )
        for split in ("train", "dev", "test")
    ]
    return LabelledData("odd", "sequence-classification", "single_label_classification", tuple(classes), *splits)


class Equal:
    """A learner whose sets are all as good, right in this share of E."""

    def __init__(self, data: LabelledData, share: float) -> None:
        self.data, self.share, self.sizes = data, share, list[int]()

    def train(self, theta: Theta, examples: Sequence[Example], name: str) -> Candidate:
        self.sizes.append(len(examples))
        right = round(self.share * len(self.data.dev))
        return Candidate(name, self.share, tuple(e.label if i < right else "?" for i, e in enumerate(self.data.dev)))


def fresh(mistake: Example, rng: random.Random, taken: set[tuple[str, ...]]) -> Point:
    return Point(replace(mistake, text=f"{mistake.text} {rng.random():.9f}"), mistake)


def first_label(examples: Sequence[Example]) -> list[str]:
    return ["a"] * len(examples)


@pytest.mark.parametrize("rule", RULES)
def test_all_mistakes_give_a_point_each_and_it_ends(rule: str) -> None:
    data = data_of("ab", 8)
    learner = Equal(data, 0.0)
    result = search(AgoraPlan(theta=SETS, rule=rule), data, learner, first_label, fresh, Log())
    assert all(this.mistakes == len(kept(this)) == len(data.dev) for this in result.rounds)
    assert len(result.examples) == len(data.train) + len(data.dev) * len(result.rounds)
    assert result.best.score == 0 and result.theta == SETS[0]


@pytest.mark.parametrize("rule", RULES)
def test_equal_scores_still_remove_a_set_each_round_and_the_first_is_returned(rule: str) -> None:
    data = data_of("ab", 8)
    result = search(AgoraPlan(theta=SETS, rule=rule), data, Equal(data, 0.5), first_label, fresh, Log())
    assert all(this.removed for this in result.rounds) and len(result.rounds) <= len(SETS)
    assert result.theta == SETS[0]


def test_a_generator_that_makes_nothing_new_leaves_d_as_it_was_and_asks_no_labeller() -> None:
    data = data_of("ab", 8)
    learner = Equal(data, 0.5)

    def nothing(mistake: Example, rng: random.Random, taken: set[tuple[str, ...]]) -> Point:
        return Point(mistake, mistake, "it is there already")

    def labeller(examples: Sequence[Example]) -> list[str]:
        pytest.fail("asked about points that were refused")

    result = search(AgoraPlan(theta=SETS), data, learner, labeller, nothing, Log())
    assert result.examples == data.train and set(learner.sizes) == {len(data.train)}
    assert all(len(this.points) == this.mistakes and not kept(this) for this in result.rounds)


def test_points_that_are_made_twice_are_learned_once() -> None:
    data = data_of("ab", 8)

    def same(mistake: Example, rng: random.Random, taken: set[tuple[str, ...]]) -> Point:
        return Point(replace(mistake, text="always this"), mistake)

    result = search(AgoraPlan(theta=SETS[:1]), data, Equal(data, 0.0), first_label, same, Log())
    assert len(result.examples) == len(data.train) + 1


# -- real runs ---------------------------------------------------------------------------------------------------------


def run(data: LabelledData, folder: Path, **options: object) -> AgoraReport:
    grid = {"rate": (1.0,), "seed": (0,)}
    return agora(
        "bort-mini", labeller_named("words", data), data, folder=folder, grid=grid, epochs=1, length=16, **options
    )


def test_texts_that_no_word_can_leave_give_no_points(tmp_path: Path) -> None:
    words = [f"w{chr(97 + i)}" for i in range(24)]
    splits = [tuple(Example(word, "ab"[i % 2]) for i, word in enumerate(words[n::3])) for n in range(3)]
    data = LabelledData("words", "sequence-classification", "single_label_classification", ("a", "b"), *splits)
    report = run(data, tmp_path, generator="delete")
    (only,) = report.result.rounds
    assert report.result.examples == data.train
    assert {point.refused for point in only.points} <= {"nothing could be made of it"}
    assert len(only.points) == only.mistakes > 0


def test_a_class_that_vanishes_from_d_is_told_and_survived(tmp_path: Path) -> None:
    data = data_of("abc", 12)
    data = replace(data, train=tuple(example for example in data.train if example.label != "c"))
    report = run(data, tmp_path, generator="swap")
    assert any("none of c, which no model can learn" in warning for warning in report.warnings)
    assert {example.label for example in report.result.examples} <= {"a", "b"}


def test_more_classes_than_examples_are_told_and_survived(tmp_path: Path) -> None:
    data = data_of("abcdefghij", 10)
    data = replace(data, train=data.train[:5])
    report = run(data, tmp_path, generator="swap")
    assert any("5 examples for 10 classes" in warning for warning in report.warnings)
    assert any("none of f, g, h, i and others" in warning for warning in report.warnings)


def test_data_of_one_class_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    data = data_of("ab", 8)
    with pytest.raises(ValueError, match="nothing to learn"):
        run(replace(data, train=data.train[::2]), tmp_path)
    assert not (tmp_path / "log.jsonl").exists()


# -- what is taken for granted -----------------------------------------------------------------------------------------


def test_each_assumption_holds_of_good_data_and_fails_alone() -> None:
    data = data_of("ab", 60)
    perfect = labeller_accuracy(lambda examples: [str(e.label) for e in examples], data.dev)
    poor = labeller_accuracy(first_label, data.dev)
    assert unmet(perfect, data) == ()
    tilted = replace(data, train=(*data.train[::2], *data.train[1:20:2]))
    cases = [(poor, data), (perfect, tilted), (perfect, replace(data, dev=data.dev[:20]))]
    for place, (accuracy, its) in enumerate(cases):
        assert [assumption.holds for assumption in assumptions(accuracy, its)] == [n != place for n in range(4)]
    few = assumptions(perfect, replace(data, train=data.train[:8]))
    assert [assumption.holds for assumption in few] == [True, True, True, False]


def test_scarce_data_are_drawn_alike_again_from_their_own_splits() -> None:
    data = data_of("abc", 30)
    less = scarce(data, learn=10, search=6)
    assert less == scarce(data, learn=10, search=6)
    assert len(less.train) == 10 and set(less.train) < set(data.train)
    assert len(less.dev) == 6 and set(less.dev) < set(data.dev) and less.test == data.test
    whole = scarce(data)
    assert set(whole.train) == set(data.train) and set(whole.dev) == set(data.dev)


def test_a_log_gives_its_rounds_back(tmp_path: Path) -> None:
    data = data_of("ab", 6)
    data = replace(data, dev=(replace(data.dev[0], pair="a second text"), *data.dev[1:]))
    path = tmp_path / "log.jsonl"
    result = search(AgoraPlan(theta=SETS), data, Equal(data, 0.0), first_label, fresh, Log(path))
    again = Log(path).rounds
    assert [(r.number, r.scores, r.mistakes, r.removed) for r in again] == [
        (r.number, r.scores, r.mistakes, r.removed) for r in result.rounds
    ]
    for mine, theirs in zip(again, result.rounds, strict=True):
        assert [(p.mistake.content, p.mistake.label, p.example.content, p.example.label) for p in mine.points] == [
            (p.mistake.content, p.mistake.label, p.example.content, p.example.label) for p in theirs.points
        ]
    history = History(tuple(GRID)[:2], len(data.train), again)
    assert history.trainings == result.trainings
    assert [history.examples(n) for n in range(len(again) + 1)] == [6 * (n + 1) for n in range(len(again) + 1)]


def test_a_grid_of_one_is_one_training() -> None:
    assert drawn_sets({"rate": (1.0,), "seed": (0,)}, n=8) == ((1.0, 0),)
    data = data_of("ab", 8)
    assert search(AgoraPlan(theta=SETS[:1]), data, Equal(data, 0.5), first_label, fresh, Log()).trainings == 1
