"""The lab's entry point: `make app`, or `streamlit run app.py`."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported: waiting threads sleep

import streamlit as st

from bortlab.ui import history, latency, shared, startup

st.set_page_config(page_title="bortlab", page_icon="🔬", layout="wide")

page = st.navigation(
    [
        st.Page("pages/home.py", title="Home", icon="🏠", default=True),
        st.Page("pages/predict.py", title="Predict", icon="✏️", url_path="predict"),
        st.Page("pages/tokens.py", title="Tokens", icon="✂️", url_path="tokens"),
        st.Page("pages/parameters.py", title="Parameters", icon="⚖️", url_path="parameters"),
        st.Page("pages/latency.py", title="Latency", icon="⏱️", url_path="latency"),
        st.Page("pages/attention.py", title="Attention", icon="👀", url_path="attention"),
        st.Page("pages/kernels.py", title="Kernels", icon="🪟", url_path="kernels"),
        st.Page("pages/attribution.py", title="Attribution", icon="🗳️", url_path="attribution"),
        st.Page("pages/layers.py", title="Layers", icon="🪜", url_path="layers"),
        st.Page("pages/models.py", title="Models", icon="🗃️", url_path="models"),
    ]
)
startup.start()
if page.url_path != "latency":
    latency.notice()
page.run()
shared.footer()
history.one_step_a_page()  # last: its empty element would push the page down
