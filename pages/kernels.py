"""Kernels: what does the convolution see?"""

from __future__ import annotations

from bortlab.ui import kernels, shared

shared.introduce("kernels")
models = shared.choose_models()
text = shared.text_box()
show = shared.choose_view(kernels.VIEWS)
with shared.sentences():
    model = kernels.choose_one(models, text)
    if model is not None:
        show(model, text)

shared.what_is_this(kernels.EXPLANATION)
