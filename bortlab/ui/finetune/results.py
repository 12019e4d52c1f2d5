"""What a comparison found: the frontier, what it comes to, the mistakes, and the models to take away."""

from __future__ import annotations

import json

import streamlit as st

from bortlab.analysis.evaluation import NAMES
from bortlab.data.labelled import LabelledData
from bortlab.training.finetune import ComparisonPlan, job
from bortlab.training.finetune.comparing import drawn
from bortlab.training.finetune.comparison import FILE, Comparison, Entry, read_comparison
from bortlab.ui import opened, shared
from bortlab.ui.finetune.taking import take_model
from bortlab.views import finetune as draw
from bortlab.views.escape import markdown
from bortlab.views.view import View
from bortlab.work.jobs import Job

MOST_ERRORS = 200


def show(data: LabelledData, plan: ComparisonPlan, this: Job) -> None:
    """The results of a job that is done; before, the Python that does the same."""
    folder = job.results_folder(this)
    comparison, status = read_comparison(folder), this.status()
    says = {"models": st.session_state.get("models") or [""]}
    if comparison is None or not comparison.finished or status is None or status.alive:
        if plan.models:
            shared.as_code(name=f"bortlab-{data.name}", python=python(data, plan), says=says)
        return
    st.header("3. Which is best for these data?", anchor=False)
    data = drawn(data, plan.examples)
    views = [draw.frontier(comparison, shared.look())]
    shared.picture(views[0], "frontier")
    st.markdown(draw.verdict(comparison))
    st.dataframe(
        draw.overview(comparison),
        hide_index=True,
        width="stretch",
        alt=f"Every model and baseline with its {NAMES[comparison.measure]} and intervals",
    )
    st.header("Look closer", anchor=False)
    entry = _chosen(comparison)
    views += _closer(comparison, entry, data)
    _errors(comparison, entry, data)
    if len(comparison.models) > 1:
        _disagreements(comparison, entry, data)
    if not entry.is_baseline:
        probe(entry, data)
        take_model(entry, data)
    shared.downloads(
        draw.table(comparison),
        name=f"bortlab-{data.name}",
        python=python(data, plan),
        views=views,
        json=(folder / FILE).read_text(encoding="utf-8"),
        says=says,
    )


def _chosen(comparison: Comparison) -> Entry:
    """The model that is looked at closer: the best fine-tuned one unless chosen."""
    entries = [*comparison.models, *(entry for entry in comparison.entries if entry.is_baseline)]
    keys = [entry.key for entry in entries]
    if st.session_state.get("closer") not in keys:
        st.session_state.pop("closer", None)
    key = st.selectbox(
        "Model", keys, format_func=lambda key: comparison.by_key[key].title, key="closer", bind="query-params"
    )
    return comparison.by_key[key]


def _closer(comparison: Comparison, entry: Entry, data: LabelledData) -> list[View]:
    """The pictures of one model, as far as its task has them."""
    look = shared.look()
    views: list[View] = []
    classes = data.problem_type == "single_label_classification"
    pictures = []
    if classes:
        pictures.append(draw.confusion_matrix(comparison, entry, data, look))
        if entry.kept.get("calibration"):
            pictures.append(draw.reliability(comparison, entry.key, look))
    if comparison.models:
        pictures.append(draw.dev_curves(comparison, look))
    if any(model.smaller for model in comparison.models):
        pictures.append(draw.learning_curve(comparison, look))
    for number, (view, column) in enumerate(shared.grid(pictures, 2)):
        with column:
            st.markdown(f"**{markdown(view.title)}**")
            shared.picture(view, f"closer-{number}")
            st.caption(shared.sentence(view))
        views.append(view)
    if classes:
        with st.expander("Class by class"):
            st.dataframe(
                draw.per_class(comparison, entry, data),
                hide_index=True,
                width="stretch",
                column_config={
                    name: st.column_config.NumberColumn(format="%.3f") for name in ("precision", "recall", "F1")
                },
                alt=f"Precision, recall and F1 of each class, {entry.title}",
            )
    return views


