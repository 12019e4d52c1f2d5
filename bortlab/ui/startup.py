"""What happens once a process: settings of torch, slow imports, the bundled models, in the order of need.

Importing this module does not import torch: app.py shows the navigation first, and waits for torch behind it.
"""

from __future__ import annotations

import gc
import threading
import time
from importlib import import_module

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from bortlab.system.garbage import no_collection
from bortlab.system.machine import give_back_memory

NEEDED_FIRST = ("bortlab.ui.latency", "bortlab.ui.report", "bortlab.ui.predict", "pandas", "bortlab.views.predict")
"""What app.py and a first page import; plotly is behind the last."""
NEEDED_LATER = ("bortlab.ui.home", "bortlab.views.attribution")
"""What other pages import."""
POLL_S = 0.05
GIVE_BACK_S = 5.0

_lock = threading.Lock()
_settled = threading.Event()
_loaded = threading.Event()
_warm = threading.Event()
_background: threading.Thread | None = None


def bundled() -> list[str]:
    """Keys of the bundled models that are on this machine, in the order of the families."""
    from bortlab.models import FAMILIES
    from bortlab.system import assets

    return [
        checkpoint.key
        for family in FAMILIES.values()
        for checkpoint in family.checkpoints
        if checkpoint.source == "bundled" and (assets.CHECKPOINTS / checkpoint.key / "config.json").is_file()
    ]


def minis() -> list[str]:
    """Keys of the bundled minis, the equal four, that are on this machine."""
    from bortlab.models import FAMILIES

    own = {family.mini_key for family in FAMILIES.values()}
    return [key for key in bundled() if key in own]


def warm_up() -> None:
    """Settle torch's threads, import what pages need, load the bundled minis, freeze what is there; once a process.

    Streamlit's own collection after each rerun is off (runner.postScriptGC): it walks every live object while holding
    Python's lock, 0.1 to 0.2 s with torch imported. Freezing keeps what never dies out of the ordinary collections too,
    and while imports make nothing but what stays, there is nothing to collect.
    """
    with _lock:
        if _warm.is_set():
            return
        with no_collection():
            _settle()
            _prepare()
            gc.collect()
            gc.freeze()
        _warm.set()
        threading.Thread(target=_give_back, name="give back memory", daemon=True).start()


def _give_back() -> None:
    """Return what was freed to the system from time to time: what many texts leave in between does not add up."""
    while True:
        time.sleep(GIVE_BACK_S)
        give_back_memory()


def _settle() -> None:
    """What has to be there before a page runs: torch with its threads, the workers, and what first pages import."""
    from bortlab.work.pool import configure_torch, default_pool

    configure_torch()
    default_pool()
    for module in NEEDED_FIRST:
        import_module(module)
    _settled.set()


def _prepare() -> None:
    """The models that a first page asks, and then what other pages import."""
    from bortlab import registry

    for key in minis():
        registry.load(key)
    _loaded.set()
    for module in NEEDED_LATER:
        import_module(module)

    from bortlab.analysis.attribution.methods import import_captum

    import_captum()


def begin() -> threading.Thread:
    """`warm_up` in a thread of its own, unless it has begun."""
    global _background
    if _background is None:
        _background = threading.Thread(target=warm_up, name="bortlab-warm-up", daemon=True)
        _background.start()
    return _background


def start() -> None:
    """Wait until pages may run, with a word to the visitor. A model that is not there yet is loaded by who asks it."""
    background = begin()
    if _settled.is_set():
        return
    with st.spinner("Starting the lab …"):
        while not _settled.wait(POLL_S):
            if not background.is_alive():
                _settle()  # it failed: here the reason is raised


def wait_for_minis() -> None:
    """Wait until the bundled minis are in memory, for a page that tells what is; with a word to the visitor."""
    background = begin()
    if _loaded.is_set():
        return
    with st.spinner("Loading the bundled models …"):
        while background.is_alive() and not _loaded.wait(POLL_S):
            pass


def inside_the_frame() -> None:
    """Run again inside app.py where Streamlit ran a page alone.

    Until app.py has run once in this process, Streamlit takes the folder pages/ for the older kind of pages: a link
    straight to a page would open it without navigation, settings and footer.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
