"""A report as one HTML file: it asks for nothing, runs nothing but its own two scripts, and can be taken up again.

All values of the report lie in the file once more, packed: plotly's figures are drawn from there, and `reading` reads
them. A content security policy in the file allows exactly the scripts that are in it and no request at all, so that
nothing that a table, a note or a picture holds can act, wherever it came from.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import Literal
from urllib.parse import urlencode, urlsplit

from plotly.offline import get_plotlyjs

from bortlab.views.escape import attribute, html, html_sentence
from bortlab.views.report import saved
from bortlab.views.report.page import SCRIPT, STYLE
from bortlab.views.report.saved import Report, SavedPicture, SavedTable, SavedView
from bortlab.views.theme import FAINT, GRID, INK, PAPER, Mode

MODES: tuple[Literal[""], Mode, Mode] = ("", "light", "dark")
"""What the reader may choose; "" for the theme of the system."""
SHORT = 24
"""Rows of a table, or lines of Python, that are printed too."""


def to_html(report: Report) -> str:
    """The file of a report."""
    plotly = _plotly() if any(picture.figure for view in report.views for picture in view.pictures) else ""
    scripts = " ".join(f"'sha256-{_hash(script)}'" for script in (SCRIPT, get_plotlyjs() if plotly else "") if script)
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {scripts}"
    )
    views = "".join(_view(number, view) for number, view in enumerate(report.views, 1))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{attribute(report.title)}</title>\n<style>{_colours()}{STYLE}</style>\n</head>\n<body>\n"
        f"{_top(report)}<main>{views}</main>\n"
        f"{_data('bortlab-report', _packed(saved.adapter().dump_json(report)))}{_data('bortlab-plotly', plotly)}"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _colours() -> str:
    """The lab's two themes; a picture that was drawn for the other one is turned from dark to light, or back."""
    light, dark = (
        f"--ink:{INK[mode]};--faint:{FAINT[mode]};--grid:{GRID[mode]};--paper:{PAPER[mode]};color-scheme:{mode}"
        for mode in MODES[1:]
    )
    turned = "filter:invert(1) hue-rotate(180deg)"
    inks = "".join(f".drawn-{mode}{{color:{INK[mode]}}}" for mode in MODES[1:])

    def in_the_dark(root: str) -> str:
        return f"{root}{{{dark}}}{root} .drawn-dark{{filter:none}}{root} .drawn-light{{{turned}}}"

    return (
        f":root{{{light}}}{inks}.drawn-dark{{{turned}}}"
        f"@media screen and (prefers-color-scheme:dark){{{in_the_dark(':root:not([data-theme=light])')}}}"
        f"@media screen{{{in_the_dark(':root[data-theme=dark]')}}}"
    )


@cache
def _plotly() -> str:
    return _packed(get_plotlyjs().encode())


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


@cache
def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _data(name: str, packed: str) -> str:
    """A block that browsers do not run."""
    return f'<script type="application/octet-stream" id="{name}">{packed}</script>\n' if packed else ""


def _top(report: Report) -> str:
    """Title, date, the choice of colours, and the list of views."""
    count = f"{len(report.views)} {'view' if len(report.views) == 1 else 'views'}"
    entries = "".join(
        f'<li><a href="#view-{number}">{html(view.name)}</a></li>' for number, view in enumerate(report.views, 1)
    )
    choices = "".join(f'<option value="{mode}">{mode or "as the system"}</option>' for mode in MODES)
    return (
        f"<header><h1>{html(report.title)}</h1><p class=faint>{count} of bortlab, the lab of small encoders · "
        f'written on {_day(datetime.now(UTC).isoformat())}</p><label class="screen">Colours '
        f'<select id="theme">{choices}</select></label></header>\n'
        f'<nav aria-label="Views"><ol>{entries}</ol></nav>\n'
    )


def _day(moment: str) -> str:
    try:
        return f"{datetime.fromisoformat(moment):%d %B %Y, %H:%M} UTC"
    except ValueError:
        return html(moment)


