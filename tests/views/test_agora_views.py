"""What is drawn and said of Agora: known contrasts, rounds, points; no text becomes markup."""

from __future__ import annotations

import pytest

from bortlab.data.labelled import Example
from bortlab.training.agora import History, Point, Round
from bortlab.training.agora.rivals import by_round
from bortlab.views import agora as draw
from bortlab.views.theme import Look
from tests import agora_table
from tests.agora_record import record
from tests.pages.visiting import HOSTILE

LOOK = Look("light")
AXES = ("rate", "seed")
A, B, C = (0.5, 0), (1.0, 0), (2.0, 1)


def history(text: str = "an old text of some length", new: str = "an odd text of some length") -> History:
    mistake = Example(text, "cat")
    points = (
        Point(Example(new, "cat"), mistake),
        Point(Example(new + " too", "dog"), mistake),
        Point(Example(text, "cat"), mistake, "too similar"),
    )
    rounds = (
        Round(0, {A: 0.5, B: 0.7, C: 0.6}, 3, points, (A, C)),
        Round(1, {B: 0.8}, 2, (), (B,)),
    )
    return History(AXES, 100, rounds)


# -- the verdict -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lead", "says"),
    [
        ([0.052, 0.04, 0.06, 0.05, 0.03, 0.045], "**Yes, it helps**: Agora beats random search by 4.6 points"),
        ([-0.052, -0.04, -0.06, -0.05, -0.03, -0.045], "**No**: Agora loses to random search by 4.6 points"),
        ([0.05, -0.053, 0.04, -0.037], "**No difference can be told**: Agora minus random search is 0.0 points"),
        ([0.0] * 4, "**No difference can be told**: Agora minus random search is 0.0 points"),
    ],
)
def test_the_answer_is_that_of_the_declared_contrast(lead: list[float], says: str) -> None:
    its = record(lead)
    assert draw.answer(its).startswith(says)
    assert "where Bort mini learns from 100 labelled examples" in draw.answer(its)
    sentences = draw.verdict_sentences(its)
    assert f"over {2 * len(lead)} splits of 2 tasks" in sentences[0]
    assert ("either way is unlikely" in sentences[0]) == ("No difference" in says)


def test_of_secondary_contrasts_the_corrected_test_decides() -> None:
    clear = " ".join(draw.verdict_sentences(record([0.052, 0.04, 0.06, 0.05, 0.03, 0.045])))
    assert "Agora is better than *" in clear and "no difference can be told from" not in clear
    few = " ".join(draw.verdict_sentences(record([0.05, 0.04])))
    assert "no difference can be told from" in few and "Agora is better than" not in few
    assert "interval and test do not agree" in few


def test_without_its_ablations_nothing_is_said_of_them() -> None:
    alone = " ".join(draw.verdict_sentences(record([0.05, 0.04], arms=("agora", "random search"), tasks=1)))
    assert "Of the secondary" not in alone and "points that are made" not in alone and "of 1 task." in alone


def test_rivals_are_drawn_with_their_intervals_the_declared_one_first() -> None:
    its = record([0.05, 0.04, 0.06])
    view = draw.rivals(its, LOOK)
    labels = list(view.picture.data[-1].y)  # type: ignore[union-attr]
    assert labels[0] == "random search*" and len(labels) == len(its["verdict"]["means"]) - 1
    assert view.picture.data[-1].x == pytest.approx([5.025] * len(labels))  # type: ignore[union-attr]
    assert "against random search +5.0 (+" in view.alt
    assert view.table["rival"].tolist()[:2] == ["agora", "random search"]
    assert view.table["Agora minus it"].tolist()[1] == pytest.approx(0.05025)


def test_every_split_stands_in_the_picture_and_the_table_of_tasks() -> None:
    view = draw.by_task(record([0.05, 0.04, 0.06]), LOOK)
    assert len(view.picture.data[0].x) == 6  # type: ignore[union-attr]
    assert len(view.table) == 2 * 3 * len(record([0.0])["verdict"]["means"])


