"""Agora: does Bort's fine-tuning help when data is scarce?"""

from __future__ import annotations

from bortlab.ui import agora, shared

shared.introduce("Agora")
with shared.sentences():
    agora.answer()
    shared.choose_view(agora.views())()

shared.what_is_this(agora.EXPLANATION)
