"""The lab's entry point: `make app`, or `streamlit run app.py`."""

from __future__ import annotations

from bortlab.system import settings

settings.let_threads_sleep()  # before torch is imported
settings.keep_few_kernels()
settings.take_huge_pages()

import streamlit as st

from bortlab.ui import history, startup
from bortlab.ui.contents import CONTENTS, title

st.set_page_config(page_title="bortlab", page_icon="🔬", layout="wide")

page = st.navigation(
    [
        st.Page(
            f"pages/{name}.py",
            title=title(name),
            icon=entry.icon,
            url_path=None if name == "home" else name,
            default=name == "home",
        )
        for name, entry in CONTENTS.items()
    ],
    expanded=True,
)
history.restore_address()
startup.start()

from bortlab.ui import latency, report, shared  # after the navigation is shown, for they import torch

shared.begin()
shared.begin_run()
if page.url_path != "latency":
    latency.notice()
with report.saving(page.url_path):
    page.run()
report.panel()
shared.footer()
history.one_step_a_page()  # last: its empty element would push the page down
