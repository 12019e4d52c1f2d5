"""Asking a model, and what is said where an answer is missing or a text was too long."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from bortlab import hub, registry
from bortlab.model import Model, NonFiniteError, Questions
from bortlab.runtimes.engines.answering import ANSWERING, Answered
from bortlab.system.errors import BusyError
from bortlab.text import Encoding
from bortlab.ui import opened
from bortlab.ui.shared import recording
from bortlab.views.escape import markdown
from bortlab.views.prose import names
from bortlab.work.pool import default_pool

T = TypeVar("T")

PATIENCE_S = 30.0
"""How long a visitor waits for all that a page asks, before the lab says that it is busy."""
_ANSWERS_BY = "answers by"

_log = logging.getLogger("bortlab")
_numbers = itertools.count()  # tell apart the buttons of several busy models on one page


def ask(model: Model, key: Hashable, question: Callable[[Model], T]) -> T:
    """Let a worker compute question(model). key: the question and its arguments; equal ones are computed once."""
    with registry.in_use(model):
        return compute(model, key, question)


def compute(model: Model, key: Hashable, question: Callable[[Model], T]) -> T:
    """As `ask`, of a model that is leased already."""
    recording.note_model(model)
    return default_pool().run((model.fingerprint, key), lambda: question(model), timeout=_seconds_left(), tick=_yield)


def begin_run() -> None:
    """All questions of the run of a page that begins here have PATIENCE_S together, so that nobody waits for longer."""
    st.session_state[_ANSWERS_BY] = time.monotonic() + PATIENCE_S


def _seconds_left() -> float:
    """For the next question of this run; answers that are there already need none."""
    context = get_script_run_ctx()
    if context is None or context.fragment_ids_this_run or _ANSWERS_BY not in st.session_state:
        return PATIENCE_S  # a fragment that runs by itself does not go through app.py
    return max(0.0, float(st.session_state[_ANSWERS_BY]) - time.monotonic())


def answer(model: Model, key: Hashable, question: Callable[[Questions], T]) -> Answered[T]:
    """As `compute`, by the engine that is fastest here: for questions that need neither gradients nor traces."""
    return compute(model, ("answer", key), lambda model: ANSWERING.answer(model, question))


def computed_by(answers: Mapping[str, Answered[Any]]) -> None:
    """A quiet line on which engine computed the answers of models, by their keys."""
    engines: dict[str, list[str]] = {}
    for key, answered in answers.items():
        engines.setdefault(answered.engine, []).append(markdown(opened.title(key)))
    if len(engines) == 1:
        st.caption(f"Computed by {next(iter(engines))}.")
    elif engines:
        st.caption(f"Computed by {'; '.join(f'{engine} ({names(titles)})' for engine, titles in engines.items())}.")


def _yield() -> None:
    """Let Streamlit stop or rerun this script: it looks at its requests whenever the session's state is read."""
    st.session_state.get("text")


@contextmanager
def sentences() -> Iterator[None]:
    """Turn errors into sentences on the page: what the visitor can mend as it is, anything else logged and named.

    Streamlit's own control flow is made of BaseExceptions and passes through.
    """
    try:
        yield
    except BusyError as busy:
        st.warning(markdown(str(busy)), icon=":material/hourglass_top:")
        st.button("Try again", key=f"again-{next(_numbers)}")
    except (ValueError, hub.HubError, registry.NeedsNetworkError, registry.TooLargeError, NonFiniteError) as error:
        st.error(markdown(str(error)))
    except Exception as error:
        _log.exception("A page failed")
        st.error(
            f"Something went wrong here ({markdown(type(error).__name__)}). Your text is kept; the server's log has "
            "the details. Change the text or the models, or reload the page."
        )


def left_out(encodings: Mapping[str, Encoding]) -> None:
    """Say what the models, by their keys, did not read of a text that is too long for them."""
    missing: dict[int, list[str]] = {}
    for key, encoding in encodings.items():
        if encoding.truncated:
            missing.setdefault(encoding.truncated, []).append(markdown(opened.title(key)))
    if missing:
        parts = [f"{names(titles)} left out the last {number:,} pieces" for number, titles in missing.items()]
        st.warning(f"The text is longer than a model reads: {'; '.join(parts)}.", icon=":material/content_cut:")
