"""How fast is it here? Also as a command: `bortlab latency bort bert-base-uncased --seq 16 128`.

The method, in order: every contestant gets a process of its own with a fixed number of threads, pinned to cores; its
output is compared with torch in float32; it runs until it is warm; then all take turns, A B C, B C A, C A B, ..., each
turn one call that does not count and a few that do, until every one has had the least number of turns and of seconds.
Whatever else the machine does affects all alike, and how much that was is measured and reported.

    from bortlab.analysis import latency

    run = latency.measure(latency.plan(["bort", "bert-base-uncased"], seq=[16, 128]))
    run.frame()  # p50, p90, p99, confidence interval, memory
    run.ratios("bert-base-uncased")  # case -> Ratio, with its interval and whether the difference is significant
    run.save("here.json")
    latency.compare(run, latency.load("there.json"))
"""

from bortlab.analysis.latency.cases import Case, Contestant
from bortlab.analysis.latency.engines import (
    TRIED,
    engine_frame,
    engine_groups,
    engine_of,
    engines_plan,
    fastest_engines,
    ratios_to_torch,
    resolution,
)
from bortlab.analysis.latency.files import RECORDED, ResultError, kept, load, read, recorded, runs_folder
from bortlab.analysis.latency.findings import (
    SPEEDUPS,
    MeasuredSpeedup,
    PublishedSpeedup,
    heldout_accuracy,
    measured_speedups,
    pareto_front,
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
from bortlab.analysis.latency.results import BASELINES, Measured, Run, baseline_title, compare, under

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
    "SPEEDUPS",
    "TRIED",
    "Case",
    "Contestant",
    "Measured",
    "MeasuredSpeedup",
    "Measurement",
    "MemoryNeededError",
    "Plan",
    "PublishedSpeedup",
    "ResultError",
    "Run",
    "baseline_title",
    "claims_plan",
    "compare",
    "engine_frame",
    "engine_groups",
    "engine_of",
    "engines_plan",
    "fastest_engines",
    "heldout_accuracy",
    "job",
    "kept",
    "load",
    "measure",
    "measured_speedups",
    "pareto_front",
    "plan",
    "quick",
    "ratios_to_torch",
    "read",
    "recorded",
    "resolution",
    "runs_folder",
    "under",
]
