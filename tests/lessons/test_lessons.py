"""Lessons: every view of every lesson draws, every question has one right answer by a margin, and mistakes are told."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bortlab import lessons
from bortlab.lessons import Lesson, LessonError, Question, Show, reference
from bortlab.lessons.measures import MEASURES
from bortlab.lessons.scenes import SCENES
from bortlab.model import Model
from bortlab.registry import find
from bortlab.system import settings
from bortlab.system.assets import CHECKOUT, LESSONS
from bortlab.system.documents import read_block
from bortlab.ui.contents import CONTENTS
from bortlab.views.theme import Look

ANSWERS: dict[tuple[str, Hashable], Any] = {}


def ask(model: Model, key: Hashable, question: Callable[[Model], Any]) -> Any:
    """Ask every model everything once, as the lab's pool does."""
    if (model.key, key) not in ANSWERS:
        ANSWERS[model.key, key] = question(model)
    return ANSWERS[model.key, key]


CONTEXT = replace(lessons.of_registry(Look("light")), ask=ask)
LOCAL = [lessons.read(path) for path in sorted(LESSONS.glob("*.md"))]
each_lesson = pytest.mark.parametrize("lesson", LOCAL, ids=lambda lesson: lesson.key)
QUESTIONS = [pytest.param(q, lesson, id=f"{lesson.key}-{q.number}") for lesson in LOCAL for q in lesson.questions]
HEADER = """---
title: A
question: B?
minutes: 5
text: The cat sat on the [MASK].
models: [bert-mini]
sources:
  - {paper: P, section: section 1, url: "https://example.org"}
---
"""


def written(folder: Path, body: str, name: str = "1-own.md") -> Path:
    path = folder / name
    path.write_text(HEADER + body, encoding="utf-8")
    return path


# -- the bundled lessons -----------------------------------------------------------------------------------------------


def test_there_are_eight_of_a_sensible_length() -> None:
    assert len(LOCAL) >= 8
    assert all(10 <= lesson.header.minutes <= 20 for lesson in LOCAL)


@each_lesson
def test_every_view_draws_and_leads_to_a_page(lesson: Lesson) -> None:
    shows = [block for step in lesson.steps for block in step.blocks if isinstance(block, Show)]
    assert shows
    for block in shows:
        scene = lessons.draw(block, lesson.header.settings, CONTEXT)
        assert scene.pictures and scene.page in CONTENTS
        for _, view in scene.pictures:
            assert view.alt.strip() and len(view.table), block


@pytest.mark.parametrize(("question", "lesson"), QUESTIONS)
def test_a_question_has_exactly_one_right_answer_by_a_margin(question: Question, lesson: Lesson) -> None:
    answer = lessons.answer(question, lesson, CONTEXT)
    assert answer.is_clear, answer.scores
    if question.kind == "number":
        assert question.low <= answer.value <= question.high
        assert lessons.is_right(question, answer, str(round(answer.value)))
        ends = [end for end in (question.low, question.high) if abs(end - answer.value) > question.within]
        assert ends and not any(lessons.is_right(question, answer, str(end)) for end in ends)
    else:
        labels = [label for label, _ in answer.scores]
        assert [label for label in labels if lessons.is_right(question, answer, label)] == [answer.right]
        if question.kind == "choice":
            assert set(labels) == set(lessons.labels(question, CONTEXT))
    assert not lessons.is_right(question, answer, "no such thing")
    assert question.because


@each_lesson
def test_a_lesson_has_what_a_lesson_needs(lesson: Lesson) -> None:
    """Guesses, a why, something to try, and sources with their sections."""
    assert len(lesson.questions) >= 3 and len(lesson.steps) >= 4
    assert lesson.steps[-1].title == "Something to try"
    assert all(source.section and source.url.startswith("https://") for source in lesson.header.sources)
    guessed_before = 0
    for step in lesson.steps:
        kinds = [type(block) for block in step.blocks]
        guessed_before += Question in kinds
    assert guessed_before >= 3


