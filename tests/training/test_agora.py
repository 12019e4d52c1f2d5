"""Agora: pruning with known answers, bounds of the loop, the sealed test set, resuming, points, and a real run."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bortlab
from bortlab import cli
from bortlab.analysis.evaluation import wilson
from bortlab.data.labelled import Example, LabelledData
from bortlab.training.agora import (
    GENERATORS,
    RULES,
    AgoraPlan,
    Candidate,
    Log,
    Point,
    Theta,
    agora,
    drawn_sets,
    edited_share,
    labeller_accuracy,
    new_point,
    pruned,
    search,
    unmet,
)
from bortlab.training.agora.pruning import longest_common_subsequence

A, B, C, D = (1, 1), (1, 2), (2, 1), (2, 2)


# -- pruning -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "leaving"), [("worst", [A]), ("lcs", [A, B, C]), ("run", [A, B]), ("prefix", [A, B])])
def test_rules_have_known_answers(rule: str, leaving: list[Theta]) -> None:
    """Accuracies a < b < d < c."""
    ranked = [A, B, D, C]
    assert sorted(RULES[rule](ranked)) == sorted(leaving)
    left = pruned(ranked, RULES[rule], C, capped=False)
    assert left == [theta for theta in ranked if theta not in leaving]


def test_the_cap_keeps_half_and_the_best() -> None:
    ranked = [A, B, D, C]
    assert pruned(ranked, RULES["lcs"], C) == [D, C]
    assert pruned(ranked, RULES["worst"], A) == [A, D, C]  # the best may stand last where scores are equal
    assert pruned([C], RULES["lcs"], C) == []


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=12, unique=True), st.sampled_from([*RULES]))
def test_at_least_one_leaves_and_the_best_stays(ranked: list[Theta], rule: str) -> None:
    left = pruned(ranked, RULES[rule], ranked[-1])
    assert len(left) < len(ranked)
    assert left == [theta for theta in ranked if theta in left]
    assert len(ranked) == 1 or ranked[-1] in left
    assert len(ranked) - len(left) <= max(1, len(ranked) // 2)


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_the_common_subsequence_is_the_longest_of_all(one: list[int], other: list[int]) -> None:
    def subsequences(values: list[int]) -> set[tuple[int, ...]]:
        return {
            tuple(v for v, keep in zip(values, chosen, strict=True) if keep)
            for chosen in product((0, 1), repeat=len(values))
        }

    longest = max(map(len, subsequences(one) & subsequences(other)))
    assert longest_common_subsequence(tuple(one), tuple(other)) == longest


# -- the loop ----------------------------------------------------------------------------------------------------------


def points_data(n: int = 8) -> LabelledData:
    splits = [tuple(Example(f"{split} {i}", str(i % 2)) for i in range(n)) for split in ("train", "dev", "test")]
    return LabelledData("points", "sequence-classification", "single_label_classification", ("0", "1"), *splits)


class Fixed:
    """A learner whose scores are known beforehand; it counts its trainings and remembers what it saw."""

    def __init__(self, data: LabelledData, scores: dict[Theta, float]) -> None:
        self.data, self.scores, self.trained = data, scores, 0
        self.seen: list[tuple[Example, ...]] = []

    def train(self, theta: Theta, examples: Sequence[Example], name: str) -> Candidate:
        self.trained += 1
        self.seen.append(tuple(examples))
        right = round(self.scores[theta] * len(self.data.dev))
        answers = (e.label if i < right else "wrong" for i, e in enumerate(self.data.dev))
        return Candidate(name, self.scores[theta], tuple(answers))


def marked(mistake: Example, rng: random.Random, taken: set[tuple[str, ...]]) -> Point:
    return Point(Example(f"{mistake.text}, changed {rng.random():.6f}", "?"), mistake)


def ones(examples: Sequence[Example]) -> list[str]:
    return ["1"] * len(examples)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n", [1, 4, 9])
def test_it_ends_within_its_bounds_and_no_example_of_e_or_h_is_learned(rule: str, n: int) -> None:
    data = points_data()
    theta = tuple(islice(product(range(3), range(3)), n))
    learner = Fixed(data, {each: i / 10 for i, each in enumerate(theta)})
    labelled = []

    def labeller(examples: Sequence[Example]) -> list[str]:
        labelled.extend(examples)
        return ones(examples)

    result = search(AgoraPlan(theta=theta, rule=rule), data, learner, labeller, marked, Log())
    assert learner.trained == result.trainings <= n * (n + 1) // 2
    assert len(labelled) <= n * len(data.dev)
    assert result.theta == theta[-1]
    foreign = {example.content for split in (data.dev, data.test) for example in split}
    assert not foreign & {example.content for example in result.examples}
    assert all(examples[: len(data.train)] == data.train for examples in learner.seen)
    assert {example.label for example in result.examples[len(data.train) :]} <= {"1"}
    sizes = [len(examples) for examples in learner.seen]
    assert sizes == sorted(sizes)


def test_without_mistakes_nothing_is_made() -> None:
    data = points_data()
    result = search(AgoraPlan(theta=(A, B)), data, Fixed(data, {A: 1.0, B: 1.0}), ones, marked, Log())
    assert result.examples == data.train
    assert [each.mistakes for each in result.rounds] == [0, 0]


def test_a_budget_ends_it_and_too_small_a_one_is_told() -> None:
    data, scores = points_data(), {A: 0.1, B: 0.2, C: 0.3, D: 0.4}
    plan = AgoraPlan(theta=(A, B, C, D), budget=7, rule="worst")
    assert search(plan, data, Fixed(data, scores), ones, marked, Log()).trainings == 7
    with pytest.raises(ValueError, match="too few for a single round of 4"):
        search(AgoraPlan(theta=(A, B, C, D), budget=3), data, Fixed(data, scores), ones, marked, Log())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"theta": ()}, "at least one set"),
        ({"theta": (A, A)}, "different sets"),
        ({"theta": (A, (1,))}, "equally many"),
        ({"theta": (A,), "rule": "best"}, "Unknown rule 'best'"),
        ({"theta": (A,), "budget": 0}, "budget"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        AgoraPlan(**wrong)


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_run_that_was_killed_ends_as_it_would_have(tmp_path: Path, stop: int) -> None:
    data, scores = points_data(), {A: 0.1, B: 0.25, C: 0.3, D: 0.5}
    plan = AgoraPlan(theta=(A, B, C, D))
    whole = search(plan, data, Fixed(data, scores), ones, marked, Log())

    class Killed(Fixed):
        def train(self, theta: Theta, examples: Sequence[Example], name: str) -> Candidate:
            if self.trained == stop:
                raise KeyboardInterrupt
            return super().train(theta, examples, name)

    path = tmp_path / "log.jsonl"
    with pytest.raises(KeyboardInterrupt):
        search(plan, data, Killed(data, scores), ones, marked, Log(path))
    with path.open("a") as file:
        file.write('{"what": "round 1, se')  # a line cut in the middle
    rest = Fixed(data, scores)
    assert search(plan, data, rest, ones, marked, Log(path)) == whole
    assert rest.trained == whole.trainings - stop
    again = Fixed(data, scores)
    assert search(plan, data, again, ones, marked, Log(path)) == whole
    assert again.trained == 0
    rounds = [json.loads(line) for line in path.read_text().splitlines() if '"points"' in line]
    assert [each["mistakes"] for each in rounds] == [each.mistakes for each in whole.rounds]


def test_points_help_where_the_labeller_knows_and_hurt_where_it_guesses() -> None:
    """Two rings in the plane, nearest neighbour as learner, jitter as generator: texts are coordinates."""
    rng = np.random.default_rng(0)

    def ring(n: int) -> tuple[Example, ...]:
        labels, angles = rng.integers(2, size=n), rng.uniform(0, 2 * np.pi, n)
        radii = 1 + labels + rng.normal(0, 0.15, n)
        return tuple(
            Example(f"{r * np.cos(t):.5f} {r * np.sin(t):.5f}", str(label))
            for r, t, label in zip(radii, angles, labels, strict=True)
        )

    data = LabelledData(
        "rings", "sequence-classification", "single_label_classification", ("0", "1"), ring(14), ring(150), ring(800)
    )

    def places(examples: Sequence[Example]) -> np.ndarray:
        return np.array([[float(number) for number in example.text.split()] for example in examples])

    def nearest(train: Sequence[Example], examples: Sequence[Example]) -> tuple[str, ...]:
        distances = ((places(examples)[:, None] - places(train)[None]) ** 2).sum(-1)
        return tuple(str(train[number].label) for number in distances.argmin(1))

    class Nearest:
        def train(self, theta: Theta, examples: Sequence[Example], name: str) -> Candidate:
            predictions = nearest(examples, data.dev)
            right = np.mean([a == e.label for a, e in zip(predictions, data.dev, strict=True)])
            return Candidate(name, float(right), predictions)

    def jitter(mistake: Example, chance: random.Random, taken: set[tuple[str, ...]]) -> Point:
        x, y = (float(number) + chance.gauss(0, 0.15) for number in mistake.text.split())
        return Point(Example(f"{x:.5f} {y:.5f}", "?"), mistake)

    def oracle(examples: Sequence[Example]) -> list[str]:
        return [str(int(np.hypot(*place) > 1.5)) for place in places(examples)]

    def coin(examples: Sequence[Example]) -> list[str]:
        return [str(number) for number in np.random.default_rng(len(examples)).integers(2, size=len(examples))]

    def accuracy(labeller) -> float:
        plan = AgoraPlan(theta=tuple((n,) for n in range(4)), rule="worst")
        examples = search(plan, data, Nearest(), labeller, jitter, Log()).examples
        return float(np.mean([a == e.label for a, e in zip(nearest(examples, data.test), data.test, strict=True)]))

    plain = float(np.mean([a == e.label for a, e in zip(nearest(data.train, data.test), data.test, strict=True)]))
    assert accuracy(oracle) > plain + 0.05
    assert accuracy(coin) < plain


# -- points ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GENERATORS)
def test_a_new_text_is_near_the_old_one_and_made_alike_again(name: str) -> None:
    model = bortlab.load("bert-mini")
    text = "The old king lived in a large house near the river with his three daughters."
    texts = [GENERATORS[name](text, random.Random(seed), model) for seed in range(8)]
    assert texts == [GENERATORS[name](text, random.Random(seed), model) for seed in range(8)]
    assert len(set(texts)) > 1
    assert all(new is not None and 0 <= edited_share(text, new) <= 0.7 for new in texts)
    assert any(new != text for new in texts)


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("text", ["word", "😀", "one two"])
def test_generators_bear_short_texts(name: str, text: str) -> None:
    model = bortlab.load("bert-mini")
    if any(c.isalnum() for c in text) or name in ("swap", "delete"):
        new = GENERATORS[name](text, random.Random(1), model)
        assert new is None or isinstance(new, str)


def test_points_that_are_no_news_are_refused() -> None:
    model, mistake = bortlab.load("bert-mini"), Example("a b c d e f g h i j k l", "x")
    rng = random.Random(0)
    assert new_point(mistake, lambda *_: mistake.text, rng, model, {mistake.content}).refused == "it is there already"
    assert new_point(mistake, lambda *_: mistake.text + "!", rng, model, set()).refused == "too similar"
    assert new_point(mistake, lambda *_: "all other words", rng, model, set()).refused == "too distinct"
    assert new_point(mistake, lambda *_: None, rng, model, set()).refused == "nothing could be made of it"
    kept = new_point(mistake, lambda *_: "a b c d e f g h i j X Y", rng, model, set())
    assert not kept.refused and kept.example.label == "x" and kept.mistake is mistake


def test_of_a_pair_one_text_is_changed() -> None:
    model, mistake = bortlab.load("bert-mini"), Example("one two three four", "x", pair="five six seven eight")
    for seed in range(6):
        point = new_point(mistake, GENERATORS["swap"], random.Random(seed), model, set())
        assert (point.example.text == mistake.text) != (point.example.pair == mistake.pair) or point.refused


def test_an_edited_share_is_that_of_the_words() -> None:
    assert edited_share("a b c d", "a b c d") == 0
    assert edited_share("a b c d", "a b X d") == 0.25
    assert edited_share("a b", "c d e f") == 1


# -- assumptions -------------------------------------------------------------------------------------------------------


def test_a_labeller_that_is_not_surely_good_is_warned_of() -> None:
    data = points_data(60)
    accuracy = labeller_accuracy(ones, data.dev)
    assert accuracy == wilson(30, 60)
    assert any("not surely above 2/3" in warning for warning in unmet(accuracy, data))
    perfect = labeller_accuracy(lambda examples: [str(e.label) for e in examples], data.dev)
    assert unmet(perfect, data) == ()
    assert any("8 examples" in warning for warning in unmet(wilson(8, 8), points_data(8)))


def test_sets_are_drawn_from_a_grid_each_once() -> None:
    grid = {"rate": (1, 2), "seed": (0, 1, 2)}
    assert len(set(drawn_sets(grid, n=4))) == 4
    assert drawn_sets(grid, n=4) == drawn_sets(grid, n=4)
    assert sorted(drawn_sets(grid, n=99)) == sorted(product(*grid.values()))


# -- for itself --------------------------------------------------------------------------------------------------------


def test_a_mini_is_fine_tuned_with_agora_and_its_test_set_is_read_once(tmp_path: Path) -> None:
    things, moods = ("day", "man", "dog", "meal"), {"glad": ("good", "happy", "kind"), "sad": ("bad", "sad", "cruel")}
    rows = [
        Example(f"It was a {word} {thing}{end}", mood)
        for end in (".", " again.", " for us.")
        for mood, words in moods.items()
        for word in words
        for thing in things
    ]
    order = np.random.default_rng(0).permutation(len(rows))
    parts = [tuple(rows[n] for n in order[start::3]) for start in range(3)]
    data = LabelledData("moods", "sequence-classification", "single_label_classification", ("glad", "sad"), *parts)
    knows = {word: mood for mood, words in moods.items() for word in words}

    def labeller(examples: Sequence[Example]) -> list[str]:
        return [next((knows[w] for w in e.text.split() if w in knows), "sad") for e in examples]

    grid = {"rate": (0.5, 1.0), "seed": (0,)}
    report = agora("bort-mini", labeller, data, folder=tmp_path, grid=grid, epochs=1, length=24)
    assert report.result.trainings == 3
    assert 0 <= report.test.low <= report.test.value <= report.test.high <= 1
    assert report.labeller.value == 1
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert len(lines) == 3 + 2
    again = agora("bort-mini", labeller, data, folder=tmp_path, grid=grid, epochs=1, length=24)
    assert again == report


def test_the_command_says_what_held_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        f"It was a {word} {thing},{mood}"
        for thing in ("day", "man", "dog", "meal", "song", "book", "trip", "walk")
        for mood, words in (("glad", ("good", "happy", "kind")), ("low", ("bad", "sad", "cruel")))
        for word in words
    ]
    file = tmp_path / "moods.csv"
    file.write_text("text,label\n" + "\n".join(rows))
    command = ["agora", str(file), "--sets", "2", "--epochs", "1", "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "round 2: best" in said and "3 trainings; best on E" in said and "note: The search set has" in said
    assert cli.main(command) == 0
    assert capsys.readouterr().out == said
    summary = json.loads((tmp_path / "out" / "agora.json").read_text())
    assert summary["trainings"] == 3
    assert cli.main([*command[:2], "--labeller", "nowhere", *command[2:]]) == 1
    assert "nowhere" in capsys.readouterr().err
