"""A link as others open it: never the teacher's answers, never an address that only this machine has."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as text_of

from bortlab.ui.shared import sharing

HERE = "http://localhost:8501/predict?text=Paris+is+the+%5BMASK%5D.&models=bort-mini"


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch):
    """Says what the server was started with."""

    def start(address: str, named: str = "localhost") -> None:
        options = {"server.address": address, "browser.serverAddress": named}
        monkeypatch.setattr(st, "get_option", options.__getitem__)
        monkeypatch.setattr(sharing, "own_address", lambda: "192.168.7.20")

    return start


def test_a_lab_of_this_machine_alone_is_opened_by_nobody_else(serving) -> None:
    serving("127.0.0.1")
    assert sharing.for_others(HERE) is None
    assert sharing.for_others(HERE.replace("localhost", "127.0.0.1")) is None


@pytest.mark.parametrize(
    ("named", "host"), [("localhost", "192.168.7.20"), ("192.0.2.7", "192.0.2.7"), ("fd00::7", "[fd00::7]")]
)
def test_a_lab_of_the_network_has_an_address_for_all(serving, named: str, host: str) -> None:
    serving("0.0.0.0", named)
    assert sharing.for_others(HERE) == HERE.replace("localhost", host)


def test_who_opened_it_by_its_address_has_it_already(serving) -> None:
    serving("0.0.0.0")
    address = HERE.replace("localhost", "lab.school.example")
    assert sharing.for_others(address) == address


@given(text_of.dictionaries(text_of.sampled_from(["text", "big", "teacher", "guess", "ä"]), text_of.text(), min_size=1))
def test_what_is_ones_own_is_not_shared(query: dict[str, str]) -> None:
    from urllib.parse import urlencode

    shared = sharing.for_others(f"http://192.0.2.7:8501/Lessons?{urlencode(query)}")
    assert shared is not None
    kept = {name: [value] for name, value in query.items() if name in ("text", "ä")}
    assert parse_qs(urlsplit(shared).query, keep_blank_values=True) == kept


def test_a_code_is_a_picture_and_too_long_a_link_has_none() -> None:
    picture = sharing.code(HERE)
    assert picture is not None and picture.startswith("<svg") and 'xmlns="http://www.w3.org/2000/svg"' in picture
    assert not re.search(r"<script|href", picture)
    assert sharing.code(f"{HERE}&text={'x' * 3000}") is None
