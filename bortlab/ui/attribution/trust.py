"""How far an attribution can be believed: curves, other seeds and random weights, and all methods tested as a job."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pandas
import streamlit as st

from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import METHODS, Attribution, work
from bortlab.model import Model
from bortlab.system.numbers import percent, signed
from bortlab.text import Encoding
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import Asked
from bortlab.ui.attribution.views import choose_method, columns, completeness, heading, possible, take_away
from bortlab.ui.attribution.waiting import answers, panel
from bortlab.views import attribution as draw
from bortlab.views.escape import markdown
from bortlab.views.view import View
from bortlab.work.reference import can_be_loaded_again


def trust(asked: Asked) -> None:
    """How far one method can be believed here; all of them as a job."""
    method = choose_method()
    if not asked.models:
        return
    look = shared.look()
    views: list[View] = []
    tables = []
    for key, column in columns(asked):
        with column, answers():
            model, target, encoding, chosen = asked.models[key], asked.target(key), asked.encoding(key), asked.settings
            found = asked.attribution(key, method)
            heading(model, encoding, found)
            completeness(found, key)
            question = (asked.text, asked.second, target, method, chosen, asked.steps(method))
            how = {"baseline": chosen.baseline, "by": chosen.by}
            seen = shared.ask(
                model, ("attribution curves", *question), partial(_curves, encoding=encoding, found=found, how=how)
            )
            view = draw.curves(
                seen, colour=look.family(model.family.name), look=look, title=f"{opened.title(key)}, words taken away"
            )
            shared.picture(view, f"curves-{key}")
            st.markdown(_believed(seen))
            if not asked.takes_long(key, method, checked=True):
                checked = shared.ask(
                    model, ("attribution checks", *question),
                    partial(_checks, encoding=encoding, found=found, seen=seen, how=how),
                )  # fmt: skip
                st.caption(_checked(checked))
            else:
                st.caption("Seeds and random weights take long here: test all methods in the background, below.")
            views.append(view)
            tables.append(view.table.assign(model=opened.title(key)))
    if tables:
        take_away(asked, views, pandas.concat(tables, ignore_index=True), method)
    with st.expander("All methods, tested", expanded=True):
        st.caption("Every method, with other seeds, random weights, and words taken away and put back in its order.")
        for key, model in asked.models.items():
            with answers():
                if can_be_loaded_again(model):
                    job = asked.job(key, possible(asked.target(key)), checks=True)
                    panel(job, model, f"Test all methods on {markdown(opened.title(key))}")


def _believed(seen: analysis.Curves) -> str:
    deletion, insertion = map(percent, seen.better_than)
    whole, alone = map(signed, (seen.comprehensiveness(), seen.sufficiency()))
    return (
        f"Taken away in this order, the answer falls sooner than in **{deletion}** of random orders; put back, it "
        f"rises sooner than in **{insertion}**. Comprehensiveness **{whole}** (random "
        f"{signed(seen.random_comprehensiveness)}, the more the better), sufficiency **{alone}** (random "
        f"{signed(seen.random_sufficiency)}, the less the better)."
    )


def _curves(model: Model, encoding: Encoding, found: Attribution, how: Any) -> analysis.Curves:
    return work.curves_of(model, encoding, found, **how)


def _checks(model: Model, encoding: Encoding, found: Attribution, seen: analysis.Curves, how: Any) -> work.Checked:
    return work.check(model, encoding, found, seen, **how)


def _checked(checked: work.Checked) -> str:
    """What random weights and other seeds say."""
    method, said = METHODS[checked.attribution.method], []
    if checked.random_weights is not None and not math.isnan(checked.random_weights):
        alike = checked.random_weights
        verdict = "as it should be" if alike < 0.5 else "so it may say more about the text than about the model"
        said.append(f"With random weights the sizes' rank correlation is {alike:.2f}: {verdict}.")
    if not method.random:
        said.append("It draws no random numbers: every run gives the same.")
    elif checked.repeats is not None:
        said.append(f"Other seeds give a rank correlation of {checked.repeats:.2f}.")
    return " ".join(said)
