"""Long attributions as jobs: many methods, or many steps, of one text, each with all that tells how far to trust it."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from bortlab import registry
from bortlab.analysis.attribution import (
    METHODS,
    Attribution,
    Baseline,
    By,
    Curves,
    Target,
    WholeText,
    attribute,
    curves,
    of_text,
    rank_correlation,
    units_of,
    with_random_weights,
)
from bortlab.analysis.attribution.problem import Watch, varied
from bortlab.jobs import Job, Running
from bortlab.model import Model
from bortlab.serving import cores
from bortlab.store import write
from bortlab.tokenization import Encoding

LOADABLE = ("bundled", "hub", "folder")
"""Sources of models that a job can load again."""
RESULT = "attributions.json"
SEEDS = 3
"""Seeds that a random method is repeated with, and networks with random weights."""
STARTUP_S = 8.0
"""Seconds until a job has loaded torch and the model."""


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """An attribution and what speaks for it; all but the first are None where they were not asked for.

    deletion, insertion: share of random orders that do worse. comprehensiveness, sufficiency: and of random orders, on
    average. repeats: mean rank correlation between seeds, 1 for a method that draws none. random_weights: mean rank
    correlation of the sizes with those from networks that have learned nothing; near 0 is good.
    """

    attribution: Attribution
    deletion: float | None = None
    insertion: float | None = None
    comprehensiveness: float | None = None
    random_comprehensiveness: float | None = None
    sufficiency: float | None = None
    random_sufficiency: float | None = None
    repeats: float | None = None
    random_weights: float | None = None


def curves_of(
    model: Model,
    encoding: Encoding,
    found: Attribution,
    *,
    baseline: Baseline,
    by: By,
    watch: Watch | None = None,
) -> Curves:
    """Words taken away and put back in an attribution's order."""
    problem, _, _ = of_text(model, encoding, found.target, baseline=baseline, by=by, watch=watch)
    return curves(problem, found.values[found.own], seed=found.seed)


def check(
    model: Model,
    encoding: Encoding,
    found: Attribution,
    seen: Curves,
    *,
    baseline: Baseline,
    by: By,
    watch: Watch | None = None,
) -> Checked:
    """Everything that tells how far an attribution can be trusted; seen: its curves."""
    method, target = METHODS[found.method], found.target
    how: dict[str, Any] = {
        "method": found.method, "baseline": baseline, "by": by, "steps": found.steps, "watch": watch
    }  # fmt: skip
    own = found.own
    values = found.values[own]
    repeats = [1.0]
    if method.random:
        others = [
            attribute(model, encoding, target, seed=found.seed + 1 + n, **how).values[own] for n in range(SEEDS - 1)
        ]
        tried = [values, *others]
        repeats = [rank_correlation(tried[i], tried[j]) for i in range(len(tried)) for j in range(i)]
    unlearned = []
    for seed in range(SEEDS):
        network = with_random_weights(model, seed)
        other = attribute(model, encoding, target, seed=found.seed, network=network, **how).values[own]
        unlearned.append(rank_correlation(values.abs(), other.abs()))
    return Checked(
        found, *seen.better_than, seen.comprehensiveness(), seen.random_comprehensiveness, seen.sufficiency(),
        seen.random_sufficiency, sum(repeats) / len(repeats), sum(unlearned) / len(unlearned),
    )  # fmt: skip


def passes(method: str, units: int, steps: int, pieces: int = 0) -> int:
    """Rows that a method asks for, roughly; pieces: where the target is a whole text, which asks for as many each."""
    return METHODS[method].cost(units, steps) * max(1, pieces)


def passes_of_check(method: str, units: int, steps: int, pieces: int = 0) -> int:
    """The same with `check`."""
    repeated = SEEDS - 1 if METHODS[method].random else 0
    return passes(method, units, steps, pieces) * (1 + repeated + SEEDS) + 42 * (units + 1) * max(1, pieces)


def seconds_a_pass(model: Model, encoding: Encoding) -> float:
    """How long one text takes here, now."""
    ids, types = (torch.tensor([part], device=model.device) for part in (encoding.ids, encoding.type_ids))
    times = []
    with torch.no_grad():
        for _ in range(3):
            started = time.perf_counter()
            model.network.encode(model.network.embed(ids, types), types)
            times.append(time.perf_counter() - started)
    return min(times)


