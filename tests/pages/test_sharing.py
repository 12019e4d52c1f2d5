"""A link as others open it: never the teacher's answers, never an address that only this machine has."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as text_of
from streamlit.testing.v1 import AppTest

from bortlab.system import settings
from bortlab.ui.shared import classroom, sharing

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


def test_a_class_reads_the_address_on_every_page_and_nobody_else_does(serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def page() -> None:
        from bortlab.ui.shared import classroom

        classroom.banner()

    def shown() -> list[str]:
        return [markdown.value for markdown in AppTest.from_function(page).run().markdown]

    monkeypatch.setattr(classroom, "for_others", lambda address: "http://192.168.7.20:8501/predict?text=Yes")
    monkeypatch.delenv(settings.CLASS.name, raising=False)
    assert shown() == []
    monkeypatch.setenv(settings.CLASS.name, "1")
    (line,) = shown()
    assert "http://192.168.7.20:8501/" in html.unescape(line).replace("\u2060", "") and "predict" not in line
    monkeypatch.setattr(classroom, "for_others", lambda address: None)
    assert shown() == []


def test_the_address_of_the_lab_is_that_of_its_first_page(serving) -> None:
    serving("0.0.0.0")
    assert classroom.lab_address(HERE) == "http://192.168.7.20:8501/"
    serving("127.0.0.1")
    assert classroom.lab_address(HERE) is None
