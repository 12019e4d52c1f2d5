"""Which labelled data: a bundled task, or a file of the visitor's own, with what was read of it and what is odd."""

from __future__ import annotations

import functools
from typing import Any

import streamlit as st

from bortlab.data.labelled import Columns, DataError, LabelledData, Table, guess, load_task, read, read_table, tasks
from bortlab.training.finetune import job
from bortlab.ui import opened, shared
from bortlab.views.escape import markdown
from bortlab.views.prose import counted

BUNDLED, OWN = "a bundled task", "a file of your own"
FORMATS = ["csv", "tsv", "jsonl", "json", "parquet", "conll", "conllu", "txt"]
LARGEST_MB = 50
PREVIEWED = 6
"""Examples that are shown."""
MOST_TEST, MOST_DEV = 1_000, 500
"""Examples that are measured with; more would take long and change little."""
KINDS = {
    "": "as the labels look",
    "single_label_classification": "one class a text",
    "multi_label_classification": "several labels a text",
    "regression": "a number a text",
    "token-classification": "a label for each word",
    "multiple-choice": "one of several choices",
    "question-answering": "an answer in a passage",
}
"""Tasks, as the box says them."""


def choose(*, kind: str = "") -> LabelledData | None:
    """The labelled data that the visitor chose; None until there are any. kind: the only one of KINDS that is offered
    of bundled tasks, "" for all."""
    st.header("1. Labelled texts", anchor=False)
    origin = st.segmented_control(
        "From", [BUNDLED, OWN], default=BUNDLED, key="from", bind="query-params", required=True
    )
    data = _bundled(kind) if origin == BUNDLED else _own()
    if data is not None:
        _show(data, own=origin == OWN)
    return data


@functools.lru_cache(maxsize=8)
def _task(name: str) -> LabelledData:
    return bounded(load_task(name))


def bounded(data: LabelledData) -> LabelledData:
    """The data with no more dev and test examples than are measured with."""
    from dataclasses import replace

    return replace(data, dev=data.dev[:MOST_DEV], test=data.test[:MOST_TEST])


def _bundled(kind: str) -> LabelledData:
    cards = {card.name: card for card in tasks() if kind in ("", card.task)}
    name = st.selectbox(
        "Task",
        list(cards),
        key="data",
        bind="query-params",
    )
    card = cards[name]
    st.markdown(markdown(card.description))
    st.caption(f"{markdown(card.source)}. Licence: {markdown(card.licence)}.")
    return _task(name)


def _own() -> LabelledData | None:
    upload = st.file_uploader(
        "A table of texts and labels",
        FORMATS,
        key="labelled",
        max_upload_size=LARGEST_MB,
        help="CSV, TSV, JSON lines, Parquet, CoNLL columns or SQuAD's JSON. It stays on this machine, other visitors "
        "cannot see it, and it is kept only once a training has been started, until you delete it.",
    )
    if upload is None:
        st.info(
            "Bring a table with a column of texts and one of labels, such as reviews and stars: about 100 examples a "
            "class are a fair start. Splits are kept where a column names them, else 70, 15 and 15% are drawn."
        )
        return None
    try:
        table = _table(upload.getvalue(), upload.name)
        if not len(table):
            read(table)  # says so
        columns, kind = _columns(table)
        return bounded(_read(table, columns, kind))
    except (DataError, ValueError) as error:
        st.error(markdown(str(error)))
        return None


@functools.lru_cache(maxsize=4)
def _table(content: bytes, name: str) -> Table:
    import io

    return read_table(io.BytesIO(content), name=name)


def _read(table: Table, columns: Columns, kind: str) -> LabelledData:
    """Read once for a choice of columns: pages run again at every click."""
    key = (table.name, id(table), columns, kind)
    kept = st.session_state.get("labelled-data")
    if kept is None or kept[0] != key:
        given: dict[str, Any] = {"text": columns.text, "label": columns.label, "choices": columns.choices or None}
        data = read(table, pair=columns.pair, split=columns.split, task=kind or None, **given)
        st.session_state["labelled-data"] = kept = (key, data)
    result: LabelledData = kept[1]
    return result


def _columns(table: Table) -> tuple[Columns, str]:
    """What the columns mean: guessed, and to be changed."""
    guessed = guess(table)
    names = list(table.columns)
    boxes = st.columns(5)

    def column(place: int, label: str, guess_of: str | None, *, optional: bool = True) -> str | None:
        options = ["", *names] if optional else names
        index = options.index(guess_of) if guess_of in options else 0
        chosen = boxes[place].selectbox(
            label, options, index=index, format_func=lambda name: name or "—", key=f"column-{place}-{table.name}"
        )
        return chosen or None

    text = column(0, "Text", guessed.text, optional=False) or names[0]
    pair = column(1, "Second text", guessed.pair)
    label = column(2, "Label", guessed.label, optional=False) or names[0]
    split = column(3, "Split", guessed.split)
    kind = boxes[4].selectbox("Labels are", list(KINDS), format_func=KINDS.__getitem__, key=f"kind-{table.name}")
    if len({text, label, pair or "-", split or "--"}) < 4:
        raise DataError("A column was chosen twice: text, second text, label and split must be different columns.")
    return Columns(text, label, pair, split, guessed.choices), kind


def _show(data: LabelledData, *, own: bool) -> None:
    """How many examples of what, a few of them, and what is odd."""
    counts = " · ".join(f"**{len(examples):,}** {split}" for split, examples in data.splits.items())
    st.markdown(f"{counts} — {_labels(data)}")
    findings(data)
    with st.expander("Look at examples"):
        st.dataframe(_preview(data), hide_index=True, width="stretch", alt=f"The first examples of {data.title}")
    if own:
        st.button(
            "Delete it here",
            icon=":material/delete:",
            key="delete-data",
            on_click=_delete,
            args=(data,),
            help="Removes what was stored of this file on this machine, with all results and models made of it.",
        )


def _labels(data: LabelledData) -> str:
    if not data.labels:
        return {"regression": "a number a text", "multiple-choice": "choices"}.get(
            data.problem_type or data.task, "answers in a passage"
        )
    largest = data.counts().most_common(4)
    shares = ", ".join(f"{markdown(name)} ({count:,})" for name, count in largest)
    more = f" and {len(data.labels) - len(largest)} more" if len(data.labels) > len(largest) else ""
    return f"{counted(len(data.labels), 'label')}: {shares}{more}"


def findings(data: LabelledData) -> None:
    """What the checks of the data say."""
    from bortlab.data.labelled import check

    for finding in check(data):
        sentence = markdown(finding.sentence)
        if finding.severity == "error":
            st.error(sentence)
        elif finding.severity == "warning":
            st.warning(sentence)
        else:
            st.caption(sentence)


def _preview(data: LabelledData) -> Any:
    import pandas

    rows = []
    for example in data.train[:PREVIEWED]:
        row: dict[str, Any] = {"text": example.text}
        if example.pair is not None:
            row["second text"] = example.pair
        if example.choices:
            row["choices"] = " | ".join(example.choices)
        label = example.label
        row["label"] = " ".join(map(str, label)) if isinstance(label, tuple) else label
        rows.append(row)
    return pandas.DataFrame(rows)


def _delete(data: LabelledData) -> None:
    with shared.sentences():
        for started in job.jobs_of(data):
            opened.forget_within(started.folder)
        job.forget(data)
        for name in ("labelled", "labelled-data"):
            st.session_state.pop(name, None)
        _table.cache_clear()
