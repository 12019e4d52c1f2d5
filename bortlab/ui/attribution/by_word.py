"""The words of the text, coloured by what they contribute, for each model and for all side by side."""

from __future__ import annotations

import streamlit as st

from bortlab.analysis.attribution import METHODS, Attribution, Question
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import Selection, attribution
from bortlab.ui.attribution.parts import attribute, choose_method, columns, completeness, heading, take_away
from bortlab.ui.attribution.waiting import answers
from bortlab.views import attribution as draw
from bortlab.views.contributions import contributions
from bortlab.views.view import View


def words(selection: Selection) -> None:
    """The coloured text and bars of each model, and a map of all models."""
    method = choose_method()
    if not selection.models:
        return
    look = shared.look()
    numbers = st.toggle("Numbers below the words", key="numbers", bind="query-params")
    st.html(draw.style(look) + draw.key(look))
    attributions: dict[str, Attribution] = {}
    questions: dict[str, Question] = {}
    views: list[View] = []
    for key, column in columns(selection):
        with column, answers():
            question = selection.question(key)
            result = attribution(question, method)
            title = f"{opened.title(key)}, {METHODS[method].title}"
            heading(question, result)
            coloured = draw.words(result, look, title=title, numbers=numbers)
            bars = draw.bars(result, look=look, title=title)
            shared.picture(coloured, f"words-{key}")
            shared.picture(bars, f"bars-{key}")
            completeness(result, key)
            questions[key], attributions[opened.title(key)] = question, result
            views += [coloured, bars]
    if not attributions:
        return
    st.markdown(contributions(attributions))
    if len(attributions) > 1:
        st.header("Models side by side", anchor=False)
        st.caption("Each row has its own scale, set by its largest number.")
        view = draw.heat(attributions, look=look, title="Models and words", row="model")
        shared.picture(view, "side-by-side")
        views.append(view)

    def lines(question: Question) -> str:
        return (
            f"result = {attribute(question, method)}\nprint(result)\n"
            "draw.words(result, look, title=model.key, numbers=True).show()\n"
        )

    take_away(selection, questions, views, draw.frame(attributions, row="model"), lines)
