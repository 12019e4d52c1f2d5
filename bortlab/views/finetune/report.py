"""A comparison as one HTML page that needs no network: what it comes to, the pictures, the numbers."""

from __future__ import annotations

from html import unescape

from bortlab.data.labelled import LabelledData
from bortlab.training.finetune.comparing import drawn
from bortlab.training.finetune.comparison import Comparison
from bortlab.views.escape import html
from bortlab.views.finetune.curves import dev_curves, learning_curve, reliability
from bortlab.views.finetune.frontier import frontier
from bortlab.views.finetune.mistakes import confusion_matrix, errors
from bortlab.views.finetune.tables import overview
from bortlab.views.finetune.verdict import verdict
from bortlab.views.theme import Look
from bortlab.views.view import View, page

MOST_ERRORS = 30
"""Mistakes of the best model that are listed."""


def report(comparison: Comparison, data: LabelledData, look: Look) -> str:
    """The whole page; it holds texts of the data."""
    data = drawn(data, comparison.plan["examples"])
    views: list[View] = [frontier(comparison, look)]
    if comparison.models:
        best = comparison.models[0]
        views.append(dev_curves(comparison, look))
        if any(entry.smaller for entry in comparison.models):
            views.append(learning_curve(comparison, look))
        if data.problem_type == "single_label_classification":
            views += [confusion_matrix(comparison, best, data, look), reliability(comparison, best.key, look)]
    sentences = "".join(f"<li>{_bold(line.removeprefix('- '))}</li>" for line in verdict(comparison).splitlines())
    numbers = overview(comparison).to_html(index=False, border=0)
    opening = f"<h1>{html(data.title)}</h1><ul>{sentences}</ul>{numbers}"
    closing = ""
    if comparison.models:
        wrong = errors(comparison, comparison.models[0], data).drop(columns="number").head(MOST_ERRORS)
        listed = wrong.to_html(index=False, float_format=lambda value: f"{value:.2f}", border=0)
        closing = f"<h2>Mistakes of {html(comparison.models[0].title)}</h2>{listed}"
    style = "<style>table{border-collapse:collapse}td,th{padding:.2em .6em;text-align:left;vertical-align:top}</style>"
    whole = page(views, look).replace("<body", f"{style}<body", 1)
    start = whole.index(">", whole.index("<body")) + 1
    return whole[:start] + opening + whole[start:].replace("</body>", f"{closing}</body>", 1)


def _bold(line: str) -> str:
    """A line of Markdown, in which only bold and escaped names occur, as HTML."""
    plain = html(unescape(line))
    parts = plain.split("**")
    return "".join(f"<b>{part}</b>" if number % 2 else part for number, part in enumerate(parts))
