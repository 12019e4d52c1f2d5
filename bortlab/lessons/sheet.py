"""A lesson on paper: an HTML page that needs no network, for the class or, with answers, for its teacher."""

from __future__ import annotations

from bortlab.lessons.answers import answer, labels
from bortlab.lessons.context import Context
from bortlab.lessons.lesson import Lesson, Question, Show
from bortlab.lessons.scenes import draw
from bortlab.views.escape import attribute, html

STYLE = """
@page { size: A4; margin: 18mm 16mm; }
body { font: 11pt/1.45 Georgia, "Times New Roman", serif; color: #111; background: #fff; max-width: 44rem;
  margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 19pt; line-height: 1.2; margin: 0 0 .2rem; } h2 { font-size: 13pt; margin: 1.3rem 0 .3rem; }
h1, h2 { break-after: avoid; } p, ul { margin: .35rem 0; } code { font-size: .92em; }
.lead { font-style: italic; } .name { margin: 1rem 0; } .see, .source { font-size: 9.5pt; color: #444; }
.ask { border: 1px solid #777; border-radius: 4px; padding: .45rem .7rem; margin: .6rem 0; break-inside: avoid; }
.ask ul { list-style: none; padding: 0; }
.line { display: inline-block; min-width: 9rem; border-bottom: 1px solid #555; }
.answer { border-top: 1px dashed #777; padding-top: .3rem; margin-top: .4rem; }
@media print { body { margin: 0; padding: 0; max-width: none; } a { color: inherit; text-decoration: none; } }
"""


def sheet(lesson: Lesson, context: Context, *, answers: bool) -> str:
    """The lesson as a page. answers: with what is right, computed now, and with what the views show in words."""
    header = lesson.header
    name = (
        "" if answers else '<p class="name">Name <span class="line"></span> &nbsp; Date <span class="line"></span></p>'
    )
    steps = "".join(
        f"<h2>{number}. {_inline(step.title)}</h2>{''.join(_block(b, lesson, context, answers) for b in step.blocks)}"
        for number, step in enumerate(lesson.steps, 1)
    )
    sources = "".join(
        f"<li>{html(source.paper)}, {html(source.section)}: {html(source.url)}</li>" for source in header.sources
    )
    kind = "with answers, as the models on this machine give them" if answers else f"about {header.minutes} minutes"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{attribute(lesson.title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{_inline(lesson.title)}</h1>"
        f'<p class="lead">{_inline(header.question)} ({kind})</p>{name}{steps}'
        f'<h2>Sources</h2><ul class="source">{sources}</ul></body></html>'
    )


def _block(block: str | Show | Question, lesson: Lesson, context: Context, answers: bool) -> str:
    if isinstance(block, str):
        return _rendered(block)
    if isinstance(block, Question):
        return _question(block, lesson, context, answers)
    if not answers:
        return '<p class="see">→ Look at it in the lab.</p>'
    pictures = draw(block, lesson.header.settings, context).pictures
    return "".join(f'<p class="see">→ {html(view.alt)}</p>' for _, view in pictures)


def _question(question: Question, lesson: Lesson, context: Context, answers: bool) -> str:
    options = ""
    if question.kind == "choice":
        options = "".join(f"<li>☐ {_inline(label)}</li>" for label in labels(question, context))
    elif not answers:
        options = '<li><span class="line">&nbsp;</span></li>'
    right = ""
    if answers:
        made = answer(question, lesson, context)
        others = ", ".join(f"{_inline(label)} {made.measure.written(value)}" for label, value in made.others[:4])
        value = "" if question.kind == "number" else f" ({made.measure.written(made.value)}; {others})"
        right = f'<div class="answer"><b>{_inline(made.right)}</b>{value}{_rendered(question.because)}</div>'
    return f'<div class="ask"><b>{question.number}.</b> {_inline(question.ask)}<ul>{options}</ul>{right}</div>'


def _rendered(markdown: str) -> str:
    """Markdown as HTML; tags in it are text."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).render(markdown))


def _inline(markdown: str) -> str:
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).renderInline(markdown))