def job(
    model: Model,
    text: str,
    pair: str | None,
    target: Target | WholeText,
    *,
    methods: Sequence[str],
    baseline: Baseline = "mask",
    by: By = "words",
    steps: Mapping[str, int] | None = None,
    seed: int = 0,
    checks: bool = True,
) -> Job:
    """The job that attributes by several methods; equal for equal questions.

    ValueError for a model that another process cannot load: one of random weights, or made by hand.
    """
    if model.source not in LOADABLE:
        raise ValueError(f"{model.key} ({model.source}) cannot be loaded by a job. Call attribute() in Python.")
    arguments: dict[str, Any] = {"source": model.source, "key": model.key, "family": model.family.name}
    arguments |= {"revision": model.revision, "fingerprint": model.fingerprint, "text": text, "pair": pair}
    arguments |= {"target": None if isinstance(target, WholeText) else asdict(target), "methods": list(methods)}
    arguments |= {"baseline": baseline, "by": by, "steps": dict(steps or {}), "seed": seed, "checks": checks}
    return Job("attribution", "bortlab.analysis.attribution.work:run", arguments)


def run(
    running: Running,
    *,
    source: str,
    key: str,
    family: str,
    revision: str,
    fingerprint: str,
    text: str,
    pair: str | None,
    target: Mapping[str, Any] | None,
    methods: Sequence[str],
    baseline: Baseline,
    by: By,
    steps: Mapping[str, int],
    seed: int,
    checks: bool,
) -> Mapping[str, Any]:
    """Attribute in a process of its own; what is done is kept after each method, and gone on from."""
    if hasattr(os, "nice"):
        os.nice(5)
    torch.set_num_threads(cores())
    running.report(0.0, f"Loading {key}.")
    if source == "folder":
        model = registry.load_from(key, family=family)
    else:
        model = registry.load(key, family=family, revision=revision if source == "hub" else None)
    if model.fingerprint != fingerprint:
        raise ValueError(f"{key} has changed since this was asked for. Load it again, and ask again.")
    encoding = model.encode(text, pair)
    wanted: Target | WholeText = WholeText() if target is None else Target(**target)
    units = len(set(units_of(encoding, by)[1][varied(encoding)].tolist()))
    pieces = len(varied(encoding)) if target is None else 0
    cost = passes_of_check if checks else passes
    costs = [cost(name, units, steps.get(name, METHODS[name].steps), pieces) for name in methods]
    path = running.folder / RESULT
    kept: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    for number, name in enumerate(methods):
        if name in kept:
            continue
        before, all_of_it, asked = sum(costs[:number]), sum(costs), 0
        said = time.monotonic()

        def watch(rows: int) -> None:
            nonlocal asked, said
            asked += rows * (3 if torch.is_grad_enabled() else 1) * max(1, pieces)
            if time.monotonic() - said > 0.2:
                said = time.monotonic()
                share = (before + min(asked, costs[number])) / all_of_it  # noqa: B023  called in this turn alone
                running.report(share, f"{METHODS[name].title}: {asked:,} passes.")  # noqa: B023

        running.report(before / all_of_it, f"{METHODS[name].title}.")
        found = attribute(
            model, encoding, wanted, method=name, baseline=baseline, by=by, steps=steps.get(name), seed=seed,
            watch=watch,
        )  # fmt: skip
        checked = Checked(found)
        if checks:
            seen = curves_of(model, encoding, found, baseline=baseline, by=by, watch=watch)
            checked = check(model, encoding, found, seen, baseline=baseline, by=by, watch=watch)
        kept[name] = _record(checked)
        write(path, json.dumps(kept).encode())
    return {"methods": len(kept)}


def _record(checked: Checked) -> dict[str, Any]:
    found = checked.attribution
    numbers = {name: getattr(checked, name) for name in Checked.__slots__ if name != "attribution"}
    numbers = {name: None if value is None or math.isnan(value) else value for name, value in numbers.items()}
    own = {"values": found.values.tolist(), "value": found.value, "without": found.without}
    return {"numbers": numbers, **own, "steps": found.steps, "seed": found.seed}


def result(asked: Job, model: Model) -> dict[str, Checked]:
    """What a job has found so far, by method."""
    try:
        kept = json.loads((asked.folder / "work" / RESULT).read_bytes())
    except (OSError, ValueError):
        return {}
    arguments = asked.arguments
    encoding = model.encode(arguments["text"], arguments["pair"])
    units, owners = units_of(encoding, arguments["by"])
    own = {int(owners[n]) for n in varied(encoding)}
    target = WholeText() if arguments["target"] is None else Target(**arguments["target"])
    left = tuple(n not in own for n in range(len(units)))
    return {
        name: Checked(
            Attribution(
                name, target, units, left, torch.tensor(entry["values"], dtype=torch.float64), entry["value"],
                entry["without"], entry["steps"], entry["seed"],
            ),
            **entry["numbers"],
        )
        for name, entry in kept.items()
    }  # fmt: skip
