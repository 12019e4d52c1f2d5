"""What happens once, before the first visitor is served: settings of torch, slow imports, the bundled models."""

from __future__ import annotations

import gc
import threading

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from bortlab import registry
from bortlab.models import FAMILIES
from bortlab.system import assets
from bortlab.work.pool import configure_torch, default_pool

_lock = threading.Lock()
_warm = threading.Event()


def bundled() -> list[str]:
    """Keys of the bundled models that are on this machine, in the order of the families."""
    return [
        checkpoint.key
        for family in FAMILIES.values()
        for checkpoint in family.checkpoints
        if checkpoint.source == "bundled" and (assets.CHECKPOINTS / checkpoint.key / "config.json").is_file()
    ]


def minis() -> list[str]:
    """Keys of the bundled minis, the equal four, that are on this machine."""
    own = {family.mini_key for family in FAMILIES.values()}
    return [key for key in bundled() if key in own]


def warm_up() -> None:
    """Settle torch's threads, import what pages need, load the bundled minis, freeze what is there; once a process.

    Streamlit's own collection after each rerun is off (runner.postScriptGC): it walks every live object while holding
    Python's lock, 0.1 to 0.2 s with torch imported. Freezing keeps what never dies out of the ordinary collections too.
    """
    with _lock:
        if _warm.is_set():
            return
        import pandas  # noqa: F401

        import bortlab.views.attribution
        import bortlab.views.predict  # noqa: F401  plotly

        configure_torch()
        default_pool()
        for key in minis():
            registry.load(key)
        gc.collect()
        gc.freeze()
        _warm.set()


def inside_the_frame() -> None:
    """Run again inside app.py where Streamlit ran a page alone.

    Until app.py has run once in this process, Streamlit takes the folder pages/ for the older kind of pages: a link
    straight to a page would open it without navigation, settings and footer.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def start() -> None:
    """`warm_up`, with a word to the visitor who has to wait for it."""
    if not _warm.is_set():
        with st.spinner("Starting the lab …"):
            warm_up()
