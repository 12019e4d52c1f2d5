"""Lessons: what can I learn here?"""

from __future__ import annotations

from bortlab.ui import lessons, shared

lesson = lessons.choose()
if lesson is None:
    shared.introduce("Lessons")
    lessons.overview()
else:
    lessons.show(lesson)

shared.what_is_this(lessons.EXPLANATION)
lessons.keep(lesson)
