"""The parts of the Attribution page. Each view is a function of what was asked; `VIEWS` names them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import pandas
import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from bortlab.analysis import attribution as analysis
from bortlab.analysis.attribution import METHODS, Attribution, Target, WholeText, work
from bortlab.jobs import Job
from bortlab.model import Model
from bortlab.tokenization import MASK, Encoding
from bortlab.ui import opened, shared
from bortlab.views import attribution as draw
from bortlab.views.cards import model_heading
from bortlab.views.escape import markdown, visible
from bortlab.views.predict import percent
from bortlab.views.view import View

COLUMNS = 2
POLL_S = 1.0
"""Seconds between two looks at a job that runs."""
LONGEST_S = 10.0
"""What takes longer than this, by a guess, is a job."""
TAKES_LONG = "This takes longer than one wants to wait for. It can be computed in the background."
STEPS = (20, 50, 100, 200, 500, 1000, 2000)
BASELINES = {
    "mask": "a blank", "pad": "padding", "zero": "zeros", "mean": "the mean of all words"
}  # fmt: skip
SCALES = {"log-probability": "log-probability", "probability": "probability", "logit": "logit"}

EXPLANATION = """
An **attribution** shares a model's answer out among the words of the text: how much does each count for it, and does
it raise or lower it? No such number is *the* truth; methods answer different questions, and the *Trust* view says how
far they can be believed here.

* The **answer** is a number: the logit, log-probability or probability of a word in the blank, or how much higher one
  word stands than another ("why cat and not dog"). Without a blank it is the pseudo-log-likelihood of the text: each
  piece is masked in turn, and the log-probabilities are added (Salazar et al. 2020, arXiv 1910.14659).
* The **baseline** is what stands in for a word that is not there. Template and blanks always stay, and so do positions
  and token types: attributions say nothing about those.
* **Integrated Gradients** goes from the baseline to the text in small steps. Its numbers add up to the difference of
  the answer between the two; the *completeness error* is what the steps missed (Sundararajan et al. 2017).
* **Taking away** asks the model itself, without gradients. Texts with holes are unusual texts, and answers to them too.
* **Attention** is a weak witness: it says where a model looks, not what it uses (Jain and Wallace 2019), and of
  ConvBERT only the half that attends is seen.
* **Layers**: the states at every position, as they enter a layer, are attributed to in the same way. Each use of
  ALBERT's one block is a layer of its own.
* **Deletion and insertion**: words are taken away, or put back, in the order of the attribution; a good one makes the
  answer fall, or rise, sooner than a random order (Petsiuk et al. 2018). *Comprehensiveness* and *sufficiency* are the
  same for shares of the words (DeYoung et al. 2020).
* With **random weights** an attribution should say something else; one that does not describes the text, not the
  model (Adebayo et al. 2018).

The methods are Captum's (Kokhlikyan et al. 2020), asked through pure functions: nothing is ever hung into a model.
"""


class LaterError(Exception):
    """Something that takes too long to wait for; a job can do it."""

    def __init__(self, job: Job, model: Model) -> None:
        super().__init__(f"{model.key}: {job.name}")
        self.job, self.model = job, model


@contextmanager
def answers() -> Iterator[None]:
    """Errors as sentences, and a job's panel in place of what takes long."""
    with shared.sentences():
        try:
            yield
        except LaterError as later:
            st.info(TAKES_LONG, icon=":material/hourglass_top:")
            panel(later.job, later.model, "Compute it")


