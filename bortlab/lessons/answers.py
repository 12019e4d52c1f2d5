"""What is right, computed there and then, and whether a visitor guessed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bortlab.analysis.predict import plain
from bortlab.lessons.context import Context
from bortlab.lessons.lesson import Lesson, LessonError, Question, Show
from bortlab.lessons.measures import MEASURES, Measure
from bortlab.lessons.scenes import call, draw

MARGIN = 0.1
"""How far the right answer must lie from the next one, as a share of the larger of the two."""


@dataclass(frozen=True, slots=True)
class Answer:
    """right: the option, the number as it is written, or the word. value: its number.

    others: everything else that was measured, the next best first, as label and number. margin: the gap to the next
    best, as a share of the larger number; of a number: 1 if it lies on the scale that the question offers, 0 if not.
    """

    right: str
    value: float
    others: tuple[tuple[str, float], ...]
    margin: float
    measure: Measure

    @property
    def is_clear(self) -> bool:
        """Is exactly one answer right, by a margin?"""
        return self.margin >= MARGIN

    @property
    def scores(self) -> tuple[tuple[str, float], ...]:
        """All that was measured, the right one first."""
        return ((self.right, self.value), *self.others)


def answer(question: Question, lesson: Lesson, context: Context) -> Answer:
    """Compute what is right. LessonError for a question that cannot be asked so."""
    measure = MEASURES.get(question.measure)
    if measure is None:
        raise LessonError(f"There is no measure {question.measure!r}. There are: {', '.join(MEASURES)}.")
    if question.kind == "number":
        value = _number(question, lesson, context, measure)
        on_scale = question.low <= value <= question.high
        return Answer(measure.written(value), value, (), float(on_scale), measure)
    if question.kind == "word":
        ranking = _compute(question, lesson, context, measure)
        if isinstance(ranking, (int, float)):
            raise LessonError(f"{question.measure} is a number: ask for it by kind: number, or over options.")
        scores = list(ranking)
    else:
        sign = 1 if question.pick == "largest" else -1
        scores = [
            (_label(question, label, context), _number(question, lesson, context, measure, {question.over: value}))
            for label, value in question.choices.items()
        ]
        scores.sort(key=lambda score: -sign * score[1])
    (right, value), *others = scores
    gap = abs(value - others[0][1]) / max(abs(value), abs(others[0][1]), 1e-12) if others else 1.0
    return Answer(right, value, tuple(others), gap, measure)


def labels(question: Question, context: Context) -> list[str]:
    """The options as a visitor reads them, in the order of the file."""
    return [_label(question, label, context) for label in question.choices]


def _label(question: Question, label: str, context: Context) -> str:
    """Models are called by their titles."""
    return context.title(label) if question.over == "model" and not isinstance(question.options, dict) else label


def _compute(
    question: Question, lesson: Lesson, context: Context, measure: Measure, option: Mapping[str, Any] | None = None
) -> Any:
    settings = (lesson.header.settings, dict(question.given), dict(option or {}))
    return call(measure.compute, context, question.measure, *settings)


def _number(
    question: Question, lesson: Lesson, context: Context, measure: Measure, option: Mapping[str, Any] | None = None
) -> float:
    value = _compute(question, lesson, context, measure, option)
    if not isinstance(value, (int, float)):
        raise LessonError(f"{question.measure} ranks words: ask for it by kind: word.")
    return float(value)


def is_right(question: Question, answer: Answer, guess: str) -> bool:
    """Is a guess, as text, the right answer?"""
    if question.kind == "number":
        try:
            return abs(float(guess) - answer.value) <= question.within
        except ValueError:
            return False
    if question.kind == "word":
        return plain(guess) == plain(answer.right)
    return guess == answer.right


def check(lesson: Lesson, context: Context) -> list[str]:
    """What is wrong with a lesson when it runs: views that do not draw, questions with no one right answer."""
    problems = []
    for step in lesson.steps:
        for block in step.blocks:
            if isinstance(block, str):
                continue
            where = f"{lesson.key}, {step.title}"
            try:
                if isinstance(block, Show):
                    draw(block, lesson.header.settings, context)
                elif not (made := answer(block, lesson, context)).is_clear:
                    scores = ", ".join(f"{label} {made.measure.written(value)}" for label, value in made.scores)
                    problems.append(f"{where}: {block.ask!r} has no one right answer by a margin: {scores}.")
            except ValueError as error:
                problems.append(f"{where}: {error}")
    return problems
