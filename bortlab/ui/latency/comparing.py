"""A result beside another one: of this machine, of another, or the one that came with the lab."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import streamlit as st

from bortlab.analysis import latency as analysis
from bortlab.analysis.latency import Case, Run, machine
from bortlab.analysis.latency.cases import shape
from bortlab.analysis.latency.timing import Ratio
from bortlab.ui import shared
from bortlab.ui.latency.results import UPLOADED, name_of
from bortlab.views.escape import markdown
from bortlab.views.latency import label


@functools.lru_cache(maxsize=16)
def _ratios(run: Run, other: Run) -> Mapping[Case, Ratio]:
    return analysis.compare(run, other)


def compare(run: Run, runs: dict[str, Run]) -> None:
    """Choose another result, and see the times of this one divided by those of the other."""
    with st.expander("Compare with another run or machine"):
        _upload(runs)
        others = {name: other for name, other in runs.items() if name != run.name}
        if not others:
            st.caption("There is no other result yet.")
            return
        if st.session_state.get("other") not in others:
            st.session_state["other"] = next(reversed(others))
        chosen = st.selectbox("Compare with", list(others), format_func=lambda name: name_of(others[name]), key="other")
        other = others.get(chosen) or others[next(iter(others))]
        ratios = _ratios(run, other)
        if ratios:
            _table(run, other, ratios)
        else:
            st.caption("The two have no case in common: the same model, shape, threads, precision and runtime.")


def _upload(runs: dict[str, Run]) -> None:
    """Take a file; a new one is what the visitor wants to compare with."""
    file = st.file_uploader("A result that was saved as JSON", ["json"], key="upload", max_upload_size=5)
    if file is None:
        return
    if UPLOADED not in runs:
        with shared.sentences():
            analysis.read(file.getvalue())
            st.info("There are no times in this file: the measurement was stopped before its first round.")
    elif st.session_state.get("uploaded") != file.file_id:
        st.session_state["uploaded"], st.session_state["other"] = file.file_id, UPLOADED


def _table(run: Run, other: Run, ratios: Mapping[Case, Ratio]) -> None:
    st.markdown(
        f"Times of this result ({markdown(machine.described(run.environment))}) divided by those of the other "
        f"({markdown(machine.described(other.environment))}); below 1: this one is faster."
    )
    cases = list(ratios)
    st.dataframe(
        [
            {
                "Model": label(case, cases),
                "Sequences × pieces": shape(case),
                "this, ms": run.by_case[case].p50.value,
                "other, ms": other.by_case[case].p50.value,
                "ratio": ratio.value,
                "from": ratio.low,
                "to": ratio.high,
                "this one is": ratio.verdict if ratio.significant else "not significantly different",
            }
            for case, ratio in ratios.items()
        ],
        hide_index=True,
        width="stretch",
        alt="Times of this result divided by those of the other",
        column_config={
            name: st.column_config.NumberColumn(format="%.2f")
            for name in ("this, ms", "other, ms", "ratio", "from", "to")
        },
    )