@dataclass(frozen=True, slots=True)
class Settings:
    """What all views share: which number is explained, and how."""

    word: str | None
    against: str | None
    blank: int
    scale: analysis.Scale
    baseline: analysis.Baseline
    by: analysis.By
    steps: int
    seed: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What the visitor wants to know: a text through some models."""

    models: Mapping[str, Model]
    text: str
    second: str | None
    settings: Settings

    def encoding(self, key: str) -> Encoding:
        """The text as a model cuts it."""
        return self.models[key].encode(self.text, self.second)

    def target(self, key: str) -> Target | WholeText:
        """The number that is explained: of a word in the blank, or of the text where it has none."""
        chosen, encoding = self.settings, self.encoding(key)
        if not encoding.mask_positions:
            return WholeText()
        question = ("attribution target", self.text, self.second, chosen.word, chosen.against, chosen.blank)
        found = shared.ask(
            self.models[key], question,
            lambda model: analysis.token(
                model, encoding, chosen.word, against=chosen.against, blank=chosen.blank, scale="logit"
            ),
        ).value  # fmt: skip
        return replace(found, scale=chosen.scale)

    def steps(self, method: str) -> int:
        """The visitor's, for Integrated Gradients; each other method has its own."""
        return self.settings.steps if method == "integrated-gradients" else METHODS[method].steps

    def seconds(self, key: str, method: str, *, checked: bool = False) -> float:
        """How long a method may take, with or without what tests it."""
        encoding, target = self.encoding(key), self.target(key)
        own = analysis.varied(encoding)
        units = len(set(analysis.units_of(encoding, self.settings.by)[1][own].tolist()))
        cost = work.passes_of_check if checked else work.passes
        pieces = len(own) if isinstance(target, WholeText) else 0
        question = ("seconds a pass", len(encoding))
        each = shared.ask(self.models[key], question, lambda model: work.seconds_a_pass(model, encoding)).value
        return each * cost(method, units, self.steps(method), pieces)

    def job(self, key: str, methods: Sequence[str], *, checks: bool) -> Job:
        """Several methods as a job."""
        chosen = self.settings
        return work.job(
            self.models[key], self.text, self.second, self.target(key), methods=methods, baseline=chosen.baseline,
            by=chosen.by, steps={"integrated-gradients": chosen.steps}, seed=chosen.seed, checks=checks,
        )  # fmt: skip

    def attribution(self, key: str, method: str, layer: int | None = None) -> Attribution:
        """By one method, of one model."""
        target, encoding, chosen, steps = self.target(key), self.encoding(key), self.settings, self.steps(method)
        if self.seconds(key, method) > LONGEST_S:
            if layer is not None:
                raise ValueError(
                    f"{METHODS[method].title} of every layer takes long here: choose Input x Gradient, or fewer steps."
                )
            job = self.job(key, [method], checks=False)
            done = work.result(job, self.models[key])
            if method not in done:
                raise LaterError(job, self.models[key])
            return done[method].attribution
        question = (
            "attribution", self.text, self.second, target, method, chosen.baseline, chosen.by, steps, chosen.seed,
            layer,
        )  # fmt: skip
        return shared.ask(
            self.models[key], question,
            lambda model: analysis.attribute(
                model, encoding, target, method=method, baseline=chosen.baseline, by=chosen.by, steps=steps,
                seed=chosen.seed, layer=layer,
            ),
        ).value  # fmt: skip


def look_at(keys: Sequence[str], text: str, second: str | None) -> Asked:
    """The models that can be asked; one that cannot says why in its place."""
    models = {}
    for key in keys:
        with shared.sentences():
            models[key] = opened.load(key)
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    return Asked(models, text, second, _settings(text))


