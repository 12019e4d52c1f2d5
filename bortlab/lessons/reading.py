"""Lessons from their files: Markdown with a header in YAML, a heading for each step, and views and questions as blocks.

docs/teaching.md shows how one is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bortlab.lessons.lesson import Block, Header, Lesson, LessonError, Question, Show, Step
from bortlab.system import assets, settings

BLOCKS: dict[str, type[Show] | type[Question]] = {"view": Show, "question": Question}
"""What a fenced block of this name holds, in YAML."""
_Model = TypeVar("_Model", bound=BaseModel)


def folders() -> tuple[Path, ...]:
    """Where lessons lie: those of bortlab first, then a teacher's own."""
    own = settings.LESSONS.folder()
    return (assets.LESSONS, *([own] if own is not None else []))


def available(places: Sequence[Path] | None = None) -> tuple[dict[str, Lesson], list[LessonError]]:
    """Every lesson by its key, in the order of their files' names, and what is wrong with files that are none.

    A file of a teacher's folder takes the place of a bundled one of the same name. places: the folders, unless all.
    """
    lessons: dict[str, Lesson] = {}
    errors: list[LessonError] = []
    for folder in folders() if places is None else places:
        if not folder.is_dir():
            errors.append(LessonError(f"{settings.LESSONS.name} names {folder}, which is no folder."))
            continue
        for path in sorted(folder.glob("*.md")):
            try:
                lesson = read(path)
            except LessonError as error:
                errors.append(error)
            else:
                lessons[lesson.key] = lesson
    return lessons, errors


def find(key: str) -> Lesson:
    """The lesson of a key; LessonError if there is none."""
    lessons, _ = available()
    if key not in lessons:
        raise LessonError(f"There is no lesson {key!r}. There are: {', '.join(lessons)}.")
    return lessons[key]


def read(path: Path) -> Lesson:
    """The lesson in a file; its key is the file's name without the number in front. LessonError says what is wrong."""
    import frontmatter
    import yaml

    try:
        post = frontmatter.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LessonError(f"{path.name}: the header cannot be read: {error}") from error
    header = _checked(Header, post.metadata, f"{path.name}, header")
    steps = tuple(_numbered(_steps(post.content, path.name)))
    if not steps:
        raise LessonError(f"{path.name}: no step. Each step begins with a heading: ## Title.")
    return Lesson(path.stem.lstrip("0123456789-"), header, steps)


def _steps(markdown: str, name: str) -> Iterator[tuple[str, list[Block]]]:
    """The headings of the second level, and what stands below each."""
    title, blocks = "", list[Block]()
    for part in _parts(markdown):
        if isinstance(part, _Heading):
            if title:
                yield title, blocks
            title, blocks = part.text, []
        elif not title:
            raise LessonError(f"{name}: expected a heading (## Title) before everything else, got {str(part)[:60]!r}.")
        elif isinstance(part, _Fence):
            blocks.append(_block(part, f"{name}, {title}"))
        else:
            blocks.append(part)
    if title:
        yield title, blocks


def _numbered(steps: Iterator[tuple[str, list[Block]]]) -> Iterator[Step]:
    """The steps, their questions numbered through the lesson."""
    number = 0
    for title, blocks in steps:
        numbered: list[Block] = []
        for block in blocks:
            if isinstance(block, Question):
                number += 1
                block = block.model_copy(update={"number": number})
            numbered.append(block)
        yield Step(title, tuple(numbered))


@dataclass(frozen=True, slots=True)
class _Heading:
    text: str


@dataclass(frozen=True, slots=True)
class _Fence:
    kind: str
    text: str


def _parts(markdown: str) -> Iterator[_Heading | _Fence | str]:
    """Headings, blocks of `BLOCKS`, and the prose between them as it was written."""
    from markdown_it import MarkdownIt

    lines, start = markdown.splitlines(), 0
    tokens = MarkdownIt("commonmark").parse(markdown)
    for number, token in enumerate(tokens):
        heading = token.type == "heading_open" and token.tag == "h2"
        fence = token.type == "fence" and token.info.strip() in BLOCKS
        if token.map is None or token.level or not (heading or fence):
            continue
        if prose := "\n".join(lines[start : token.map[0]]).strip():
            yield prose
        start = token.map[1]
        yield _Heading(tokens[number + 1].content) if heading else _Fence(token.info.strip(), token.content)
    if prose := "\n".join(lines[start:]).strip():
        yield prose


def _block(fence: _Fence, where: str) -> Show | Question:
    import yaml

    try:
        data = yaml.safe_load(fence.text)
    except yaml.YAMLError as error:
        raise LessonError(f"{where}: a {fence.kind} cannot be read: {error}") from error
    return _checked(BLOCKS[fence.kind], data, f"{where}, {fence.kind}")


def _checked(record: type[_Model], data: Any, where: str) -> _Model:
    """The data as a record; every complaint in one sentence each."""
    try:
        return record.model_validate(data)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc'])) or 'all of it'}: {e['msg']}" for e in error.errors())
        raise LessonError(f"{where}: {'; '.join(problems)}.") from error
