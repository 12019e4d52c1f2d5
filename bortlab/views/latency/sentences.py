"""What can be read from a measurement, in sentences of Markdown that agree with the statistics."""

from __future__ import annotations

from collections.abc import Sequence

from bortlab.analysis.latency.cases import Case, shape, shares_blocks, title
from bortlab.analysis.latency.findings import MeasuredSpeedup
from bortlab.analysis.latency.results import Measured, Run, baseline_title
from bortlab.analysis.latency.timing import Ratio
from bortlab.system.numbers import factor, milliseconds
from bortlab.views import prose
from bortlab.views.escape import markdown
from bortlab.views.latency.labels import label

MUCH_SMALLER = 1.5
"""A model with so many times fewer weights than the baseline is small enough to expect it to be fast."""
HARDLY_FASTER = 0.8
"""The share of the baseline's time above which such a model saves little time."""


def findings(run: Run, cases: Sequence[Measured], baseline: str) -> list[str]:
    """What can be read from the cases of one shape, a sentence each."""
    names = {measured.case: _bold(measured.case, cases) for measured in cases}
    ratios = {case: ratio for case, ratio in run.ratios(baseline).items() if case in names}
    base = next((measured for measured in cases if measured.case.model == baseline), None)
    sentences = [
        fastest(run, cases, names),
        largest_speed_up(ratios, baseline, names),
        no_difference(ratios, baseline, names),
        small_but_not_fast(ratios, cases, base, names) if base is not None else "",
    ]
    return [sentence for sentence in sentences if sentence]


def _bold(case: Case, cases: Sequence[Measured]) -> str:
    return f"**{markdown(label(case, [measured.case for measured in cases]))}**"


def fastest(run: Run, cases: Sequence[Measured], names: dict[Case, str]) -> str:
    """Which case is the fastest, if the next one is significantly slower; otherwise, which has the lowest median."""
    first, *others = sorted(cases, key=lambda measured: measured.p50.value)
    numbers = (
        f"{milliseconds(first.p50.value)} for {first.case.batch} × {first.case.seq} pieces, "
        f"{first.per_second:,.0f} sequences a second"
    )
    if not others or run.against(first.case, others[0].case).verdict == "faster":
        return f"{names[first.case]} is the fastest: {numbers}."
    return (
        f"{names[first.case]} has the lowest median, {numbers}, but the difference to {names[others[0].case]} is not "
        f"significant."
    )


def largest_speed_up(ratios: dict[Case, Ratio], baseline: str, names: dict[Case, str]) -> str:
    """The case that differs most, and significantly, from the baseline; "" if none does."""
    significant = {case: ratio for case, ratio in ratios.items() if ratio.significant}
    if not significant:
        return ""
    case = min(significant, key=lambda case: significant[case].value)
    speedup = significant[case].speedup
    return (
        f"{names[case]} is {factor(speedup.value)} as fast as {markdown(baseline_title(baseline))} "
        f"(95% interval {factor(speedup.low)} to {factor(speedup.high)})."
    )


def no_difference(ratios: dict[Case, Ratio], baseline: str, names: dict[Case, str]) -> str:
    """The cases that do not differ significantly from the baseline; "" if all do."""
    similar = [names[case] for case, ratio in ratios.items() if not ratio.significant]
    if not similar:
        return ""
    return f"No significant difference from {markdown(baseline_title(baseline))}: {prose.names(similar)}."


def small_but_not_fast(
    ratios: dict[Case, Ratio], cases: Sequence[Measured], base: Measured, names: dict[Case, str]
) -> str:
    """The model that saves most weights and least time; "" if every small model is clearly faster."""
    small = [
        measured
        for measured in cases
        if measured.case in ratios and base.parameters > MUCH_SMALLER * measured.parameters
    ]
    if not small:
        return ""
    example = max(small, key=lambda measured: ratios[measured.case].value * base.parameters / measured.parameters)
    ratio = ratios[example.case]
    if ratio.verdict == "faster" and ratio.value < HARDLY_FASTER:
        return ""
    base_name = markdown(title(base.case.model))
    time = {
        "slower": f"takes {ratio.value:.2f} times as long",
        "no significant difference": "is not significantly faster",
        "faster": f"still takes {ratio.value:.0%} of its time",
    }[ratio.verdict]
    reason = ": its layers share their weights, but each still does its own work" if _shares(example.case) else ""
    return (
        f"Small is not fast: {names[example.case]} stores {base.parameters / example.parameters:.1f} times fewer "
        f"weights than {base_name}, but {time}{reason}."
    )


def _shares(case: Case) -> bool:
    return case.is_network and shares_blocks(case.model)


def speed_up_claims(speedups: Sequence[MeasuredSpeedup]) -> str:
    """In how many measurements each published speed-up was reached, and the best one."""
    parts = []
    for name in dict.fromkeys(speedup.published.name for speedup in speedups):
        of_name = [speedup for speedup in speedups if speedup.published.name == name]
        best = max(of_name, key=lambda speedup: speedup.speedup.value)
        reached = sum(speedup.verdict == "reached" for speedup in of_name)
        measurements = prose.counted(len(of_name), "measurement")
        parts.append(
            f"**{name}**: reached in {reached} of {measurements}, {factor(best.speedup.value)} at best "
            f"({markdown(title(best.published.model))}, {shape(best.case)}), with {best.flops:.1f} times less "
            f"arithmetic"
        )
    return (
        f"{'; '.join(parts)}. Less arithmetic is what fewer and smaller layers can save; any speed-up beyond it is due "
        "to the program."
    )