def _settings(text: str) -> Settings:
    blanks = text.count(MASK)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        word = against = ""
        blank = 0
        if blanks:
            word = st.text_input(
                "Why this word?", key="why", bind="query-params", live="400ms", width=210,
                placeholder="its own first guess", help="Empty: each model's own first guess.",
            )  # fmt: skip
            against = st.text_input(
                "And not that one?", key="not", bind="query-params", live="400ms", width=210,
                placeholder="all the others", help="A second word makes it a contrast: why the one and not the other?",
            )  # fmt: skip
            if blanks > 1:
                blank = st.selectbox(
                    "Blank", range(blanks), format_func=lambda n: f"Blank {n + 1}", key="blank", width=110
                )
        with st.popover("Settings", icon=":material/settings:"):
            scale = st.selectbox(
                "The answer as", list(SCALES), key="scale", bind="query-params", disabled=not blanks,
                help="Logits before the softmax, or log-probabilities or probabilities after it.",
            )  # fmt: skip
            baseline = st.selectbox(
                "In place of a word", list(BASELINES), format_func=BASELINES.__getitem__,
                key="baseline", bind="query-params", help="The baseline: the vector where a word is missing.",
            )  # fmt: skip
            by = st.segmented_control(
                "Between", ["words", "pieces"], default="words", key="by", bind="query-params", required=True
            )
            steps = st.selectbox(
                "Steps of Integrated Gradients", STEPS, index=1, key="steps", bind="query-params",
                help="More steps, less error.",
            )  # fmt: skip
            seed = st.number_input(
                "Seed", 0, 9999, 0, key="seed", bind="query-params", help="For the methods that draw random numbers."
            )
    return Settings(
        (word or "").strip() or None, (against or "").strip() or None, int(blank or 0),
        cast(analysis.Scale, scale), cast(analysis.Baseline, baseline), cast(analysis.By, by), int(steps), int(seed),
    )  # fmt: skip


def _method() -> str:
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
    method = _method()
    if not asked.models:
        return
    look = shared.look()
    numbers = st.toggle("Numbers below the words", key="numbers", bind="query-params")
    st.html(draw.style(look) + draw.key(look))
    shown: dict[str, Attribution] = {}
    views: list[View] = []
    for key, column in _columns(asked):
        with column, answers():
            found = asked.attribution(key, method)
            title = f"{opened.title(key)}, {METHODS[method].title}"
            heading(asked.models[key], found)
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


def heading(model: Model, found: Attribution) -> None:
    """A model's name, what is explained, and its number with and without the words."""
    facts = [found.target.says(model), f"{draw.number(found.value)}, {draw.number(found.without)} without words"]
    head = model.heads.get("masked-lm")
    st.html(model_heading(opened.title(model.key), model.family.name, head=head, facts=facts, look=shared.look()))


def completeness(found: Attribution, key: str) -> None:
    """How well the numbers add up, and more steps where they do not."""
    method, difference = METHODS[found.method], found.value - found.without
    total = float(found.values.sum())
    sums = f"The numbers add up to {draw.number(total)}, the difference is {draw.number(difference)}"
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
        line = f"For {markdown(name)}, **{markdown(found.units[best].text)}** counts most ({draw.number(values[best])})"
        if values[worst] < 0:
            line += f", and **{markdown(found.units[worst].text)}** speaks against it ({draw.number(values[worst])})"
        lines.append(f"{line}.")
    tops = {found.units[max(found.own, key=lambda n, f=found: float(f.values[n]))].key for found in shown.values()}  # type: ignore[misc]
    if len(shown) > 1 and len(tops) == 1:
        lines.append("All models agree on the word that counts most.")
    return " ".join(lines)


