"""What is compared, what that takes, the button that starts it, and the training in progress."""

from __future__ import annotations

import streamlit as st

from bortlab.data.labelled import LabelledData
from bortlab.system.machine import cores
from bortlab.system.numbers import duration
from bortlab.training.finetune import ComparisonPlan, job
from bortlab.training.finetune.comparison import read_comparison, read_live
from bortlab.ui import opened, shared
from bortlab.ui.job_panel import Labels, job_panel
from bortlab.views.prose import counted
from bortlab.work.jobs import Job
from bortlab.work.reference import ModelReference

ALL, AUTO = "all", "auto"
USUAL_EXAMPLES = 500
SIZES = (50, 100, 200, 500, 1_000)
TRAINING_FLOPS = 12e9
"""Arithmetic a second and thread that a training gives, for the estimate: a third of what a forward pass gives."""


def choose_plan(data: LabelledData, models: list[str]) -> ComparisonPlan:
    """The visitor's choices, as a plan."""
    st.header("2. What is compared", anchor=False)
    with st.expander("Options"):
        first = st.columns(4)
        amounts = [n for n in (50, 100, 200, USUAL_EXAMPLES, 1_000, 2_000, 5_000) if n < len(data.train)]
        chosen = first[0].selectbox(
            "Training examples",
            [*map(str, amounts), ALL],
            index=amounts.index(USUAL_EXAMPLES) if USUAL_EXAMPLES in amounts else len(amounts),
            key="examples",
            bind="query-params",
        )
        seeds = first[1].selectbox(
            "Seeds", [1, 2, 3, 5], key="seeds", bind="query-params", help="Trainings of each model; more are surer."
        )
        epochs = first[2].selectbox(
            "Epochs at most",
            [AUTO, "1", "2", "3", "5", "10", "20"],
            help=f"{AUTO}: few examples are read more often.",
            key="epochs",
            bind="query-params",
        )
        batch = first[3].selectbox("Batch", [8, 16, 32], index=1, key="batch", bind="query-params")
        balanced = st.toggle(
            "Rare classes count as much as common ones", key="balanced", bind="query-params", disabled=not data.labels
        )
        curve = st.toggle(
            "Learning curve: also train on fewer examples",
            key="curve",
            bind="query-params",
            help="One training more of each model for each size.",
        )
    changes = {"batch": batch, "balanced": balanced and bool(data.labels)} | (
        {"epochs": int(epochs)} if epochs != AUTO else {}
    )
    n_train = len(data.train) if chosen == ALL else int(chosen)
    return ComparisonPlan(
        models=tuple(reference_of(key) for key in models),
        seeds=seeds,
        changes=changes,
        examples=0 if chosen == ALL else n_train,
        sizes=tuple(n for n in SIZES if n < n_train) if curve else (),
    )


def reference_of(key: str) -> ModelReference:
    """How a job loads a model that the lab offers."""
    return ModelReference.named(key, family=opened.family(key))


def run(data: LabelledData, plan: ComparisonPlan) -> Job:
    """The button, or how the training goes; what is there already is drawn below while it runs."""
    this = job.job_of(data, plan)
    status = this.status()
    if status is None:
        count = counted(len(plan.models) * (plan.seeds + len(plan.sizes)), "training")
        st.button(
            "Fine-tune and compare",
            key="start-finetune",
            icon=":material/model_training:",
            type="primary",
            on_click=_start,
            args=(data, plan),
            disabled=not plan.models,
        )
        seconds = estimated_seconds(data, plan)
        st.caption(
            f"{count} and the baselines, {duration(seconds)} on this machine when it is idle."
            if plan.models
            else "Choose models in the sidebar."
        )
        return this
    job_panel(
        this,
        Labels(
            doing="Fine-tuning",
            start="Start again",
            resume="Resume",
            icon=":material/model_training:",
            meanwhile="You may leave this page: it goes on.",
            cancel_help="What was trained so far is kept; resuming goes on from there.",
        ),
        results=lambda: _so_far(this),
    )
    return this


def _start(data: LabelledData, plan: ComparisonPlan) -> None:
    with shared.sentences():
        job.start(data, plan)


def estimated_seconds(data: LabelledData, plan: ComparisonPlan) -> float:
    """About how long a comparison takes on an idle machine."""
    n_train = plan.examples or len(data.train)
    configs = [reference.load().config for reference in plan.models]
    pieces = mean_pieces(data)
    macs = sum(plan.cost(config, n, pieces=pieces) for config in configs for n in plan.trainings(n_train))
    return 20.0 + 6 * macs / (TRAINING_FLOPS * cores())


def mean_pieces(data: LabelledData) -> int:
    """About how many pieces an example has: five characters a piece."""
    some = data.train[:200]
    return max(8, sum(len(" ".join(example.content)) for example in some) // (5 * max(1, len(some))))


def _so_far(this: Job) -> None:
    """While it runs: the curve of the present training, and the figures that are there."""
    status = this.status()
    if status is None or not status.alive:
        return
    from bortlab.views import finetune as draw

    folder = job.results_folder(this)
    training, comparison = read_live(folder), read_comparison(folder)
    if training is not None and comparison is not None and training.curve:
        st.caption(f"{opened.title(training.model)}: score on dev by epoch")
        shared.picture(draw.live(training, comparison.measure, shared.look()), "live")
    if comparison is not None and comparison.entries:
        st.dataframe(draw.overview(comparison), hide_index=True, width="stretch", alt="What was measured so far")
