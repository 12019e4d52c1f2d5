"""Attribution: which words decided?"""

from __future__ import annotations

from bortlab.ui import attribution, shared

shared.introduce("attribution")
models = shared.choose_models()
text = shared.text_box()
second = shared.second_text()
show = shared.choose_view(attribution.VIEWS)
with shared.sentences():
    selection = attribution.choose(models, text, second)
    shared.left_out(selection.encodings)
    show(selection)

shared.what_is_this(attribution.EXPLANATION)
