"""Save this view, on every page; a report that is looked through, written, and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pandas
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from bortlab.ui import report as reports
from bortlab.ui.contents import CONTENTS
from bortlab.views.report import saved
from bortlab.views.report.reading import read
from bortlab.views.report.saved import Report, SavedView
from bortlab.views.report.writing import to_html
from tests.pages.visiting import HOSTILE, PAGES, charts, check, sentences, visit


def save(at: AppTest) -> AppTest:
    return check(at.button(key="save-view").click().run())


def views(at: AppTest) -> list[SavedView]:
    return list(at.session_state["report"].views.values())


def look_through(at: AppTest) -> AppTest:
    """Open the dialog, which stands after the page's last element; a run of AppTest closes it."""
    at.button(key="open-report").click().run()
    assert not at.exception
    return at


def downloads(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], str]]:
    """What each button for a download gives, by its label."""
    given: dict[str, Callable[[], str]] = {}
    button = st.download_button

    def note(label: str, data: Any, *rest: Any, **more: Any) -> bool:
        given[label] = data
        return button(label, data, *rest, **more)

    monkeypatch.setattr(st, "download_button", note)
    return given


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_a_view_to_save(page: str) -> None:
    query = {"lesson": "heads", "step": "2", "teacher": "true"} if page == "Lessons" else {}
    at = save(visit(page, **query))
    kept = at.session_state["report"]
    if page == "Fine_tune":  # nothing to see before a training
        assert not kept.views and any("nothing was saved" in words for words in sentences(at))
        return
    (view,) = kept.views.values()
    assert (view.page, view.question) == (page, CONTENTS[page].question) and not kept.problem
    assert view.tables and (view.pictures or page == "models")
    assert bool(view.python) == (page != "home")
    drawn = len(charts(at))
    assert sum(bool(picture.figure) for picture in view.pictures) == drawn
    assert "recording" not in at.session_state
    assert read(to_html(Report("Visit", (view,))).encode()).views[0].query == view.query


def test_a_view_says_how_it_was_made_and_its_link_makes_it_again() -> None:
    at = save(visit("attention", text="A [MASK] <b>.", models=["bert-mini"], view="All heads"))
    (view,) = views(at)
    assert view.query == {"text": ["A [MASK] <b>."], "models": ["bert-mini"], "view": ["All heads"]}
    assert view.name == "Attention, All heads" and list(view.models) == ["BERT mini"]
    assert "fingerprint" in view.models["BERT mini"] and {"bortlab", "torch"} <= view.versions.keys()
    again = save(visit("attention", **{name: values for name, values in view.query.items()}))
    assert views(again)[0].pictures == view.pictures and urlencode(view.query, doseq=True)


def test_only_a_run_that_saves_is_recorded() -> None:
    at = save(visit())
    check(at.slider(key="top").set_value(7).run())
    assert len(views(at)) == 1
    save(at)
    assert [len(view.tables[0].rows) for view in views(at)] == [20, 28]


@pytest.mark.parametrize("name", ["script", "10,000 words", "markdown", "right to left", "control characters"])
def test_any_text_can_be_saved(name: str) -> None:
    at = save(visit("tokens", text=HOSTILE[name]))
    assert read(to_html(Report("x", tuple(views(at)))).encode()).views


def test_views_are_named_annotated_ordered_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    given = downloads(monkeypatch)
    at = save(save(save(visit())))
    look_through(at).text_input(key="report-title").set_value("Our <i>lesson</i>").run()
    look_through(at).text_input(key="report-name-2").set_value("The middle").run()
    look_through(at).text_area(key="report-note-2").set_value("Look:\nhere.").run()
    look_through(at)
    assert at.button(key="report-Up-1").disabled and at.button(key="report-Down-3").disabled
    at.button(key="report-Up-2").click().run()
    look_through(at).button(key="report-remove-3").click().run()
    look_through(at)
    report = read(given["Download"]().encode())
    assert report.title == "Our <i>lesson</i>"
    assert [(view.name, view.note) for view in report.views] == [("The middle", "Look:\nhere."), ("Predict", "")]


def test_a_report_is_taken_up_again_after_what_is_there() -> None:
    at = save(visit("predict", text="A [MASK].", top="3"))
    file = to_html(Report("Yesterday", tuple(views(at)))).encode()
    at = look_through(visit("tokens"))
    check(at.file_uploader[0].upload("report.html", file, "text/html").run())
    kept = at.session_state["report"]
    assert kept.title == "Yesterday" and [view.page for view in kept.views.values()] == ["predict"]
    save(at)
    assert [view.page for view in views(at)] == ["predict", "tokens"]


@pytest.mark.parametrize("content", [b"<html>", b"", b"\x00\xff" * 99])
def test_a_file_that_is_no_report_is_a_sentence_and_loses_nothing(content: bytes) -> None:
    at = look_through(save(visit()))
    at.file_uploader[0].upload("x.html", content, "text/html").run()
    assert any("not a report of the lab" in words for words in sentences(at)) and len(views(at)) == 1


def test_a_report_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "MOST_VIEWS", 2)
    at = save(save(save(visit())))
    assert len(views(at)) == 2 and any("holds 2 views" in words for words in sentences(at))
    monkeypatch.setattr(saved, "MOST_VIEWS", 9)
    monkeypatch.setattr(saved, "MOST_BYTES", len(to_html(at.session_state["report"].report())) + 10)
    save(at)
    assert len(views(at)) == 2 and any("remove some views" in words for words in sentences(at))
    monkeypatch.setattr(saved, "MOST_BYTES", 1_000)
    save(at)
    assert any("alone takes" in words for words in sentences(at))


def test_nobody_sees_the_report_of_another() -> None:
    save(visit())
    other = look_through(visit())
    assert not other.session_state["report"].views


def test_a_view_comes_back_in_the_lab() -> None:
    at = look_through(save(visit("predict", text="A [MASK].", top="3")))
    at.button(key="report-open-1").click().run()
    assert at.text_input(key="text").value == "A [MASK]."


def test_moving_beyond_an_end_changes_nothing() -> None:
    view = SavedView("a", "", "", "", {}, "", {}, {}, (), (), ())
    kept = reports.Collection()
    kept.add(view)
    kept.add(view)
    kept.move(1, -1)
    kept.move(2, 1)
    assert list(kept.views) == [1, 2]
    kept.move(1, 1)
    assert list(kept.views) == [2, 1]


def test_a_table_keeps_numbers_as_numbers() -> None:
    table = saved.table_of("x", pandas.DataFrame({"a": [1.23456789, None], "b": [True, False], "c": [None, "=x"]}))
    assert table.rows == ((1.23457, True, None), (None, False, "=x")) and table.length == 2
