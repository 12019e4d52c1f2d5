"""Attribution: which words decided?"""

from __future__ import annotations

from bortlab.ui import attribution, shared

shared.introduce("attribution")
models = shared.choose_models()
text = shared.text_box()
second = shared.second_text()
show = shared.choose_view(attribution.VIEWS)
with shared.sentences():
    show(attribution.look_at(models, text, second))

shared.what_is_this(attribution.EXPLANATION)
