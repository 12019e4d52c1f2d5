"""Models: which are here, and which can be had?"""

from __future__ import annotations

from bortlab.ui import adapt, learning, models, opened, shared
from bortlab.ui.startup import bundled

shared.introduce("models")
models.in_memory()
models.open_another()
adapt.section(opened.choosable(bundled()))
models.catalogue()
learning.curves()

shared.what_is_this(models.EXPLANATION)
