"""Every test of a page runs in the lab's frame, and tells what is outdated."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit import deprecation_util
from streamlit.runtime.pages_manager import PagesManager


@pytest.fixture
def first_visit() -> bool:
    """Whether app.py has not run yet in this process; a test asks for another value by parametrize."""
    return False


@pytest.fixture(autouse=True)
def frame_of_the_lab(components_once: None, first_visit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest forgets before every run that app.py has called st.navigation; a server does not."""
    start = PagesManager.__init__

    def started(self: PagesManager, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        PagesManager.uses_pages_directory = first_visit

    monkeypatch.setattr(PagesManager, "uses_pages_directory", first_visit)
    monkeypatch.setattr(PagesManager, "__init__", started)


@pytest.fixture(autouse=True)
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page shows as Python can be run: outside a notebook, `View.show` would open a browser."""
    monkeypatch.setattr("bortlab.views.view.View.show", lambda view: None)


@pytest.fixture(autouse=True)
def nothing_outdated(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    """No test may make Streamlit, plotly or pandas say that something is deprecated."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    deprecation_util._shown_warnings.clear()
    deprecation_util._LOGGER.addHandler(handler)
    yield
    deprecation_util._LOGGER.removeHandler(handler)
    assert not said
    outdated = [w for w in recwarn if "deprecat" in str(w.message).lower() and "streamlit/" not in w.filename]
    assert not [f"{w.filename}: {w.message}" for w in outdated if "/asyncio/" not in w.filename]
