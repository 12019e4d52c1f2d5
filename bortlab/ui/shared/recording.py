"""What a page shows while a visitor saves it: pictures, tables and Python, noted where every page draws them.

Nothing is noted in an ordinary run. *Save this view* starts a recording, the page runs once more, and what it shows by
`picture`, `drawing`, `downloads` and `compute` is in the recording at its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    import pandas

    from bortlab.model import Model
    from bortlab.views.view import View

KEY = "recording"


@dataclass(slots=True)
class Recording:
    """What one run of a page showed. models: those that answered, by their keys, with what tells
    their weights from others.

    address: of the view, where the page gave one.
    """

    pictures: list[View] = field(default_factory=list)
    tables: dict[str, pandas.DataFrame] = field(default_factory=dict)
    python: list[str] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    address: str = ""


def note_picture(view: View) -> None:
    """A picture that the page draws."""
    recording = current()
    if recording is not None:
        recording.pictures.append(view)


def note_table(name: str, table: pandas.DataFrame) -> None:
    """The numbers of a view."""
    recording = current()
    if recording is not None:
        recording.tables[name] = table


def note_code(python: str, address: str) -> None:
    """The Python of a view, and its address."""
    recording = current()
    if recording is not None:
        recording.python.append(python)
        recording.address = recording.address or address


def note_model(model: Model) -> None:
    """A model that answers a question of the page."""
    recording = current()
    if recording is not None:
        revision = f", revision {model.revision}" if model.revision else ""
        recording.models[model.key] = f"{model.source}{revision}, fingerprint {model.fingerprint[:12]}"


def current() -> Recording | None:
    """The recording of this run, None in an ordinary one."""
    recording = st.session_state.get(KEY)
    return recording if isinstance(recording, Recording) else None
