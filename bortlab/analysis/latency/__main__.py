"""The command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bortlab.analysis import latency
from bortlab.analysis.latency import machine, runtimes
from bortlab.analysis.latency.findings import check_claims, checked_sentence
from bortlab.analysis.latency.measuring import measure
from bortlab.analysis.latency.plans import MINIS, ROUNDS, SECONDS, claims_plan, plan
from bortlab.analysis.latency.results import Run, baseline_title, compare, load
from bortlab.analysis.latency.runtimes import shape, title


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, show a table, keep the result; or compare two results."""
    parser = argparse.ArgumentParser(
        prog="python -m bortlab.analysis.latency",
        description=latency.__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("models", nargs="*", help="keys, bort:hidden_size=768,intermediate_size=1024 too; the minis")
    parser.add_argument("--claims", action="store_true", help="both sizes of Bort against BERT-base and BERT-large")
    parser.add_argument("--compare", nargs=2, type=Path, metavar="JSON", help="two saved results, measuring nothing")
    parser.add_argument("--batch", nargs="+", type=int, default=[1])
    parser.add_argument("--seq", nargs="+", type=int, default=[16, 128])
    parser.add_argument("--threads", nargs="+", type=int, default=[], help="as many as there are cores unless told")
    parser.add_argument("--device", nargs="+", default=["cpu"])
    parser.add_argument("--dtype", nargs="+", default=["float32"], help=", ".join(runtimes.DTYPES))
    parser.add_argument("--runtime", nargs="+", default=["fused"], help=", ".join(runtimes.RUNTIMES))
    parser.add_argument("--output", default="encoder", choices=list(runtimes.OUTPUTS))
    parser.add_argument("--baseline", help="a model, or a condition as runtime=eager; the last model")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of counted calls, for each")
    parser.add_argument("--json", type=Path, help="keep the result here")
    parser.add_argument("--csv", type=Path, help="keep the table here")
    told = parser.parse_args(arguments)
    try:
        print(_compared(*map(load, told.compare)) if told.compare else _measured_table(told))
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None


def _measured_table(told: argparse.Namespace) -> str:
    models = told.models or list(MINIS)
    asked = (
        claims_plan(told.seq)
        if told.claims
        else plan(
            models, output=told.output, batch=told.batch, seq=told.seq, threads=told.threads, device=told.device,
            dtype=told.dtype, runtime=told.runtime, rounds=told.rounds, seconds=told.seconds,
        )
    )  # fmt: skip
    for sentence in asked.left_out:
        print(sentence, file=sys.stderr)

    def show(progress: float, message: str = "", **numbers: Any) -> None:
        print(f"\r{progress:4.0%} {message:<60.60}", end="", file=sys.stderr, flush=True)

    try:
        found = measure(asked, report=show, path=told.json)
    finally:
        print(file=sys.stderr)
    baseline = told.baseline or ("bert-base-uncased" if told.claims else models[-1])
    frame = found.frame(baseline)
    if told.csv:
        frame.to_csv(told.csv, index=False)
    shown = ["model", "batch", "pieces", "threads", "precision", "runtime", "p50 ms", "from ms", "to ms", "p90 ms"]
    shown += ["p99 ms", "times as fast", "at least", "at most", "verdict", "share of matmul", "memory MB", "error"]
    lines = [frame[[name for name in shown if name in frame]].to_string(index=False, float_format="{:.3g}".format)]
    lines.append(f"{machine.described(found.environment)}; times as fast as {baseline_title(baseline)}; 95 %.")
    lines += [f"{checked_sentence(one)}" for one in check_claims(found)]
    return "\n".join([*lines, *found.disturbed()])


def _compared(here: Run, there: Run) -> str:
    lines = [f"{machine.described(here.environment)} by {machine.described(there.environment)}"]
    for case, ratio in compare(here, there).items():
        lines.append(
            f"{title(case.model)}, {shape(case)}, {case.runtime}, {case.dtype}: {ratio.value:.2f} "
            f"({ratio.low:.2f} to {ratio.high:.2f}), {ratio.verdict}"
        )
    return "\n".join(lines) if len(lines) > 1 else "The two have no case in common."


if __name__ == "__main__":
    main()
