"""The words of a text, all methods beside each other, and what counts inside the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas
import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import METHODS, Attribution, Target, WholeText, work
from bortlab.model import Model
from bortlab.system.numbers import signed
from bortlab.text import Encoding
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import STEPS, Asked, LaterError
from bortlab.ui.attribution.waiting import TAKES_LONG, answers, panel
from bortlab.views import attribution as draw
from bortlab.views.cards import model_heading
from bortlab.views.escape import markdown, visible
from bortlab.views.view import View

COLUMNS = 2


def choose_method() -> str:
    chosen = st.selectbox(
        "Method", list(METHODS), format_func=lambda name: METHODS[name].title, key="method", bind="query-params",
        width=260,
    )  # fmt: skip
    name = chosen or next(iter(METHODS))
    st.caption(f"{METHODS[name].says} ({METHODS[name].paper})")
    return name


# -- words -------------------------------------------------------------------------------------------------------------


def words(asked: Asked) -> None:
    """The text, coloured, for each model; bars; models beside each other."""
    method = choose_method()
    if not asked.models:
        return
    look = shared.look()
    numbers = st.toggle("Numbers below the words", key="numbers", bind="query-params")
    st.html(draw.style(look) + draw.key(look))
    shown: dict[str, Attribution] = {}
    views: list[View] = []
    for key, column in columns(asked):
        with column, answers():
            found = asked.attribution(key, method)
            title = f"{opened.title(key)}, {METHODS[method].title}"
            heading(asked.models[key], asked.encoding(key), found)
            st.html(draw.style(look) + draw.words(found, look, title=title, numbers=numbers))
            view = draw.bars(found, look=look, title=title)
            shared.picture(view, f"bars-{key}")
            completeness(found, key)
            shown[opened.title(key)] = found
            views += [draw.document(found, look, title=title), view]
    if not shown:
        return
    st.markdown(findings(shown))
    if len(shown) > 1:
        st.subheader("Models beside each other", anchor=False)
        st.caption("Each row has its own scale, from its largest number.")
        view = draw.heat(shown, look=look, title="Models and words", row="model")
        shared.picture(view, "beside")
        views.append(view)
    take_away(asked, views, draw.frame(shown, row="model"), method)


def heading(model: Model, encoding: Encoding, found: Attribution) -> None:
    """A model's name, what is explained, and its number with and without the words."""
    facts = [
        found.target.says(model, encoding),
        f"{signed(found.value)}, {signed(found.without)} without words",
    ]
    head = model.heads.get("masked-lm")
    st.html(model_heading(opened.title(model.key), model.family.name, head=head, facts=facts, look=shared.look()))


def completeness(found: Attribution, key: str) -> None:
    """How well the numbers add up, and more steps where they do not."""
    method, difference = METHODS[found.method], found.value - found.without
    total = float(found.values.sum())
    sums = f"The numbers add up to {signed(total)}, the difference is {signed(difference)}"
    if not method.signed:
        st.caption(f"{method.title} gives sizes without sign: they do not add up to anything.")
    elif not method.complete:
        st.caption(f"{sums}; this method does not promise that they agree.")
    else:
        off = found.relative_error
        st.caption(f"{sums}: completeness error {100 * off:.2g} %.")
        more = next((steps for steps in STEPS if steps >= 4 * found.steps), STEPS[-1])
        if off > analysis.TOLERABLE and found.method == "integrated-gradients" and more > found.steps:

            def refine() -> None:
                st.session_state["steps"] = more

            st.button(
                f"Take {more} steps", key=f"refine-{key}", on_click=refine, icon=":material/adjust:",
                help="The error is above 1 %; more steps make it smaller.",
            )  # fmt: skip


def findings(shown: Mapping[str, Attribution]) -> str:
    """What can be read from the colours."""
    lines = []
    for name, found in shown.items():
        values = {n: float(found.values[n]) for n in found.own}
        best = max(values, key=values.__getitem__)
        worst = min(values, key=values.__getitem__)
        line = f"For {markdown(name)}, **{markdown(found.units[best].text)}** counts most ({signed(values[best])})"
        if values[worst] < 0:
            line += f", and **{markdown(found.units[worst].text)}** speaks against it ({signed(values[worst])})"
        lines.append(f"{line}.")
    tops = {found.units[max(found.own, key=lambda n, f=found: float(f.values[n]))].key for found in shown.values()}  # type: ignore[misc]
    if len(shown) > 1 and len(tops) == 1:
        lines.append("All models agree on the word that counts most.")
    return " ".join(lines)


