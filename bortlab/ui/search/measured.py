"""The measured part: what milliseconds in the place of operations change."""

from __future__ import annotations

import functools

import streamlit as st

from bortlab.analysis.latency import machine
from bortlab.search.latency import Timed, recorded
from bortlab.ui import shared
from bortlab.views import search as draw
from bortlab.views.escape import markdown


def milliseconds() -> None:
    """What the recorded measurements say; nothing where there is none."""
    for name, timed in _recorded().items():
        st.header("Milliseconds in the place of operations", anchor=False)
        view = draw.operations_and_milliseconds(timed, shared.look())
        left, right = st.columns((3, 2), gap="medium")
        with left:
            shared.picture(view, key=f"milliseconds-{name}")
        with right:
            st.markdown("\n\n".join(draw.timed_sentences(timed)))
            st.caption(
                "Bars are 95% intervals of the medians, which may be smaller than the points; above the line an "
                "operation takes longer than at the median candidate. Measured on "
                f"{markdown(machine.described(timed.machine))}, one thread; `bortlab search --latency` measures here."
            )
        with st.expander("The times as a table"):
            st.dataframe(
                view.table,
                hide_index=True,
                width="stretch",
                column_config={
                    "parameters": st.column_config.NumberColumn(format="localized"),
                    "operations": st.column_config.NumberColumn(format="compact"),
                    "operations a second": st.column_config.NumberColumn(format="compact"),
                },
                alt="The candidates with their operations and times",
            )


@functools.lru_cache(maxsize=1)
def _recorded() -> dict[str, Timed]:
    return recorded()
