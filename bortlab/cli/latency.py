"""Measure how fast models are on this machine, side by side, with confidence intervals.

Each model runs in a process of its own with pinned threads, and all take turns, so that what else the machine does
falls on all alike. Close other programs first.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bortlab.cli.progress import Progress

if TYPE_CHECKING:
    from bortlab.analysis.latency import Plan, Run

EXAMPLES = """\
  bortlab latency
      the bundled minis
  bortlab latency bort bert-base-uncased --seq 16 128 --runtime fused onnx --json here.json
  bortlab latency bort:hidden_size=768,intermediate_size=1024 bort
      a configuration of your own, with random weights
  bortlab latency albert-mini --engines --seq 16 128
      which engine is the fastest here; --engines torch-packed onnx-int8 for some of them
  bortlab latency --claims
      Bort's published speed-ups of 7.9 and 20, here
  bortlab latency --compare here.json there.json\
"""
COLUMNS = (
    "model",
    "batch",
    "pieces",
    "threads",
    "precision",
    "runtime",
    "p50 ms",
    "from ms",
    "to ms",
    "p90 ms",
    "p99 ms",
    "times as fast",
    "at least",
    "at most",
    "verdict",
    "share of matmul",
    "memory MB",
    "error",
)
"""The columns of a result that are printed; --csv writes all of them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The models and the conditions under which they are measured."""
    from bortlab.analysis.latency import ROUNDS, SECONDS, TRIED
    from bortlab.analysis.latency.cases import OUTPUTS
    from bortlab.runtimes import DTYPES, RUNTIMES
    from bortlab.runtimes.engines import ENGINES

    parser.add_argument("models", nargs="*", help="keys, with changes as KEY:name=value (default: the bundled minis)")
    parser.add_argument(
        "--engines",
        nargs="*",
        metavar="NAME",
        help=f"compare engines with torch, and their answers ({', '.join(ENGINES)}; default: {', '.join(TRIED)})",
    )
    parser.add_argument("--claims", action="store_true", help="both sizes of Bort against BERT-base and BERT-large")
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar="JSON", help="compare two saved results; measure nothing"
    )
    parser.add_argument("--batch", nargs="+", type=int, default=[1], help="texts in a batch (default: 1)")
    parser.add_argument("--seq", nargs="+", type=int, default=[16, 128], help="pieces in a text (default: 16 128)")
    parser.add_argument("--threads", nargs="+", type=int, default=[], help="(default: as many as there are cores)")
    parser.add_argument("--device", nargs="+", default=["cpu"], help="cpu, cuda, mps (default: cpu)")
    parser.add_argument("--dtype", nargs="+", default=["float32"], help=", ".join(DTYPES))
    parser.add_argument("--runtime", nargs="+", default=["fused"], help=", ".join(RUNTIMES))
    parser.add_argument("--output", choices=list(OUTPUTS), help="(default: encoder; of engines masked-lm)")
    parser.add_argument("--baseline", help="a model, or a condition such as runtime=eager (default: the last model)")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="turns of each model, at least (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="of timed calls for each, at least (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the result, also for the Latency page")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="save the table")


def run(options: argparse.Namespace) -> None:
    """Measure and print a table; or compare two results."""
    from bortlab.analysis import latency

    if options.compare:
        here, there = map(latency.load, options.compare)
        print(comparison(here, there))
        return
    plan = plan_of(options)
    for sentence in plan.left_out:
        print(sentence, file=sys.stderr)
    with Progress() as progress:
        result = latency.measure(plan, report=progress, path=options.json)
    baseline = options.baseline or ("bert-base-uncased" if options.claims else (options.models or latency.MINIS)[-1])
    compares_engines = options.engines is not None
    if options.csv:
        frame = latency.engine_frame(result) if compares_engines else result.frame(baseline)
        frame.to_csv(options.csv, index=False)
    print(engine_report(result) if compares_engines else report(result, baseline))


def plan_of(options: argparse.Namespace) -> Plan:
    """What is to be measured."""
    from bortlab.analysis import latency

    if options.claims:
        return latency.claims_plan(options.seq)
    models = options.models or list(latency.MINIS)
    if options.engines is not None:
        return latency.engines_plan(
            models,
            seq=options.seq,
            engines=options.engines or latency.TRIED,
            output=options.output or "masked-lm",
            threads=options.threads,
            rounds=options.rounds,
            seconds=options.seconds,
        )
    return latency.plan(
        models,
        output=options.output or "encoder",
        batch=options.batch,
        seq=options.seq,
        threads=options.threads,
        device=options.device,
        dtype=options.dtype,
        runtime=options.runtime,
        rounds=options.rounds,
        seconds=options.seconds,
    )


def report(result: Run, baseline: str) -> str:
    """A table, where it was measured, the verdict on each published claim, and what disturbed the measurement."""
    from bortlab.analysis import latency
    from bortlab.analysis.latency import machine

    frame = result.frame(baseline)
    table = frame[[name for name in COLUMNS if name in frame]]
    return "\n".join(
        [
            table.to_string(index=False, float_format="{:.3g}".format),
            f"Measured on {machine.described(result.environment)}. Times as fast: as "
            f"{latency.baseline_title(baseline)}. Intervals: 95%.",
            *(speedup.sentence for speedup in latency.measured_speedups(result)),
            *result.disturbed(),
        ]
    )


def engine_report(result: Run) -> str:
    """Engines beside torch as a table, the verdict for each model, where it was measured, and what disturbed it."""
    from bortlab.analysis import latency
    from bortlab.analysis.latency import machine
    from bortlab.views.latency import engine_findings

    table = latency.engine_frame(result).drop(columns=["batch", "output", "memory MB", "difference"], errors="ignore")
    return "\n".join(
        [
            table.to_string(index=False, float_format="{:.3g}".format, na_rep=""),
            f"Measured on {machine.described(result.environment)}. Intervals: 95%.",
            *(sentence for model in result.models for sentence in engine_findings(result, model)),
            *result.disturbed(),
        ]
    )


def comparison(here: Run, there: Run) -> str:
    """How many times as long each common case takes in the first result."""
    from bortlab.analysis.latency import compare, machine
    from bortlab.analysis.latency.cases import shape, title

    ratios = compare(here, there)
    if not ratios:
        return "The two results have no case in common."
    lines = [f"{machine.described(here.environment)} by {machine.described(there.environment)}"]
    lines += [
        f"{title(case.model)}, {shape(case)}, {case.runtime}, {case.dtype}: {ratio.value:.2f} "
        f"({ratio.low:.2f} to {ratio.high:.2f}), {ratio.verdict}"
        for case, ratio in ratios.items()
    ]
    return "\n".join(lines)
