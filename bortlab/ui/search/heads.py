"""Heads: what the recorded trainings of shapes with several numbers of heads say."""

from __future__ import annotations

import functools

import streamlit as st

from bortlab.analysis.latency import machine
from bortlab.search.grid import TrainedGrid
from bortlab.search.heads import HeadsStudy, heads_study, recorded
from bortlab.system.numbers import duration
from bortlab.ui import shared
from bortlab.views import search as draw
from bortlab.views.escape import markdown


def number_of_heads() -> None:
    """What the recorded grids of heads say; nothing where there is none, or none with two numbers of heads yet."""
    for name, (grid, study) in _recorded().items():
        show_heads(name, grid, study)


def show_heads(name: str, grid: TrainedGrid, study: HeadsStudy) -> None:
    """One grid of heads."""
    st.header("Does the number of heads matter?", anchor=False)
    st.markdown("Heads change neither parameters nor operations, so W and the front see them only in the error.")
    view = draw.errors_by_heads(study, shared.look())
    left, right = st.columns((3, 2), gap="medium")
    with left:
        shared.picture(view, key=f"heads-{name}")
        st.caption(f"Shapes by {study.letters}: lines join the means of their seeds, a dot for each seed.")
    with right:
        st.markdown("\n".join(f"* {sentence}" for sentence in draw.heads_sentences(study)))
    with st.expander("The errors by number of heads as a table"):
        st.dataframe(view.table, hide_index=True, width="stretch", alt="The errors by number of heads")
    st.caption(
        f"{len(grid.trainings)} of {grid.grid.n_trainings} trainings, {duration(grid.cpu_seconds)} of processor time "
        f"on {markdown(machine.described(grid.machine))}: `{grid.grid.command}`"
    )


@functools.lru_cache(maxsize=1)
def _recorded() -> dict[str, tuple[TrainedGrid, HeadsStudy]]:
    studied = {name: (grid, heads_study(grid)) for name, grid in recorded().items()}
    return {name: (grid, study) for name, (grid, study) in studied.items() if study.shapes}
