"""What the visitor's browser keeps of the lessons after the tab is closed: one cookie a lesson.

A cookie, and not the browser's local storage, because the server has it before the first run of a page: nothing is
drawn twice. It holds what the address of a lesson holds, and the lesson's place among those that were opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlencode

import streamlit as st

PREFIX = "bortlab-lesson-"
KEPT_FOR_S = 180 * 24 * 60 * 60
LONGEST_GUESS = 80
MOST_BYTES = 1500
"""Of a cookie: browsers drop those of more than 4096, and all of them travel with each request."""
Guesses = dict[int, str]

_SCRIPT = f"""export default function ({{ data }}) {{
    const rules = "; Path=/; SameSite=Strict; Max-Age=";
    const names = document.cookie.split("; ").map(cookie => cookie.split("=")[0]);
    for (const name of data.forget ? names.filter(name => name.startsWith("{PREFIX}")) : [])
        document.cookie = name + "=" + rules + 0;
    for (const cookie of data.cookies) document.cookie = cookie + rules + {KEPT_FOR_S};
}}"""
_keeper = st.components.v2.component("bortlab.lessons", js=_SCRIPT)


class Progress(NamedTuple):
    """How far a visitor has come in a lesson.

    step: from 1. guesses: by the number of their question. turn: larger for a lesson that was opened later.
    """

    step: int
    guesses: Guesses
    turn: int

    @property
    def has_begun(self) -> bool:
        """Is there anything to go on with?"""
        return self.step > 1 or bool(self.guesses)


def read() -> dict[str, Progress]:
    """What the browser had kept when the visitor came, by the keys of the lessons."""
    return of_cookies(st.context.cookies)


def of_cookies(cookies: Mapping[str, str]) -> dict[str, Progress]:
    """The progress that cookies hold, by the keys of the lessons; what is not the lab's own is passed over."""
    kept = {}
    for name, value in cookies.items():
        if name.startswith(PREFIX):
            query = parse_qs(value[:MOST_BYTES])
            kept[unquote(name.removeprefix(PREFIX))] = Progress(
                step=_number(query, "step"), guesses=guesses_of(query.get("guess", [])), turn=_number(query, "turn")
            )
    return kept


def guesses_of(written: list[str]) -> Guesses:
    """Guesses as `NUMBER:TEXT`, by the number of their question; anything else is passed over."""
    pairs = (guess.partition(":") for guess in written)
    return {
        int(number): text[:LONGEST_GUESS] for number, _, text in pairs if re.fullmatch("[0-9]{1,4}", number) and text
    }


def written(guesses: Guesses) -> list[str]:
    """As `guesses_of` reads them."""
    return [f"{number}:{text}" for number, text in sorted(guesses.items())]


def cookie(key: str, progress: Progress) -> str:
    """The cookie of a lesson, name and value; where its guesses would be too long, it holds the step alone."""
    name, query = f"{PREFIX}{quote(key, safe='')}", {"step": progress.step, "turn": progress.turn}
    whole = urlencode(query | {"guess": written(progress.guesses)}, doseq=True)
    return f"{name}={whole if len(whole) <= MOST_BYTES else urlencode(query)}"


def keep(key: str, progress: Progress) -> None:
    """Let the browser keep a lesson's progress."""
    _keeper(data={"forget": False, "cookies": [cookie(key, progress)]})


def forget() -> None:
    """Let the browser forget all lessons."""
    _keeper(data={"forget": True, "cookies": []})


def _number(query: Mapping[str, list[str]], name: str) -> int:
    """A number of at most six digits, 1 where there is none."""
    value = query.get(name, [""])[0]
    return int(value) if re.fullmatch("[0-9]{1,6}", value) else 1
