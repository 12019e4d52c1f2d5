"""The lab's own style sheet, before a page is drawn: larger type, and colours that can be read."""

from __future__ import annotations

import streamlit as st

from bortlab.ui.shared import larger
from bortlab.ui.shared.pictures import look


def begin() -> None:
    """Draw the switch for larger type, and send the style sheet."""
    larger.read_address()
    larger.toggle()
    # Streamlit writes what is selected in the primary colour, which on dark ground falls below 4.5 : 1.
    selected = f'[data-testid="stButtonGroup"] [data-selected="true"] p {{ color: {look().ink} }}'
    st.html(f"<style>{larger.style()} {selected}</style>")
