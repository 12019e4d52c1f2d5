"""For a class: the address of the lab on every page, and its code for telephones."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from bortlab.system import settings
from bortlab.ui.shared.sharing import code, for_others
from bortlab.views.escape import markdown

STYLE = """<style>
.st-key-class-banner { border-bottom: 1px solid rgba(128, 128, 128, .35); padding-bottom: .25rem; margin-bottom: .5rem }
</style>"""


def banner() -> None:
    """A slim line above the page, where `bortlab lab --class` started the lab."""
    if not settings.CLASS.is_true():
        return
    address = lab_address(st.context.url or "")
    if address is None:
        return
    with st.container(key="class-banner", horizontal=True, vertical_alignment="center"):
        st.markdown(f"Open the lab at **{markdown(address)}**", width="content")
        with st.popover("QR code", icon=":material/qr_code:"):
            st.image(code(address) or "", width=240, alt=f"QR code of {address}")
    st.html(STYLE)


def lab_address(page: str) -> str | None:
    """Where a class finds the lab's first page. page: the address of any page; None where nobody else can open it."""
    shared = for_others(page)
    if shared is None:
        return None
    parts = urlsplit(shared)
    return urlunsplit((parts.scheme, parts.netloc, "/", "", ""))
