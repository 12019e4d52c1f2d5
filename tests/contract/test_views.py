"""Every public function of bortlab.views that draws gives a `View`: title, picture, words and table together."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import pytest

from bortlab import views

PENDING: tuple[str, ...] = ()
"""Modules of views that still give bare pictures; none may be added."""
PIECES = ("cards", "cells", "escape", "svg", "finetune.report")
"""Modules of small pieces, of which pictures and pages are made, and of whole pages."""
PARTS = {"style", "key", "enlarged"}
"""Functions that give a page's style sheet, or the key to a picture, or change one."""
DRAWS = re.compile(r"<(table|ol|ul|div|svg|iframe)\b")


def functions() -> list[tuple[str, Callable[..., Any]]]:
    """module.function -> function, of all that are public and written there."""
    start = f"{views.__name__}."
    modules = [importlib.import_module(module.name) for module in pkgutil.walk_packages(views.__path__, start)]
    return [
        (f"{module.__name__.removeprefix(start)}.{name}", function)
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]


def is_picture(name: str, function: Callable[..., Any]) -> bool:
    """Does a function give a bare picture?"""
    module, _, own = name.rpartition(".")
    annotation = str(inspect.signature(function).return_annotation)
    if module in PIECES or own in PARTS or module == "view":
        return False
    return bool(re.search("Figure|Drawing|Fragment", annotation)) or (
        annotation == "str" and bool(DRAWS.search(inspect.getsource(function)))
    )


@pytest.mark.parametrize(("name", "function"), functions(), ids=[name for name, _ in functions()])
def test_a_picture_is_a_view(name: str, function: Callable[..., Any]) -> None:
    if name.split(".")[0] not in PENDING:
        assert not is_picture(name, function)


def test_the_check_finds_views_and_bare_pictures() -> None:
    def bare() -> go.Figure:
        return go.Figure()

    def markup() -> str:
        return "<table></table>"

    assert is_picture("latency.bare", bare) and is_picture("tokens.markup", markup)
    assert not is_picture("cards.markup", markup)
    given = {name for name, function in functions() if inspect.signature(function).return_annotation == "View"}
    assert {"attention.heat", "bertviz.head_view", "kernels.heat", "predict.candidate_bars", "tokens.strip"} <= given
