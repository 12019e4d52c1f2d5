"""How fast is it here? `python -m bortlab.analysis.latency bort bert-base-uncased --seq 16 128`.

The method, in order: every contestant gets a process of its own with as many threads as asked, pinned to cores; its
output is compared with torch in float32; it runs until it is warm; then all take turns, A B C, B C A, C A B, ..., each
turn one call that does not count and a few that do, until every one has had at least so many turns and so many seconds.
What others do to the machine falls on all alike, and how much that was is measured and told.

    from bortlab.analysis import latency

    run = latency.measure(latency.plan(["bort", "bert-base-uncased"], seq=[16, 128]))
    run.frame()  # p50, p90, p99, interval, memory
    run.ratios("bert-base-uncased")  # case -> Ratio, with its interval and whether the difference is real
    run.save("here.json")
    latency.compare(run, latency.load("there.json"))
"""

from bortlab.analysis.latency.findings import (
    SPEED_CLAIMS,
    Checked,
    Claim,
    check_claims,
    checked_sentence,
    front,
    heldout_accuracy,
)
from bortlab.analysis.latency.measuring import JOB_NAME, MOST_CALLS, Measurement, job, measure
from bortlab.analysis.latency.plans import (
    MINIS,
    MOST_CASES,
    QUICK_ROUNDS,
    QUICK_SECONDS,
    ROUNDS,
    SECONDS,
    SMALL_BORT,
    MemoryNeededError,
    Plan,
    claims_plan,
    plan,
    quick,
)
from bortlab.analysis.latency.results import (
    BASELINES,
    RECORDED,
    Measured,
    ResultError,
    Run,
    baseline_title,
    compare,
    kept,
    load,
    read,
    recorded,
    runs_folder,
    under,
)

__all__ = [
    "BASELINES",
    "JOB_NAME",
    "MINIS",
    "MOST_CALLS",
    "MOST_CASES",
    "QUICK_ROUNDS",
    "QUICK_SECONDS",
    "RECORDED",
    "ROUNDS",
    "SECONDS",
    "SMALL_BORT",
    "SPEED_CLAIMS",
    "Checked",
    "Claim",
    "Measured",
    "Measurement",
    "MemoryNeededError",
    "Plan",
    "ResultError",
    "Run",
    "baseline_title",
    "check_claims",
    "checked_sentence",
    "claims_plan",
    "compare",
    "front",
    "heldout_accuracy",
    "job",
    "kept",
    "latency",
    "load",
    "measure",
    "plan",
    "quick",
    "read",
    "recorded",
    "runs_folder",
    "under",
]
