"""Attribution: which words decided?"""

from __future__ import annotations

from bortlab.ui import attribution, shared

shared.introduce("attribution")
models = shared.choose_models()
text = shared.text_box()
second = shared.second_text()
show = shared.choose_view(attribution.VIEWS)
with shared.sentences():
    asked = attribution.look_at(models, text, second)
    shared.left_out({key: model.encode(text, second) for key, model in asked.models.items()})
    show(asked)

shared.what_is_this(attribution.EXPLANATION)
