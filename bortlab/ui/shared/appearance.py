"""The lab's own style sheet, before a page is drawn: larger type, readable colours, and a focus that can be seen."""

from __future__ import annotations

import streamlit as st

from bortlab.ui.shared import classroom, larger
from bortlab.ui.shared.pictures import look


def begin() -> None:
    """Draw the switch for larger type and a class's banner, and send the style sheet."""
    larger.read_address()
    larger.toggle()
    ink = look().ink
    # Streamlit writes what is selected in the primary colour, which on dark ground falls below 4.5 : 1.
    selected = f'[data-testid="stButtonGroup"] [data-selected="true"] p {{ color: {ink} }}'
    # Plotly hides its buttons from those who have no pointer.
    focus = (
        ".modebar:focus-within { opacity: 1 !important }"
        f" .modebar-btn:focus-visible {{ outline: 2px solid {ink} !important }}"
    )
    st.html(f"<style>{larger.style()} {selected} {focus}</style>")
    classroom.banner()
