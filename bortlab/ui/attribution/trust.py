"""How far an attribution can be trusted: curves, other seeds, random weights, and all methods tested by a job."""

from __future__ import annotations

import math

import pandas
import streamlit as st
from torch import Tensor

from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import METHODS, Assessment, Question, work
from bortlab.system.numbers import fixed, percent, signed
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import Selection, assessment, attribution, curves
from bortlab.ui.attribution.parts import attribute, choose_method, columns, completeness, heading, take_away
from bortlab.ui.attribution.waiting import answers, panel
from bortlab.ui.patience import is_long
from bortlab.views import attribution as draw
from bortlab.views.escape import markdown
from bortlab.views.view import View
from bortlab.work.reference import can_be_loaded_again


def trust(selection: Selection) -> None:
    """How far one method can be trusted here; all of them by a job."""
    method = choose_method()
    if not selection.models:
        return
    questions: dict[str, Question] = {}
    views: dict[str, View] = {}
    for key, column in columns(selection):
        with column, answers():
            questions[key] = selection.question(key)
            views[key] = _tested(questions[key], method)
    if views:
        tables = [view.table.assign(model=opened.title(key)) for key, view in views.items()]
        drawn = {key: questions[key] for key in views}

        def lines(question: Question) -> str:
            return (
                f"result = {attribute(question, method)}\nprint(result)\n"
                f"question = attribution.Question(model, encoding, target, {question.baseline!r}, {question.by!r})\n"
                "draw.curves(question.curves(result), look=look, title=model.key).show()\n"
            )

        take_away(selection, drawn, list(views.values()), pandas.concat(tables, ignore_index=True), lines)
    with st.expander("All methods, tested", expanded=True):
        st.caption("Every method, with other seeds, random weights, and words taken away and put back in its order.")
        for key, question in questions.items():
            with answers():
                if can_be_loaded_again(question.model):
                    panel(work.job(question, question.methods), question, f"Test all methods on {_name(key)}")


def _name(key: str) -> str:
    return markdown(opened.title(key))


def _tested(question: Question, method: str) -> View:
    """One model: its curves, and what they and the other tests say."""
    model, look = question.model, shared.look()
    result = attribution(question, method)
    heading(question, result)
    completeness(result, model.key)
    own = curves(question, result)
    view = draw.curves(own, look=look, title=f"{opened.title(model.key)}, words taken away")
    shared.picture(view, f"curves-{model.key}")
    st.markdown(about_curves(own))
    if is_long(question.multiply_adds(method, assessed=True)):
        st.caption("Other seeds and random weights would take a while: test all methods in the background, below.")
    else:
        st.caption(about_tests(assessment(question, result, own)))
    return view


def about_curves(own: analysis.Curves) -> str:
    """In Markdown, how an order of the words does against random ones; ValueError for curves that are not finite."""
    if not all(bool(curve.isfinite().all()) for curve in (own.deletion, own.insertion)):
        raise ValueError("Curves that are not finite say nothing.")
    if _all_alike(own.deletion, own.random_deletion) and _all_alike(own.insertion, own.random_insertion):
        return "In whatever order words are taken away or put back, the answer changes alike: the order says nothing."
    deletion, insertion = map(percent, own.better_than)
    comprehensiveness, sufficiency = signed(own.comprehensiveness()), signed(own.sufficiency())
    return (
        f"When words are taken away in this order, the answer falls sooner than in **{deletion}** of random orders; "
        f"when they are put back, it rises sooner than in **{insertion}**. Comprehensiveness **{comprehensiveness}** "
        f"(random {signed(own.random_comprehensiveness)}; higher is better), sufficiency **{sufficiency}** "
        f"(random {signed(own.random_sufficiency)}; lower is better)."
    )


def _all_alike(curve: Tensor, random: Tensor) -> bool:
    """Do random orders (orders, n + 1) give the same curve (n + 1,)?"""
    return bool((random - curve).abs().max() <= 1e-9 * (1 + curve.abs().max()))


def about_tests(tested: Assessment) -> str:
    """What random weights and other seeds say."""
    sentences = []
    correlation = tested.random_weights
    if correlation is not None and not math.isnan(correlation):
        verdict = "as it should be" if correlation < 0.5 else "so it may say more about the text than about the model"
        sentences.append(
            f"With random weights the rank correlation of the sizes is {fixed(correlation, 2)}: {verdict}."
        )
    if not METHODS[tested.attribution.method].random:
        sentences.append("It draws no random numbers: every run gives the same values.")
    elif tested.repeatability is not None and not math.isnan(tested.repeatability):
        sentences.append(f"Other seeds give a rank correlation of {fixed(tested.repeatability, 2)}.")
    return " ".join(sentences)
