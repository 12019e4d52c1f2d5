"""Latency: how fast is each model here?"""

from __future__ import annotations

from bortlab.ui import latency, shared

shared.introduce("latency")
latency.first_visit()
latency.progress()
found = latency.results()
with shared.sentences():
    run = latency.choose(found)
    if run is not None:
        latency.about(run)
        shown, baseline = latency.show(run)
        latency.findings(run, shown, baseline)
        latency.take_away(run, baseline)
        latency.compare(run, found)
latency.measure(opened=run is None)
with shared.sentences():
    latency.claims(found)

shared.what_is_this(latency.EXPLANATION)
