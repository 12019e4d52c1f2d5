"""What counts inside the models: states, heads, attention and kernels of every executed layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pandas
import streamlit as st
import torch
from torch import Tensor

from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import METHODS, Question, Slopes, WholeText
from bortlab.model import Model
from bortlab.ui import opened, shared
from bortlab.ui.attribution.asking import Selection, ask, by_layer
from bortlab.ui.attribution.parts import attribute, columns, take_away
from bortlab.ui.attribution.waiting import answers
from bortlab.views import attribution as draw
from bortlab.views.contributions import where_the_answer_is_read
from bortlab.views.view import View

INSIDE = {
    "States": "What the state at each position contributes on entering a layer; the last row leaves the last layer.",
    "Heads": "What the output of each head contributes, layer by layer.",
    "Attention": "Attention x gradient: what attention to a piece contributes, over a layer's heads and positions.",
    "Kernels": "Kernel x gradient: what each tap of the kernels contributes, over a layer's heads and positions.",
}
OF_HEADS = {
    "input-x-gradient": "Attention x gradient",
    "feature-ablation": "Each taken away",
    "integrated-gradients": "Integrated Gradients",
}
OF_STATES = ("integrated-gradients", "input-x-gradient", "saliency", "gradient-shap", "feature-ablation", "shapley")


def layers(selection: Selection) -> None:
    """One of the pictures of INSIDE for each model."""
    inside, method = _controls()
    st.caption(INSIDE[inside])
    if not selection.models:
        return
    draw_inside = {"States": _states, "Heads": _heads, "Attention": _attention, "Kernels": _kernels}[inside]
    views: list[View] = []
    tables: list[pandas.DataFrame] = []
    questions: dict[str, Question] = {}
    for key, column in columns(selection):
        with column, answers():
            question = selection.question(key)
            if isinstance(question.target, WholeText):
                raise ValueError("Layers are explained for a single answer: hide a word by writing [MASK] for it.")
            _heading(question)
            for view in draw_inside(question, method):
                shared.picture(view, f"inside-{key}-{len(views)}")
                st.markdown(shared.sentence(view))
                views.append(view)
                tables.append(view.table.assign(model=opened.title(key)))
                questions[key] = question
    if tables:
        table = pandas.concat(tables, ignore_index=True)
        take_away(selection, questions, views, table, partial(_lines, inside=inside, method=method))


def _lines(question: Question, inside: str, method: str) -> str:
    """The Python of what is drawn; of the states, every layer's, else the words' values."""
    if inside != "States":
        result = attribute(question, "shapley")
        return f"result = {result}\nprint(result)\ndraw.words(result, look, title=model.key).show()\n"
    rows = attribute(question, method, ", layer=layer").replace("\n", "\n    ")
    return (
        "rows = {\n    f'into layer {layer + 1}': " + rows + "\n    for layer in range(model.config.depth + 1)\n}\n"
        "draw.heat(rows, look=look, title=model.key, row='layer').show()\n"
    )


def _controls() -> tuple[str, str]:
    """Which part of the models is explained, and by which method."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        inside = st.segmented_control(
            "What counts", list(INSIDE), default="States", key="inside", bind="query-params", required=True
        )
        if inside == "Heads":
            method = st.selectbox(
                "Method",
                list(OF_HEADS),
                format_func=OF_HEADS.__getitem__,
                key="of-heads",
                bind="query-params",
                width=240,
            )
        elif inside in ("Attention", "Kernels"):
            method = "input-x-gradient"
        else:
            method = st.selectbox(
                "Method",
                OF_STATES,
                format_func=lambda name: METHODS[name].title,
                key="states",
                bind="query-params",
                width=240,
            )
    return inside or "States", method


def _heading(question: Question) -> None:
    """A model's name, what is explained, and how many layers and blocks it has."""
    model = question.model
    depth, blocks = model.config.depth, model.config.n_blocks
    reuse = f", {'one block' if blocks == 1 else f'{blocks} blocks'} used {depth} times" if blocks < depth else ""
    facts = [question.target.describe(model, question.encoding), f"{depth} layers{reuse}"]
    shared.name_card(model, facts)


def _layer_names(model: Model) -> list[str]:
    """Layer 1, layer 2, ..., or use 1, use 2, ... where all are one block."""
    is_shared = model.config.depth > 1 and model.config.n_blocks == 1
    return [f"{'use' if is_shared else 'layer'} {n + 1}" for n in range(model.config.depth)]


def _states(question: Question, method: str) -> Iterator[View]:
    assert not isinstance(question.target, WholeText)
    names = [*(f"into {name}" for name in _layer_names(question.model)), "out of the last"]
    rows = dict(zip(names, by_layer(question, method), strict=True))
    title = f"{opened.title(question.model.key)}, layers and words"
    view = draw.heat(rows, look=shared.look(), title=title, row="layer")
    sentence = where_the_answer_is_read(rows, question.encoding, question.target, question.by)
    yield replace(view, alt=f"{view.title}: {sentence}")


def _heads(question: Question, method: str) -> Iterator[View]:
    model, target, name = question.model, question.target, opened.title(question.model.key)
    assert not isinstance(target, WholeText)
    steps = question.steps_of(method) or None

    def by_head(question: Question) -> Tensor:
        problem, _ = analysis.of_heads(question.model, question.encoding, target)
        return analysis.solve(problem, method, steps=steps)

    values = ask(question, "attribution heads", by_head, method)
    heads = analysis.heads_of(model)
    width = len(heads) // model.config.depth
    columns = [f"{'conv' if head.convolves else 'head'} {head.number + 1}" for head in heads[:width]]
    grid = values.view(model.config.depth, width)
    rows, look = _layer_names(model), shared.look()
    yield draw.table_heat(grid, rows, columns, look=look, title=f"{name}, layers and heads", names=("layer", "head"))
    if any(head.convolves for head in heads):
        halves = torch.stack([grid[:, : width // 2].sum(1), grid[:, width // 2 :].sum(1)], 1)
        title, columns = f"{name}, the two halves of mixed attention", ["attention", "convolution"]
        yield draw.table_heat(halves, rows, columns, look=look, title=title, names=("layer", "half"))


def _slopes(question: Question) -> Slopes:
    target = question.target
    assert not isinstance(target, WholeText)
    return ask(question, "attribution slopes", lambda q: analysis.slopes(q.model, q.encoding, target))


def _attention(question: Question, method: str) -> Iterator[View]:
    slopes, model = _slopes(question), question.model
    yield draw.table_heat(
        slopes.received,
        _layer_names(model),
        [draw.numbered(unit.text, n) for n, unit in enumerate(slopes.units)],
        look=shared.look(),
        title=f"{opened.title(model.key)}, layers and the pieces attended to",
        names=("layer", "piece"),
    )


def _kernels(question: Question, method: str) -> Iterator[View]:
    taps, model = _slopes(question).taps, question.model
    if taps is None:
        st.info("No convolution here: this model has no kernels.")
        return
    middle = taps.shape[1] // 2
    yield draw.table_heat(
        taps,
        _layer_names(model),
        [f"{n - middle:+d}" if n != middle else "itself" for n in range(taps.shape[1])],
        look=shared.look(),
        title=f"{opened.title(model.key)}, layers and taps",
        names=("layer", "tap"),
    )
