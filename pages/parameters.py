"""Parameters: where are the weights?"""

from __future__ import annotations

from bortlab.ui import parameters, shared

shared.introduce("parameters")
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
