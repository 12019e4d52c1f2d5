"""Home: what is here, and what should I try?"""

from __future__ import annotations

from bortlab.ui import home, shared

shared.page_title(
    "Three ideas that made BERT smaller",
    "Look inside **ALBERT**, **ConvBERT** and **Bort**, with plain BERT beside them: live, on this machine.",
)
home.ideas()
home.what_to_try()
home.questions()
home.models()