def _errors(comparison: Comparison, entry: Entry, data: LabelledData) -> None:
    """The mistakes; one that is chosen opens on Attribution with this very model."""
    table = draw.errors(comparison, entry, data)
    examples = comparison.examples(data)
    st.markdown(f"**Mistakes of {markdown(entry.title)}**: {len(table):,} of {len(examples):,}")
    if not len(table):
        return
    explained = entry.folder is not None and data.task == "sequence-classification"
    if explained:
        st.caption("Choose a row to see which words decided.")
    event = st.dataframe(
        table.drop(columns="number").head(MOST_ERRORS),
        hide_index=True,
        width="stretch",
        height=280,
        on_select="rerun" if explained else "ignore",
        selection_mode="single-row",
        key=f"errors-{entry.key}",
        column_config={"confidence": st.column_config.NumberColumn(format="%.2f")},
        alt=f"Mistakes of {entry.title}",
    )
    rows = event["selection"]["rows"] if explained else []  # type: ignore[index]
    if rows and entry.folder is not None:
        example = examples[int(table.iloc[rows[0]]["number"])]
        query = {"text": example.text, "models": [open_here(entry)], "answer": "class"}
        if example.pair:
            query["second"] = example.pair
        with st.container(horizontal=True):
            for page, icon in (("attribution", "how_to_vote"), ("attention", "visibility")):
                st.page_link(
                    f"pages/{page}.py",
                    label=f"Open this text on {page.capitalize()}",
                    icon=f":material/{icon}:",
                    query_params=query,
                )


def open_here(entry: Entry) -> str:
    """Let every page offer a model that was fine-tuned here; its key."""
    assert entry.folder is not None
    title = f"{entry.title}, fine-tuned here"
    return opened.remember(entry.folder, title=title, family=entry.family or "")


def _disagreements(comparison: Comparison, entry: Entry, data: LabelledData) -> None:
    others = [other for other in comparison.entries if other.key != entry.key]
    with st.expander("Where do two models disagree?"):
        key = st.selectbox(
            "The other", [o.key for o in others], format_func=lambda key: comparison.by_key[key].title, key="other"
        )
        table = draw.disagreements(comparison, entry, comparison.by_key[key], data)
        st.markdown(f"They label {len(table):,} of {len(comparison.examples(data)):,} examples differently.")
        if len(table):
            alt = f"Examples that {entry.title} and {comparison.by_key[key].title} label differently"
            st.dataframe(table, hide_index=True, width="stretch", height=260, alt=alt)


def probe(entry: Entry, data: LabelledData) -> None:
    """A sentence of the visitor's own, answered by the chosen model."""
    if data.task not in ("sequence-classification", "token-classification"):
        return
    st.markdown(f"**Try {markdown(entry.title)}**")
    text = st.text_input("A text of your own", key="probe", placeholder="Write a text", live="300ms")
    if not text:
        return
    pair = None
    if any(example.pair for example in data.train[:5]):
        pair = st.text_input("Its second text", key="probe-pair", live="300ms") or None
    with shared.sentences():
        key = open_here(entry)
        with opened.lease(key, task=data.task) as model:
            answered = shared.answer(
                model,
                ("probe", text, pair),
                lambda asked: asked.tag(text) if data.task == "token-classification" else asked.classify(text, pair),
            )
            st.code(str(answered.value), language=None)
            shared.computed_by({key: answered})


def python(data: LabelledData, plan: ComparisonPlan) -> str:
    """The same comparison in a notebook."""
    models = ", ".join(json.dumps(reference.key) for reference in plan.models)
    is_bundled = data.source.startswith(("WordNet", "World English Bible"))
    source = f"load_task({data.name!r})" if is_bundled else f"read({data.source.split(',')[0]!r})"
    options = [f"models=[{models}]"]
    options += [f"seeds={plan.seeds}"] * (plan.seeds > 1) + [f"examples={plan.examples}"] * bool(plan.examples)
    options += [f"sizes={plan.sizes}"] * bool(plan.sizes)
    options += [f"{name}={value!r}" for name, value in plan.changes.items() if value]
    return (
        f"from bortlab.data.labelled import {source.split('(')[0]}\n"
        "from bortlab.training.finetune import compare_models\n\n"
        f"data = {source}\n"
        f"comparison = compare_models(data, {', '.join(options)}, folder='results')\n\n"
        "from bortlab.views import finetune as draw\n"
        "from bortlab.views.theme import Look\n\n"
        "draw.frontier(comparison, Look('light'))"
    )