def test_e_minus_h_is_told_round_by_round() -> None:
    its = record([0.0, 0.0, 0.0, 0.0])
    rows = by_round(its)
    assert [row["round"] for row in rows] == [1, 2, 3] and [row["splits"] for row in rows] == [8, 8, 4]
    assert [row["gap"].value for row in rows] == pytest.approx([0.1, 0.12, 0.14])
    view = draw.over_fitting(its, LOOK)
    assert view.table["E minus H"].tolist() == pytest.approx([0.1, 0.12, 0.14])
    assert "+10.0 points in round 1, in round 3 +14.0" in draw.verdict_sentences(its)[-1]


def test_the_table_of_the_document_has_a_row_for_each_rival_task_and_round() -> None:
    its = record([0.05, 0.04, 0.06])
    section = agora_table.section(its)
    assert section.startswith("### Bort mini") and "| random search | 0.610" in section and "primary" in section
    assert section.count("\n| ") == 1 + 11 + 1 + 2 + 1 + 3
    assert "Not run to the end: a, tpe." in agora_table.section(its | {"missing": ["a, tpe"]})


@pytest.mark.parametrize(("share", "text"), [(0.0123, "+1.2"), (-0.0123, "−1.2"), (0.0, "0.0"), (0.0004, "0.0")])
def test_points_have_their_sign(share: float, text: str) -> None:
    assert draw.points_of(share) == text


# -- rounds ------------------------------------------------------------------------------------------------------------


def test_a_picture_moves_with_the_rounds_and_keeps_its_axes() -> None:
    one, two = (draw.rounds(history(), LOOK, shown=n) for n in (1, 2))
    for axis in ("xaxis", "yaxis", "yaxis2"):
        assert one.picture.layout[axis].range == two.picture.layout[axis].range  # type: ignore[union-attr]
    crosses = [next(t for t in view.picture.data if t.name == "leaves after the round") for view in (one, two)]
    assert [len(trace.x) for trace in crosses] == [2, 3]
    assert "Round 2" in two.alt and "Round 2" not in one.alt
    assert draw.rounds(history(), LOOK).alt == two.alt


def test_a_round_is_told_in_sentences() -> None:
    first, second = (" ".join(draw.round_sentences(history(), n)) for n in (0, 1))
    assert first.startswith("Round 1 trains 3 sets on 100 examples. The best, rate × 1.0 · seed 0, is right in 70%")
    assert "Of 3 points made near them 2 are kept (refused as “too similar” (1))." in first
    assert "gives 1 of them another label" in first and "2 sets leave, 1 stays." in first
    assert second.startswith("Round 2 trains 1 set on 102 examples, 2 made points among them.")
    assert "points made near" not in second and "1 set leaves, none stays." in second


def test_the_table_has_a_row_for_each_training() -> None:
    table = draw.rounds(history(), LOOK).table
    assert len(table) == 4 and table["leaves"].tolist() == [True, False, True, True]
    assert table["examples to learn from"].tolist() == [100, 100, 100, 102]


# -- points ------------------------------------------------------------------------------------------------------------


def test_what_changed_in_a_text_is_marked() -> None:
    made = history().rounds[0].points
    view = draw.points(made, LOOK)
    body = view.picture.body  # type: ignore[union-attr]
    assert body.count("<del><bdi>old</bdi></del>") == 2 and body.count("<ins><bdi>odd</bdi></ins>") == 2
    assert view.table["label given"].tolist() == ["cat", "dog", ""]
    assert view.table["refused because"].tolist() == ["", "", "too similar"]
    assert view.table["words changed"].tolist()[0] == pytest.approx(1 / 6)
    assert "bg-same" in body and "bg-other" in body and "bg-refused" in body


def test_of_a_pair_both_texts_are_shown() -> None:
    mistake = Example("one two", "x", pair="three four")
    view = draw.points([Point(Example("one two", "x", pair="three five"), mistake)], LOOK)
    assert view.table["new text"].tolist() == ["one two ‖ three five"] and view.table["words changed"].tolist() == [0.5]


def test_no_points_are_a_sentence() -> None:
    view = draw.points([], LOOK)
    assert "No points" in view.picture.body and len(view.table) == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_foreign_texts_stay_texts(text: str) -> None:
    its = history(text[:2_000] or "?", text[:2_000] + " more")
    view = draw.points(its.rounds[0].points, LOOK)
    body = view.picture.body  # type: ignore[union-attr]
    assert "<script" not in body and "<img" not in body
    draw.rounds(its, LOOK)
