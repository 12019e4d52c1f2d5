"""Models: which are here, and which can be had?"""

from __future__ import annotations

from bortlab.ui import models, shared

shared.page_title(
    "Which models are here?",
    "What is in memory and where it comes from, and how to get others: published ones, or a folder of your own.",
)
models.in_memory()
models.open_another()
models.catalogue()

shared.what_is_this(models.EXPLANATION)
