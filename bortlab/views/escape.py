"""The one place where foreign text becomes part of HTML, of a plotly label, of Markdown or of a CSV cell.

Text is foreign if a visitor, a link, a vocabulary or a checkpoint wrote it. Everything else is written by us.
"""

from __future__ import annotations

import html as _html
import re
import unicodedata

NAMES = {
    " ": "␣", "\n": "↵", "\r": "↵", "\t": "⇥", "\u00a0": "⟨NBSP⟩", "\u00ad": "⟨SHY⟩", "\u200b": "⟨ZWSP⟩",
    "\u200c": "⟨ZWNJ⟩", "\u200d": "⟨ZWJ⟩", "\u200e": "⟨LRM⟩", "\u200f": "⟨RLM⟩", "\u202a": "⟨LRE⟩",
    "\u202b": "⟨RLE⟩", "\u202c": "⟨PDF⟩", "\u202d": "⟨LRO⟩", "\u202e": "⟨RLO⟩", "\u2060": "⟨WJ⟩",
    "\u2066": "⟨LRI⟩", "\u2067": "⟨RLI⟩", "\u2068": "⟨FSI⟩", "\u2069": "⟨PDI⟩", "\ufeff": "⟨BOM⟩",
}  # fmt: skip
"""Names of characters that cannot be seen or that turn the text around."""

_MARKS = re.compile(r"[!-/:-@\[-`{-~]|^\s|\s$")
"""ASCII punctuation, and the outermost spaces: four at the beginning would make a block of code."""


_REPLACED = re.compile(r"(?<=\w):|(?<=\S)@|(?<=www)\.|(?<=[-<>~])[-=>]", re.IGNORECASE)
"""Where Streamlit looks into finished text, references or not: icons, emoji, addresses (https:, www., a@b), arrows."""
_JOINER = "\u2060"
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"
"""What <bdi> is in HTML: the text's direction is its own, and the words around it keep theirs."""
_ISOLATED = re.compile(f"{_ISOLATE}([^{_ISOLATE}{_END_OF_ISOLATE}]*){_END_OF_ISOLATE}")


def visible(text: str, *, spaces: bool = False) -> str:
    """The text with names for what cannot be seen; spaces=True names spaces too, where they matter (pieces).

    A text of nothing but spaces always shows them.
    """
    spaces = spaces or not text.strip()
    return "".join(_visible(character, spaces) for character in text)


def _visible(character: str, spaces: bool) -> str:
    if character == " " and not spaces:
        return character
    if character in NAMES:
        return NAMES[character]
    category = unicodedata.category(character)
    if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"):
        return f"⟨U+{ord(character):04X}⟩"
    return character


def html(text: str, *, spaces: bool = False) -> str:
    """For HTML, in elements and in quoted attributes; isolated, so that right-to-left text turns nothing around it."""
    return f"<bdi>{attribute(visible(text, spaces=spaces))}</bdi>"


def attribute(text: str) -> str:
    """For a quoted attribute, or wherever only the bare escaped text may stand."""
    return _html.escape(text, quote=True)


def plotly(text: str, *, spaces: bool = False) -> str:
    """For any plotly text, which reads a subset of HTML: `<s>` stays visible, `<a href>` makes no link."""
    return _html.escape(visible(text, spaces=spaces), quote=False)


def markdown(text: str) -> str:
    """For Markdown, which Streamlit reads in labels too: no link, image, colour, icon or formula comes out of it.

    Marks become character references, which Markdown does not interpret. An invisible word joiner breaks up what
    Streamlit replaces even so, such as addresses by links and -> by an arrow. Right-to-left text is isolated, as in
    `html`, so that it turns no numbers or marks around it.
    """
    broken = _REPLACED.sub(rf"{_JOINER}\g<0>", visible(text))
    escaped = _MARKS.sub(lambda match: f"&#{ord(match.group())};", broken)
    return f"{_ISOLATE}{escaped}{_END_OF_ISOLATE}" if _turns_around(text) else escaped


def _turns_around(text: str) -> bool:
    """Does it hold letters or digits that are written from right to left?"""
    return any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)


def isolated(text: str) -> str:
    """For a sentence of plain text, such as a picture's alt text; right-to-left text turns nothing around it."""
    shown = visible(text)
    return f"{_ISOLATE}{shown}{_END_OF_ISOLATE}" if _turns_around(shown) else shown


def markdown_sentence(text: str) -> str:
    """For Markdown, a sentence of plain text whose foreign words went through `isolated`, and stay so."""
    return "".join(map(markdown, _ISOLATED.split(text)))


def html_sentence(text: str) -> str:
    """As `markdown_sentence`, for HTML."""
    return "".join(map(html, filter(None, _ISOLATED.split(text))))


def csv_cell(text: str) -> str:
    """For a CSV cell: a spreadsheet must not take a token such as `=1+1` for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