@each_lesson
def test_a_sheet_has_all_questions_and_its_teachers_one_the_answers(lesson: Lesson) -> None:
    for_class = lessons.sheet(lesson, CONTEXT, answers=False)
    for_teacher = lessons.sheet(lesson, CONTEXT, answers=True)
    for page in (for_class, for_teacher):
        assert page.count('class="ask"') == len(lesson.questions)
        assert page.count("<h2>") == len(lesson.steps) + 1
        assert not re.search(r"<(script|img|link|iframe)\b|@import|url\(", page)
    assert 'class="answer"' not in for_class
    assert for_teacher.count('class="answer"') == len(lesson.questions)


def test_no_answer_is_written_in_a_file() -> None:
    """A question has no field for it."""
    assert not {name for name in Question.model_fields if re.search("answer|right|correct", name)}


def test_the_documentation_has_the_tables_of_the_program() -> None:
    for name, table in reference.tables().items():
        written = read_block(CHECKOUT / "docs" / "teaching.md", name)
        assert written == table, f"{name}: bortlab.lessons.reference.write"


def test_the_example_of_the_documentation_is_a_lesson(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "teaching.md").read_text(encoding="utf-8")
    example = page[page.index("    ---\n    title:") : page.index("\nEach `##` heading")]
    path = tmp_path / "cat.md"
    path.write_text(re.sub("^    ", "", example, flags=re.MULTILINE), encoding="utf-8")
    lesson = lessons.read(path)
    assert len(lesson.questions) == 1 and len(lesson.steps) == 2
    assert lessons.check(lesson, CONTEXT) == []


# -- one's own ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_ones_own_adds_and_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "## Step\n\nProse.\n", "9-cat.md")
    written(tmp_path, "## Mine\n\nProse.\n", "bort.md")
    written(tmp_path, "no heading\n", "broken.md")
    monkeypatch.setenv(settings.LESSONS.name, str(tmp_path))
    there, errors = lessons.available()
    assert {"cat", "masked-word"} <= there.keys() and there["bort"].steps[0].title == "Mine"
    assert len(errors) == 1 and "broken.md" in str(errors[0])
    assert lessons.find("cat").title == "A"
    with pytest.raises(LessonError, match="no lesson 'dog'"):
        lessons.find("dog")
    monkeypatch.setenv(settings.LESSONS.name, str(tmp_path / "nowhere"))
    there, errors = lessons.available()
    assert len(there) == len(LOCAL) and "no folder" in str(errors[0])


def test_prose_blocks_and_other_fences_keep_their_order(tmp_path: Path) -> None:
    prose_and_code = "Before.\n\n### Smaller\n\n```python\nprint(1)\n```\n\n"
    body = f"## One\n\n{prose_and_code}```view\nshow: guesses\n```\n\nAfter.\n\n## Two\n\nEnd.\n"
    first, second = lessons.read(written(tmp_path, body)).steps
    assert first.title == "One" and second.blocks == ("End.",)
    prose, show, after = first.blocks
    assert isinstance(prose, str) and "### Smaller" in prose and "print(1)" in prose
    assert isinstance(show, Show) and show.show == "guesses" and after == "After."


CHOICE = "ask: Q?\nkind: choice\nmeasure: probability\nover: word\noptions: [table, moon]\n"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("", "no step"),
        ("prose\n\n## Step\n", "expected a heading"),
        ("## S\n\n```question\nask: [\n```\n", "cannot be read"),
        ("## S\n\n```question\nask: Q?\nkind: essay\nmeasure: pieces\n```\n", "kind"),
        (
            "## S\n\n```question\nask: Q?\nkind: choice\nmeasure: pieces\noptions: [a]\nover: text\n```\n",
            "different options",
        ),
        ("## S\n\n```question\nask: Q?\nkind: number\nmeasure: pieces\nwithin: 60\n```\n", "quarter"),
        (f"## S\n\n```question\n{CHOICE}answer: table\n```\n", "answer"),
        ("## S\n\n```view\nname: guesses\n```\n", "show"),
        ("## S\n\n```view\n```\n", "view"),
    ],
)
def test_a_mistake_in_a_file_is_told(tmp_path: Path, body: str, complaint: str) -> None:
    with pytest.raises(LessonError, match=complaint) as told:
        lessons.read(written(tmp_path, body))
    assert "1-own.md" in str(told.value)


