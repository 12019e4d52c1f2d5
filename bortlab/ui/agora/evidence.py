"""What the recorded experiment says: the answer, the rivals, task by task, and E minus H by round."""

from __future__ import annotations

import functools
import json

import streamlit as st

from bortlab.analysis.latency import machine
from bortlab.system.numbers import duration
from bortlab.training.agora.rivals import Record, recorded
from bortlab.ui import opened, shared
from bortlab.views import agora as draw
from bortlab.views.escape import markdown

PERCENT = st.column_config.NumberColumn(format="percent")


@functools.lru_cache(maxsize=1)
def records() -> dict[str, Record]:
    """The experiments that come with bortlab, read once."""
    return recorded()


def answer() -> None:
    """The page's question, answered; or that nothing was measured yet."""
    st.caption(
        "Agora is what Bort's authors fine-tuned it with. Its code was never published: this is **our interpretation**."
    )
    if not records():
        st.info("No experiment has been recorded here yet, so nothing is said of whether it helps.")
        return
    for record in records().values():
        st.markdown(draw.answer(record))


def experiment() -> None:
    """An experiment: verdict, rivals, tasks, rounds, and all its numbers."""
    record = _chosen()
    st.markdown("\n".join(f"- {sentence}" for sentence in draw.verdict_sentences(record)))
    look = shared.look()
    views = [draw.rivals(record, look), draw.by_task(record, look), draw.over_fitting(record, look)]
    st.header("Agora and its rivals", anchor=False)
    shared.picture(views[0], "rivals")
    st.caption(
        "Accuracy on H: right of 0 Agora is better. Diamonds are means over tasks, lines 95% intervals. *: the "
        "contrast that was declared beforehand; each rival may take as many trainings as Agora took."
    )
    columns = st.columns(2, gap="medium")
    with columns[0]:
        st.markdown("**Task by task**")
        shared.picture(views[1], "by-task")
        st.caption(f"A dot for each split: Agora minus {record['primary'][1]}.")
    with columns[1]:
        st.markdown("**Over-fitting of the search set: E minus H by round**")
        shared.picture(views[2], "over-fitting")
        st.caption(
            "Accuracy of the round's best model; the numbers are E minus H in points. Rounds that fewer than half of "
            "the splits reached are in the table alone."
        )
    with st.expander("E minus H as a table"):
        table = views[2].table
        shares = dict.fromkeys(("accuracy on E", "accuracy on H", "E minus H", "from", "to"), PERCENT)
        st.dataframe(table, hide_index=True, width="stretch", column_config=shares, alt="E minus H by round")
    _made(record)
    with st.expander("Every split"):
        st.dataframe(views[1].table, hide_index=True, width="stretch", alt="What each rival reached on each split")
    machines = ", then ".join(map(machine.described, record["machines"]))
    st.caption(
        f"{draw.settings_sentence(record)} {duration(_seconds(record)).capitalize()} of processor time, where "
        f"trainings that rivals share count for each, on {markdown(machines)}. The command is in docs/agora.md."
    )
    if record["missing"]:
        st.caption(f"Not run to the end: {markdown('; '.join(record['missing']))}.")
    shared.take_away(
        views[0].table,
        name="agora",
        python=_python(record),
        views=views,
        json=json.dumps(record, indent=1, ensure_ascii=False),
        says={"view": st.session_state.get("view", "")},
    )


def _chosen() -> Record:
    models = list(records())
    if len(models) == 1:
        return records()[models[0]]
    return records()[st.selectbox("The model that learns", models, format_func=opened.title, key="experiment")]


def _made(record: Record) -> None:
    """Some points of each split's first round, as they were made."""
    examples = [
        {"task": task, **example}
        for task, its in record["tasks"].items()
        for split in its["splits"]
        for example in split.get(record["primary"][0], {}).get("examples", [])
    ]
    if examples:
        with st.expander("Points that were made in these runs"):
            st.dataframe(examples, hide_index=True, width="stretch", alt="Points that were made: old and new text")


def _seconds(record: Record) -> float:
    """Processor time of all rivals; trainings that they share count for each."""
    tasks = record["tasks"].values()
    return float(sum(result["seconds"] for its in tasks for split in its["splits"] for result in split.values()))


def _python(record: Record) -> str:
    return (
        "from bortlab.training.agora.rivals import recorded\n"
        "from bortlab.views import agora as draw\n"
        "from bortlab.views.theme import Look\n\n"
        f"record = recorded()[{record['plan']['base']!r}]\n"
        "print(draw.answer(record))\n"
        'print("\\n".join(draw.verdict_sentences(record)))\n'
        "for picture in (draw.by_task, draw.over_fitting, draw.rivals):\n"
        '    picture(record, Look("light")).show()\n'
    )
