"""How the lab looks: larger type, readable colours, a focus that can be seen, and pictures that follow the theme."""

from __future__ import annotations

import streamlit as st

from bortlab.ui.shared import classroom, larger
from bortlab.ui.shared.pictures import look

# Streamlit does not run a page again when its visitor, or the evening, changes the theme: what the lab itself has
# coloured could not be read any more.
_WATCH = """export default function ({ data, setTriggerValue }) {
    const app = document.querySelector("[data-testid=stApp]");
    const tell = () => {
        const mode = getComputedStyle(app).colorScheme;
        if (mode !== data.mode) setTriggerValue("mode", mode);
    };
    const observer = new MutationObserver(tell);
    observer.observe(app, { attributeFilter: ["class"] });
    return () => observer.disconnect();
}"""
_watch = st.components.v2.component("bortlab.theme", js=_WATCH)


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


def follow_theme() -> None:
    """At the end of every page: draw it again once the theme is another than the page was drawn for."""
    _watch(data={"mode": look().mode}, on_mode_change=lambda: None)
