"""Kernels: what does the convolution see?"""

from __future__ import annotations

from bortlab.ui import kernels, shared

shared.page_title(
    "What does the convolution see?",
    "Half of each ConvBERT block looks only at neighbours, through a small **kernel** made anew for each token.",
)
models = shared.choose_models()
text = shared.text_box()
show = shared.choose_view(kernels.VIEWS)
with shared.sentences():
    model = kernels.choose_one(models)
    if model is not None:
        show(model, text)

shared.what_is_this(kernels.EXPLANATION)
