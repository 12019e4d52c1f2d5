"""Take up a report again. The file may be anybody's: it is bounded, parsed, checked and cleaned; nothing of it runs."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import replace

import nh3
import plotly.io
from pydantic import ValidationError

from bortlab.views.report import saved
from bortlab.views.report.saved import Report, SavedPicture, SavedView

_BLOCK = re.compile(rb'<script type="application/octet-stream" id="bortlab-report">([A-Za-z0-9+/=]*)</script>')

_TAGS = {
    *("a", "b", "bdi", "br", "caption", "code", "div", "em", "i", "li", "ol", "p", "small", "span", "strong", "sub"),
    *("sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "h2", "h3", "h4", "figure"),
    *("svg", "g", "path", "rect", "line", "circle", "ellipse", "polyline", "polygon", "text", "tspan", "title"),
    *("defs", "marker"),
}
_ATTRIBUTES = {
    *("class", "style", "title", "role", "dir", "lang", "tabindex", "colspan", "rowspan", "scope", "width", "height"),
    *("viewBox", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "d", "points", "transform", "fill"),
    *("fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "opacity", "text-anchor"),
    *("dominant-baseline", "font-size", "font-family", "font-weight", "font-style", "letter-spacing", "dx", "dy"),
    *("id", "xmlns", "marker-start", "marker-end", "markerWidth", "markerHeight", "refX", "refY", "orient"),
}


class NotAReportError(ValueError):
    """A file that is no report of the lab, or a damaged one."""


def read(content: bytes) -> Report:
    """The report of a file that `writing.to_html` wrote.

    NotAReportError, with a sentence for the visitor: too large, not a report, damaged, or of a newer lab.
    """
    if len(content) > saved.MOST_BYTES:
        raise NotAReportError(
            f"The file has {len(content) / 1e6:.1f} MB, and a report at most {saved.MOST_BYTES / 1e6:.0f} MB. Choose a "
            "report that this lab wrote."
        )
    block = _BLOCK.search(content)
    if block is None:
        raise NotAReportError(
            "This file is not a report of the lab. Choose the HTML file that *Download* under *Your report* gave."
        )
    try:
        report = saved.adapter().validate_json(_unpacked(block[1]), strict=True)
    except (ValidationError, ValueError, zlib.error, binascii.Error, RecursionError) as error:
        raise NotAReportError(
            "This report is damaged, or a newer lab wrote it: what is packed in it cannot be read. Choose another copy."
        ) from error
    return replace(report, views=tuple(map(_cleaned, report.views)))


def _unpacked(packed: bytes) -> bytes:
    """What is packed in a file, as far as a report may be long."""
    unpacking = zlib.decompressobj(wbits=31)
    content = unpacking.decompress(base64.b64decode(packed, validate=True), saved.MOST_VALUES_BYTES)
    if unpacking.unconsumed_tail or not unpacking.eof:
        raise ValueError("Too long, or cut off.")
    return content


def _cleaned(view: SavedView) -> SavedView:
    return replace(view, pictures=tuple(map(_clean, view.pictures)))


def _clean(picture: SavedPicture) -> SavedPicture:
    """A picture of nothing but marks that draw."""
    if picture.figure:
        try:
            figure = str(plotly.io.from_json(picture.figure).to_json())
        except (ValueError, TypeError, KeyError) as error:
            raise NotAReportError(f"This report is damaged: its picture {picture.title!r} cannot be read.") from error
        return replace(picture, figure=figure, body="", style="")
    body = nh3.clean(
        picture.body,
        tags=_TAGS,
        attributes={"*": _ATTRIBUTES, "a": {"href"}},
        generic_attribute_prefixes={"aria-", "data-"},
        url_schemes={"http", "https"},
    )
    is_plain = not re.search(r"<|url\s*\(|@import|\\", picture.style, re.IGNORECASE)
    return replace(picture, body=body, style=picture.style if is_plain else "")
