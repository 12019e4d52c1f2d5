"""The lab's entry point: `make app`, or `streamlit run app.py`."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported: waiting threads sleep

import streamlit as st

from bortlab.ui import shared, startup

st.set_page_config(page_title="bortlab", page_icon="🔬", layout="wide")

page = st.navigation(
    [
        st.Page("pages/home.py", title="Home", icon="🏠", default=True),
        st.Page("pages/predict.py", title="Predict", icon="✏️", url_path="predict"),
        st.Page("pages/tokens.py", title="Tokens", icon="✂️", url_path="tokens"),
    ]
)
startup.start()
page.run()
shared.footer()
