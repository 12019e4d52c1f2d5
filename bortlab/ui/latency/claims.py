"""Bort's published speed-ups, beside the measured ones."""

from __future__ import annotations

import streamlit as st

from bortlab.analysis import latency as analysis
from bortlab.analysis.latency import MeasuredSpeedup, Run, machine
from bortlab.analysis.latency.cases import shape, title
from bortlab.ui import shared
from bortlab.ui.latency.measuring import measure_button
from bortlab.ui.latency.results import UPLOADED, date_of, is_recorded
from bortlab.views.escape import markdown
from bortlab.views.latency.sentences import speed_up_claims


def claims(runs: dict[str, Run]) -> None:
    """What was published, what was measured, and a button to measure it here."""
    st.header("Claims, checked", anchor=False)
    st.markdown(
        "Bort's authors say that it is **7.9 times** as fast as BERT-base and **about 20 times** as fast as BERT-large "
        "on a CPU (de Wynter and Perry 2020, and their README); they do not give the processor, batch or length. The "
        "released Bort is 1,024 wide with a feed-forward part of 768; the published 56 M parameters fit 768 and 1,024, "
        "so both are timed."
    )
    run = next((run for run in runs.values() if run.name != UPLOADED and analysis.measured_speedups(run)), None)
    if run is not None:
        speedups = analysis.measured_speedups(run)
        _table(speedups)
        where = "came with the lab" if is_recorded(run) else "measured here"
        machine_name = markdown(machine.described(run.environment))
        st.markdown(f"{speed_up_claims(speedups)} ({where}: {machine_name}, {date_of(run)})")
    with shared.sentences():
        measure_button("Check them on this machine", analysis.claims_plan(), key="claims", costs=True)


def _table(speedups: list[MeasuredSpeedup]) -> None:
    st.dataframe(
        [
            {
                "claimed": f"{speedup.published.times:g} × {title(speedup.published.baseline)}",
                "Bort": title(speedup.published.model),
                "sequences × pieces": shape(speedup.case),
                "measured": speedup.speedup.value,
                "95% interval": f"{speedup.speedup.low:.1f} to {speedup.speedup.high:.1f}",
                "less arithmetic": speedup.flops,
                "verdict": speedup.verdict,
            }
            for speedup in speedups
        ],
        hide_index=True,
        width="stretch",
        height="content",
        alt="Published speed-ups of Bort beside measured ones",
        column_config={
            name: st.column_config.NumberColumn(format="%.1f ×") for name in ("measured", "less arithmetic")
        },
    )