def test_a_header_must_say_what_a_lesson_is(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text("---\ntitle: A\n---\n## S\n", encoding="utf-8")
    with pytest.raises(LessonError, match="question: Field required"):
        lessons.read(path)
    path.write_text("---\ntitle: [\n---\n## S\n", encoding="utf-8")
    with pytest.raises(LessonError, match="header cannot be read"):
        lessons.read(path)


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("```view\nshow: nonsense\n```", "There is no view 'nonsense'"),
        ("```view\nshow: guesses\ncolour: red\n```", "Its settings are: models, text, top"),
        ("```view\nshow: one-head\n```", "layer"),
        ("```view\nshow: deciding-words\nmethod: magic\n```", "There is no method 'magic'"),
        ("```view\nshow: layer-by-layer\ntext: No blank.\n```", "write \\[MASK\\]"),
        (f"```question\n{CHOICE.replace('probability', 'nonsense')}```", "There is no measure 'nonsense'"),
        (f"```question\n{CHOICE.replace('[table, moon]', '{A: table, B: table}')}```", "one right answer"),
        ("```question\nask: Q?\nkind: number\nmeasure: guesses\nwithin: 1\n```", "ranks words"),
        ("```question\nask: Q?\nkind: word\nmeasure: confidence\n```", "is a number"),
        ("```question\nask: Q?\nkind: number\nmeasure: pieces\nlow: 50\nwithin: 1\n```", "no one right answer"),
        (
            "```question\nask: Q?\nkind: number\nmeasure: head-share\nwith: {layer: 1, to: x}\nwithin: 1\n```",
            "to: expected",
        ),
    ],
)
def test_a_mistake_that_shows_when_a_lesson_runs_is_told(tmp_path: Path, block: str, complaint: str) -> None:
    problems = lessons.check(lessons.read(written(tmp_path, f"## S\n\n{block}\n")), CONTEXT)
    assert len(problems) == 1 and re.search(complaint, problems[0]), problems


def test_a_sheet_shows_foreign_tags_as_text(tmp_path: Path) -> None:
    body = "## <b>S</b>\n\n<script>alert(1)</script> <img src=x>\n"
    page = lessons.sheet(lessons.read(written(tmp_path, body)), CONTEXT, answers=True)
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page


# -- measures ----------------------------------------------------------------------------------------------------------


def test_names_and_numbers_are_written_for_people() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in (*MEASURES, *SCENES))
    assert MEASURES["weights"].written(1234.56) == "1,234.6 M"
    assert [MEASURES["pieces"].written(value) for value in (0, 1, 1200)] == ["0 pieces", "1 piece", "1,200 pieces"]
    assert MEASURES["agreement"].written(-0.5) == "−0.50"
    assert CONTEXT.title("bort-mini") == find("bort-mini")[1].title and CONTEXT.title("/own/folder") == "/own/folder"


def test_measures_against_known_answers() -> None:
    def value(name: str, **settings: object) -> float:
        result = MEASURES[name].compute(CONTEXT, **settings)
        assert isinstance(result, float | int)
        return float(result)

    assert value("weights", architecture="bort", heads=["masked-lm"]) == pytest.approx(76.209241)
    swapped = {"hidden_size": 768, "intermediate_size": 1024}
    both = value("weights", architecture="bort", heads=["masked-lm", "pooler"], changes=swapped)
    assert both == pytest.approx(55.99, abs=0.01)
    assert value("file-size", architecture="bort", heads=["masked-lm"]) == pytest.approx(304.8, abs=0.1)
    assert value("share-of-weights", architecture="bort", component="embeddings") == pytest.approx(69.23, abs=0.01)
    assert value("pieces", model="bert-mini", text="the the") == 2
    text = "She drinks a cup of [MASK] every morning."
    moved = value("kernel-moved", model="convbert-mini", text="A cat.", other="A dog.", made_from="token")
    assert moved == 0  # the first layer's input at a shared token is the same
    assert value("answer-moved", model="convbert-mini", text=text, ablation="nothing") == 0
    shares = [value("head-share", model="bert-mini", text=text, layer=1, to=to) for to in ("previous", "following")]
    itself = value("head-share", model="bert-mini", text=text, layer=1, to="itself")
    assert value("neighbours-share", model="bert-mini", text=text, layer=1) == pytest.approx(sum(shares) + itself)
    assert value("agreement", model="bert-mini", text=text, method="saliency", other="saliency") == pytest.approx(1)
    assert value("known-share", model="bert-mini", text=text, layer=6) == pytest.approx(100)
