"""Lessons: Markdown files whose steps show the lab's own views and ask about what the models do there and then.

lesson = lessons.find("masked-word")
for block in lesson.steps[0].blocks: ...       # prose (a text), a `Show` (a view) or a `Question`
lessons.answer(question, lesson, context)       # what is right, computed from the models
"""

from __future__ import annotations

from bortlab.lessons.answers import MARGIN, Answer, answer, check, is_right, labels
from bortlab.lessons.context import Context, of_registry
from bortlab.lessons.lesson import Lesson, LessonError, Question, Show, Source, Step
from bortlab.lessons.reading import available, find, folders, read
from bortlab.lessons.scenes import SCENES, Scene, draw
from bortlab.lessons.sheet import sheet

__all__ = [
    "MARGIN",
    "SCENES",
    "Answer",
    "Context",
    "Lesson",
    "LessonError",
    "Question",
    "Scene",
    "Show",
    "Source",
    "Step",
    "answer",
    "available",
    "check",
    "draw",
    "find",
    "folders",
    "is_right",
    "labels",
    "of_registry",
    "read",
    "sheet",
]
