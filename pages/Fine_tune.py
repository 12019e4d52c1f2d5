"""Fine-tune: which small encoder is best for my data?"""

from __future__ import annotations

from bortlab.ui import finetune, shared

shared.introduce("Fine_tune")
models = shared.choose_models()
with shared.sentences():
    data = finetune.choose()
    if data is not None:
        plan = finetune.choose_plan(data, models)
        job = finetune.run(data, plan)
        finetune.show(data, plan, job)

shared.what_is_this(finetune.EXPLANATION)