def take_away(asked: Asked, views: Sequence[View], table: pandas.DataFrame, method: str) -> None:
    """Table, CSV, HTML, link and Python."""
    key, chosen = next(iter(asked.models)), asked.settings
    pair = "" if asked.second is None else f", {asked.second!r}"
    shared.take_away(
        table,
        name="attribution",
        views=views,
        python=(
            "import bortlab\nfrom bortlab.analysis import attribution\n\n"
            f"model = {opened.python(key, asked.models[key].task)}\n"
            f"encoding = model.encode({asked.text!r}{pair})\n"
            f"target = {asked.python(key)}\n"
            f"found = attribution.attribute(\n    model, encoding, target, method={method!r}, "
            f"baseline={chosen.baseline!r}, by={chosen.by!r},\n    "
            f"steps={asked.steps(method)}, seed={chosen.seed},\n)\n"
            "print(found)\n"
        ),
    )


# -- methods -----------------------------------------------------------------------------------------------------------


def methods(asked: Asked) -> None:
    """All methods on one text, and how far they agree."""
    if not asked.models:
        return
    look, views, rows = shared.look(), [], []
    st.caption("Blue raises the answer, orange lowers it; each row has its own scale, from its largest number.")
    for key, column in columns(asked):
        with column, answers():
            found = {}
            name = opened.title(key)
            waiting = False
            for method in possible(asked.target(key)):
                try:
                    found[METHODS[method].title] = asked.attribution(key, method)
                except LaterError:
                    waiting = True
            if waiting:
                st.info(TAKES_LONG, icon=":material/hourglass_top:")
                job = asked.job(key, possible(asked.target(key)), checks=False)
                found |= {
                    METHODS[method].title: done.attribution
                    for method, done in work.result(job, asked.models[key]).items()
                }
                panel(job, asked.models[key], f"Ask all methods of {markdown(name)}")
            if not found:
                continue
            first = next(iter(found.values()))
            heading(asked.models[key], asked.encoding(key), first)
            view = draw.heat(found, look=look, title=f"{name}, methods and words", row="method")
            shared.picture(view, f"methods-{key}")
            values = [one.values[one.own] for one in found.values()]
            alike = analysis.agreement(values, [METHODS[one.method].signed for one in found.values()])
            agreement = draw.agreement(list(found), alike, look=look, title=f"{name}, rank correlation of methods")
            with st.expander("How far they agree"):
                shared.picture(agreement, f"agreement-{key}")
            st.markdown(markdown(shared.sentence(agreement)))
            views += [view, agreement]
            rows.append(draw.frame(found, row="method").assign(model=name))
    if rows:
        take_away(asked, views, pandas.concat(rows, ignore_index=True), "shapley")


def columns(asked: Asked) -> Iterator[tuple[str, DeltaGenerator]]:
    """Each model and its column, two beside each other."""
    keys = list(asked.models)
    for start in range(0, len(keys), COLUMNS):
        row = keys[start : start + COLUMNS]
        yield from zip(row, st.columns(len(row), gap="medium"), strict=True)


# -- layers ------------------------------------------------------------------------------------------------------------

INSIDE = {
    "States": "What the state at each position counts, as it enters each layer; the last row is what leaves the last.",
    "Heads": "What each head of each layer gives on counts.",
    "Attention": "Attention x gradient: what looking at a piece counts, over all heads and positions of a layer.",
    "Kernels": "Kernel x gradient: what each tap of the kernels counts, over all heads and positions of a layer.",
}
OF_HEADS = {
    "input-x-gradient": "Attention x gradient", "feature-ablation": "Each taken away",
    "integrated-gradients": "Integrated Gradients",
}  # fmt: skip
OF_STATES = ("integrated-gradients", "input-x-gradient", "saliency", "gradient-shap", "feature-ablation", "shapley")


