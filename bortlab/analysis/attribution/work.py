"""Long attributions as jobs: many methods, steps or layers, of one text, with all that tells how far to trust them."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

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
from bortlab.model import Model
from bortlab.system.machine import cores
from bortlab.system.store import write
from bortlab.text import Encoding
from bortlab.work.jobs import Job, Running
from bortlab.work.reference import ModelReference

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


def share_of(model: Model, layer: int | None) -> float:
    """How much of the network is run for an attribution to what enters a layer; a little for the last one's output."""
    return 1.0 if layer is None else max(model.config.depth - layer, 0.5) / model.config.depth


def seconds_a_pass(model: Model, encoding: Encoding) -> float:
    """How long one text takes here, now."""
    ids, types = model.inputs(encoding)
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
    layers: Sequence[int] = (),
) -> Job:
    """The job that attributes by several methods; equal for equal questions.

    layers: to the states that enter these instead of to the words, see `attribute`; such are not tested, so checks must
    be False. ValueError for a model that another process cannot load: one of random weights, or made by hand.
    """
    if layers and checks:
        raise ValueError("checks: expected False for layers, as only attributions to the words are tested.")
    arguments: dict[str, Any] = {"model": ModelReference.of(model).to_json(), "layers": list(layers)}
    arguments |= {"text": text, "pair": pair}
    arguments |= {"target": None if isinstance(target, WholeText) else asdict(target), "methods": list(methods)}
    arguments |= {"baseline": baseline, "by": by, "steps": dict(steps or {}), "seed": seed, "checks": checks}
    return Job("attribution", "bortlab.analysis.attribution.work:run", arguments)


def run(
    running: Running,
    *,
    model: Mapping[str, Any],
    text: str,
    pair: str | None,
    target: Mapping[str, Any] | None,
    methods: Sequence[str],
    baseline: Baseline,
    by: By,
    steps: Mapping[str, int],
    seed: int,
    checks: bool,
    layers: Sequence[int],
) -> Mapping[str, Any]:
    """Attribute in a process of its own; what is done is kept after each method and layer, and gone on from."""
    if hasattr(os, "nice"):
        os.nice(5)
    torch.set_num_threads(cores())
    reference = ModelReference.from_json(model)
    running.report(0.0, f"Loading {reference.key}.")
    loaded = reference.load()
    encoding = loaded.encode(text, pair)
    wanted: Target | WholeText = WholeText() if target is None else Target(**target)
    parts: list[tuple[str, int | None]] = [(name, layer) for name in methods for layer in layers or (None,)]
    units = units_asked(encoding, by, layers=bool(layers))
    pieces = len(varied(encoding)) if target is None else 0
    cost = passes_of_check if checks else passes
    costs = [
        cost(name, units, steps.get(name, METHODS[name].steps), pieces) * share_of(loaded, layer)
        for name, layer in parts
    ]
    path = running.folder / RESULT
    kept: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    for number, (name, layer) in enumerate(parts):
        if (part := named(name, layer)) in kept:
            continue
        where = (
            "" if layer is None else f" into layer {layer + 1}" if layer < loaded.config.depth else " out of the last"
        )
        title = METHODS[name].title + where
        share = share_of(loaded, layer)
        before, all_of_it, asked = sum(costs[:number]), sum(costs), 0
        said = time.monotonic()

        def watch(rows: int) -> None:
            nonlocal asked, said
            asked += rows * (3 if torch.is_grad_enabled() else 1) * max(1, pieces)
            if time.monotonic() - said > 0.2:
                said = time.monotonic()
                done = before + min(asked * share, costs[number])  # noqa: B023  called in this turn alone
                running.report(done / all_of_it, f"{title}: {asked:,} passes.")  # noqa: B023

        running.report(before / all_of_it, f"{title}.")
        found = attribute(
            loaded, encoding, wanted, method=name, baseline=baseline, by=by, steps=steps.get(name), seed=seed,
            layer=layer, watch=watch,
        )  # fmt: skip
        checked = Checked(found)
        if checks:
            seen = curves_of(loaded, encoding, found, baseline=baseline, by=by, watch=watch)
            checked = check(loaded, encoding, found, seen, baseline=baseline, by=by, watch=watch)
        kept[part] = _record(checked)
        write(path, json.dumps(kept).encode())
    return {"attributions": len(kept)}


def named(method: str, layer: int | None = None) -> str:
    """What a job calls its attribution by a method, to a layer or to the words."""
    return method if layer is None else f"{method}, layer {layer}"


def units_asked(encoding: Encoding, by: By, *, layers: bool = False) -> int:
    """How many units a method has to tell apart: those of the words that may go, in layers those of all positions."""
    owners = units_of(encoding, by)[1]
    return len(set((owners if layers else owners[varied(encoding)]).tolist()))


def _record(checked: Checked) -> dict[str, Any]:
    found = checked.attribution
    numbers = {name: getattr(checked, name) for name in Checked.__slots__ if name != "attribution"}
    numbers = {name: None if value is None or math.isnan(value) else value for name, value in numbers.items()}
    own = {"values": found.values.tolist(), "value": found.value, "without": found.without}
    return {"numbers": numbers, **own, "method": found.method, "kept": found.kept, "steps": found.steps,
            "seed": found.seed}  # fmt: skip


def result(asked: Job, model: Model) -> dict[str, Checked]:
    """What a job has found so far, by what `named` calls it."""
    try:
        kept = json.loads((asked.folder / "work" / RESULT).read_bytes())
    except (OSError, ValueError):
        return {}
    arguments = asked.arguments
    encoding = model.encode(arguments["text"], arguments["pair"])
    units, _ = units_of(encoding, arguments["by"])
    target = WholeText() if arguments["target"] is None else Target(**arguments["target"])
    return {
        name: Checked(
            Attribution(
                entry["method"], target, units, tuple(entry["kept"]),
                torch.tensor(entry["values"], dtype=torch.float64), entry["value"], entry["without"], entry["steps"],
                entry["seed"],
            ),
            **entry["numbers"],
        )
        for name, entry in kept.items()
    }  # fmt: skip
