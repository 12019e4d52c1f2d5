"""Which engine of `Model.on` runs a model fastest here, at which length, and how its answers agree with torch's.

An engine is a runtime of a case like any other, so a comparison of engines is an ordinary measurement: what is here
chooses its cases, and reads a run engine by engine. Only engines that compute what torch does can be the fastest; one
in 8 bits is shown beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bortlab.analysis.latency.cases import Case, title
from bortlab.analysis.latency.plans import ROUNDS, SECONDS, Plan, plan
from bortlab.analysis.latency.results import Measured, Run
from bortlab.analysis.latency.timing import Ratio
from bortlab.runtimes import RUNTIMES, UnsupportedError

if TYPE_CHECKING:
    import pandas

TRIED = ("torch", "torch-packed", "onnx", "onnx-int8", "openvino")
"""Engines that are compared unless others are named, where they are installed."""
RUNTIME_OF: Mapping[str, str] = {runtime.engine: name for name, runtime in RUNTIMES.items() if runtime.engine}
"""Engine -> what the latency measurements call it as a runtime: torch is "fused" there, all others have one name."""
TORCH = RUNTIME_OF["torch"]


def engine_of(runtime: str) -> str:
    """The name for `Model.on` of a runtime of the latency measurements; "" for one that is no engine."""
    return RUNTIMES[runtime].engine


def engines_plan(
    models: Iterable[str],
    *,
    seq: Iterable[int] = (16, 128),
    engines: Iterable[str] = TRIED,
    output: str = "masked-lm",
    threads: Iterable[int] = (),
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> Plan:
    """Each model by torch and by each of the engines, one text of each length at a time.

    engines: names as `Model.on` takes them; those that are not installed are left out, and the plan says which line
    installs them. output: "masked-lm" for logits at every position, "encoder" for hidden states.

    Raises UnsupportedError, a ValueError, for an unknown engine, or where nothing is left to measure.
    """
    names = list(dict.fromkeys(["torch", *engines]))
    for name in names:
        if name not in RUNTIME_OF:
            raise UnsupportedError(f"Unknown engine {name[:80]!r}. Known: {', '.join(RUNTIME_OF)}.")
    runtimes = [RUNTIME_OF[name] for name in names]
    return plan(
        models, output=output, seq=seq, threads=threads, runtime=runtimes, rounds=rounds, seconds=seconds, roof=False
    )


def engine_groups(run: Run) -> dict[Case, tuple[Measured, ...]]:
    """torch's case -> torch and the engines that were timed beside it, torch first; {} for a run of one engine."""
    groups = {}
    for measured in run.timed:
        case = measured.case
        if case.runtime == TORCH:
            others = (run.by_case.get(replace(case, runtime=name)) for name in RUNTIME_OF.values() if name != TORCH)
            if group := tuple(filter(None, others)):
                groups[case] = (measured, *group)
    return groups


def ratios_to_torch(run: Run) -> Mapping[Case, Ratio]:
    """The time of each case of another engine by that of torch."""
    return run.ratios(f"runtime={TORCH}")


def fastest_engines(run: Run, group: Sequence[Measured]) -> tuple[Measured, ...]:
    """The fastest of a group that computes what torch does, and those that are not significantly slower."""
    exact = sorted(
        (measured for measured in group if RUNTIMES[measured.case.runtime].exact), key=lambda entry: entry.p50.value
    )
    first, *others = exact
    return (first, *(other for other in others if not run.against(first.case, other.case).significant))


def resolution(run: Run, cases: Iterable[Case]) -> float:
    """The difference to torch, as a share of its time, below which the run tells nothing apart: the widest half
    interval of these cases' ratios, 0 without any."""
    ratios = ratios_to_torch(run)
    return max(((ratios[case].high - ratios[case].low) / 2 for case in cases if case in ratios), default=0.0)


def engine_frame(run: Run) -> pandas.DataFrame:
    """One row for each engine, model and length: times, ratio to torch, agreement with torch, or what went wrong.

    largest difference and largest logit: of logits on a few sentences, and how many answers are the same, for models
    with weights of their own; difference: on random pieces, as a share of the largest number of the output.
    """
    import pandas

    groups = engine_groups(run)
    ratios = ratios_to_torch(run)
    failed = [measured for measured in run.failed if RUNTIMES[measured.case.runtime].engine]
    timed = [measured for group in groups.values() for measured in group]
    return pandas.DataFrame([_row(measured, ratios.get(measured.case)) for measured in (*timed, *failed)])


def _row(measured: Measured, ratio: Ratio | None) -> dict[str, Any]:
    case, agrees = measured.case, measured.agreement
    row: dict[str, Any] = {
        "model": title(case.model),
        "batch": case.batch,
        "pieces": case.seq,
        "threads": case.threads,
        "output": case.output,
        "engine": engine_of(case.runtime),
    }
    if measured.rounds:
        p50 = measured.p50
        row |= {"p50 ms": p50.value, "from ms": p50.low, "to ms": p50.high, "shortest ms": measured.shortest}
        row |= {
            "times as fast as torch": ratio.speedup.value if ratio else 1.0,
            "at least": ratio.speedup.low if ratio else 1.0,
            "at most": ratio.speedup.high if ratio else 1.0,
            "verdict": ratio.verdict if ratio else "baseline",
            "memory MB": None if measured.rss is None else measured.rss / 1e6,
            "difference": measured.difference,
        }
    if agrees is not None:
        row |= {"largest difference": agrees.largest_difference, "largest logit": agrees.largest_value}
        row |= {"same answers": agrees.same, "answers": agrees.decisions}
    return row | {"error": measured.error}