def layers(asked: Asked) -> None:
    """What counts inside: states, heads, attention and kernels of every executed layer."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        inside = st.segmented_control(
            "What counts", list(INSIDE), default="States", key="inside", bind="query-params", required=True
        )
        by = "integrated-gradients"
        if inside == "States":
            by = st.selectbox(
                "Method", OF_STATES, format_func=lambda name: METHODS[name].title, key="states", bind="query-params",
                width=240,
            )  # fmt: skip
        elif inside == "Heads":
            by = st.selectbox(
                "Method", list(OF_HEADS), format_func=OF_HEADS.__getitem__, key="of-heads", bind="query-params",
                width=240,
            )  # fmt: skip
    st.caption(INSIDE[inside or "States"])
    if not asked.models:
        return
    show = {"States": _states, "Heads": _heads, "Attention": _attention, "Kernels": _kernels}[inside or "States"]
    views: list[View] = []
    tables = []
    for key, column in columns(asked):
        with column, answers():
            target = asked.target(key)
            if isinstance(target, WholeText):
                raise ValueError("Layers are asked about one answer: hide a word by writing [MASK] for it.")
            model = asked.models[key]
            uses = model.config.n_blocks
            facts = [target.says(model, asked.encoding(key)), f"{model.config.depth} layers"]
            if uses < model.config.depth:
                facts[1] += f", {'one block' if uses == 1 else f'{uses} blocks'} used again and again"
            st.html(model_heading(opened.title(key), model.family.name, head=None, facts=facts, look=shared.look()))
            for view in show(asked, key, target, by):
                shared.picture(view, f"inside-{key}-{len(views)}")
                st.markdown(markdown(shared.sentence(view)))
                views.append(view)
                tables.append(view.table.assign(model=opened.title(key)))
    if tables:
        take_away(asked, views, pandas.concat(tables, ignore_index=True), by if inside == "States" else "shapley")


def _layer_names(model: Model) -> list[str]:
    """Layer 1, layer 2, ..., or use 1, use 2, ... where all are one block."""
    shares = model.config.depth > 1 and model.config.n_blocks == 1
    return [f"{'use' if shares else 'layer'} {n + 1}" for n in range(model.config.depth)]


def _states(asked: Asked, key: str, target: Target, by: str) -> Iterator[View]:
    names = [f"into {name}" for name in _layer_names(asked.models[key])]
    names.append("out of the last")
    rows = dict(zip(names, asked.by_layer(key, by), strict=True))
    view = draw.heat(rows, look=shared.look(), title=f"{opened.title(key)}, layers and words", row="layer")
    yield replace(view, alt=f"{view.title}: {_settles(rows, asked.encoding(key), target)}")


def _settles(rows: Mapping[str, Attribution], encoding: Encoding, target: Target) -> str:
    """From where on the state that is read, a blank's own, counts most, and what does before, in words."""
    first = next(iter(rows.values()))
    owners = analysis.units_of(encoding, "words" if len(first.units) < len(encoding) else "pieces")[1]
    read = int(owners[target.reads])
    own = "the blank's own state" if target.head == "masked-lm" else "the state that the answer is read from"
    names = list(rows)
    tops = [found.strongest()[0] for found in rows.values()]
    since = next((n for n in range(len(tops)) if all(top == read for top in tops[n:])), len(tops))
    before: dict[str, list[str]] = {}
    for n in range(since):
        before.setdefault(f'"{visible(first.units[tops[n]].text)}"', []).append(names[n])
    said = [f"{text} counts most {shared.names(where)}" for text, where in before.items()]
    if since < len(tops):
        last = since == len(tops) - 1
        said.append(f"{'only' if last else 'from'} {names[since]}{'' if last else ' on'} it is {own}")
    return f"{'; '.join(said)}."


def _heads(asked: Asked, key: str, target: Target, by: str) -> Iterator[View]:
    model, encoding, look = asked.models[key], asked.encoding(key), shared.look()
    question = ("attribution heads", asked.text, asked.second, target, by, asked.settings.steps)
    steps = asked.settings.steps if by == "integrated-gradients" else None
    values = shared.ask(
        model, question, lambda model: analysis.solve(analysis.of_heads(model, encoding, target)[0], by, steps=steps)
    )
    heads = analysis.heads_of(model)
    width = len(heads) // model.config.depth
    columns = [f"{'conv' if head.convolves else 'head'} {head.number + 1}" for head in heads[:width]]
    grid = values.view(model.config.depth, width)
    title = f"{opened.title(key)}, layers and heads"
    yield draw.table_heat(grid, _layer_names(model), columns, look=look, title=title, names=("layer", "head"))
    if any(head.convolves for head in heads):
        halves = torch.stack([grid[:, : width // 2].sum(1), grid[:, width // 2 :].sum(1)], 1)
        title = f"{opened.title(key)}, which half of mixed attention"
        names = ("attention", "convolution")
        yield draw.table_heat(halves, _layer_names(model), names, look=look, title=title, names=("layer", "half"))


def _slopes(asked: Asked, key: str, target: Target) -> analysis.Slopes:
    encoding = asked.encoding(key)
    question = ("attribution slopes", asked.text, asked.second, target)
    return shared.ask(asked.models[key], question, lambda model: analysis.slopes(model, encoding, target))


def _attention(asked: Asked, key: str, target: Target, by: str) -> Iterator[View]:
    found = _slopes(asked, key, target)
    title = f"{opened.title(key)}, layers and what is looked at"
    columns = [draw.numbered(unit.text, n) for n, unit in enumerate(found.units)]
    names = ("layer", "piece")
    yield draw.table_heat(
        found.received, _layer_names(asked.models[key]), columns, look=shared.look(), title=title, names=names
    )


def _kernels(asked: Asked, key: str, target: Target, by: str) -> Iterator[View]:
    taps = _slopes(asked, key, target).taps
    if taps is None:
        st.info("No convolution here: this model has no kernels.")
        return
    columns = [f"{n - taps.shape[1] // 2:+d}" if n != taps.shape[1] // 2 else "itself" for n in range(taps.shape[1])]
    title = f"{opened.title(key)}, layers and taps"
    yield draw.table_heat(
        taps, _layer_names(asked.models[key]), columns, look=shared.look(), title=title, names=("layer", "tap")
    )


def possible(target: Target | WholeText) -> list[str]:
    """The methods that can be asked about a target."""
    return [name for name, method in METHODS.items() if isinstance(target, Target) or method.kind != "attention"]
