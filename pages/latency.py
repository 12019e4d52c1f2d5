"""Latency: how fast is each model here?"""

from __future__ import annotations

from bortlab.ui import latency, shared

shared.introduce("latency")
latency.first_visit()
latency.progress()
runs = latency.results()
with shared.sentences():
    run = latency.choose(runs)
    if run is not None:
        latency.about(run)
        baseline, views = latency.show(run)
        latency.take_away(run, baseline, views)
        latency.compare(run, runs)
latency.measure(opened=run is None)
with shared.sentences():
    latency.engines(runs, run)
with shared.sentences():
    latency.claims(runs)

shared.what_is_this(latency.EXPLANATION)
