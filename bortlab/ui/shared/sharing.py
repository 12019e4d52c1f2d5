"""The address of a view as others on the same network open it, and as a code that a telephone reads."""

from __future__ import annotations

import io
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import streamlit as st

from bortlab.system.network import is_loopback, own_address
from bortlab.views.escape import markdown

OWN = ("big", "teacher", "guess")
"""What belongs to the one who shares: a class gets neither the teacher's answers nor anybody's guesses."""
QUIET_ZONE = 4
"""Modules of white around a code, without which cameras do not see it (ISO/IEC 18004)."""


def share(address: str) -> None:
    """The link to copy, and the code for a class where others can open it."""
    st.caption("This link opens the same view.")
    st.code(address, language=None, wrap_lines=True)
    shared = for_others(address)
    if shared is None:
        st.caption(
            "Others cannot open it, for the lab serves this machine alone. For a class, start it with "
            "`bortlab lab --class`, as docs/teaching.md says."
        )
        return
    picture = code(shared)
    if picture is None:
        st.caption("The link is too long for a QR code: a shorter text helps.")
        return
    st.image(picture, width=240, alt="QR code of this link")
    st.caption(f"For telephones on this network: {markdown(shared.split('?')[0])}")


def for_others(address: str) -> str | None:
    """The address as others on the network open it, without what is the visitor's own; None where they cannot."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if is_loopback(host):
        if is_loopback(str(st.get_option("server.address") or "")):
            return None
        named = str(st.get_option("browser.serverAddress") or "")
        reached = own_address() if is_loopback(named) else named
        if reached is None:
            return None
        host = reached
    host = f"[{host}]" if ":" in host else host  # version 6
    port = f":{parts.port}" if parts.port else ""
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in OWN]
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, urlencode(query), ""))


@lru_cache(maxsize=64)
def code(address: str) -> str | None:
    """The address as a QR code, an SVG picture in black on white in both themes; None where it is too long for one."""
    import segno

    try:
        made = segno.make_qr(address, error="m")
    except segno.DataOverflowError:
        return None
    picture = io.BytesIO()
    made.save(picture, kind="svg", xmldecl=False, scale=4, border=QUIET_ZONE, dark="#000", light="#fff")
    return picture.getvalue().decode()
