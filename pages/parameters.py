"""Parameters: where are the weights?"""

from __future__ import annotations

from bortlab.ui import parameters, shared

shared.page_title(
    "Where are the weights?",
    "Every published architecture, counted three ways: what is **stored**, what is **tied**, what is **executed**. "
    "Nothing is downloaded.",
)
keys = parameters.choose()
setting = parameters.settings(keys)
with shared.sentences():
    models = parameters.count(keys, setting)
    parameters.show(models, setting)
    parameters.architectures(models)
    parameters.inside(models, setting)
    parameters.claimed()
    parameters.what_if(keys, setting)

shared.what_is_this(parameters.EXPLANATION)
