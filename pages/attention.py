"""Attention: who looks at whom?"""

from __future__ import annotations

from bortlab.ui import attention, shared

shared.introduce("attention")
models = shared.choose_models()
text = shared.text_box()
second = shared.second_text()
show = shared.choose_view(attention.VIEWS)
with shared.sentences():
    show(attention.look_at(models, text, second))

shared.what_is_this(attention.EXPLANATION)
