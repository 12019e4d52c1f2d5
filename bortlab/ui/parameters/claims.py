"""The papers' numbers beside the counted ones, and their quality tables as quoted."""

from __future__ import annotations

import streamlit as st

from bortlab.analysis import claims
from bortlab.system.numbers import short_count
from bortlab.views.claims import MARKS


def claimed() -> None:
    """Every claim with its verdict; then what is quoted and cannot be checked."""
    st.header("Claims, checked", anchor=False)
    checked = claims.sizes()
    counts = {verdict: sum(claim.verdict == verdict for claim in checked) for verdict in claims.VERDICTS}
    st.markdown(
        f"{counts['holds']} of the papers' numbers hold, {counts['nearly']} nearly hold, **{counts['differs']} "
        f"differ**; {counts['open']} cannot be checked by counting. Those that differ are mostly Bort's: the paper's "
        f"ratios are those of a width of 768 and a feed-forward part of 1,024 "
        f"({short_count(claims.SWAPPED_BORT.stored)}), the released model has 1,024 and 768 "
        f"({short_count(claims.RELEASED_BORT.stored)})."
    )
    table = claims.frame(checked)
    table["verdict"] = table["verdict"].map(MARKS)
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        row_height=92,
        height=600,
        column_config={
            "claim": st.column_config.TextColumn(width="medium"),
            "reason": st.column_config.TextColumn(width="large"),
            "url": st.column_config.LinkColumn("link", display_text="open"),
        },
        alt="Claims of the papers about sizes, beside what is counted here",
    )
    meanings = "; ".join(f"{MARKS[verdict]}: {meaning}" for verdict, meaning in claims.VERDICTS.items())
    st.caption(f"{meanings}. Claims about speed are measured on the Latency page.")
    with st.expander("Published quality, as quoted"):
        st.caption("The authors' numbers, from the sources named; nothing here was measured by this lab.")
        for quoted in claims.QUOTED:
            st.markdown(f"**{quoted.title}** · [{quoted.source.name}]({quoted.source.url})")
            st.dataframe(quoted.frame(), hide_index=True, width="content", alt=f"{quoted.title}, as quoted")
            st.caption(quoted.note)
