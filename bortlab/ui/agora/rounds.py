"""Agora's rounds with a slider: the picture, what happened in words, and the points that were made."""

from __future__ import annotations

import functools

import streamlit as st

from bortlab.system.numbers import percent
from bortlab.training.agora import History, kept
from bortlab.training.agora.example import PastRun, example
from bortlab.ui import opened, shared
from bortlab.views import agora as draw
from bortlab.views.escape import markdown
from bortlab.views.view import View

KEPT, REFUSED = "kept", "refused"


@functools.lru_cache(maxsize=1)
def recorded_run() -> PastRun:
    """The run that comes with bortlab, read once."""
    return example()


def how_it_works() -> None:
    """The recorded run, round by round."""
    run = recorded_run()
    summary, n = run.summary, run.summary["examples"]
    test, labeller = summary["test"], summary["labeller"]
    st.markdown(
        f"A real run, recorded: {markdown(opened.title(summary['model']))} learns the task "
        f"*{markdown(summary['data'])}* from **{n['D']}** labelled examples (D), searches with {n['E']} more (E), and "
        f"is measured once, on {n['H']:,} sealed ones (H). The labeller is right in {percent(labeller['value'])} of E."
    )
    views = rounds(run.history)
    best = summary["best"]["score"]
    st.markdown(
        f"At the end the best model is right in {percent(best)} of E, and in **{percent(test['value'])}** of H (95% "
        f"interval {percent(test['low'])} to {percent(test['high'])}). Whether that is more than rivals reach, only an "
        "experiment with many splits can say."
    )
    shared.take_away(
        views[0].table,
        name="agora-rounds",
        python=_python(shown_round(run.history)),
        views=views,
        says={"view": st.session_state.get("view", ""), "round": shown_round(run.history)},
    )


def rounds(history: History) -> list[View]:
    """The picture up to a round that is chosen, the round in words, and its points."""
    number = _choose_round(len(history.rounds))
    look = shared.look()
    picture = draw.rounds(history, look, shown=number)
    shared.picture(picture, "rounds")
    st.markdown(" ".join(map(markdown, draw.round_sentences(history, number - 1))))
    made = history.rounds[number - 1].points
    groups = {KEPT: kept(history.rounds[number - 1]), REFUSED: [point for point in made if point.refused]}
    if not made:
        return [picture]
    counts = ", ".join(f"{len(group)} {name}" for name, group in groups.items())
    st.markdown(f"**Points that round {number} made of mistakes**: {counts}")
    which = st.segmented_control(
        "Show those that were",
        list(groups),
        default=KEPT if groups[KEPT] else REFUSED,
        key="points",
        required=True,
    )
    view = draw.points(groups[which or KEPT], look)
    shared.picture(view, "points")
    st.caption("Struck out: words that left; tinted: words that came. An orange edge: the labeller changed the label.")
    if len(view.table):
        with st.expander("All of them as a table"):
            st.dataframe(
                view.table,
                hide_index=True,
                width="stretch",
                column_config={"words changed": st.column_config.NumberColumn(format="percent")},
                alt="Points that were made",
            )
    return [picture, view]


def shown_round(history: History) -> int:
    """The round that the slider stands at, from 1."""
    return int(st.session_state.get("round", len(history.rounds)))


def _choose_round(n: int) -> int:
    if n < 2:
        return n
    if st.session_state.get("round", n) not in range(1, n + 1):
        del st.session_state["round"]  # another run had more rounds
    return int(st.slider("Round", 1, n, n, key="round", bind="query-params"))


def _python(shown: int) -> str:
    return (
        "from bortlab.training.agora.example import example\n"
        "from bortlab.views import agora as draw\n"
        "from bortlab.views.theme import Look\n\n"
        "history = example().history\n"
        f'print(" ".join(draw.round_sentences(history, {shown - 1})))\n'
        f'draw.points(history.rounds[{shown - 1}].points, Look("light")).show()\n'
        f'draw.rounds(history, Look("light"), shown={shown})\n'
    )
