"""Attribution: which words decided?"""

from __future__ import annotations

from bortlab.ui import attribution, shared, tokens

shared.page_title(
    "Which words decided?",
    "Each word counts for a model's answer, or against it: here is how much, by several methods, and how far to trust "
    "them.",
)
models = shared.choose_models()
text = shared.text_box()
second = tokens.second_text()
show = shared.choose_view(attribution.VIEWS)
with shared.sentences():
    show(attribution.look_at(models, text, second))

shared.what_is_this(attribution.EXPLANATION)
