"""Parts that the views of the Attribution page share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pandas
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import METHODS, Attribution, Question
from bortlab.system.numbers import percent, signed
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import Selection
from bortlab.ui.attribution.choosing import STEPS
from bortlab.views.view import View

COLUMNS = 2


def choose_method() -> str:
    """One of the methods, with what it does and its paper."""
    name = st.selectbox(
        "Method",
        list(METHODS),
        format_func=lambda name: METHODS[name].title,
        key="method",
        bind="query-params",
        width=260,
    ) or next(iter(METHODS))
    st.caption(f"{METHODS[name].summary} ({METHODS[name].paper})")
    return name


def columns(selection: Selection) -> Iterator[tuple[str, DeltaGenerator]]:
    """Each model with its column, two side by side."""
    return shared.grid(list(selection.models), COLUMNS)


def heading(question: Question, attribution: Attribution) -> None:
    """A model's name, what is explained, and its number with and without the words."""
    model = question.model
    facts = [
        attribution.target.describe(model, question.encoding),
        f"{signed(attribution.value)}, {signed(attribution.without)} without words",
    ]
    head = model.heads.get("masked-lm")
    shared.name_card(model, facts, head=head)


def completeness(attribution: Attribution, key: str) -> None:
    """How well the values add up, and an offer of more steps where they do not."""
    st.caption(sums_sentence(attribution))
    more = next((steps for steps in STEPS if steps >= 4 * attribution.steps), STEPS[-1])
    refinable = attribution.method == "integrated-gradients" and more > attribution.steps
    if refinable and not _differs_by_nothing(attribution) and attribution.relative_error > analysis.TOLERABLE:

        def refine() -> None:
            st.session_state["steps"] = more

        st.button(
            f"Take {more} steps",
            key=f"refine-{key}",
            on_click=refine,
            icon=":material/adjust:",
            help="The error is above 1%; more steps make it smaller.",
        )


def sums_sentence(attribution: Attribution) -> str:
    """What the values add up to, and whether they should and do; ValueError for values that are not finite."""
    if not bool(attribution.values.isfinite().all()):
        raise ValueError("An attribution with values that are not finite says nothing.")
    method, difference = METHODS[attribution.method], attribution.value - attribution.without
    if not method.signed:
        return f"{method.title} gives sizes without sign: they do not add up to anything."
    sums = f"The values add up to {signed(float(attribution.values.sum()))}, the difference is {signed(difference)}"
    if not method.complete:
        return f"{sums}; this method does not promise that they agree."
    if _differs_by_nothing(attribution):
        return f"{sums}: without the words the answer is the same, so there is nothing to share out."
    return f"{sums}: completeness error {percent(attribution.relative_error)}."


def _differs_by_nothing(attribution: Attribution) -> bool:
    """Is the answer the same without the words, but for rounding? An error has no share of nothing."""
    return abs(attribution.value - attribution.without) <= 1e-6 * max(1.0, abs(attribution.value))


def take_away(
    selection: Selection,
    questions: Mapping[str, Question],
    views: Sequence[View],
    table: pandas.DataFrame,
    lines: Callable[[Question], str],
) -> None:
    """Table, CSV, HTML, link and Python of a view of these questions. lines: the Python for one, with what it needs."""
    pair = "" if selection.second is None else f", {selection.second!r}"
    blocks = [
        f"\nmodel = {opened.python(key, question.model.task)}\n"
        f"encoding = model.encode({selection.text!r}{pair})\n"
        f"target = {selection.python(question.target)}\n{lines(question)}"
        for key, question in questions.items()
    ]
    shared.take_away(
        table,
        name="attribution",
        views=views,
        python="import bortlab\nfrom bortlab.analysis import attribution\n"
        "from bortlab.views import attribution as draw\n"
        f"from bortlab.views.theme import Look\n\nlook = Look({shared.look().mode!r})\n{''.join(blocks)}",
    )


def attribute(question: Question, method: str, more: str = "") -> str:
    """The Python that makes an attribution. more: other arguments."""
    return (
        f"attribution.attribute(\n    model, encoding, target, method={method!r}, baseline={question.baseline!r}, "
        f"by={question.by!r},\n    steps={question.steps_of(method)}, seed={question.seed}{more},\n)"
    )