def take_away(asked: Asked, views: Sequence[View], table: pandas.DataFrame, method: str) -> None:
    """Table, CSV, HTML, link and Python."""
    key, chosen = next(iter(asked.models)), asked.settings
    pair = "" if asked.second is None else f", {asked.second!r}"
    if asked.encoding(key).mask_positions:
        said = "" if chosen.word is None else f", {chosen.word!r}"
        said += "" if chosen.against is None else f", against={chosen.against!r}"
        said += f", blank={chosen.blank}" if chosen.blank else ""
        target = f"attribution.token(model, encoding{said}, scale={chosen.scale!r})"
    else:
        target = "attribution.WholeText()"
    shared.take_away(
        table,
        name="attribution",
        views=views,
        python=(
            "import bortlab\nfrom bortlab.analysis import attribution\n\n"
            f"model = {opened.python(key)}\n"
            f"encoding = model.encode({asked.text!r}{pair})\n"
            f"target = {target}\n"
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
    for key, column in _columns(asked):
        with column, answers():
            found = {}
            name = opened.title(key)
            waiting = False
            for method in _possible(asked.target(key)):
                try:
                    found[METHODS[method].title] = asked.attribution(key, method)
                except LaterError:
                    waiting = True
            if waiting:
                st.info(TAKES_LONG, icon=":material/hourglass_top:")
                job = asked.job(key, _possible(asked.target(key)), checks=False)
                found |= {
                    METHODS[method].title: done.attribution
                    for method, done in work.result(job, asked.models[key]).items()
                }
                panel(job, asked.models[key], f"Ask all methods of {markdown(name)}")
            if not found:
                continue
            first = next(iter(found.values()))
            heading(asked.models[key], first)
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


def _columns(asked: Asked) -> Iterator[tuple[str, DeltaGenerator]]:
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
    for key, column in _columns(asked):
        with column, answers():
            target = asked.target(key)
            if isinstance(target, WholeText):
                raise ValueError("Layers are asked about one answer: hide a word by writing [MASK] for it.")
            model = asked.models[key]
            uses = len({id(model.network.block(n)) for n in range(model.config.depth)})
            facts = [target.says(model), f"{model.config.depth} layers"]
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
    shares = model.config.depth > 1 and len({id(model.network.block(n)) for n in range(model.config.depth)}) == 1
    return [f"{'use' if shares else 'layer'} {n + 1}" for n in range(model.config.depth)]


def _states(asked: Asked, key: str, target: Target, by: str) -> Iterator[View]:
    names = [f"into {name}" for name in _layer_names(asked.models[key])]
    names.append("out of the last")
    rows = {name: asked.attribution(key, by, layer) for layer, name in enumerate(names)}
    view = draw.heat(rows, look=shared.look(), title=f"{opened.title(key)}, layers and words", row="layer")
    yield replace(view, alt=f"{view.title}: {_settles(rows, asked.encoding(key), target)}")


def _settles(rows: Mapping[str, Attribution], encoding: Encoding, target: Target) -> str:
    """From where on the blank's own state counts most, and what does before, in words."""
    first = next(iter(rows.values()))
    owners = analysis.units_of(encoding, "words" if len(first.units) < len(encoding) else "pieces")[1]
    blank = int(owners[target.position or 0])
    names = list(rows)
    tops = [found.strongest()[0] for found in rows.values()]
    since = next((n for n in range(len(tops)) if all(top == blank for top in tops[n:])), len(tops))
    before: dict[str, list[str]] = {}
    for n in range(since):
        before.setdefault(f'"{visible(first.units[tops[n]].text)}"', []).append(names[n])
    said = [f"{text} counts most {shared.names(where)}" for text, where in before.items()]
    if since < len(tops):
        last = since == len(tops) - 1
        said.append(f"{'only' if last else 'from'} {names[since]}{'' if last else ' on'} it is the blank's own state")
    return f"{'; '.join(said)}."


def _heads(asked: Asked, key: str, target: Target, by: str) -> Iterator[View]:
    model, encoding, look = asked.models[key], asked.encoding(key), shared.look()
    question = ("attribution heads", asked.text, asked.second, target, by, asked.settings.steps)
    steps = asked.settings.steps if by == "integrated-gradients" else None
    values = shared.ask(
        model, question, lambda model: analysis.solve(analysis.of_heads(model, encoding, target)[0], by, steps=steps)
    ).value
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
    return shared.ask(asked.models[key], question, lambda model: analysis.slopes(model, encoding, target)).value


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


# -- trust -------------------------------------------------------------------------------------------------------------


def trust(asked: Asked) -> None:
    """How far one method can be believed here; all of them as a job."""
    method = _method()
    if not asked.models:
        return
    look = shared.look()
    views: list[View] = []
    tables = []
    for key, column in _columns(asked):
        with column, answers():
            model, target, encoding, chosen = asked.models[key], asked.target(key), asked.encoding(key), asked.settings
            found = asked.attribution(key, method)
            heading(model, found)
            completeness(found, key)
            question = (asked.text, asked.second, target, method, chosen, asked.steps(method))
            how = {"baseline": chosen.baseline, "by": chosen.by}
            seen = shared.ask(
                model, ("attribution curves", *question), partial(_curves, encoding=encoding, found=found, how=how)
            ).value
            view = draw.curves(
                seen, colour=look.family(model.family.name), look=look, title=f"{opened.title(key)}, words taken away"
            )
            shared.picture(view, f"curves-{key}")
            st.markdown(_believed(seen))
            if asked.seconds(key, method, checked=True) < LONGEST_S:
                checked = shared.ask(
                    model, ("attribution checks", *question),
                    partial(_checks, encoding=encoding, found=found, seen=seen, how=how),
                ).value  # fmt: skip
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
                if model.source in work.LOADABLE:
                    job = asked.job(key, _possible(asked.target(key)), checks=True)
                    panel(job, model, f"Test all methods on {markdown(opened.title(key))}")


def _possible(target: Target | WholeText) -> list[str]:
    """The methods that can be asked about a target."""
    return [name for name, method in METHODS.items() if isinstance(target, Target) or method.kind != "attention"]


def panel(job: Job, model: Model, offer: str) -> None:
    """A job of one model: start, progress, cancel, and its table of tests if it made any."""
    status = job.status()
    alive = status is not None and status.alive
    st.fragment(_panel, run_every=POLL_S if alive else None)(job, model, offer, was_alive=alive)


def _panel(job: Job, model: Model, offer: str, *, was_alive: bool) -> None:
    """The same, drawn again and again while the job runs. was_alive: when the page was drawn."""
    status, name = job.status(), markdown(opened.title(model.key))
    found = work.result(job, model)
    if status is not None and status.alive:
        st.progress(status.progress, text=f"{name}: {markdown(status.message)}")
        if st.button("Cancel", key=f"cancel-{job.folder.name}", icon=":material/close:"):
            job.cancel()
            st.rerun()
    elif was_alive:
        st.rerun()
    else:
        if status is not None and status.state in ("failed", "cancelled"):
            (st.error if status.state == "failed" else st.info)(markdown(status.message))
        if status is None or status.state != "done":
            pressed = st.button(
                offer,
                key=f"start-{job.folder.name}",
                icon=":material/science:",
                help="In the background; it can be cancelled.",
            )
            if pressed:
                with shared.sentences():
                    job.start()
                    st.rerun()
    if any(one.deletion is not None for one in found.values()):
        st.markdown(f"**{name}**")
        st.dataframe(
            draw.checked_frame(found), hide_index=True, width="stretch", alt=f"{model.key}: all methods, tested",
            column_config={
                "completeness error": st.column_config.NumberColumn(format="percent"),
                "beats random, taken away": st.column_config.NumberColumn(format="percent"),
                "beats random, put back": st.column_config.NumberColumn(format="percent"),
            } | {
                column: st.column_config.NumberColumn(format="%.2f")
                for column in ("comprehensiveness", "comprehensiveness, random", "sufficiency", "sufficiency, random",
                               "repeatability", "random weights")
            },
        )  # fmt: skip


def _believed(seen: analysis.Curves) -> str:
    deletion, insertion = map(percent, seen.better_than)
    whole, alone = map(draw.number, (seen.comprehensiveness(), seen.sufficiency()))
    return (
        f"Taken away in this order, the answer falls sooner than in **{deletion}** of random orders; put back, it "
        f"rises sooner than in **{insertion}**. Comprehensiveness **{whole}** (random "
        f"{draw.number(seen.random_comprehensiveness)}, the more the better), sufficiency **{alone}** (random "
        f"{draw.number(seen.random_sufficiency)}, the less the better)."
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


VIEWS = {"Words": words, "Methods": methods, "Layers": layers, "Trust": trust}
