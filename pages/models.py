"""Models: which are here, and which can be had?"""

from __future__ import annotations

from bortlab.ui import learning, models, shared

shared.introduce("models")
models.in_memory()
models.open_another()
models.catalogue()
learning.curves()

shared.what_is_this(models.EXPLANATION)
