"""All methods on one text, and how far they agree."""

from __future__ import annotations

import pandas
import streamlit as st

from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import METHODS, Attribution, Question, work
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import LaterError, Selection, attribution
from bortlab.ui.attribution.parts import columns, heading, take_away
from bortlab.ui.attribution.waiting import TAKES_LONG, answers, panel
from bortlab.views import attribution as draw
from bortlab.views.escape import markdown
from bortlab.views.view import View


def methods(selection: Selection) -> None:
    """A map of methods and words for each model, and the rank correlations of the methods."""
    if not selection.models:
        return
    st.caption("Blue raises the answer, orange lowers it; each row has its own scale, set by its largest number.")
    look = shared.look()
    views: list[View] = []
    tables: list[pandas.DataFrame] = []
    questions: dict[str, Question] = {}
    for key, column in columns(selection):
        with column, answers():
            question, name = selection.question(key), opened.title(key)
            results = _by_method(question, name)
            if not results:
                continue
            heading(question, next(iter(results.values())))
            view = draw.heat(results, look=look, title=f"{name}, methods and words", row="method")
            shared.picture(view, f"methods-{key}")
            values = [result.values[result.own] for result in results.values()]
            correlations = analysis.agreement(values, [METHODS[result.method].signed for result in results.values()])
            agreement = draw.agreement(
                list(results), correlations, look=look, title=f"{name}, rank correlation of methods"
            )
            with st.expander("How far they agree"):
                shared.picture(agreement, f"agreement-{key}")
            st.markdown(shared.sentence(agreement))
            views += [view, agreement]
            tables.append(draw.frame(results, row="method").assign(model=name))
            questions[key] = question
    if tables:
        take_away(selection, questions, views, pandas.concat(tables, ignore_index=True), _lines)


def _lines(question: Question) -> str:
    return (
        f"question = attribution.Question(\n    model, encoding, target, {question.baseline!r}, {question.by!r}, "
        f"{dict(question.steps)}, {question.seed},\n)\n"
        "rows = {attribution.METHODS[name].title: question.attribute(name) for name in question.methods}\n"
        "draw.heat(rows, look=look, title=model.key, row='method').show()\n"
    )


def _by_method(question: Question, name: str) -> dict[str, Attribution]:
    """What each method finds, by its title; and a panel for the job of those that are a lot of work."""
    results, is_waiting = {}, False
    for method in question.methods:
        try:
            results[METHODS[method].title] = attribution(question, method)
        except LaterError:
            is_waiting = True
    if is_waiting:
        st.info(TAKES_LONG, icon=":material/hourglass_top:")
        job = work.job(question, question.methods, assessed=False)
        results |= {METHODS[method].title: tested.attribution for method, tested in work.result(job, question).items()}
        panel(job, question, f"Compute all methods for {markdown(name)}")
    return results
