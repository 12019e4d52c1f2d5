"""List the lessons of the lab, or check one's own: draw every view, and compute the answer to every question.

A lesson is a Markdown file; docs/teaching.md shows how one is written, and BORTLAB_LESSONS names a folder of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """\
  bortlab lessons
  bortlab lessons --check my-lessons/cat.md\
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files to check."""
    parser.add_argument("--check", nargs="+", type=Path, metavar="FILE", help="lessons to run, from files")


def run(options: argparse.Namespace) -> None:
    """List all lessons, or run some."""
    from bortlab import lessons
    from bortlab.views.theme import Look

    if not options.check:
        there, errors = lessons.available()
        for key, lesson in there.items():
            print(f"{key:<16} {lesson.header.minutes:>3} min  {lesson.title}")
        if errors:
            raise lessons.LessonError("\n".join(map(str, errors)))
        return
    context = lessons.of_registry(Look("light"))
    problems = []
    for path in options.check:
        lesson = lessons.read(path)
        problems += lessons.check(lesson, context)
        print(f"{path.name}: {len(lesson.steps)} steps, {len(lesson.questions)} questions")
    if problems:
        raise lessons.LessonError("\n".join(problems))
