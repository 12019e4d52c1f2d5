"""Larger type, for a class that reads from a screen on the wall: `?big=1`, kept from page to page and in links."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

NAME = "big"
FACTOR = 1.3
_ROOT_PX = 16


def read_address() -> None:
    """Let the address say `big=1`; Streamlit reads nothing but true and false. Before the toggle is drawn."""
    context = get_script_run_ctx()
    if context is None:
        return
    with context.session_state.query_params() as query:
        if query.get_initial_value(NAME) == "1":
            query._initial_query_params[NAME] = ["true"]
            query._query_params[NAME] = "true"


def toggle() -> None:
    """The switch, below the navigation."""
    st.sidebar.toggle(
        "Larger type",
        key=NAME,
        bind="query-params",
        persist_state="session",
        help="For a screen on the wall.",
    )


def is_on() -> bool:
    """Has the visitor asked for larger type?"""
    return bool(st.session_state.get(NAME))


def style() -> str:
    """The style sheet; without its tag. All sizes of Streamlit follow the root's."""
    return f":root {{ font-size: {FACTOR * _ROOT_PX:g}px }}" if is_on() else ""