def _view(number: int, view: SavedView) -> str:
    """A section: name, note, pictures, numbers, Python, and how to see it again."""
    note = "".join(f"<p>{html(line)}</p>" for line in view.note.splitlines() if line.strip())
    pictures = "".join(_picture(f"{number - 1}-{place}", picture) for place, picture in enumerate(view.pictures))
    return (
        f'<section id="view-{number}"><h2>{number}. {html(view.name)}</h2><p class="question">{html(view.question)}</p>'
        f'{f"<blockquote>{note}</blockquote>" if note else ""}<div class="pictures">{pictures}</div>'
        f"{''.join(map(_table, view.tables))}{''.join(map(_python, view.python))}{_origin(view)}</section>\n"
    )


def _picture(place: str, picture: SavedPicture) -> str:
    """The picture, or where the script draws it; its sentence below."""
    if picture.figure:
        drawn = f'<div class="picture" data-figure="{place}" role="img" aria-label="{attribute(picture.alt)}"></div>'
    elif picture.body:
        drawn = (
            f'<div class="picture"><template shadowrootmode="open"><style>{picture.style}\n{SHADOW}</style>'
            f"{picture.body}</template></div>"
        )
    else:
        drawn = "<p>This picture is a program of its own and is drawn in the lab only.</p>"
    size = " class=small" if picture.body.startswith("<svg") else ""
    return (
        f'<figure{size}><div class="drawn-{picture.mode}">{drawn}</div>'
        f"<figcaption>{html_sentence(picture.alt)}</figcaption></figure>"
    )


SHADOW = "*{print-color-adjust:exact}@media print{*{max-height:none!important}}"
"""Beside a piece's own style sheet: its colours are printed, and what scrolls on a screen is printed whole."""


def _table(table: SavedTable) -> str:
    head = "".join(f'<th scope="col">{html(name)}</th>' for name in table.columns)
    rows = "".join(f"<tr>{''.join(map(_td, row))}</tr>" for row in table.rows)
    count = f"{table.length:,} {'row' if table.length == 1 else 'rows'}"
    count += f", the first {len(table.rows):,} here" if table.length > len(table.rows) else ""
    return _folded(
        f"{html(table.title)}: the numbers, {count}",
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>',
        printed=len(table.rows) <= SHORT,
    )


def _td(cell: saved.Cell) -> str:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return f"<td>{'' if cell is None else html(str(cell))}</td>"
    return f'<td class="number">{cell:,}</td>'


def _python(code: str) -> str:
    return _folded(
        "As Python", f'<pre tabindex="0"><code>{attribute(code)}</code></pre>', printed=code.count("\n") < SHORT
    )


def _folded(summary: str, body: str, *, printed: bool) -> str:
    return f"<details{' class=printed' if printed else ''}><summary>{summary}</summary>{body}</details>"


def _origin(view: SavedView) -> str:
    """When and with what the view was made, and the link that makes it again."""
    settings = {name: ", ".join(values) for name, values in view.query.items() if any(values)}
    facts = {name.replace("_", " ").capitalize(): value for name, value in settings.items()}
    facts |= {f"Model {name}": value for name, value in view.models.items()}
    facts["Saved"] = f"{_day(view.saved)}, with {', '.join(f'{k} {v}' for k, v in view.versions.items())}"
    lines = "".join(f"<dt>{html(name)}</dt><dd>{html(value)}</dd>" for name, value in facts.items())
    return f'<dl>{lines}<dt>Link</dt><dd class="link">{_link(view)}</dd></dl>'


def _link(view: SavedView) -> str:
    query = urlencode(view.query, doseq=True)
    address = f"{view.base}?{query}" if query else view.base
    if urlsplit(view.base).scheme not in ("http", "https"):
        return html(address)
    return f'<a href="{attribute(address)}" rel="noreferrer">{html(address)}</a>'
